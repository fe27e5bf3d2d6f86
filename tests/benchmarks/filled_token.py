# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens with many key pairs: made once in `build/bench`, and copied for each use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.support.soft_token import SoftToken, library

SCRIPTS = Path(__file__).resolve().parent


def filled_token(build: Path, folder: Path, pairs: int) -> SoftToken:
    """A token in `folder` that holds so many pairs on P-256."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(_original(build, pairs), folder)
    return SoftToken(folder, initialise=False)


def _original(build: Path, pairs: int) -> Path:
    """The folder to copy. A run that is broken off leaves only a draft behind."""
    finished = build / f"token-with-{pairs}"
    if not finished.exists():
        draft = build / f"draft-with-{pairs}"
        shutil.rmtree(draft, ignore_errors=True)
        token = SoftToken(draft)
        print(f"filling a token with {pairs} pairs", flush=True)
        subprocess.run(
            [sys.executable, str(SCRIPTS / "fill.py"), library(), token.label, str(pairs)],
            env={**os.environ, **token.environment},
            input=token.pin.encode(),
            check=True,
        )
        draft.rename(finished)
    return finished
