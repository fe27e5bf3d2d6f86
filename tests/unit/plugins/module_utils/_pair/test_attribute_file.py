# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of getAttribute, against the dumps in the documentation of genRSAKeyPair and genECCKeyPair."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.attribute_file import attribute_file
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC, SECRET, Value
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
from ansible_collections.cryptoki.hsm.tests.support.attribute_dumps import EC_DUMP, EC_POINT, OLD_RSA_DUMP, RSA_DUMP
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import octet_string, pair_of, private_key, without


def rsa_key() -> TokenObject:
    """A public key with the values of the dump; its check value is not among them."""
    lines = RSA_DUMP.splitlines()
    first = lines.index("OBJ_ATTR_MODULUS") + 1
    modulus = "".join(lines[first : lines.index("OBJ_ATTR_MODULUS_BITS")]).removeprefix("0x")
    bits: dict[str, Value] = dict.fromkeys(("token", "private", "encrypt", "wrap", "verify", "local"), True)
    return TokenObject(
        2100177,
        PUBLIC,
        {
            **{"class": "public_key", "key_type": "rsa", "label": "rsa_test", "value_len": 0x200},
            **{"modulus": bytes.fromhex(modulus), "modulus_bits": 2048, "public_exponent": b"\x01\x00\x01"},
            **bits,
            **{"trusted": False, "destroyable": True, "derive": False},
        },
    )


def test_the_dump_of_an_rsa_public_key() -> None:
    key = rsa_key()
    assert attribute_file(key, key.spki) == RSA_DUMP


def test_the_dump_of_an_ec_private_key() -> None:
    point: dict[str, Value] = {
        "key_type": "ec",
        "ec_params": curve_by_name("P-256").ec_params(),
        "ec_point": octet_string(EC_POINT),
    }
    bits: dict[str, Value] = dict.fromkeys(("token", "private", "sign", "local", "sensitive", "extractable"), True)
    values: dict[str, Value] = {
        **point,
        "class": "private_key",
        "label": "ecc2",
        "value_len": 0x8A,
        "modulus_bits": 0x19F,
        **bits,
        "decrypt": False,
    }
    key = TokenObject(262177, PRIVATE, {**values, "unwrap": False})
    text = attribute_file(key, TokenObject(0, PUBLIC, point).spki)
    assert text == EC_DUMP


def test_what_the_command_wrote_is_not_written_again() -> None:
    key = dataclasses.replace(rsa_key(), dump=OLD_RSA_DUMP)
    assert attribute_file(key, key.spki) == OLD_RSA_DUMP


def lines_after(text: str | None, name: str) -> str:
    lines = (text or "").split("\n")
    return lines[lines.index(f"OBJ_ATTR_{name}") + 1]


@pytest.mark.parametrize(
    ("label", "shown"),
    [("ecc14", "ecc14"), ("", ""), ("a\nOBJ_ATTR_ID", "a\\nOBJ_ATTR_ID"), ("ä b", "ä b"), ("\u2028", "\\u2028")],
)
def test_a_label_is_one_line(label: str, shown: str) -> None:
    text = attribute_file(pair_of(private_key("secp256r1"), label=label).public, None)
    assert lines_after(text, "LABEL") == shown
    assert (text or "").splitlines().count("OBJ_ATTR_ID") == 1


@pytest.mark.parametrize(("raw", "shown"), [(b"", ""), (b"rsa_mv2", "rsa_mv2"), (b"\xff\x00", "0xff00")])
def test_an_id_is_text_where_it_is_one(raw: bytes, shown: str) -> None:
    assert lines_after(attribute_file(pair_of(private_key("secp256r1"), id=raw).private, None), "ID") == shown


def test_what_is_not_told_is_left_out_and_not_made_up() -> None:
    pair = pair_of(private_key("secp256r1"))
    hidden = dataclasses.replace(without(pair.private, "label", "sign"), unreadable={"label": "no valid value"})
    text = attribute_file(hidden, None)
    for name in ("LABEL", "SIGN", "KCV", "MODULUS", "VALUE_LEN"):
        assert f"OBJ_ATTR_{name}\n" not in (text or "")
    assert attribute_file(TokenObject(1, PRIVATE, {}, {"class": "CKR_DEVICE_ERROR"}), pair.spki) is None


def test_the_tokens_own_check_value_and_numbers_of_vendors() -> None:
    values: dict[str, Value] = {"class": "secret_key", "key_type": 0x80000001, "check_value": b"\xab\xcd\xef"}
    text = attribute_file(TokenObject(1, SECRET, values), None)
    assert lines_after(text, "CLASS") == "0x04"
    assert lines_after(text, "KEY_TYPE") == "0x80000001"
    assert lines_after(text, "KCV") == "0xabcdef"


def test_a_value_of_no_bytes_is_none() -> None:
    values: dict[str, Value] = {"class": "public_key", "key_type": "rsa", "modulus": b"", "check_value": b""}
    text = attribute_file(TokenObject(1, PUBLIC, values), None)
    assert text and "OBJ_ATTR_MODULUS\n" not in text and "OBJ_ATTR_KCV" not in text
