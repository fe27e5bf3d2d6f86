# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Folders of tests."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.support.module_process import NOBODY


def open_folder() -> Path:
    """A new folder that every user may enter (those of pytest are private)."""
    folder = Path(tempfile.mkdtemp(prefix="cryptoki-hsm-"))
    folder.chmod(0o755)
    return folder


def give_to_nobody(folder: Path) -> None:
    """Makes nobody the owner of a folder with all that is in it."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
