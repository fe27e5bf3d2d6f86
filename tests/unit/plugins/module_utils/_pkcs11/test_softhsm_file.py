# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole and damaged files of SoftHSM's, by their content."""

from __future__ import annotations

import sqlite3
import typing as t
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.softhsm_file import (
    Objects,
    database_damage,
    token_damage,
)

CLASS, LABEL, VALUE, KEY_TYPE, ID, MODULUS, EXPONENT, POINT = 0, 3, 0x11, 0x100, 0x102, 0x120, 0x123, 0x181
PUBLIC, PRIVATE, SECRET, CERTIFICATE = 2, 3, 4, 1
RSA, EC, AES = 0, 3, 0x1F
Value = t.Union[bool, int, bytes, "list[int]"]


def number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def content(values: t.Mapping[int, Value]) -> bytes:
    """A file with these attributes, as SoftHSM writes it."""
    parts = [number(7)]
    for attribute, value in sorted(values.items()):
        if isinstance(value, bool):
            kind, packed = 1, b"\xff" if value else b"\0"
        elif isinstance(value, int):
            kind, packed = 2, number(value)
        elif isinstance(value, bytes):
            kind, packed = 3, number(len(value)) + value
        else:
            kind, packed = 5, number(len(value)) + b"".join(map(number, value))
        parts.append(number(attribute) + number(kind) + packed)
    return b"".join(parts)


def key(key_class: int, key_type: int, material: int) -> dict[int, Value]:
    return {
        CLASS: key_class,
        1: True,
        LABEL: b"k",
        KEY_TYPE: key_type,
        ID: b"",
        material: b"\x04" * 65,
        0x40000600: [1, 2],
    }


KEYS = [
    key(PUBLIC, RSA, MODULUS),
    key(PRIVATE, RSA, EXPONENT),
    key(PUBLIC, EC, POINT),
    key(PRIVATE, EC, VALUE),
    key(SECRET, AES, VALUE),
]
TOKEN: dict[int, Value] = {0x80005349: b"token".ljust(32), 0x8000534A: b"0123456789abcdef", 0x8000534B: 1069}


@pytest.mark.parametrize("values", KEYS)
def test_whole_key(values: dict[int, Value]) -> None:
    objects = Objects()
    for dummy in range(2):  # the second time by the layout of the first
        assert objects.damage(content(values)) is None
    longer = content({**values, LABEL: b"another"})
    assert objects.damage(longer) is None


@pytest.mark.parametrize("values", KEYS)
def test_key_that_is_cut_anywhere(values: dict[int, Value]) -> None:
    """What is still taken for whole has all that it is found by, and the key."""
    whole, objects = content(values), Objects()
    assert objects.damage(whole) is None
    rest = content({0x40000600: [1, 2]})[8:]
    passed = [length for length in range(len(whole)) if objects.damage(whole[:length]) is None]
    assert passed in ([], [len(whole) - len(rest)])


@pytest.mark.parametrize("values", KEYS)
def test_key_without_an_attribute(values: dict[int, Value]) -> None:
    """Also beside a whole one of the same length, by whose layout it must not pass."""
    objects = Objects()
    assert objects.damage(content(values)) is None
    for name in values:
        rest = {attribute: value for attribute, value in values.items() if attribute != name}
        assert (objects.damage(content(rest)) is None) is (name in (1, 0x40000600)), hex(name)
        assert name not in (CLASS, LABEL) or objects.damage(content({**rest, name + 0x7000: values[name]}))
    (material,) = (name for name, value in values.items() if isinstance(value, bytes) and len(value) == 65)
    assert objects.damage(content({**values, material: b""})) == "the key itself is missing in it"


def test_layout_of_another_class_is_another() -> None:
    """Two objects of one length and layout, of which one would be a key without its value."""
    private, objects = key(PRIVATE, EC, VALUE), Objects()
    assert objects.damage(content(private)) is None
    assert objects.damage(content({**private, CLASS: PUBLIC})) == "the key itself is missing in it"


def test_objects_that_are_no_keys() -> None:
    assert Objects().damage(content({CLASS: CERTIFICATE, LABEL: b""})) is None
    assert Objects().damage(content({CLASS: CERTIFICATE})) is not None


@pytest.mark.parametrize("damaged", [b"", b"\0" * 8, b"no object", b"\xff" * 700, b"\0" * 4096])
def test_content_of_something_else(damaged: bytes) -> None:
    assert Objects().damage(damaged) is not None
    assert token_damage(damaged) is not None


@given(st.lists(st.binary(max_size=200)))
def test_any_content_is_judged(every: list[bytes]) -> None:
    objects = Objects()
    for one in every:
        assert objects.damage(one)
        assert token_damage(one)


def test_attribute_that_is_there_twice() -> None:
    """SoftHSM takes the last; a layout with two is not remembered."""
    values = KEYS[3]
    doubled = content(values) + content({LABEL: b"twice"})[8:]
    objects = Objects()
    for dummy in range(2):
        assert objects.damage(doubled) is None


def test_token() -> None:
    whole = content(TOKEN)
    assert token_damage(whole) is None
    assert all(token_damage(whole[:length]) for length in range(len(whole)))
    assert token_damage(whole + content({0x8000534C: b"pin"})[8:]) is None


def test_database(tmp_path: Path) -> None:
    path = tmp_path / "sqlite3.db"
    with sqlite3.connect(path) as database:
        database.execute("create table object (id integer primary key, value blob)")
        database.executemany("insert into object (value) values (?)", [(b"\0" * 2000,)] * 50)
    database.close()
    whole = path.read_bytes()

    def judged(damaged: bytes, journal: bool = False) -> str | None:
        path.write_bytes(damaged)
        with open(path, "rb", buffering=0) as file:
            return database_damage(file.fileno(), journal)

    assert judged(whole) is None
    for length in (0, 50, 100, 5000, len(whole) - 1):
        assert judged(whole[:length])
        assert judged(whole[:length], journal=True) is None  # SQLite repairs it when it is opened
    assert judged(b"\0" * len(whole))
    assert judged(whole[:16] + b"\0\0" + whole[18:])
    old = whole[:92] + b"\0\0\0\0" + whole[96:]  # of a version that does not tell the number of pages
    assert judged(old[:5000]) is None
