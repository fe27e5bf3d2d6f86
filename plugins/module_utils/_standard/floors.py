# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this collection needs at least, found out before the login and without importing much."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import typing as t

PYTHON = (3, 10)
_VERSION = re.compile(r'__version__ = "(\d+)\.')


def python_problem(version: tuple[t.Any, ...] = sys.version_info) -> str | None:
    """Why modules cannot run with this Python; None where they can."""
    if version[:2] >= PYTHON:
        return None
    found, needed = (".".join(map(str, numbers)) for numbers in (version[:3], PYTHON))
    return (
        f"Found Python {found} as {sys.executable}, and Python {needed} or later is needed on the target; name one by"
        " ansible_python_interpreter."
    )


def cryptography_problem() -> str | None:
    """Why cryptography cannot be used; it is imported when it is needed only, since that takes long.

    Its version stands in a small file of its own; to ask the package database for it takes as long as all else.
    """
    spec = importlib.util.find_spec("cryptography")
    if spec is None or not spec.origin:
        return "No module named 'cryptography'"
    try:
        with open(os.path.join(os.path.dirname(spec.origin), "__about__.py"), encoding="utf-8") as file:
            found = _VERSION.search(file.read(4096))
    except OSError:
        return None  # packed in some other way: its import tells
    return f"cryptography {found[1]} is too old" if found and int(found[1]) < 41 else None
