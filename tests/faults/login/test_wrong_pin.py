# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A PIN that does not fit is refused once."""

from __future__ import annotations

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.pins import WRONG, assert_unseen, refused


def test_wrong_pin_is_one_login(token: FaultyToken) -> None:
    run = token.faulty_ecc(label="k", pin=WRONG)
    assert token.text(refused(run, WRONG)) == (
        "Could not log in as user to the token 'test token' (serial SERIAL, slot N): the HSM answered CKR_PIN_INCORRECT;"
        " check the PIN; the login was tried once and is never repeated, because PINs lock."
    )
    assert run.result["ckr"] == "CKR_PIN_INCORRECT"
    assert run.calls["C_Login"] == 1
    assert run.calls["C_OpenSession"] == 1
    assert run.calls["C_CloseAllSessions"] == 1
    assert not run.writes


def test_right_pin_is_one_login(token: FaultyToken) -> None:
    assert token.faulty_ecc(label="k").calls["C_Login"] == 1


def test_wrong_pin_in_check_mode_is_one_login(token: FaultyToken) -> None:
    run = token.faulty_ecc(label="k", pin=WRONG, check_mode=True)
    assert "CKR_PIN_INCORRECT" in refused(run, WRONG)
    assert run.calls["C_Login"] == 1


def test_wrong_pin_of_a_crypto_user(token: FaultyToken) -> None:
    run = token.faulty_ecc(label="k", crypto_user="alice", pin=WRONG)
    assert "CKR_PIN_INCORRECT" in refused(run, WRONG)
    assert run.calls["C_Login"] == 1


def test_so_pin_that_is_wrong(token: FaultyToken) -> None:
    """hsm_token logs in as security officer only to finish a token; here it is found finished and never asked."""
    run = token.run("hsm_token", so_pin=WRONG)
    assert refused(run, WRONG) if run.result.get("failed") else run.result["changed"] is False
    assert_unseen(WRONG, run.stdout, run.stderr)


@pytest.mark.parametrize(
    ("rv", "ckr"),
    [
        (0x103, "CKR_USER_TYPE_INVALID"),
        (0x150, "CKR_BUFFER_TOO_SMALL"),
        (0x190, "CKR_CRYPTOKI_NOT_INITIALIZED"),
        (0x191, "CKR_CRYPTOKI_ALREADY_INITIALIZED"),
        (0xB4, "CKR_SESSION_PARALLEL_NOT_SUPPORTED"),
    ],
)
def test_an_answer_for_which_python_pkcs11_has_no_class(token: FaultyToken, rv: int, ckr: str) -> None:
    run = token.faulty_ecc(f"C_Login instead return {rv:#x}", label="k")
    assert run.result["ckr"] == ckr and f"the HSM answered {ckr}" in run.msg
