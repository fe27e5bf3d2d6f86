# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""on_mismatch=replace on a token that does not play along: the old pair stays until the new one is proven."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken

WISH: dict[str, t.Any] = {"label": "k", "curve": "P-384", "on_mismatch": "replace"}
UNTOUCHED = "Did not replace the ECC key pair 'k', which is untouched. "
DRAFT = "'replacement RANDOM', id DRAWN on the token 'test token'"
OLD_PUBLIC = "(public ec key, on secp256r1, label 'k', id DRAWN, fingerprint FINGERPRINT)"
OLD_PRIVATE = "(private ec key, on secp256r1, label 'k', id DRAWN, fingerprint unknown)"
NEW_PUBLIC = "(public ec key, on secp384r1, label 'replacement RANDOM', id DRAWN, fingerprint FINGERPRINT)"
NEW_PRIVATE = "(private ec key, on secp384r1, label 'replacement RANDOM', id DRAWN, fingerprint unknown)"
BROKEN_OFF = (
    "Refused to touch the ECC key pair 'k' on the token 'test token': a replacement of it was broken off, or another host"
    " is at it:"
)
REMEDY = "If no other host is at it, remove the new one (state=absent, label 'replacement RANDOM')."


@pytest.fixture
def old(token: FaultyToken) -> str:
    """The fingerprint of a pair that differs from the wish."""
    return t.cast(str, token.ecc(label="k", curve="P-256").key_pair["fingerprint"])


def said(token: FaultyToken, msg: str) -> str:
    """The message with a word for the provisional label."""
    return re.sub("replacement [0-9a-f]{16}", "replacement RANDOM", token.text(msg))


def draft_label(msg: str) -> str:
    """The provisional label that a message names."""
    return re.findall("replacement [0-9a-f]{16}", msg)[0]


def labels(token: FaultyToken) -> list[str]:
    """The labels of all objects."""
    return sorted(row["label"] for row in token.listing())


def assert_untouched(token: FaultyToken, old: str) -> None:
    """The old pair works as before, and is alone."""
    assert labels(token) == ["k", "k"]
    run = token.ecc(label="k", curve="P-256", verify=True)
    assert run.result["changed"] is False
    assert run.key_pair["fingerprint"] == old
    assert run.key_pair["verified"] == "CKM_ECDSA"


def assert_replaced(token: FaultyToken, old: str) -> None:
    """The new pair is alone, works, and stays."""
    assert labels(token) == ["k", "k"]
    run = token.ecc(**WISH, verify=True)
    assert run.result["changed"] is False
    assert run.key_pair["fingerprint"] != old
    assert run.key_pair["verified"] == "CKM_ECDSA"


def test_replacement(token: FaultyToken, old: str) -> None:
    run = token.faulty_ecc(**WISH)
    # Each half gets another label and its own again, before the old pair goes, and the wished one after that.
    assert run.writes == {"C_GenerateKeyPair": 1, "C_SetAttributeValue": 6, "C_DestroyObject": 2}
    assert_replaced(token, old)


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (
            "C_GenerateKeyPair instead return 0x30",
            f"Could not generate the ECC key pair {DRAFT} (serial SERIAL, slot N): the HSM answered CKR_DEVICE_ERROR;"
            " check the HSM and its connection. Nothing of it is left on the token.",
        ),
        (
            "C_GenerateKeyPair after return 0x30",
            f"Could not generate the ECC key pair {DRAFT} (serial SERIAL, slot N): the HSM answered CKR_DEVICE_ERROR;"
            " check the HSM and its connection. Nothing of it is left on the token.",
        ),
        (
            "C_GenerateKeyPair before set private 0x108 00",
            "Could not generate the ECC key pair 'replacement RANDOM' on the token 'test token': the token made it"
            " otherwise, private half's sign is false, wished true. Leave out what the token does not have. The new pair"
            " was removed again.",
        ),
        (
            "C_GenerateKeyPair before set public 0x180 06082a8648ce3d030107",
            "Could not generate the ECC key pair 'replacement RANDOM' on the token 'test token': the token made it"
            " otherwise, curve is secp256r1, wished secp384r1. Leave out what the token does not have. The new pair was"
            " removed again.",
        ),
        (
            "C_Sign after return 0x30",
            "Could not sign with the private key 'replacement RANDOM' on the token 'test token' (serial SERIAL, slot N):"
            " the HSM answered CKR_DEVICE_ERROR; a key that this token does not let be used this way can be made with"
            " verify=false. The new pair was removed again.",
        ),
        (
            "C_SetAttributeValue instead return 0x54",
            "Could not set label of the private key 'replacement RANDOM' on the token 'test token' (serial SERIAL, slot"
            " N): the HSM answered CKR_FUNCTION_NOT_SUPPORTED. The new pair was removed again.",
        ),
        (
            "C_SetAttributeValue#3 instead return 0x10",
            "Could not set label of the public key 'replacement RANDOM' on the token 'test token' (serial SERIAL, slot"
            " N): the HSM answered CKR_ATTRIBUTE_READ_ONLY; the token does not let this attribute be set. The new pair"
            " was removed again.",
        ),
        (
            "C_DestroyObject#1 instead return 0x1b",
            "Could not remove the ECC key pair 'k' on the token 'test token': the HSM answered CKR_ACTION_PROHIBITED;"
            " the object's modifiable, copyable or destroyable is false. What remains:"
            f" {OLD_PRIVATE}. The new pair was removed again.",
        ),
    ],
)
def test_old_pair_is_untouched(token: FaultyToken, old: str, rules: str, reason: str) -> None:
    run = token.faulty_ecc(rules, **WISH)
    assert said(token, run.msg) == UNTOUCHED + reason
    assert_untouched(token, old)


def test_old_pair_is_untouched_and_the_new_one_stays(token: FaultyToken, old: str) -> None:
    """What the token does not let go is named, and by the next run again."""
    run = token.faulty_ecc("C_SetAttributeValue instead return 0x54\nC_DestroyObject instead return 0x1b", **WISH)
    assert said(token, run.msg).startswith(UNTOUCHED + "Could not set label")
    assert said(token, run.msg).endswith(f"What remains: {NEW_PUBLIC} and {NEW_PRIVATE}.")
    assert token.ecc(label="k", curve="P-256", verify=True).key_pair["fingerprint"] == old
    again = token.ecc(**WISH)
    assert said(token, again.msg) == (
        f"{BROKEN_OFF} the old pair is there, and beside it the new one, {NEW_PUBLIC} and {NEW_PRIVATE}. {REMEDY}"
    )
    assert token.ecc(state="absent", label=draft_label(again.msg)).result["changed"] is True
    assert token.ecc(**WISH).result["changed"] is True
    assert_replaced(token, old)


def test_old_public_half_that_stays(token: FaultyToken, old: str) -> None:
    run = token.faulty_ecc("C_DestroyObject#2 instead return 0x30", **WISH)
    assert said(token, run.msg) == (
        "Could not remove the ECC key pair 'k' on the token 'test token': the HSM answered CKR_DEVICE_ERROR; check the HSM"
        f" and its connection. What remains: {OLD_PUBLIC}. The new pair is there, whole and proven, {NEW_PUBLIC} and"
        f" {NEW_PRIVATE}. Remove that public half by its fingerprint; the same task then finishes the replacement."
    )
    assert said(token, token.ecc(**WISH).msg) == (
        f"{BROKEN_OFF} of the old pair the public half is there, {OLD_PUBLIC}, and beside it the new pair, {NEW_PUBLIC} and"
        f" {NEW_PRIVATE}. If no other host is at it, remove that public half by state=absent with its fingerprint; the same"
        " task then finishes it."
    )
    assert token.ecc(state="absent", fingerprint=old).result["changed"] is True
    run = token.faulty_ecc(**WISH)
    assert run.writes == {"C_SetAttributeValue": 2}
    assert_replaced(token, old)


@pytest.mark.parametrize("call", [5, 6])
def test_new_pair_that_cannot_be_renamed(token: FaultyToken, old: str, call: int) -> None:
    """The old pair is gone by then: the same task finishes what is left."""
    run = token.faulty_ecc(f"C_SetAttributeValue#{call} instead return 0x30", **WISH)
    private = NEW_PRIVATE if call == 5 else NEW_PRIVATE.replace("replacement RANDOM", "k")
    assert said(token, run.msg) == (
        "Could not rename the replacement of the ECC key pair 'k' on the token 'test token': the HSM answered"
        " CKR_DEVICE_ERROR; check the HSM and its connection. The old pair is gone; the new one is whole:"
        f" {NEW_PUBLIC} and {private}. The same task finishes it."
    )
    again = token.faulty_ecc(**WISH)
    assert again.result["changed"] is True
    assert "C_GenerateKeyPair" not in again.calls
    assert_replaced(token, old)


def test_leftover_of_another_wish(token: FaultyToken, old: str) -> None:
    """A replacement that was broken off and would not do now is named, and the old pair stays."""
    task = token.start("hsm_ecc_keypair", "C_SetAttributeValue before kill", **WISH)
    assert task.died()
    run = token.ecc(**{**WISH, "curve": "P-521"})
    assert said(token, run.msg) == (
        f"{BROKEN_OFF} it is not as wished (curve is secp384r1, wished secp521r1), {NEW_PUBLIC} and {NEW_PRIVATE}. {REMEDY}"
    )
    assert token.ecc(state="absent", label=draft_label(run.msg)).result["changed"] is True
    assert_untouched(token, old)


def test_pair_with_an_id(token: FaultyToken) -> None:
    """The new pair gets the id of the old one only when that is gone."""
    token.ecc(label="k", curve="P-256", id="one")
    run = token.faulty_ecc("C_SetAttributeValue#9 instead return 0x30", **WISH, id="one")
    assert "The same task finishes it." in run.msg
    assert token.ecc(**WISH, id="one").key_pair["id"] == "one"
    assert token.ecc(**WISH, id="one").result["changed"] is False
    assert labels(token) == ["k", "k"]


def test_indestructible_pair(token: FaultyToken) -> None:
    frozen = {"private_attributes": {"destroyable": False}}
    token.ecc(label="k", curve="P-256", **frozen)
    run = token.faulty_ecc(**WISH)
    assert token.text(run.msg) == (
        f"Refused to replace the ECC key pair 'k' on the token 'test token': destroyable is false for {OLD_PRIVATE}."
        " What differs: curve is secp256r1, wished secp384r1."
    )
    assert not run.writes


def test_what_the_task_does_not_say_comes_from_the_old_pair(token: FaultyToken) -> None:
    """Also where the run is killed when the old pair is gone."""
    token.run("hsm_rsa_keypair", label="k", modulus_bits=2048, usage=["sign"], extractable=False)
    task: dict[str, t.Any] = {"label": "k", "modulus_bits": 3072, "on_mismatch": "replace"}
    assert token.start("hsm_rsa_keypair", "C_DestroyObject#2 after kill", **task).died()
    run = token.run("hsm_rsa_keypair", **task)
    assert run.result["changed"] is True and run.key_pair["modulus_bits"] == 3072
    private = run.key_pair["private_key"]["attributes"]
    assert [private[name] for name in ("extractable", "sign", "decrypt", "unwrap")] == [False, True, False, False]
    assert token.run("hsm_rsa_keypair", **task).result["changed"] is False
