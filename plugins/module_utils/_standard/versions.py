# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of installed distributions, to word a refusal with."""

from __future__ import annotations

import re
import sys


def found_version(distribution: str) -> str | None:
    """The version of an installed distribution, to word a refusal with."""
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def is_below(version: str, floor: str) -> bool:
    """Whether a version is below a floor; never below one that is not said."""
    found, needed = (tuple(map(int, re.findall(r"[0-9]+", text)[:3])) for text in (version, floor))
    return found < needed


def too_old(requirement: str) -> str | None:
    """What to say of an installed version below the floor of `package >= floor`; None where there is none."""
    package, _sign, floor = requirement.partition(" >= ")
    version = found_version(package)
    if version is None or not is_below(version, floor):  # not there, or broken
        return None
    return (
        f"Found {package} {version} for {sys.executable}, and {requirement} is needed; update it, or name another"
        " Python by ansible_python_interpreter."
    )
