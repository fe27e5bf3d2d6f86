# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ids that are drawn for new pairs, and how they are known again by their last bytes."""

from __future__ import annotations

import contextlib
import hashlib
import secrets

_LENGTHS = (8, 16)  # bytes that are drawn where vendors leave it to us


def draw(length: int) -> bytes:
    """A random id of so many bytes that `is_drawn` knows: the last quarter begins the SHA-256 of what is before it."""
    drawn = secrets.token_bytes(length - length // 4)
    return drawn + hashlib.sha256(drawn).digest()[: length // 4]


def draw_text(length: int) -> bytes:
    """The same as a text of twice as many hexadecimal digits."""
    return draw(length).hex().encode()


def is_drawn(identifier: bytes) -> bool:
    """Whether `draw` or `draw_text` made this; of other ids of these lengths one in 65,536 looks so, or far fewer."""
    with contextlib.suppress(ValueError):
        identifier = bytes.fromhex(identifier.decode("ascii"))
    length = len(identifier)
    drawn, mark = identifier[: length - length // 4], identifier[length - length // 4 :]
    return length in _LENGTHS and mark == hashlib.sha256(drawn).digest()[: length // 4]
