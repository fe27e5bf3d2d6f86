# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What cannot be undone rests on what was checked, and is looked at afterwards: tokens that lie about it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken

FROZEN: dict[str, t.Any] = {"private_attributes": {"modifiable": False}}
REPLACE: dict[str, t.Any] = {"label": "k", "curve": "P-384", "on_mismatch": "replace"}
WHOLE = ["private", "public"]


@pytest.fixture
def bystander(token: FaultyToken) -> t.Iterator[str]:
    """Another pair, which works as before in the end."""
    before = token.ecc(label="other", curve="P-256").key_pair["fingerprint"]
    yield before
    run = token.ecc(label="other", curve="P-256", verify=True)
    assert (run.result["changed"], run.key_pair["fingerprint"]) == (False, before)
    assert run.key_pair["verified"] == "CKM_ECDSA"


def assert_lives(token: FaultyToken, fingerprint: str, **wish: t.Any) -> None:
    """The pair is as it was, and works."""
    run = token.ecc(label="k", curve="P-256", verify=True, **wish)
    assert (run.result["changed"], run.key_pair["fingerprint"]) == (False, fingerprint)
    assert run.key_pair["verified"] == "CKM_ECDSA"


@pytest.mark.parametrize(
    ("lie", "told", "left"),
    [
        ("after handle own", "which is no copy's", 3),
        ("after handle 0", "with the handle 0, which is no copy's", 3),
        ("after handle 3", "private half's label is other, wished k", 3),
        ("instead copy unchanged", "private half's modifiable is true, wished false. The copy was removed again.", 2),
        ("instead copy session", "private half's token is false, wished true. The copy was removed again.", 2),
        ("after return 0x30", "CKR_DEVICE_ERROR", 3),
    ],
)
@pytest.mark.usefixtures("bystander")
def test_a_copy_that_is_none(token: FaultyToken, lie: str, told: str, left: int) -> None:
    """The original stays; a copy whose handle is not known is told, and the same task takes it in its place."""
    made = token.ecc(label="k", curve="P-256").key_pair
    run = token.faulty_ecc(f"C_CopyObject {lie}", label="k", **FROZEN)
    assert told in run.msg
    assert ("Beside it is (private " in run.msg) is (left == 3) or "handle 3" in lie
    assert run.writes.get("C_DestroyObject", 0) == (left == 2)
    assert len(token.halves("k")) == left
    assert token.ecc(label="k", curve="P-256", **FROZEN).result["changed"] is True
    assert token.halves("k") == WHOLE
    assert_lives(token, made["fingerprint"], **FROZEN)


def test_a_copy_that_does_not_sign(token: FaultyToken) -> None:
    """An EC private half tells nothing that a copy could be compared by; an RSA one has a modulus."""
    made = token.ecc(label="k", curve="P-256").key_pair
    run = token.faulty_ecc("C_Sign^C_CopyObject after return 0x30", label="k", **FROZEN)
    assert "Could not change the ECC key pair 'k'" in run.msg and "CKR_DEVICE_ERROR" in run.msg
    assert run.msg.endswith("The copy was removed again. Nothing was changed.")
    assert_lives(token, made["fingerprint"])


@pytest.mark.parametrize("check_mode", [True, False])
def test_an_ec_key_that_cannot_be_proven_is_not_copied(token: FaultyToken, check_mode: bool) -> None:
    usage: dict[str, t.Any] = {"usage": [], "label": "k"}
    wish = {**usage, **FROZEN}
    for _there in range(2):
        run = token.faulty("hsm_ecc_keypair", check_mode=check_mode, curve="P-256", **wish)
        assert token.text(run.msg) == (
            "Refused to set modifiable to false for the ECC key pair 'k' on the token 'test token': that takes a copy of"
            " the private half, and that it is whole cannot be proven: the private key may neither sign, decrypt nor"
            " derive with a mechanism that can be checked outside."
        )
        assert not run.writes
        token.ecc(curve="P-256", **usage)
    made = token.rsa(modulus_bits=2048, **wish)
    assert made.result["changed"] is True


@pytest.mark.parametrize("params", [{}, {"id_hex": "0102"}])
@pytest.mark.usefixtures("bystander")
def test_another_pair_instead_of_the_new_one(token: FaultyToken, params: dict[str, str]) -> None:
    """It is not destroyed; what has the drawn id is, and what has a told one is named."""
    run = token.faulty_ecc("C_GenerateKeyPair after strangers", label="k", **params)
    assert "the HSM returned a pair that does not have the id of the new one, (public ec key" in run.msg
    if params:
        assert "What is there now under this name: " in run.msg and "C_DestroyObject" not in run.calls
        assert token.ecc(label="k", curve="P-256", verify=True, **params).result["changed"] is False
    else:
        assert run.msg.endswith("Nothing of it is left on the token.") and run.writes["C_DestroyObject"] == 2
        assert token.halves("k") == []


def test_a_removal_that_is_only_pretended(token: FaultyToken) -> None:
    made = token.ecc(label="k", curve="P-256").key_pair
    run = token.faulty_ecc("C_DestroyObject instead return 0", label="k", curve=None, state="absent")
    assert "the HSM answered CKR_OK, and the key is still there. What remains: (public ec key" in run.msg
    assert_lives(token, made["fingerprint"])


def test_a_removal_whose_answer_is_lost(token: FaultyToken) -> None:
    token.ecc(label="k", curve="P-256")
    run = token.faulty_ecc("C_DestroyObject after return 0x30", label="k", curve=None, state="absent")
    assert run.result["changed"] is True
    assert token.listing() == []


def test_a_removal_that_cannot_be_looked_at(token: FaultyToken) -> None:
    token.ecc(label="k", curve="P-256")
    rules = (
        "C_DestroyObject after return 0x32\nC_GetAttributeValue^C_DestroyObject instead return 0x32\n"
        "C_FindObjectsInit^C_DestroyObject instead return 0x32"
    )
    run = token.faulty_ecc(rules, label="k", curve=None, state="absent")
    assert "Whether it is gone is not known (CKR_DEVICE_REMOVED). What may remain: (public ec key" in run.msg


def test_a_removal_by_one_who_was_logged_out(token: FaultyToken) -> None:
    """He sees no private key: that is no proof that it is gone."""
    token.ecc(label="k", curve="P-256")
    rules = (
        "C_DestroyObject instead return 0x101\nC_GetAttributeValue^C_DestroyObject instead return 0x82\n"
        "C_GetSessionInfo after poke 1 8 2"
    )
    run = token.faulty_ecc(rules, label="k", curve=None, state="absent")
    assert "Whether it is gone is not known (CKR_USER_NOT_LOGGED_IN). What may remain: (public ec key" in run.msg
    assert token.halves("k") == WHOLE


def test_a_secret_key_instead_of_what_was_derived(token: FaultyToken) -> None:
    """What was derived for the proof goes; a key that is there to stay does not."""
    token.ecc(label="k", curve="P-256", usage=["derive"])
    token.pkcs11_tool("--keygen", "--key-type", "AES:32", "--label", "wrapping")
    run = token.faulty_ecc("C_DeriveKey after handle 4", label="k", verify=True)
    assert run.msg and "C_DestroyObject" not in run.calls
    assert [row["label"] for row in token.listing() if row["class"] == "secret"] == ["wrapping"]


def test_a_change_whose_answer_is_lost(token: FaultyToken) -> None:
    """It was made, is seen, and is undone."""
    token.ecc(label="k", curve="P-256")
    before = sorted(token.objects().splitlines())
    run = token.faulty_ecc("C_SetAttributeValue#2 after return 0x30", label="k", usage=["derive"])
    assert "CKR_DEVICE_ERROR" in run.msg and run.msg.endswith("Nothing was changed.")
    assert sorted(token.objects().splitlines()) == before


def test_a_change_whose_answer_is_lost_and_that_stays(token: FaultyToken) -> None:
    token.ecc(label="k", curve="P-256")
    rules = "C_SetAttributeValue#1 after return 0x30\nC_SetAttributeValue#2+ instead return 0x30"
    run = token.faulty_ecc(rules, label="k", usage=["derive"])
    assert run.msg.endswith("What stays changed: private half's sign, derive.")


def test_a_renaming_that_is_only_pretended(token: FaultyToken) -> None:
    """Found out by a name that differs, while the old pair is there."""
    old = token.ecc(label="k", curve="P-256").key_pair["fingerprint"]
    run = token.faulty_ecc("C_SetAttributeValue instead return 0", **REPLACE)
    assert run.msg.startswith("Did not replace the ECC key pair 'k', which is untouched. Could not set label")
    assert run.msg.endswith("The new pair was removed again.")
    assert_lives(token, old)


@pytest.mark.parametrize("call", [9, 11])
def test_what_is_said_of_a_renaming_that_breaks_off_is_so(token: FaultyToken, call: int) -> None:
    """The answer to the first new id, or to the first new label, is lost: what the message advises ends well."""
    old = token.ecc(label="k", curve="P-256", id_hex="01").key_pair["fingerprint"]
    wish = {**REPLACE, "id_hex": "01"}
    run = token.faulty_ecc(f"C_SetAttributeValue#{call} after return 0x30", **wish)
    assert "The old pair is gone; the new one is whole: " in run.msg
    assert run.msg.endswith("Give both its halves the wished id and label with hsm_key, each named by its uri.")
    for row in token.listing():
        ident = "".join(f"%{byte:02x}" for byte in bytes.fromhex(row["id"]))
        uri = f"pkcs11:id={ident};type={row['class']}"
        assert "changed" in token.run("hsm_key", uri=uri, new_label="k", new_id_hex="01").result
    done = token.ecc(**wish, verify=True)
    assert done.result["changed"] is False and done.key_pair["fingerprint"] != old
    assert token.halves("k") == WHOLE == sorted(row["class"] for row in token.listing())


def test_an_old_pair_that_goes_with_an_error(token: FaultyToken) -> None:
    old = token.ecc(label="k", curve="P-256").key_pair["fingerprint"]
    assert token.faulty_ecc("C_DestroyObject after return 0x30", **REPLACE).result["changed"] is True
    done = token.ecc(**REPLACE, verify=True)
    assert done.result["changed"] is False and done.key_pair["fingerprint"] != old
