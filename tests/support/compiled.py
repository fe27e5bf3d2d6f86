# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Libraries in C that tests put in a program's way (pkcs11_fault.c, kill_at_file.c)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("pkcs11_fault.c")


def compile_library(folder: Path, name: str, *options: str, source: Path = SOURCE) -> Path:
    """Builds the interposer, or another library, with the host's C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise AssertionError("the fault tests need a C compiler (packages gcc and libc6-dev)")
    built = folder / name
    command = [compiler, "-shared", "-fPIC", "-Wall", "-Werror", *options, "-o", str(built), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return built
