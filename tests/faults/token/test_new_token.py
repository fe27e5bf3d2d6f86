# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hsm_token, broken off or refused: a token is finished, and never made again."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.soft_token import PIN, SO_PIN

WRONG = "Qz8-4wr-0ng-Vx3"
WISH: dict[str, t.Any] = {"token_label": "new", "so_pin": SO_PIN, "pin": PIN}


def works(token: FaultyToken) -> bool:
    """Whether the new token takes its user PIN."""
    return token.ecc(label="k", curve="P-256", token_label="new").result.get("changed") is True


@pytest.mark.parametrize("rules", ["C_InitToken after kill", "C_Login before kill", "C_InitPIN before kill"])
def test_kill_between_token_and_pin(token: FaultyToken, rules: str) -> None:
    assert token.start("hsm_token", rules, **WISH).died()
    assert "CKR_USER_PIN_NOT_INITIALIZED" in token.ecc(label="k", curve="P-256", token_label="new").msg
    run = token.faulty("hsm_token", **WISH)
    assert run.result["changed"] is True
    assert "C_InitToken" not in run.calls
    assert works(token)
    assert token.run("hsm_token", **WISH).result["changed"] is False


def test_kill_before_the_token(token: FaultyToken) -> None:
    assert token.start("hsm_token", "C_InitToken before kill", **WISH).died()
    assert token.run("hsm_token", **WISH).result["changed"] is True
    assert works(token)


def test_token_that_is_refused(token: FaultyToken) -> None:
    run = token.faulty("hsm_token", "C_InitToken instead return 0x30", **WISH)
    assert token.text(run.msg) == (
        "Could not initialise a token labelled 'new' in slot N: the HSM answered CKR_DEVICE_ERROR; check the HSM and its"
        " connection."
    )


def test_user_pin_that_is_refused(token: FaultyToken) -> None:
    run = token.faulty("hsm_token", "C_InitPIN instead return 0xa2", **WISH)
    assert token.text(run.msg) == (
        "Could not set the user PIN of the token 'new' (serial SERIAL, slot N): the HSM answered CKR_PIN_LEN_RANGE; the"
        " length of the PIN is outside what the token takes. The token is initialised and has no user PIN; the same task"
        " finishes it."
    )
    assert token.run("hsm_token", **WISH).result["changed"] is True
    assert works(token)


def test_wrong_so_pin_of_a_token_to_finish(token: FaultyToken) -> None:
    assert token.start("hsm_token", "C_InitPIN before kill", **WISH).died()
    run = token.faulty("hsm_token", **{**WISH, "so_pin": WRONG})
    assert run.result["ckr"] == "CKR_PIN_INCORRECT"
    assert run.calls["C_Login"] == 1
    assert "C_InitToken" not in run.calls
    assert WRONG not in run.stdout + run.stderr


def test_locked_so_pin(token: FaultyToken) -> None:
    assert token.start("hsm_token", "C_InitPIN before kill", **WISH).died()
    for flag in ("200000", "400000"):
        run = token.faulty("hsm_token", f"C_GetTokenInfo after flags {flag} 0", **WISH)
        assert token.text(run.msg) == (
            "Refused to log in as security officer to the token 'new' (serial SERIAL, slot N): its SO PIN is locked, or a"
            " wrong one would lock it now."
        )
        assert "C_Login" not in run.calls


def test_dead_slot(token: FaultyToken) -> None:
    """The token may be in the slot that does not answer: none is made then."""
    run = token.faulty("hsm_token", "C_GetTokenInfo#1 instead return 0x30", **WISH)
    assert token.text(run.msg) == (
        "Refused to make a token labelled 'new' in LIBRARY: whether it is there already is not known, because slot N"
        " answered CKR_DEVICE_ERROR."
    )
    assert not run.writes


def test_eight_at_once(token: FaultyToken) -> None:
    """Eight tasks want one token: it is made once."""
    tasks = [token.start("hsm_token", **WISH) for _count in range(8)]
    results = [task.finish().result for task in tasks]
    assert sorted(result.get("changed", "failed") for result in results) == [False] * 7 + [True]
    assert len({result["token"]["serial"] for result in results}) == 1
    assert works(token)
