# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is returned of a pair, and which returned values a secret would spoil (beside Ansible's own masking)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing as t

import pytest
from ansible.module_utils.common.parameters import remove_values
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.description import describe, spoiled
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.uri_parser import parse_uri
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import (
    SPKI,
    octet_string,
    pair_of,
    private_key,
    rsa_material,
)

TOKEN = {"token": "demo", "serial": "01"}
KEY = private_key("secp256r1")
EC = pair_of(KEY)
DER = KEY.public_key().public_bytes(*SPKI)
ALL = {"label", "id", "id_hex", "key_type", "public_key_pem", "fingerprint", "uri", "pairing"}
ALL |= {"public_key", "private_key"}


def test_no_pair() -> None:
    assert describe(None, TOKEN) == {}


def test_an_rsa_pair() -> None:
    pair = pair_of(rsa_material(2**2047 + 1), private={"allowed_mechanisms": (0x40, 0x80000001)})
    shown = describe(pair, TOKEN)
    assert set(shown) == ALL | {"modulus_bits", "public_exponent"}
    assert (shown["modulus_bits"], shown["public_exponent"], shown["key_type"]) == (2048, 65537, "rsa")
    assert (shown["label"], shown["pairing"]) == ("root", "material")
    public, private = shown["public_key"]["attributes"], shown["private_key"]["attributes"]
    assert public["modulus"] == "80:" + "00:" * 254 + "01"
    assert (public["modulus_bits"], public["public_exponent"], private["public_exponent"]) == (2048, 65537, 65537)
    assert private["allowed_mechanisms"] == ["0x80000001", "CKM_SHA256_RSA_PKCS"]
    assert public["class"] == "public_key" and private["class"] == "private_key"
    assert "sensitive" not in public and private["sensitive"] is True


def test_an_ec_pair() -> None:
    key_gen: dict[str, t.Any] = {"key_gen_mechanism": 0x1040}
    shown = describe(pair_of(KEY, private=key_gen), TOKEN)
    assert set(shown) == ALL | {"curve"}
    assert (shown["curve"], shown["key_type"], shown["pairing"]) == ("secp256r1", "ec", "id")
    pem = KEY.public_key().public_bytes(serialization.Encoding.PEM, SPKI[1]).decode()
    assert shown["public_key_pem"] == pem
    assert shown["fingerprint"] == hashlib.sha256(DER).digest().hex(":")
    public, private = shown["public_key"], shown["private_key"]
    assert (public["handle"], private["handle"]) == (1, 2)
    kcv = hashlib.sha1(DER, usedforsecurity=False).hexdigest()[:6]
    assert public["attributes"]["kcv"] == private["attributes"]["kcv"] == kcv
    assert private["attributes"]["key_gen_mechanism"] == "CKM_EC_KEY_PAIR_GEN"
    assert public["attributes"]["ec_params"] == "06:08:2a:86:48:ce:3d:03:01:07"
    assert public["attributes"]["ec_point"].startswith("04:41:04:") and "ec_point" not in private["attributes"]


def test_what_the_object_lacks_is_absent_and_what_it_hides_is_named() -> None:
    private = TokenObject(2, PRIVATE, {"key_type": "ec", "label": None, "sign": True}, {"id": "x", "derive": "y"})
    shown = describe(KeyPair(EC.publics, (private,)), TOKEN)["private_key"]
    expected = {"key_type": "ec", "sign": True, "id": None, "id_hex": None, "kcv": shown["attributes"]["kcv"]}
    assert shown["attributes"] == expected
    assert shown["unreadable"] == ["derive", "id"]


def test_a_tokens_own_check_value_is_returned() -> None:
    pair = pair_of(KEY, public={"check_value": bytes.fromhex("c51c18")}, private={"check_value": b""})
    shown = describe(pair, TOKEN)
    assert shown["public_key"]["attributes"]["kcv"] == "c51c18"
    assert shown["private_key"]["attributes"]["kcv"] == hashlib.sha1(DER, usedforsecurity=False).hexdigest()[:6]
    assert "check_value" not in shown["public_key"]["attributes"]


def test_a_vendors_key_type_and_an_unknown_curve() -> None:
    odd = TokenObject(0, PUBLIC, {"class": "public_key", "key_type": 0x80000001, "ec_params": b"\x06\x01\x00"})
    shown = describe(KeyPair((odd,)), TOKEN)
    assert (shown["key_type"], shown["curve"], shown["private_key"]) == ("0x80000001", None, None)
    assert (shown["public_key_pem"], shown["fingerprint"], shown["label"]) == (None, None, None)
    assert shown["public_key"]["attributes"]["key_type"] == "0x80000001"
    assert shown["public_key"]["handle"] is None, "a pair that would be made has no handle"


@pytest.mark.parametrize("half", [PUBLIC, PRIVATE])
def test_a_lone_half_describes_itself(half: t.Any) -> None:
    lone = KeyPair(EC.publics) if half == PUBLIC else KeyPair((), EC.privates)
    shown = describe(lone, TOKEN)
    expected = describe(EC, TOKEN)[f"{half}_key"]
    if half == PRIVATE:
        del expected["attributes"]["kcv"]  # it tells no public key
    assert shown["private_key" if half == PUBLIC else "public_key"] is None
    assert shown[f"{half}_key"] == expected
    assert (shown["curve"], shown["pairing"], shown["id_hex"]) == ("secp256r1", None, "01")
    assert (shown["public_key_pem"] is None) is (half == PRIVATE)


@given(st.binary(max_size=40), st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_ids_and_labels_come_back_from_what_is_returned(raw: bytes, label: str) -> None:
    shown = describe(pair_of(KEY, id=raw, label=label), TOKEN)
    try:
        text = raw.decode() or None
    except UnicodeDecodeError:
        text = None
    for row in (shown, shown["public_key"]["attributes"], shown["private_key"]["attributes"]):
        assert row["id"] == text
        assert row["id_hex"] == (raw.hex(":") or None)
        assert row["label"] == label
    assert json.loads(json.dumps(shown)) == shown


@given(st.binary(max_size=9), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9))
def test_uris_name_token_and_object(raw: bytes, label: str) -> None:
    shown = describe(pair_of(KEY, id=raw, label=label), TOKEN)
    for text, kind in ((shown["uri"], None), *((shown[f"{half}_key"]["uri"], half) for half in (PUBLIC, PRIVATE))):
        uri = parse_uri(text)
        assert (uri.token, uri.serial, uri.type) == ("demo", "01", kind)
        assert (uri.object or "", uri.id or b"") == (label, raw)
        assert text.partition("?")[2] == "", "no query, and so no PIN"


def strings(value: t.Any) -> t.Iterator[str]:
    for member in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(member)
    if isinstance(value, str):
        yield value


def test_no_long_run_of_digits_is_returned() -> None:
    # Ansible masks a PIN wherever it occurs
    pair = pair_of(rsa_material(int("9" * 600)), id=bytes(range(40)))
    for shown in strings(describe(dataclasses.replace(pair, pairing=None), TOKEN)):
        if not shown.startswith(("-----BEGIN", "pkcs11:")):
            assert not any(
                len(part) > 6 and all(sign in "0123456789abcdef" for sign in part) for part in shown.split(":")
            )


# No secret here is part of True, False or None: ansible-core 2.17 masks those too, 2.19 and later do not.
SCALARS = st.none() | st.booleans() | st.integers(0, 9999) | st.text("xyz1:", max_size=5) | st.just(12.5)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)
)


def masked(before: t.Any, after: t.Any, path: str = "") -> list[str]:
    """Paths of what Ansible's masking changed."""
    if isinstance(before, dict):
        return [row for name in before for row in masked(before[name], after[name], f"{path}.{name}" if path else name)]
    if isinstance(before, list):
        return [row for index, one in enumerate(before) for row in masked(one, after[index], f"{path}[{index}]")]
    return [path] if type(before) is not type(after) or before != after else []


@given(st.dictionaries(st.sampled_from("xyz"), TREES), st.lists(st.text("xyz1:", min_size=1, max_size=3), max_size=2))
def test_what_is_named_as_spoiled_is_what_ansible_masks(result: dict[str, t.Any], secrets: list[str]) -> None:
    assert sorted(spoiled(result, secrets)) == sorted(masked(result, remove_values(result, set(secrets))))


def test_spoiled_paths() -> None:
    result = {"key_pair": {"modulus": "aa:12:34", "nodes": ["x", "1234"], "bits": 12345, "ok": True}, "changed": False}
    assert spoiled(result, ["1234"]) == ["key_pair.nodes[1]", "key_pair.bits"]
    assert spoiled(result, ["12:34", "x"]) == ["key_pair.modulus", "key_pair.nodes[0]"]
    assert spoiled(result, []) == [] == spoiled(describe(EC, TOKEN), ["no such text"])
    point = octet_string(
        KEY.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    )
    assert spoiled(describe(EC, TOKEN), [point.hex(":")[20:40]]) == ["public_key.attributes.ec_point"]
