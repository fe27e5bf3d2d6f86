#!/usr/bin/env python
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the Pythons of this machine that can make virtual environments: on PATH and under pyenv."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST, NEWEST = (3, 10), (3, 14)  # what the collection needs; what ansible-core 2.21 runs on
PROBE = "import ensurepip, sys, venv; print(*sys.version_info[:2])"


def pyenv_root() -> Path | None:
    """The root of pyenv, whose versions are not on PATH but behind shims that may refuse to run."""
    if "PYENV_ROOT" in os.environ:
        return Path(os.environ["PYENV_ROOT"])
    if shutil.which("pyenv"):
        answer = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False)
        return Path(answer.stdout.strip()) if answer.returncode == 0 else None
    return None


def candidates() -> list[Path]:
    """Everything that by its name could be a Python, in the order of preference."""
    root = pyenv_root()
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    if root:
        folders = [folder for folder in folders if root / "shims" != folder]
        folders += sorted((root / "versions").glob("*/bin"), reverse=True)
    found = []
    for folder in folders:
        found += [path for path in sorted(folder.glob("python3*")) if re.fullmatch(r"python3(\.\d+)?", path.name)]
    # A virtual environment would make one that depends on it: what it was made from is taken instead.
    return [Path(getattr(sys, "_base_executable", sys.executable)), *found]


def version_of(python: Path) -> tuple[int, int] | None:
    """The version, or None for what does not run or cannot make virtual environments."""
    try:
        answer = subprocess.run([str(python), "-c", PROBE], capture_output=True, text=True, check=False, timeout=30)
        major, minor = answer.stdout.split()
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return int(major), int(minor)


def pythons() -> dict[str, str]:
    """The usable Pythons, oldest first: version ('3.12') to path."""
    found: dict[tuple[int, int], str] = {}
    for path in dict.fromkeys(candidates()):
        version = version_of(path)
        if version and OLDEST <= version <= NEWEST:
            found.setdefault(version, str(path))
    return {f"{major}.{minor}": path for (major, minor), path in sorted(found.items())}


if __name__ == "__main__":
    every = pythons()
    if "--newest" not in sys.argv:
        print("\n".join(f"{version} {path}" for version, path in every.items()))
    elif every:
        print(list(every.values())[-1])
    else:
        sys.exit("No Python between 3.10 and 3.14 that can make virtual environments was found (python3-venv?).")
