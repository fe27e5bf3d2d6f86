# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens that are missing, doubled, dead, locked or write-protected: which one is meant, and whether to log in."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken

# Flags of CK_TOKEN_INFO, and two that are answered by no login at all.
WRITE_PROTECTED, LOGIN_REQUIRED = "2", "4"
COUNT_LOW, FINAL_TRY, LOCKED = "10000", "20000", "40000"
ADVICE = "Check the token's name, the library's configuration and the user that runs the task."


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"token_label": "nope"}, "labelled 'nope'"),
        ({"token_label": None, "token_serial": "00ff"}, "with serial '00ff'"),
        ({"token_label": None, "slot_id": 77}, "in slot N"),
        ({"token_label": None, "token_uri": "pkcs11:token=nope"}, "of the token_uri"),
    ],
)
def test_missing_token(token: FaultyToken, choice: dict[str, object], said: str) -> None:
    run = token.ecc(label="k", curve="P-256", **choice)
    assert token.text(run.msg) == (
        f"Could not find a token {said} in SOFTHSM: it has 'test token' (serial SERIAL, slot N). {ADVICE}"
    )


def test_uninitialised_token(token: FaultyToken) -> None:
    """SoftHSM always shows one slot with a token that is not initialised."""
    (_own, free) = token.slot_ids()
    run = token.faulty_ecc(label="k", token_label=None, slot_id=free)
    assert token.text(run.msg) == (
        f"Could not find a token in slot N in LIBRARY: it has 'test token' (serial SERIAL, slot N); the token in slot N"
        f" is not initialised. {ADVICE}"
    )
    assert "C_Login" not in run.calls


def test_no_token_at_all(token: FaultyToken) -> None:
    token.tool("softhsm2-util", "--delete-token", "--token", token.label)
    run = token.ecc(label="k", curve="P-256")
    assert token.text(run.msg) == (
        f"Could not find a token labelled 'test token' in SOFTHSM: it has no initialised token. {ADVICE}"
    )


def test_two_tokens_of_one_label(token: FaultyToken) -> None:
    token.initialise(token.label)
    run = token.faulty_ecc(label="k")
    assert token.text(run.msg) == (
        "Could not choose a token labelled 'test token' in LIBRARY: 2 match: 'test token' (serial SERIAL, slot N),"
        " 'test token' (serial SERIAL, slot N). Choose one by token_serial, slot_id or token_uri."
    )
    assert "C_Login" not in run.calls
    serial = re.findall(r"serial (\w{16})", run.msg)[0]
    assert token.ecc(label="k", curve="P-256", token_label=None, token_serial=serial).result["changed"] is True


def test_dead_slot_beside_the_token(token: FaultyToken) -> None:
    """One slot that does not answer is no reason not to use the others."""
    (own, free) = token.slot_ids()
    run = token.faulty_ecc(f"C_GetTokenInfo@{free} instead return 0x30", label="k")
    assert run.result["changed"] is True
    assert token.halves("k") == ["private", "public"]
    assert own != free


def test_dead_slot_of_the_token(token: FaultyToken) -> None:
    (own, _free) = token.slot_ids()
    run = token.faulty_ecc(f"C_GetTokenInfo@{own} instead return 0x30", label="k")
    assert token.text(run.msg) == (
        "Could not find a token labelled 'test token' in LIBRARY: it has no initialised token; slot N answered"
        f" CKR_DEVICE_ERROR. {ADVICE}"
    )


def test_slots_that_cannot_be_listed(token: FaultyToken) -> None:
    run = token.faulty_ecc("C_GetSlotList instead return 0x30", label="k")
    assert token.text(run.msg) == (
        "Could not list the slots of LIBRARY: the HSM answered CKR_DEVICE_ERROR; check the HSM and its connection."
    )


def test_final_try(token: FaultyToken) -> None:
    rules = f"C_GetTokenInfo after flags {FINAL_TRY} 0"
    run = token.faulty_ecc(rules, label="k")
    assert token.text(run.msg) == (
        "Refused to log in to the token 'test token' (serial SERIAL, slot N): a wrong PIN would lock it now"
        " (CKF_USER_PIN_FINAL_TRY). Make sure of the PIN, then set force_login=true once."
    )
    assert "C_Login" not in run.calls
    assert "C_Login" not in token.faulty_ecc(rules, label="k", check_mode=True).calls
    assert token.faulty_ecc(rules, label="k", force_login=True).result["changed"] is True


def test_low_count_is_no_obstacle(token: FaultyToken) -> None:
    assert token.faulty_ecc(f"C_GetTokenInfo after flags {COUNT_LOW} 0", label="k").result["changed"] is True


@pytest.mark.parametrize("force", [False, True])
def test_locked_pin(token: FaultyToken, force: bool) -> None:
    run = token.faulty_ecc(f"C_GetTokenInfo after flags {LOCKED} 0", label="k", force_login=force)
    assert token.text(run.msg) == (
        "Refused to log in to the token 'test token' (serial SERIAL, slot N): its user PIN is locked; let the security"
        " officer set it."
    )
    assert "C_Login" not in run.calls


def test_pin_that_locks_at_the_login(token: FaultyToken) -> None:
    run = token.faulty_ecc("C_Login instead return 0xa4", label="k")
    assert token.text(run.msg) == (
        "Could not log in as user to the token 'test token' (serial SERIAL, slot N): the HSM answered CKR_PIN_LOCKED;"
        " the PIN is locked; let the security officer set it anew."
    )
    assert run.calls["C_Login"] == 1


def test_no_free_session(token: FaultyToken) -> None:
    run = token.faulty_ecc("C_OpenSession instead return 0xb1", label="k")
    assert run.result["ckr"] == "CKR_SESSION_COUNT"
    assert "C_Login" not in run.calls


def test_token_that_needs_no_login(token: FaultyToken) -> None:
    """Without a PIN there is no login; that SoftHSM wants one nevertheless is told as its answer."""
    run = token.faulty_ecc(f"C_GetTokenInfo after flags 0 {LOGIN_REQUIRED}", label="k", pin=None)
    assert "C_Login" not in run.calls
    assert run.result["ckr"] == "CKR_USER_NOT_LOGGED_IN"
    assert token.halves("k") == []


@pytest.mark.parametrize("check_mode", [False, True])
def test_write_protected_token(token: FaultyToken, check_mode: bool) -> None:
    """The session is opened for reading: what is there is found, and what would change anything is refused."""
    token.ecc(label="there", curve="P-256")
    rules = f"C_GetTokenInfo after flags {WRITE_PROTECTED} 0"
    assert token.faulty_ecc(rules, label="there", check_mode=check_mode).result["changed"] is False
    refusals: dict[str, dict[str, t.Any]] = {
        "generate the ECC key pair 'k'": {"label": "k"},
        "change the ECC key pair 'there'": {"label": "there", "usage": ["sign", "derive"]},
        "replace the ECC key pair 'there'": {"label": "there", "curve": "P-384", "on_mismatch": "replace"},
        "remove the ECC key pair 'there'": {"label": "there", "curve": None, "state": "absent"},
    }
    for said, params in refusals.items():
        run = token.faulty_ecc(rules, check_mode=check_mode, **params)
        assert run.msg == f"Refused to {said} on the token 'test token': the token is write-protected."
        assert not run.writes


def test_token_that_takes_no_writing_session(token: FaultyToken) -> None:
    """The flag is not set, and the token answers nevertheless as if it were."""
    run = token.faulty_ecc("C_GenerateKeyPair instead return 0xb5", label="k")
    assert token.text(run.msg) == (
        "Could not generate the ECC key pair 'k', id DRAWN on the token 'test token' (serial SERIAL, slot N): the HSM"
        " answered CKR_SESSION_READ_ONLY; the token lets this client only read. Nothing of it is left on the token."
    )
