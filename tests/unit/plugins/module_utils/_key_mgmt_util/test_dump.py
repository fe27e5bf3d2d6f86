# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The attributes that getAttribute writes, read from the dumps of the documentation and from mangled ones."""

from __future__ import annotations

import contextlib
import typing as t

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import Unreadable, parse_answer
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.dump import dumped_count, key_attributes
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.points import curve_of_point, raw_point
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.attribute_file import attribute_file
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import public_key as _public_key
from ansible_collections.cryptoki.hsm.tests.support import key_mgmt_util_samples as samples
from ansible_collections.cryptoki.hsm.tests.support.attribute_dumps import EC_DUMP, EC_POINT, OLD_RSA_DUMP, RSA_DUMP

# AWS, getAttribute, 'Get all attributes of a key': a secret key
SECRET_DUMP = """\
OBJ_ATTR_CLASS
0x04
OBJ_ATTR_KEY_TYPE
0x15
OBJ_ATTR_TOKEN
0x01
OBJ_ATTR_PRIVATE
0x01
OBJ_ATTR_ENCRYPT
0x01
OBJ_ATTR_DECRYPT
0x01
OBJ_ATTR_WRAP
0x01
OBJ_ATTR_UNWRAP
0x01
OBJ_ATTR_SIGN
0x00
OBJ_ATTR_VERIFY
0x00
OBJ_ATTR_LOCAL
0x01
OBJ_ATTR_SENSITIVE
0x01
OBJ_ATTR_EXTRACTABLE
0x01
OBJ_ATTR_LABEL
aes256
OBJ_ATTR_ID
test_01
OBJ_ATTR_VALUE_LEN
0x00000020
OBJ_ATTR_KCV
0x1a4b31
"""
DUMPS = ((RSA_DUMP, 26), (OLD_RSA_DUMP, 20), (EC_DUMP, 19), (SECRET_DUMP, 17))


def attributes(text: str, count: int) -> dict[str, t.Any]:
    """What is read of a dump."""
    return dict(key_attributes(text.encode("utf-8", "surrogateescape"), count)[1])


def test_all_26_attributes_of_the_rsa_public_key() -> None:
    half, found = key_attributes(RSA_DUMP.encode(), 26)
    bits = {name: value for name, value in found.items() if isinstance(value, bool)}
    assert half == "public"
    assert len(found) == 26
    assert {name for name, value in bits.items() if value} == {
        *("token", "private", "encrypt", "wrap", "verify", "local", "extractable", "destroyable"),
    }
    assert {name for name, value in bits.items() if not value} == {
        *("decrypt", "unwrap", "sign", "sensitive", "trusted", "wrap_with_trusted", "derive"),
        *("always_sensitive", "never_extractable"),
    }
    rest = {name: value for name, value in found.items() if name not in bits and name != "modulus"}
    assert rest == {
        **{"class": "public_key", "key_type": "rsa", "label": "rsa_test", "id": b"", "value_len": 512},
        **{"check_value": bytes.fromhex("c51c18"), "modulus_bits": 2048, "public_exponent": b"\x01\x00\x01"},
    }


def test_the_key_of_the_rsa_dump_has_the_check_value_of_the_dump() -> None:
    key = TokenObject(2100177, "public", attributes(RSA_DUMP, 26))
    assert key.spki
    assert _public_key.kcv(key.spki) == "c51c18"
    assert key.modulus_bits == 2048


def test_the_rsa_dump_of_an_older_build_has_no_0x() -> None:
    """Its check value shows that what is read is the key."""
    found = attributes(OLD_RSA_DUMP, 20)
    key = TokenObject(262159, "public", found)
    assert key.spki and _public_key.kcv(key.spki) == "0a4364"
    assert (key.modulus_bits, key.public_exponent, found["private"], found["wrap"]) == (2048, 65541, False, False)


def test_the_ec_dump_tells_its_curve_by_its_point() -> None:
    half, found = key_attributes(EC_DUMP.encode(), 19)
    key = TokenObject(262177, half, found)
    assert half == "private"
    assert key.curve and key.curve.name == "secp256r1"
    assert found["ec_point"] == EC_POINT
    assert key.spki and _public_key.kcv(key.spki) == "bbb32a"
    assert "modulus" not in found and "modulus_bits" not in found
    assert found["sign"] is True and found["decrypt"] is False


def test_the_ec_dump_without_its_point_tells_its_curve_by_its_number() -> None:
    _half, found = key_attributes(EC_DUMP.replace(EC_POINT.hex(), "").encode(), 19)
    key = TokenObject(262177, "private", found)
    assert key.curve and key.curve.name == "secp256r1"
    assert "ec_point" not in found


def test_a_secret_key() -> None:
    half, found = key_attributes(SECRET_DUMP.encode(), 17)
    assert (half, found["key_type"], found["id"], found["label"]) == ("secret", "des3", b"test_01", "aes256")


@pytest.mark.parametrize("name", ["SECP224R1", "SECP256R1", "SECP256K1", "SECP384R1", "SECP521R1"])
def test_a_point_lies_on_one_curve_only(name: str) -> None:
    key = ec.generate_private_key(getattr(ec, name)()).public_key()
    point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    curve = curve_of_point(point)
    assert curve and curve.name == name.lower()
    length = bytes([len(point)]) if len(point) < 128 else bytes([0x81, len(point)])
    assert raw_point(b"\x04" + length + point) == raw_point(point) == point
    assert curve_of_point(point[:-1] + bytes([point[-1] ^ 1])) is None


def test_what_we_write_we_read() -> None:
    found = attributes(RSA_DUMP, 26)
    key = TokenObject(1, "public", found)
    assert attribute_file(key, key.spki) == RSA_DUMP


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("OBJ_ATTR_ID\n\n", "OBJ_ATTR_ID\n"),  # an empty value without its line
        ("OBJ_ATTR_ID\n\n", "OBJ_ATTR_ID\nrsa_mv2\n"),
        ("0x02\n", "0x00000002\n"),  # a single attribute is written so
        ("\n", "\r\n"),
        ("OBJ_ATTR_TRUSTED\n", "OBJ_ATTR_EKCV\n"),  # one that Oracle's build has, and we have no name for
    ],
)
def test_variants(old: str, new: str) -> None:
    assert attributes(RSA_DUMP.replace(old, new), 26)["key_type"] == "rsa"


def test_a_label_that_is_no_utf_8_is_none() -> None:
    raw = RSA_DUMP.encode().replace(b"rsa_test", b"rsa\xff")
    assert key_attributes(raw, 26)[1]["label"] is None
    assert key_attributes(RSA_DUMP.replace("rsa_test", "schlüssel").encode(), 26)[1]["label"] == "schlüssel"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("OBJ_ATTR_CLASS\n0x02\n", ""),
        ("OBJ_ATTR_CLASS\n0x02\n", "OBJ_ATTR_CLASS\n0x09\n"),
        ("OBJ_ATTR_CLASS\n0x02\n", "0x02\nOBJ_ATTR_CLASS\n"),
        ("rsa_test\n", "x\nOBJ_ATTR_ID\nother\n"),  # a label with a line that is a name
        ("OBJ_ATTR_TOKEN\n0x01\n", "OBJ_ATTR_TOKEN\n0x02\n"),
        ("OBJ_ATTR_TOKEN\n0x01\n", "OBJ_ATTR_TOKEN\n\n"),
        ("0x00000800", "0x00000400"),
        ("0x010001", "0x01000"),
        ("0xc51c18", "0xc51c"),
        ("OBJ_ATTR_NEVER_EXTRACTABLE\n0x00\n", "OBJ_ATTR_NEVER_EXTRACTABLE\n0x0"),
        ("OBJ_ATTR_NEVER_EXTRACTABLE\n0x00\n", ""),
        ("b3e4203294a96fae06f8f0db7982cb5d7f\n", ""),  # the last line of the modulus
        (RSA_DUMP, ""),
    ],
)
def test_a_broken_dump(old: str, new: str) -> None:
    assert old in RSA_DUMP
    with pytest.raises(Unreadable):
        attributes(RSA_DUMP.replace(old, new, 1), 26)


@given(st.sampled_from(DUMPS), st.data())
def test_a_mangled_dump_is_read_or_refused(dump: tuple[str, int], data: st.DataObject) -> None:
    text, count = dump
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.text(max_size=3))
    try:
        found = attributes(text[:place] + other + text[place + data.draw(st.integers(0, 90)) :], count)
    except Unreadable:
        return
    assert {"class", "key_type"} <= set(found)


@pytest.mark.parametrize(("text", "count"), DUMPS)
def test_a_dump_cut_short_anywhere_is_refused_or_tells_the_same(text: str, count: int) -> None:
    whole = attributes(text, count)
    for place in range(len(text) - 1):
        with contextlib.suppress(Unreadable):
            assert attributes(text[:place], count) == whole, text[:place][-40:]


@given(st.binary(), st.integers(0, 3))
def test_any_bytes_are_read_or_refused(raw: bytes, count: int) -> None:
    with pytest.raises(Unreadable):
        key_attributes(raw, count)


def test_the_count_of_attributes() -> None:
    assert dumped_count(parse_answer("getAttribute", samples.ATTRIBUTES_19)) == 19
    assert dumped_count(parse_answer("getAttribute", samples.ATTRIBUTES_26)) == 26
    with pytest.raises(Unreadable):
        dumped_count(parse_answer("getAttribute", samples.ATTRIBUTES_26.replace("count: 26", "count:")))


def test_a_raw_point_that_can_be_read_as_an_octet_string() -> None:
    point = bytes.fromhex("04" + "3f" + "00" * 63)
    assert raw_point(point) == point
    assert raw_point(b"\x04\x41" + point) == point
