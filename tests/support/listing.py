# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What pkcs11-tool lists."""

from __future__ import annotations

import re

# So it shows what a data object lacks. SoftHSM's objects are data until their class is written.
_NOTHING = ("<empty>", "''")


def parse_listing(text: str) -> list[dict[str, str]]:
    """The output of `pkcs11-tool --list-objects`, one dictionary an object."""
    rows: list[dict[str, str]] = []
    for line in text.splitlines():
        head = re.match(r"(Public Key|Private Key|Certificate|Data|Secret Key|Profile) [Oo]bject;?(.*)", line)
        if head:
            rows.append({"class": head[1].split()[0].lower(), "kind": head[2].strip()})
        elif rows and ":" in line:
            name, _colon, value = line.partition(":")
            rows[-1][name.strip().lower()] = "" if value.strip() in _NOTHING else value.strip()
    return rows
