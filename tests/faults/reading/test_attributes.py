# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""C_GetAttributeValue as vendors have it: stopping early, too long, too short, unknown, no value at all."""

from __future__ import annotations

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken

LABEL, ID, KEY_TYPE, SIGN, EC_PARAMS, EC_POINT = "0x3", "0x102", "0x100", "0x108", "0x180", "0x181"
READ = "C_GetAttributeValue"


def same(token: FaultyToken, rules: str) -> None:
    """A run with these rules sees the pair exactly as one without."""
    expected = token.ecc(label="k", curve="P-256").key_pair
    run = token.faulty_ecc(rules, label="k")
    assert run.result["changed"] is False
    assert {**run.key_pair, "uri": ""} == {**expected, "uri": ""}


def test_library_that_stops_at_the_first_missing_attribute(token: FaultyToken) -> None:
    made = token.faulty_ecc(f"{READ} instead stop", label="k")
    assert made.key_pair["verified"] == "CKM_ECDSA"
    same(token, f"{READ} instead stop")


def test_rsa_and_a_library_that_stops(token: FaultyToken) -> None:
    made = token.faulty_rsa(f"{READ} instead stop", label="k")
    assert made.key_pair["verified"] == "CKM_SHA256_RSA_PKCS"
    assert token.rsa(label="k", modulus_bits=2048).key_pair["fingerprint"] == made.key_pair["fingerprint"]


@pytest.mark.parametrize("answer", ["value", "sized"])
def test_value_that_is_longer_than_its_buffer(token: FaultyToken, answer: str) -> None:
    """CKR_BUFFER_TOO_SMALL, with the length that is needed or without it: the value is read by itself."""
    made = token.ecc(label="k", curve="P-256").key_pair
    run = token.faulty_ecc(f"{READ} after {answer} {ID} {'61' * 300}", label="k")
    assert run.result["changed"] is False
    assert run.key_pair["id"] == "a" * 300
    without_id = {name: value for name, value in made.items() if name in ("label", "fingerprint", "curve")}
    assert without_id == {name: run.key_pair[name] for name in without_id}


def test_text_that_is_no_utf8(token: FaultyToken) -> None:
    """Such a label is nobody's wish; the pair is found by the token's own search, and told as it is."""
    token.ecc(label="k", curve="P-256")
    run = token.faulty_ecc(f"{READ} after value {LABEL} ff41", label="k")
    assert "public half's label is missing, wished k; private half's label is missing, wished k" in run.msg
    run = token.faulty_ecc(f"{READ} after value {LABEL} ff41", label="k", on_mismatch="keep", check_mode=True)
    assert run.result.get("failed") or run.key_pair["private_key"]["unreadable"] == ["label"]


def test_vendors_own_key_type(token: FaultyToken) -> None:
    """A key that the next run would not find again is not made."""
    run = token.faulty_ecc(f"{READ} after value {KEY_TYPE} 0100008000000000", label="k")
    assert token.text(run.msg) == (
        "Could not generate the ECC key pair 'k' on the token 'test token': the token made it otherwise, public half's"
        " key_type is 0x80000001, wished ec; private half's key_type is 0x80000001, wished ec. Leave out what the token"
        " does not have. The new pair was removed again."
    )
    assert token.listing() == []


def test_vendors_own_key_type_beside_a_wish(token: FaultyToken) -> None:
    """A key of a type that nobody knows is not the wished one, and breaks nothing."""
    token.ecc(label="k", id="one", curve="P-256")
    run = token.faulty_ecc(f"{READ} after value {KEY_TYPE} 0100008000000000", label="k", id="one")
    assert run.msg.startswith("Refused to touch the ECC key pair 'k', id 6f:6e:65 on the token 'test token': its id")
    assert "(public 0x80000001 key" in run.msg
    assert not run.writes


@pytest.mark.parametrize(
    ("code", "value", "name"),
    [(KEY_TYPE, "0100", "key_type"), (EC_PARAMS, "0400", "curve"), (EC_PARAMS, "ff", "curve")],
)
def test_value_that_is_none(token: FaultyToken, code: str, value: str, name: str) -> None:
    run = token.faulty_ecc(f"{READ} after value {code} {value}", label="k")
    assert f"{name} is " in run.msg
    assert run.msg.endswith("The new pair was removed again.")
    assert token.listing() == []


def test_value_of_the_wrong_size(token: FaultyToken) -> None:
    """A new pair whose `sign` cannot be read cannot be proven: verify=true does not take it, else that is told."""
    rules = f"{READ} after value {SIGN} 0101"
    run = token.faulty_ecc(rules, label="k", verify=True)
    assert "the private key may neither sign, decrypt nor derive" in run.msg
    assert run.msg.endswith("The new pair was removed again.")
    assert run.writes == {"C_GenerateKeyPair": 1, "C_DestroyObject": 2}
    assert token.listing() == []
    pair = token.faulty_ecc(rules, label="k").key_pair
    assert pair["private_key"]["unreadable"] == ["sign"]
    assert pair["verified"] is None


@pytest.mark.parametrize("value", ["0400", "ff" * 65, "0441" + "ff" * 65])
def test_public_key_that_is_none(token: FaultyToken, value: str) -> None:
    """A pair without a readable public key is returned without one; verify=true does not take it."""
    rules = f"{READ} after value {EC_POINT} {value}"
    run = token.faulty_ecc(rules, label="k", verify=True)
    assert run.msg.endswith("The new pair was removed again.")
    assert token.listing() == []


def test_attributes_that_nobody_has(token: FaultyToken) -> None:
    """Every attribute is invalid: that is an error of the reading and no pair without attributes."""
    token.ecc(label="k", curve="P-256")
    run = token.faulty_ecc(f"{READ} instead return 0x12", label="k")
    assert run.msg.startswith("Could not search for the ECC key pair 'k' on the token 'test token'")
    assert not run.writes


def test_sensitive_answer_for_public_values(token: FaultyToken) -> None:
    token.ecc(label="k", curve="P-256")
    run = token.faulty_ecc(f"{READ} after return 0x11", label="k")
    assert run.result["changed"] is False
