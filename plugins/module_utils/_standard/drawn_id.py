# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ids that are drawn for new pairs, and how they are known again: their last bytes follow from the others."""

from __future__ import annotations

import contextlib
import hashlib
import secrets

_MARK = 4  # bytes at the end: the beginning of the SHA-256 of those before


def draw(length: int) -> bytes:
    """A random id of so many bytes that `is_drawn` knows; nothing where there is no room for the mark."""
    drawn = secrets.token_bytes(max(length - _MARK, 0))
    return drawn + _mark(drawn) if drawn else secrets.token_bytes(length)


def draw_text(length: int) -> bytes:
    """The same as a text of twice as many hexadecimal digits."""
    return draw(length).hex().encode()


def is_drawn(identifier: bytes) -> bool:
    """Whether `draw` or `draw_text` made this; that another id looks so is one chance in four thousand millions."""
    with contextlib.suppress(ValueError):
        identifier = bytes.fromhex(identifier.decode("ascii"))
    drawn, mark = identifier[:-_MARK], identifier[-_MARK:]
    return len(drawn) >= _MARK and mark == _mark(drawn)


def _mark(drawn: bytes) -> bytes:
    return hashlib.sha256(drawn).digest()[:_MARK]
