# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the PIN is given again for a key that wants it at each use; fault tests do it with a token."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import TokenFlag
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.context_login import NO_PIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.signer import signer_of
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS
from ansible_collections.cryptoki.hsm.tests.support.soft_token import PIN

ECDSA = MECHANISMS["CKM_ECDSA"]


class Token:
    """A library with one token and one session, which tells what was called."""

    slot_id = 0

    def __init__(self, pin: object = PIN, flags: int = 0, answer: str = "") -> None:
        self.login = {"user_pin": pin} if pin else {}
        self.flags = TokenFlag(flags)
        self.answer = answer
        self.called: list[str] = []

    def token(self, slot_id: int) -> Token:
        assert slot_id == self.slot_id
        return self

    def call(self, what: str, function: str, *arguments: t.Any) -> None:
        self.called.append(function)
        if function == "C_Login":
            assert arguments == (2, PIN.encode())
            if self.answer:
                raise TokenError(what, self.answer)

    def output(self, what: str, function: str, *arguments: t.Any) -> bytes:
        self.called.append(function)
        return b"signed"

    def signer(self, **attributes: t.Any) -> t.Any:
        token: t.Any = self
        return signer_of(token, token, token, TokenObject(7, "private", attributes))


ASKING = {"always_authenticate": True}


def test_a_key_that_does_not_ask_gets_no_pin() -> None:
    token = Token(flags=TokenFlag.USER_PIN_FINAL_TRY)
    signer = token.signer(always_authenticate=False)
    assert signer.barred() is None and signer.sign(ECDSA, b"x") == b"signed"
    assert token.called == ["C_SignInit", "C_Sign"]


@pytest.mark.parametrize("answer", ["", "CKR_USER_ALREADY_LOGGED_IN", "CKR_OPERATION_NOT_INITIALIZED"])
def test_each_use_gets_it_once(answer: str) -> None:
    token = Token(answer=answer)
    for dummy in range(2):
        signer = token.signer(**ASKING)
        assert signer.barred() is None and signer.decrypt(ECDSA, b"x") == b"signed"
    assert token.called == ["C_DecryptInit", "C_Login", "C_Decrypt"] * 2


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (Token(pin=None), NO_PIN),
        (Token(pin=object()), NO_PIN),  # what stands for a PIN pad
        (Token(flags=TokenFlag.USER_PIN_FINAL_TRY), "a wrong one would lock it now (CKF_USER_PIN_FINAL_TRY)"),
        (Token(flags=TokenFlag.USER_PIN_LOCKED), "a wrong one would lock it now (CKF_USER_PIN_FINAL_TRY)"),
    ],
)
def test_why_it_is_not_given(token: Token, reason: str) -> None:
    assert token.signer(**ASKING).barred().endswith(reason)


def test_a_refusal_is_final_and_told() -> None:
    token, other = Token(answer="CKR_PIN_INCORRECT"), Token()
    for dummy in range(2):
        with pytest.raises(TokenError) as refused:
            token.signer(**ASKING).sign(ECDSA, b"x")
        assert refused.value.final and refused.value.at("prove it").final and refused.value.ckr == "CKR_PIN_INCORRECT"
        assert PIN not in str(refused.value)
    # What was begun is ended, so that the session can begin something else.
    assert token.called == ["C_SignInit", "C_Login", "C_Sign", "C_SignInit", "C_Sign"]
    assert token.signer(**ASKING).barred().endswith("and the token refused it (CKR_PIN_INCORRECT)")
    assert other.signer(**ASKING).barred() is None
