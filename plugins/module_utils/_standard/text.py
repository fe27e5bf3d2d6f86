# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How bytes are written in results, URIs and messages.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations


def colon_hex(value: bytes) -> str:
    """Bytes as C(aa:bb): Ansible masks a PIN wherever it occurs in a returned text, and long digits would hold it."""
    return value.hex(":")
