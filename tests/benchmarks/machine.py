# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the numbers were measured on: hardware, versions and other work, without the name of the host."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path


def describe_machine() -> list[tuple[str, ...]]:
    """Names and values. To be called before the measurements, or the load would be theirs."""
    packages = ("ansible-core", "python-pkcs11", "cryptography")
    return [
        ("processor", f"{_processor()}, {os.cpu_count()} cores"),
        ("load by other programs", f"{os.getloadavg()[0]:.1f}"),
        ("system", platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())),
        ("SoftHSM", _version_of("softhsm2-util", "--version")),
        ("OpenSC", _version_of("opensc-tool", "--info")),
        ("Python", platform.python_version()),
        *((name, importlib.metadata.version(name)) for name in packages),
    ]


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else platform.machine()


def _version_of(*command: str) -> str:
    """The first number in what a program says of itself."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    found = re.search(r"\d+(\.\d+)+", done.stdout)
    return found[0] if found else "unknown"
