# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens that refuse, half do, or misreport a generation: nothing is left, or the message names what remains."""

from __future__ import annotations

import re

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken

SIGN, EXTRACTABLE = "0x108", "0x162"
PAIR = "the ECC key pair 'k', id DRAWN on the token 'test token' (serial SERIAL, slot N)"
ANSWER = "the HSM answered CKR_DEVICE_ERROR; check the HSM and its connection."
NEW_PUBLIC = "(public ec key, on secp256r1, label 'k', id DRAWN, fingerprint FINGERPRINT)"
NEW_PRIVATE = "(private ec key, on secp256r1, label 'k', id DRAWN, fingerprint unknown)"
NOT_SIGNED = (
    "Could not sign with the private key 'k' on the token 'test token' (serial SERIAL, slot N): the HSM answered"
    " CKR_DEVICE_ERROR; a key that this token does not let be used this way can be made with verify=false."
)
ERROR_AFTER = "C_GenerateKeyPair after return 0x30"


def test_refused_generation(token: FaultyToken) -> None:
    run = token.faulty_ecc("C_GenerateKeyPair instead return 0x30", label="k")
    assert token.text(run.msg) == f"Could not generate {PAIR}: {ANSWER} Nothing of it is left on the token."
    assert run.writes == {"C_GenerateKeyPair": 1}


def test_a_token_that_is_stricter_than_the_default(token: FaultyToken) -> None:
    """What nobody asked for by name is told and kept; the next run finds the pair as wished."""
    strict = "C_GenerateKeyPair before set private 162 00"
    run = token.faulty_ecc(strict, label="k")
    assert run.result["changed"] and run.key_pair["private_key"]["attributes"]["extractable"] is False
    assert "stricter than the default: private half's extractable is false, wished true" in str(run.result["warnings"])
    assert token.ecc(label="k", curve="P-256").result["changed"] is False
    run = token.faulty_ecc(strict, label="other", extractable=True)
    assert "the token made it otherwise, private half's extractable is false, wished true" in run.msg
    assert token.halves("other") == []
    run = token.faulty_rsa("C_GenerateKeyPair instead return 0xD1", label="other")
    assert "CKR_TEMPLATE_INCONSISTENT" in run.msg and "'extractable: false' and 'usage: [sign, decrypt]'" in run.msg


def test_error_after_success(token: FaultyToken) -> None:
    """The handles are lost; the id that was drawn for this call finds what it left."""
    run = token.faulty_ecc(ERROR_AFTER, label="k")
    assert token.text(run.msg) == f"Could not generate {PAIR}: {ANSWER} Nothing of it is left on the token."
    assert run.writes == {"C_GenerateKeyPair": 1, "C_DestroyObject": 2}
    assert token.listing() == []
    assert token.ecc(label="k", curve="P-256").result["changed"] is True


def test_error_after_success_with_the_users_id(token: FaultyToken) -> None:
    """Another host may have made what carries this id: it is named and left."""
    run = token.faulty_ecc(ERROR_AFTER, label="k", id_hex="0102")
    public, private = NEW_PUBLIC.replace("DRAWN", "01:02"), NEW_PRIVATE.replace("DRAWN", "01:02")
    assert token.text(run.msg) == (
        "Could not generate the ECC key pair 'k', id 01:02 on the token 'test token' (serial SERIAL, slot N):"
        f" {ANSWER} What is there now under this name: {public}, {private}. If it is a pair, verify=true proves it."
    )
    assert "C_DestroyObject" not in run.calls
    assert token.halves("k") == ["private", "public"]
    assert token.ecc(label="k", id_hex="0102", curve="P-256", verify=True).result["changed"] is False


def test_error_after_success_and_no_search(token: FaultyToken) -> None:
    run = token.faulty_ecc(f"{ERROR_AFTER}\nC_FindObjectsInit^C_GenerateKeyPair instead return 0x31", label="k")
    assert token.text(run.msg) == (
        f"Could not generate {PAIR}: {ANSWER} What it left on the token is not known, because a search failed"
        " (CKR_DEVICE_MEMORY)."
    )
    assert token.ecc(label="k", curve="P-256", verify=True).result["changed"] is False


def test_error_after_success_and_no_removal(token: FaultyToken) -> None:
    run = token.faulty_ecc(f"{ERROR_AFTER}\nC_DestroyObject instead return 0x1b", label="k")
    remains = token.text(run.msg).partition("What remains on the token: ")[2]
    assert "the new public half (handle " in remains
    assert "the new private half (handle " in remains
    assert "CKR_ACTION_PROHIBITED" in remains
    assert token.halves("k") == ["private", "public"]


def test_half_that_belongs_to_another_pair(token: FaultyToken) -> None:
    """The handle that the token returned is that of a key which was there before: that key is not destroyed."""
    before = token.ecc(label="other", curve="P-256").key_pair["fingerprint"]
    run = token.faulty_ecc("C_GenerateKeyPair after stranger", label="k")
    other = NEW_PUBLIC.replace("'k'", "'other'")
    assert token.text(run.msg) == (
        f"Could not generate {PAIR}: the HSM returned halves that do not belong together, {other} and {NEW_PRIVATE}."
        " Nothing of it is left on the token."
    )
    assert token.halves("k") == []
    assert token.halves("other") == ["private", "public"]
    assert token.ecc(label="other", curve="P-256", verify=True).key_pair["fingerprint"] == before


def test_rsa_half_that_belongs_to_another_pair(token: FaultyToken) -> None:
    before = token.rsa(label="other", modulus_bits=2048).key_pair["fingerprint"]
    run = token.faulty_rsa("C_GenerateKeyPair after stranger", label="k")
    assert "the HSM returned halves that do not belong together" in run.msg
    assert token.halves("k") == []
    assert token.rsa(label="other", modulus_bits=2048, verify=True).key_pair["fingerprint"] == before


def test_half_of_another_pair_and_the_users_id(token: FaultyToken) -> None:
    token.ecc(label="other", curve="P-256")
    run = token.faulty_ecc("C_GenerateKeyPair after stranger", label="k", id_hex="0102")
    assert "What is there now under this name: " in run.msg
    assert "C_DestroyObject" not in run.calls
    assert token.halves("other") == ["private", "public"]


@pytest.mark.parametrize(
    ("rule", "params", "difference"),
    [
        (f"set private {SIGN} 00", {}, "private half's sign is false, wished true"),
        ("drop private 0x10c", {"usage": ["sign", "derive"]}, ""),
        (f"set private {EXTRACTABLE} 01", {"extractable": False}, "private half's extractable is true, wished false"),
        (f"set private {EXTRACTABLE} 00", {"extractable": True}, "private half's extractable is false, wished true"),
        ("set private 0x3 6d696e65", {}, "private half's label is mine, wished k"),
        ("drop public 0x3", {}, "public half's label is , wished k"),
        ("set public 0x180 06052b81040022", {}, "curve is secp384r1, wished secp256r1"),
    ],
)
def test_wish_that_is_not_honoured(token: FaultyToken, rule: str, params: dict[str, object], difference: str) -> None:
    run = token.faulty_ecc(f"C_GenerateKeyPair before {rule}", label="k", **params)
    if not difference:  # the token's default is what was wished, or it is told
        difference = "private half's derive is false, wished true"
    assert token.text(run.msg) == (
        "Could not generate the ECC key pair 'k' on the token 'test token': the token made it otherwise,"
        f" {difference}. Leave out what the token does not have. The new pair was removed again."
    )
    assert run.writes == {"C_GenerateKeyPair": 1, "C_DestroyObject": 2}
    assert token.listing() == []


def test_session_object_instead_of_a_token_object(token: FaultyToken) -> None:
    """A token that ignores CKA_TOKEN would make a pair that is gone at the next run."""
    rules = "C_GenerateKeyPair before set private 0x1 00\nC_GenerateKeyPair before set public 0x1 00"
    run = token.faulty_ecc(rules, label="k")
    assert "public half's token is false, wished true; private half's token is false, wished true" in run.msg


def test_key_that_is_weaker_than_wished(token: FaultyToken) -> None:
    run = token.faulty_rsa("C_GenerateKeyPair before set public 0x121 0004000000000000", label="k")
    assert "modulus_bits is 1024, wished 2048" in run.msg
    assert token.listing() == []


@pytest.mark.parametrize("rules", ["C_SignInit instead return 0x30", "C_Sign after return 0x30"])
def test_proof_that_fails(token: FaultyToken, rules: str) -> None:
    run = token.faulty_ecc(rules, label="k")
    assert token.text(run.msg) == f"{NOT_SIGNED} The new pair was removed again."
    assert run.result["ckr"] == "CKR_DEVICE_ERROR"
    assert token.listing() == []


def test_public_key_that_is_not_its_own(token: FaultyToken) -> None:
    """The token reports a point that fits the curve and not the private half: only a proof finds that out."""
    point = token.ecc(label="other", curve="P-256").key_pair["public_key"]["attributes"]["ec_point"]
    rules = f"C_GetAttributeValue after value 0x181 {point.replace(':', '')}"
    run = token.faulty_ecc(rules, label="k")
    assert token.text(run.msg) == (
        f"The halves {NEW_PUBLIC} and {NEW_PRIVATE} do not belong together: what the private half did by CKM_ECDSA does"
        " not fit the public half. The new pair was removed again.".replace("unknown", "FINGERPRINT")
    )
    assert token.halves("k") == []


def test_proof_that_fails_and_no_removal(token: FaultyToken) -> None:
    run = token.faulty_ecc("C_Sign after return 0x30\nC_DestroyObject instead return 0x1b", label="k")
    assert token.text(run.msg) == (
        f"{NOT_SIGNED}"
        " Could not remove the ECC key pair 'k' on the token 'test token': the HSM answered CKR_ACTION_PROHIBITED; the"
        f" object's modifiable, copyable or destroyable is false. What remains: {NEW_PUBLIC} and {NEW_PRIVATE}."
    )
    assert run.result["ckr"] == "CKR_DEVICE_ERROR"
    assert token.halves("k") == ["private", "public"]


def test_proof_that_fails_and_half_a_removal(token: FaultyToken) -> None:
    run = token.faulty_ecc("C_Sign after return 0x30\nC_DestroyObject#2 instead return 0x30", label="k")
    assert token.text(run.msg).endswith(f"What remains: {NEW_PUBLIC}.")
    assert token.halves("k") == ["public"]


@pytest.mark.parametrize("function", ["C_GetMechanismList", "C_GetMechanismInfo"])
def test_mechanisms_that_cannot_be_read(token: FaultyToken, function: str) -> None:
    run = token.faulty_ecc(f"{function} instead return 0x30", label="k")
    assert run.result["ckr"] == "CKR_DEVICE_ERROR"
    assert not run.writes


UNREADABLE = "C_GetAttributeValue^C_GenerateKeyPair instead return 0x30"


def test_what_cannot_be_read_is_named(token: FaultyToken) -> None:
    """With the user's id it may be another's, and stays; with an id that was drawn it goes."""
    run = token.faulty_ecc(f"{ERROR_AFTER}\n{UNREADABLE}", label="k", id_hex="0102")
    told = re.sub(r"handle \d+", "handle N", token.text(run.msg))
    rows = [f"a {half} key with handle N that cannot be read (CKR_DEVICE_ERROR)" for half in ("public", "private")]
    assert f"What is there now under this name: {', '.join(rows)}." in told
    assert token.halves("k") == ["private", "public"] and "C_DestroyObject" not in run.calls
    run = token.faulty_ecc(f"{ERROR_AFTER}\n{UNREADABLE}", label="drawn")
    assert run.msg.endswith("Nothing of it is left on the token.") and token.halves("drawn") == []


def test_what_has_the_label_alone_is_named(token: FaultyToken) -> None:
    """A token that ignores the id, and an answer that is lost."""
    rules = "\n".join(f"C_GenerateKeyPair before drop {half} 0x102" for half in ("public", "private"))
    run = token.faulty_ecc(f"{rules}\n{ERROR_AFTER}", label="k")
    told = token.text(run.msg).partition("What is there now under this name: ")[2]
    assert told.count("label 'k', id none") == 2 and "C_DestroyObject" not in run.calls
    assert token.halves("k") == ["private", "public"]


def test_a_secret_key_of_that_name_is_named(token: FaultyToken) -> None:
    """YubiHSM's module makes a wrapping key where it misreads the template of a private half."""
    token.pkcs11_tool("--keygen", "--key-type", "AES:32", "--label", "k", "--id", "0102")
    run = token.faulty_ecc("C_GenerateKeyPair instead return 0x30", label="k", id_hex="0102")
    assert "What is there now under this name: (secret aes key, label 'k', id 01:02, " in run.msg
    assert "verify" not in run.msg and "C_DestroyObject" not in run.calls


BUG = """
import types
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import generation
generation.keypair = types.SimpleNamespace(pair_up=None)
"""


def test_a_bug_leaves_nothing_and_is_told_as_one(token: FaultyToken) -> None:
    run = token.start("hsm_ecc_keypair", popen={"before": BUG}, label="k", curve="P-256").finish()
    assert token.text(run.msg) == (
        f"Could not generate {PAIR}: unexpected TypeError; this is a bug of cryptoki.hsm, please report it. Nothing of"
        " it is left on the token."
    )
    assert token.listing() == []
