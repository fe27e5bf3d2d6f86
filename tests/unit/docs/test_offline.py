# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script that installs what `make offline` filled a folder with, as far as it needs nothing of that."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "install_offline"


@pytest.fixture
def carried(tmp_path: Path) -> Path:
    """A folder as it was carried over, with files that only look like wheels."""
    folder = tmp_path / "offline"
    (folder / "wheels").mkdir(parents=True)
    shutil.copy(SCRIPT, folder / "install")
    for name in ("wheels/ansible_core-1.whl", "wheels/of two words-1.whl", "guide.rst"):
        (folder / name).write_text(name)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    sums = (f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(folder)}\n" for file in files)
    (folder / "SHA256SUMS").write_text("".join(sums))
    return folder


def installed(folder: Path) -> subprocess.CompletedProcess[str]:
    """The run of the script, with a Python that only says that it was reached."""
    python = folder.parent / "python"
    python.write_text("#!/bin/sh\necho reached; exit 3\n")
    python.chmod(0o755)
    command = ["sh", str(folder / "install"), str(folder.parent / "target"), str(python)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_was_carried_over_as_it_was_is_installed(carried: Path) -> None:
    run = installed(carried)
    assert (run.returncode, run.stdout) == (3, "reached\n"), run.stderr


@pytest.mark.parametrize("name", ["wheels/ansible_core-1.whl", "wheels/ansible_core-99.whl", "cryptoki-hsm-9.tar.gz"])
def test_what_was_changed_or_added_is_not(name: str, carried: Path) -> None:
    (carried / name).write_text("evil")
    run = installed(carried)
    assert run.returncode == 1 and "reached" not in run.stdout and run.stderr != ""


def test_what_is_missing_is_told(carried: Path) -> None:
    (carried / "guide.rst").unlink()
    run = installed(carried)
    assert run.returncode == 1 and "guide.rst" in run.stderr and "reached" not in run.stdout
