# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of attributes: what is packed comes back, a wrong type never passes, and the table is the standard's."""

from __future__ import annotations

import struct
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    ALL_USAGE_BITS,
    ATTRIBUTES,
    BY_CODE,
    CLASSES,
    COMPARE_ONLY,
    FREEZING,
    KEY_TYPES,
    PRIVATE,
    PUBLIC,
    SETTABLE,
    USAGE_BITS,
    Changeable,
    Half,
    Kind,
    pack,
    sizes,
    unpack,
)
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import BITS, FREE, FROZEN, ONE_WAY

ULONG = struct.Struct("@L")
BIGGEST = 2 ** (8 * ULONG.size) - 1
NUMBERS = st.integers(0, BIGGEST - 1)  # the largest one is CK_UNAVAILABLE_INFORMATION
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: dict[Kind, st.SearchStrategy[t.Any]] = {
    Kind.BOOL: st.booleans(),
    Kind.ULONG: NUMBERS,
    Kind.MECHANISM: NUMBERS,
    Kind.TEXT: TEXTS,
    Kind.BYTES: st.binary(),
    Kind.BIG: st.binary(),
    Kind.CLASS: st.sampled_from(sorted(CLASSES)),
    Kind.KEY_TYPE: st.sampled_from(sorted(KEY_TYPES)),
    Kind.MECHANISMS: st.lists(NUMBERS).map(tuple),
}
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    TEXTS,
    st.binary(),
    st.binary().map(bytearray),
    st.lists(NUMBERS),
    st.lists(st.booleans() | TEXTS | st.binary() | st.none() | st.floats(), min_size=1).map(tuple),
    st.dictionaries(TEXTS, TEXTS),
)
TYPE: dict[Kind, type] = {
    **dict.fromkeys((Kind.ULONG, Kind.MECHANISM), int),
    **dict.fromkeys((Kind.TEXT, Kind.CLASS, Kind.KEY_TYPE), str),
    **dict.fromkeys((Kind.BYTES, Kind.BIG), bytes),
    Kind.BOOL: bool,
    Kind.MECHANISMS: tuple,
}
NAMES = st.sampled_from(sorted(ATTRIBUTES))


def right_type(kind: Kind, value: t.Any) -> bool:
    """Whether PKCS#11 has this type for the kind; a boolean is no number."""
    if isinstance(value, tuple):
        return kind is Kind.MECHANISMS and {type(member) for member in value} <= {int}
    return {type(value)} == {TYPE[kind]}


@given(NAMES.flatmap(lambda name: st.tuples(st.just(name), VALUES[ATTRIBUTES[name].kind])))
def test_what_is_packed_comes_back(row: tuple[str, t.Any]) -> None:
    name, value = row
    raw = pack(name, value)
    assert isinstance(raw, bytes)
    assert unpack(name, raw) == value and right_type(ATTRIBUTES[name].kind, unpack(name, raw))


@given(ANYTHING)
def test_a_wrong_type_raises_type_error(value: t.Any) -> None:
    for name, row in ATTRIBUTES.items():
        if not right_type(row.kind, value):
            with pytest.raises(TypeError) as caught:
                pack(name, value)
            kind = row.kind.value
            assert str(caught.value) == f"CKA_{name.upper()} takes a {kind}, not a {type(value).__name__}"


@pytest.mark.parametrize("value", ["root", 5, None, b"\x01", 1, "true"])
def test_values_that_would_corrupt_memory(value: t.Any) -> None:
    with pytest.raises(TypeError):
        pack("sign", value)


@given(st.integers(BIGGEST + 1, 2**80) | st.integers(-(2**80), -1))
def test_a_number_that_does_not_fit_is_no_value(number: int) -> None:
    for name, value in (("modulus_bits", number), ("allowed_mechanisms", (1, number))):
        with pytest.raises((struct.error, OverflowError, ValueError, TypeError)):
            pack(name, t.cast(t.Any, value))


@given(st.integers(5, BIGGEST - 1).filter(lambda number: number not in KEY_TYPES.values()))
def test_vendors_own_classes_types_and_mechanisms_are_numbers(number: int) -> None:
    raw = ULONG.pack(number)
    for name in ("class", "key_type", "key_gen_mechanism"):
        assert unpack(name, raw) == number
    assert unpack("allowed_mechanisms", raw * 2) == (number, number)


def test_what_a_token_marks_as_unavailable() -> None:
    for name in ("key_gen_mechanism", "modulus_bits", "key_type", "class", "value_len"):
        assert unpack(name, ULONG.pack(BIGGEST)) is None


@given(NAMES, st.binary(max_size=40))
def test_bytes_that_are_no_value_raise_value_error(name: str, raw: bytes) -> None:
    kind = ATTRIBUTES[name].kind
    try:
        value = unpack(name, raw)
    except ValueError:
        assert kind not in (Kind.BYTES, Kind.BIG)
    else:
        named = kind in (Kind.CLASS, Kind.KEY_TYPE)
        assert value is None or right_type(kind, value) or (named and right_type(Kind.ULONG, value))


@pytest.mark.parametrize(
    ("name", "raw", "reason"),
    [
        ("sign", b"", "0 bytes are no CK_BBOOL"),
        ("sign", b"\x01\x00", "2 bytes are no CK_BBOOL"),
        ("modulus_bits", b"\x01", "1 bytes are no CK_ULONG"),
        ("key_type", ULONG.pack(1) * 2, f"{2 * ULONG.size} bytes are no CK_KEY_TYPE"),
        ("class", b"", "0 bytes are no CK_OBJECT_CLASS"),
        ("public_exponent", b"\x01" * 1025, "1025 bytes are no exponent"),
        ("allowed_mechanisms", b"\x01" * (ULONG.size + 1), f"{ULONG.size + 1} bytes are no CK_MECHANISM_TYPE array"),
    ],
)
def test_reasons(name: str, raw: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        unpack(name, raw)


def test_what_is_not_too_long() -> None:
    padded = b"\0" * 8 + b"\x01" * 1024
    assert unpack("public_exponent", padded) == padded
    assert unpack("modulus", b"\x01" * 1025) == b"\x01" * 1025


def test_a_label_that_is_no_utf8_and_odd_booleans() -> None:
    with pytest.raises(UnicodeDecodeError):
        unpack("label", b"\xff")
    assert unpack("sign", b"\x02") is True
    assert unpack("allowed_mechanisms", b"") == ()


def test_codes_are_those_of_the_standard() -> None:
    # PKCS#11 3.1, pkcs11t.h
    codes = {"class": 0, "label": 3, "trusted": 0x86, "check_value": 0x90, "key_type": 0x100, "id": 0x102}
    codes |= {"sensitive": 0x103, "sign": 0x108, "derive": 0x10C, "modulus": 0x120, "public_key_info": 0x129}
    codes |= {"extractable": 0x162, "local": 0x163, "modifiable": 0x170, "copyable": 0x171, "destroyable": 0x172}
    codes |= {"ec_params": 0x180, "ec_point": 0x181, "always_authenticate": 0x202, "wrap_with_trusted": 0x210}
    codes |= {"allowed_mechanisms": 0x40000600, "key_gen_mechanism": 0x166}
    assert {name: ATTRIBUTES[name].code for name in codes} == codes
    assert len(BY_CODE) == len(ATTRIBUTES)
    assert {code: row.name for code, row in BY_CODE.items()} == {row.code: name for name, row in ATTRIBUTES.items()}


def test_changes_are_those_of_the_standard() -> None:
    kinds = {name: row.change for name, row in ATTRIBUTES.items()}
    expected = dict.fromkeys(ATTRIBUTES, Changeable.NEVER)
    expected.update(dict.fromkeys(FREE, Changeable.ANY))
    expected.update(dict.fromkeys(FROZEN, Changeable.BY_COPY))
    expected.update({name: Changeable.TO_TRUE if end else Changeable.TO_FALSE for name, end in ONE_WAY.items()})
    assert kinds == expected


@pytest.mark.parametrize("half", [PUBLIC, PRIVATE])
def test_what_is_set_and_read_belongs_to_the_half(half: Half) -> None:
    for name in (*SETTABLE[half], *ALL_USAGE_BITS[half], *FREEZING):
        assert half in ATTRIBUTES[name].classes and ATTRIBUTES[name].kind is Kind.BOOL
    for bits in USAGE_BITS.values():
        assert half not in bits or bits[half] in ALL_USAGE_BITS[half]
    assert set(ALL_USAGE_BITS[half]) < set(SETTABLE[half])
    # extractable is an option of its own, and sensitive is always true
    assert not {"extractable", "sensitive", "token"} & set(SETTABLE[half])
    assert set(sizes(half)) == {row.code for row in ATTRIBUTES.values() if half in row.classes}
    assert all(size > 0 for size in sizes(half).values())


BOTH = "class key_type token private label id derive local modifiable copyable destroyable modulus public_exponent"
BOTH += " ec_params ec_point check_value value_len key_gen_mechanism"
PUBLIC_ONLY = "modulus_bits"
PRIVATE_ONLY = "sensitive extractable always_sensitive never_extractable allowed_mechanisms public_key_info"


@pytest.mark.parametrize(("half", "own"), [(PUBLIC, PUBLIC_ONLY), (PRIVATE, PRIVATE_ONLY)])
def test_what_the_dumps_of_the_commands_show_is_read(half: Half, own: str) -> None:
    assert {BY_CODE[code].name for code in sizes(half)} == {*BOTH.split(), *BITS[half], *own.split()}
    assert COMPARE_ONLY == ("trusted",)


def test_words_of_usage() -> None:
    assert USAGE_BITS == {
        "sign": {PRIVATE: "sign", PUBLIC: "verify"},
        "decrypt": {PRIVATE: "decrypt", PUBLIC: "encrypt"},
        "wrap": {PRIVATE: "unwrap", PUBLIC: "wrap"},
        "derive": {PRIVATE: "derive"},
    }


def test_only_what_is_asked_for_is_read() -> None:
    assert sizes(PRIVATE, frozenset({"label", "modulus_bits"})) == {
        0x3: sizes(PRIVATE)[0x3]
    }  # bits are of a public half
    assert set(sizes(PUBLIC, frozenset({"label", "modulus_bits"}))) == {0x3, 0x121}
