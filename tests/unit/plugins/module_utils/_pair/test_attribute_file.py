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
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import octet_string, pair_of, private_key, without

# The file attr_2100177 of the documentation of genRSAKeyPair, which shows it without its line ends: the lines begin
# where names and values do.
RSA_DUMP = """\
OBJ_ATTR_CLASS
0x02
OBJ_ATTR_KEY_TYPE
0x00
OBJ_ATTR_TOKEN
0x01
OBJ_ATTR_PRIVATE
0x01
OBJ_ATTR_ENCRYPT
0x01
OBJ_ATTR_DECRYPT
0x00
OBJ_ATTR_WRAP
0x01
OBJ_ATTR_UNWRAP
0x00
OBJ_ATTR_SIGN
0x00
OBJ_ATTR_VERIFY
0x01
OBJ_ATTR_LOCAL
0x01
OBJ_ATTR_SENSITIVE
0x00
OBJ_ATTR_EXTRACTABLE
0x01
OBJ_ATTR_LABEL
rsa_test
OBJ_ATTR_ID

OBJ_ATTR_VALUE_LEN
0x00000200
OBJ_ATTR_KCV
0xc51c18
OBJ_ATTR_MODULUS
0xbb9301cc362c1d9724eb93da8adab0364296bde7124a241087d9436b9be57e4f7780040df03c2c
1c0fe6e3b61aa83c205280119452868f66541bbbffacbbe787b8284fc81deaeef2b8ec0ba25a077d
6983c77a1de7b17cbe8e15b203868704c6452c2810344a7f2736012424cf0703cf15a37183a1d2d0
97240829f8f90b063dd3a41171402b162578d581980976653935431da0c1260bfe756d85dca63857
d9f27a541676cb9c7def0ef6a2a89c9b9304bcac16fdf8183c0a555421f9ad5dfeb534cf26b65873
970cdf1a07484f1c128b53e10209cc6f7ac308669112968c81a5de408e7f644fe58b1a9ae1286fec
b3e4203294a96fae06f8f0db7982cb5d7f
OBJ_ATTR_MODULUS_BITS
0x00000800
OBJ_ATTR_PUBLIC_EXPONENT
0x010001
OBJ_ATTR_TRUSTED
0x00
OBJ_ATTR_WRAP_WITH_TRUSTED
0x00
OBJ_ATTR_DESTROYABLE
0x01
OBJ_ATTR_DERIVE
0x00
OBJ_ATTR_ALWAYS_SENSITIVE
0x00
OBJ_ATTR_NEVER_EXTRACTABLE
0x00
"""

# Of the file attr_262177 in the documentation of genECCKeyPair: its point is one of P-256.
EC_POINT = bytes.fromhex(
    "044a0f9d01d10f7437d9fa20995f0cc742552e5ba16d3d7e9a65a33e20ad3e569e"
    "68eb62477a9960a87911e6121d112b698e469a0329a665eba74ee5ac55eae9f5"
)
EC_DUMP = f"""\
OBJ_ATTR_CLASS
0x03
OBJ_ATTR_KEY_TYPE
0x03
OBJ_ATTR_TOKEN
0x01
OBJ_ATTR_PRIVATE
0x01
OBJ_ATTR_ENCRYPT
0x00
OBJ_ATTR_DECRYPT
0x00
OBJ_ATTR_WRAP
0x00
OBJ_ATTR_UNWRAP
0x00
OBJ_ATTR_SIGN
0x01
OBJ_ATTR_VERIFY
0x00
OBJ_ATTR_LOCAL
0x01
OBJ_ATTR_SENSITIVE
0x01
OBJ_ATTR_EXTRACTABLE
0x01
OBJ_ATTR_LABEL
ecc2
OBJ_ATTR_ID

OBJ_ATTR_VALUE_LEN
0x0000008a
OBJ_ATTR_KCV
0xbbb32a
OBJ_ATTR_MODULUS
{EC_POINT.hex()}
OBJ_ATTR_MODULUS_BITS
0x0000019f
"""


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
    assert text == EC_DUMP + "OBJ_ATTR_TRUSTED\n0x00\n"  # the command left out what says nothing here


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
