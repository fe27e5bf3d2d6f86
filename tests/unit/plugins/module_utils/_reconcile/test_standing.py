# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pair that was there before, whose halves only an id joins: its private half signs once a run."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.change import Change
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import reconcile
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key, rsa_material, without
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import WISH, ec_pair, present, session_with

CHECK_MODES = pytest.mark.parametrize("check_mode", [True, False])


def with_a_stranger() -> MemorySession:
    """Somebody has put a public half of his own beside the private one."""
    session: MemorySession = session_with(ec_pair())
    session.keys.of[2] = private_key("secp256r1", 99)
    return session


@CHECK_MODES
def test_a_strangers_public_half_is_found_out(check_mode: bool) -> None:
    session = with_a_stranger()
    message = refusal(lambda: present(session, WISH, check_mode))
    pair = KeyPair(tuple(session.objects[:1]), tuple(session.objects[1:]))
    assert message == (
        f"The halves {pair} do not belong together: what the private half did by CKM_ECDSA does not fit the public"
        " half. Bring back the public half of the private one; what is in its place goes by hsm_key with state=absent,"
        " uri 'pkcs11:object=root;type=public;id=%01'."
    )
    assert len(session.objects) == 2


@CHECK_MODES
@pytest.mark.parametrize("verify", [None, True])
@pytest.mark.parametrize(
    "wished",
    [{"usage": ("sign", "derive")}, {"curve": curve_by_name("P-384"), "on_mismatch": "replace"}],
    ids=["change", "replace"],
)
def test_nothing_is_changed_before_the_proof(wished: dict[str, t.Any], verify: bool | None, check_mode: bool) -> None:
    session = with_a_stranger()
    before = list(session.objects)
    wish = dataclasses.replace(WISH, verify=verify, **wished)
    assert "do not belong together" in refusal(lambda: present(session, wish, check_mode))
    assert session.objects == before


@CHECK_MODES
@pytest.mark.parametrize("verify", [None, True])
def test_its_own_is_proven_once(verify: bool | None, check_mode: bool) -> None:
    session = session_with(ec_pair())
    outcome = present(session, dataclasses.replace(WISH, verify=verify), check_mode)
    assert not outcome.changed and outcome.proof == Proof("CKM_ECDSA") and outcome.warnings == ()
    assert session.keys.uses == ["sign CKM_ECDSA"]
    assert present(session, dataclasses.replace(WISH, usage=("sign", "derive"))).changed
    assert session.keys.uses == ["sign CKM_ECDSA"] * 2


RSA = pair_of(private_key("2048", 1), private={"sign": True}, handle=1)
RSA_WISH = Wish("rsa", label="root", modulus_bits=2048)


def test_rsa_signs_only_where_its_private_half_does_not_tell_the_exponent() -> None:
    told = session_with(RSA)
    assert present(told, RSA_WISH).proof.method is None and told.keys.uses == []
    vague = KeyPair(RSA.publics, (without(RSA.private, "public_exponent"),))
    session = session_with(vague)
    assert present(session, RSA_WISH).proof == Proof("CKM_SHA256_RSA_PKCS")
    modulus = private_key("2048", 1).public_key().public_numbers().n
    stranger = pair_of(rsa_material(modulus, 3)).public
    session = session_with(KeyPair((stranger,), vague.privates))
    assert "do not belong together" in refusal(lambda: present(session, RSA_WISH))


def test_an_rsa_half_with_another_exponent_is_no_half_of_the_pair() -> None:
    modulus = private_key("2048", 1).public_key().public_numbers().n
    stranger = pair_of(rsa_material(modulus, 1)).public
    session = session_with(KeyPair((stranger,), RSA.privates))
    assert "its halves do not belong together" in refusal(lambda: present(session, RSA_WISH))


@CHECK_MODES
def test_who_leaves_the_proof_out_is_told_why(check_mode: bool) -> None:
    session = with_a_stranger()
    fingerprint = session.objects[0].fingerprint
    for wish, reason in (
        (dataclasses.replace(WISH, verify=False), "verify is false"),
        (dataclasses.replace(WISH, fingerprint=fingerprint), "the task names the public half by its fingerprint"),
    ):
        outcome = present(session, wish, check_mode)
        assert outcome.proof == Proof(None, reason) and outcome.warnings == ()
    assert session.keys.uses == []


def test_a_fingerprint_does_not_leave_out_the_proof_before_a_change() -> None:
    session = with_a_stranger()
    wish = dataclasses.replace(WISH, fingerprint=session.objects[0].fingerprint, usage=("sign", "derive"))
    assert "do not belong together" in refusal(lambda: present(session, wish))


@pytest.mark.parametrize(
    ("private", "check_mode", "reason"),
    [
        ({"sign": False, "derive": True}, True, "the key only derives, which makes an object and is not done"),
        ({"always_authenticate": True}, False, "always_authenticate asks for the PIN at each use"),
        ({"sign": False}, False, "the private key may neither sign, decrypt nor derive"),
    ],
)
def test_what_cannot_be_proven_is_no_failure(private: dict[str, t.Any], check_mode: bool, reason: str) -> None:
    session = session_with(ec_pair(private=private))
    session.keys.pin_pad = True
    outcome = present(session, WISH, check_mode)
    assert not outcome.changed and outcome.warnings == () and session.keys.uses == []
    assert outcome.proof.method is None and (outcome.proof.reason or "").startswith(reason)


@CHECK_MODES
@pytest.mark.parametrize("verify", [None, True])
def test_a_pair_that_is_there_gets_the_pin_for_a_proof_that_is_asked_for(verify: bool | None, check_mode: bool) -> None:
    """A device that has another PIN for each use would count a wrong try in every run, and lock it."""
    session = session_with(ec_pair(private={"always_authenticate": True}))
    outcome = present(session, dataclasses.replace(WISH, verify=verify), check_mode)
    assert not outcome.changed and outcome.warnings == ()
    assert session.keys.uses == (["sign CKM_ECDSA"] if verify else [])
    assert verify or (outcome.proof.reason or "").endswith("which is given if verify is true")


def test_a_key_that_only_derives_is_proven_outside_check_mode() -> None:
    session = session_with(ec_pair(private={"sign": False, "derive": True}))
    assert present(session, WISH).proof == Proof("CKM_ECDH1_DERIVE")


@CHECK_MODES
def test_what_the_token_refuses_is_a_warning(check_mode: bool) -> None:
    session = session_with(ec_pair())
    session.refused["prove"] = "CKR_FUNCTION_REJECTED"
    outcome = present(session, WISH, check_mode)
    assert outcome.proof.reason == "the HSM answered CKR_FUNCTION_REJECTED"
    (warning,) = outcome.warnings
    assert warning.startswith(f"It is not proven that the halves of {WISH} on the token 'memory' belong together. ")
    assert "CKR_FUNCTION_REJECTED" in warning and warning.endswith(
        " To leave the proof out, name the pair by its fingerprint or set verify=false."
    )
    asked = dataclasses.replace(WISH, verify=True)
    assert "CKR_FUNCTION_REJECTED" in refusal(lambda: present(session, asked, check_mode))


def test_a_pair_whose_removal_is_asked_for_is_not_proven() -> None:
    session = session_with(ec_pair())
    assert reconcile(session, WISH, "absent", False).changed and session.keys.uses == []


def test_a_chosen_key_is_changed_without_a_proof() -> None:
    assert Wish.proven_always and not Change.proven_always
