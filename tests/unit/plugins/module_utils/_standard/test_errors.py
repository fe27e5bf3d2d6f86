# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors, word for word."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, InputError, TokenError


def test_an_error_carries_its_data() -> None:
    error = HsmError("It failed.", differences=[1])
    assert (str(error), error.msg, error.data) == ("It failed.", "It failed.", {"differences": [1]})


@given(st.text())
def test_a_message_is_one_line_whatever_a_label_holds(label: str) -> None:
    for message in (HsmError(f"It is '{label}'.").msg, TokenError(f"find '{label}'").msg):
        assert message.isprintable()
        assert label in message or not label.isprintable()
    assert HsmError("a\n\tb\x1b[1mé").msg == r"a\n\tb\x1b[1mé"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "curve is refused: it is empty."),
        ("P-1", "curve 'P-1' is refused: it is empty."),
        (0, "curve 0 is refused: it is empty."),
        (False, "curve False is refused: it is empty."),
        ("a\nb", r"curve 'a\nb' is refused: it is empty."),
    ],
)
def test_an_input_error_names_option_value_and_rule(value: t.Any, message: str) -> None:
    error = InputError("curve", "it is empty", value)
    assert (error.msg, error.option, error.data) == (message, "curve", {})


def test_a_token_error_says_what_was_attempted_answered_and_advised() -> None:
    error = TokenError("log in as user to the token 'demo'", "CKR_PIN_LOCKED")
    assert error.msg == (
        "Could not log in as user to the token 'demo': the HSM answered CKR_PIN_LOCKED; the PIN is locked; let the"
        " security officer set it anew."
    )
    assert error.data == {"ckr": "CKR_PIN_LOCKED"}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (TokenError("find it", "CKR_CANCEL"), "Could not find it: the HSM answered CKR_CANCEL."),
        (TokenError("find it"), "Could not find it: the HSM answered no reason."),
        (TokenError("find it", said="beep"), "Could not find it: the HSM answered beep."),
        (TokenError("find it", "CKR_CANCEL", said="beep"), "Could not find it: the HSM answered CKR_CANCEL."),
        (TokenError("find it", "CKR_CANCEL", hint="ask"), "Could not find it: the HSM answered CKR_CANCEL; ask."),
        (TokenError("find it", "CKR_PIN_LOCKED", hint=""), "Could not find it: the HSM answered CKR_PIN_LOCKED."),
        (
            TokenError("find it", "CKR_CANCEL", remains="What remains: one half."),
            "Could not find it: the HSM answered CKR_CANCEL. What remains: one half.",
        ),
    ],
)
def test_texts_of_token_errors(error: TokenError, message: str) -> None:
    assert error.msg == message
    said = {"provider_error": error.said} if error.said else {}
    assert error.data == ({"ckr": error.ckr} if error.ckr else said)


def test_a_larger_attempt_keeps_the_answer() -> None:
    small = TokenError("destroy the private key", "CKR_ACTION_PROHIBITED", hint="look")
    large = small.at("remove the pair", "What remains: all.")
    assert large.msg == ("Could not remove the pair: the HSM answered CKR_ACTION_PROHIBITED; look. What remains: all.")
    assert (large.attempt, large.ckr, large.hint) == ("remove the pair", "CKR_ACTION_PROHIBITED", "look")
    assert large.at("end", "Go on.").msg == (
        "Could not end: the HSM answered CKR_ACTION_PROHIBITED; look. What remains: all. Go on."
    )
    assert TokenError("x", said="beep").at("y").msg == "Could not y: the HSM answered beep."
