# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether one file of SoftHSM's store is whole: an object of the backend `file`, or the database of the backend `db`.

SoftHSM 2 passes over a file that it cannot read to its end, and takes one that ends at the right place for an object
with fewer attributes; both look as if the key were absent. Derived from what SoftHSM 2.6.1 does:

- An object begins with a counter of 8 bytes. Records follow, each with an attribute's number and a kind, 8 bytes each,
  and a value: 1 byte (kind 1), 8 bytes (kind 2), a length in 8 bytes and as many bytes (kinds 3 and 4), or a count in 8
  bytes and as many numbers of 8 bytes (kind 5). All numbers are big endian.
- Its writer cuts the file to nothing and writes it anew for each attribute, so that a whole object may be empty for a
  moment, and for good if the writer is killed then.
- Attributes that are missing in a file are added to it, with empty values, when somebody reads the object. So a key
  whose value is empty may be a damaged one, too.
"""

from __future__ import annotations

import os
import struct

_EMPTY = "it is empty"
_NO_OBJECT = "it is cut off, or overwritten"
_UNFINISHED = "it lacks what every object has, so that it was cut off or never finished"
_NO_KEY = "the key itself is missing in it"
_NO_DATABASE = "it is no database, or cut off"

_HEADER = 100  # bytes at the beginning of a database
_ALIKE = 8  # layouts of one size that are remembered

_HEAD = struct.Struct(">QQ")
_BOOLEAN, _NUMBER, _BYTES, _MAP, _MECHANISMS = range(1, 6)
_UNIT = {_BYTES: 1, _MAP: 1, _MECHANISMS: 8}

_CLASS, _LABEL, _VALUE, _KEY_TYPE, _ID = 0x0, 0x3, 0x11, 0x100, 0x102
_MODULUS, _PRIVATE_EXPONENT, _EC_POINT = 0x120, 0x123, 0x181
_PUBLIC, _PRIVATE, _SECRET = 2, 3, 4
_RSA = 0
_WITH_POINT = (0x3, 0x40, 0x41)  # CKK_EC, CKK_EC_EDWARDS, CKK_EC_MONTGOMERY
# SoftHSM's own attributes of a token: its label, serial number and flags.
_TOKEN = (0x80005349, 0x8000534A, 0x8000534B)


class Objects:
    """Judges the files of objects. Most are laid out as one of those before, which one comparison shows."""

    def __init__(self) -> None:
        self._whole: dict[int, list[tuple[struct.Struct, tuple[bytes, ...]]]] = {}

    def damage(self, content: bytes) -> str | None:
        """What is wrong with the content of a file, for a message; None if nothing is."""
        alike = self._whole.setdefault(len(content), [])
        if any(layout.unpack(content) == heads for layout, heads in alike):
            return None
        reason = _object_damage(content)
        if reason is None and len(alike) < _ALIKE:
            layout = _layout(content)
            if layout.size == len(content):  # it is not where an attribute is there twice
                alike.append((layout, layout.unpack(content)))
        return reason


def _object_damage(content: bytes) -> str | None:
    if not content:
        return _EMPTY
    values = _values(content)
    if values is None:
        return _NO_OBJECT
    if not {_CLASS, _LABEL} <= values.keys():
        return _UNFINISHED
    key_class = _number(content, values[_CLASS])
    if key_class not in (_PUBLIC, _PRIVATE, _SECRET):
        return None
    if not {_KEY_TYPE, _ID} <= values.keys():
        return _UNFINISHED
    material = _material(key_class, _number(content, values[_KEY_TYPE]))
    return None if material in values and _number(content, values[material]) else _NO_KEY


def _layout(content: bytes) -> struct.Struct:
    """Takes out of a whole object what all that are laid out so share: not the values, but for class and key type."""
    parts = ["8x"]
    for attribute, position in (_values(content) or {}).items():
        kind = content[position - 1]
        if kind == _BOOLEAN:
            parts.append("16sx")
        elif kind == _NUMBER:
            parts.append("24s" if attribute in (_CLASS, _KEY_TYPE) else "16s8x")
        else:
            parts.append(f"24s{_number(content, position) * _UNIT[kind]}x")
    return struct.Struct("".join(parts))


def token_damage(content: bytes) -> str | None:
    """As `Objects.damage`, of a token's own file."""
    if not content:
        return _EMPTY
    values = _values(content)
    return None if values is not None and values.keys() >= set(_TOKEN) else _NO_OBJECT


def _values(content: bytes) -> dict[int, int] | None:
    """Where the value of each attribute begins; None where the records do not end with the file."""
    values: dict[int, int] = {}
    end = len(content)
    position = 8
    while position + 16 <= end:
        attribute, kind = _HEAD.unpack_from(content, position)
        position += 16
        values[attribute] = position
        if kind == _BOOLEAN:
            position += 1
        elif kind == _NUMBER:
            position += 8
        elif kind in _UNIT:
            position += 8 + _number(content, position) * _UNIT[kind]
        else:
            return None
    return values if position == end else None


def _number(content: bytes, position: int) -> int:
    return int.from_bytes(content[position : position + 8], "big")


def _material(key_class: int, key_type: int) -> int:
    """The attribute that no key of this kind can do without."""
    if key_type == _RSA and key_class != _SECRET:
        return _MODULUS if key_class == _PUBLIC else _PRIVATE_EXPONENT
    return _EC_POINT if key_class == _PUBLIC and key_type in _WITH_POINT else _VALUE


def database_damage(descriptor: int, journal: bool) -> str | None:
    """What the header of an SQLite database and its length tell; a journal repairs it when it is opened next.

    What is wrong within the pages is not seen here: SoftHSM answers such a search with an error.
    """
    header = os.read(descriptor, _HEADER)
    size = os.fstat(descriptor).st_size
    if journal:
        return None
    if not header:
        return _EMPTY
    if len(header) < _HEADER or not header.startswith(b"SQLite format 3\0"):
        return _NO_DATABASE
    page = int.from_bytes(header[16:18], "big")
    page = 65536 if page == 1 else page
    # The number of pages holds only where the version that wrote it wrote the whole header (file format, 1.3.7).
    pages = int.from_bytes(header[28:32], "big") if header[24:28] == header[92:96] else 0
    return _NO_DATABASE if size < pages * page or not page else None
