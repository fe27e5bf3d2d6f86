# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The environment of the programs that tests start."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.support.folder import open_folder

ROOT = str(Path(__file__).absolute().parents[5])


@functools.cache  # once a process, however many conftest.py ask for it
def clean_environment() -> None:
    """Leaves them what they need, and nothing of the caller's."""
    # The modules that the tests start find the collection where the tests found it.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    os.environ["ANSIBLE_COLLECTIONS_PATH"] = ROOT
    # Nothing of the caller's may reach them, and their stdout is buffered as it is on a target.
    for variable in list(os.environ):
        if variable.startswith(("HSM_", "PKCS11", "SOFTHSM2_", "FAULT", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE")):
            del os.environ[variable]
    # Hundreds of them are started: they compile once, and not into the sources.
    cache = open_folder()
    os.environ["PYTHONPYCACHEPREFIX"] = str(cache)
    atexit.register(shutil.rmtree, cache, ignore_errors=True)
