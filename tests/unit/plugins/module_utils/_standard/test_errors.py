# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors, word for word, and the names of the return values beside python-pkcs11's classes."""

from __future__ import annotations

import inspect
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pkcs11 import exceptions

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import return_values as _ckr
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, InputError, TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.return_values import (
    CKR_NAMES,
    CKR_OF_EXCEPTION,
    ckr_hint,
    ckr_name,
)

# What python-pkcs11 raises of its own accord: no HSM answered these.
OF_THE_LIBRARY = {
    "AlreadyInitialized",
    "AttributeError",
    "MultipleObjectsReturned",
    "MultipleTokensReturned",
    "NoSuchKey",
    "NoSuchToken",
    "NotInitialized",
    "PKCS11Error",
}
CODES = st.integers(0, 2**32 - 1)


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


@given(CODES)
def test_every_return_value_has_a_name(code: int) -> None:
    assert ckr_name(code) == CKR_NAMES.get(code, f"CKR_0x{code:08X}")


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0x00, "CKR_OK"),
        (0x05, "CKR_GENERAL_ERROR"),
        (0x1B, "CKR_ACTION_PROHIBITED"),
        (0x54, "CKR_FUNCTION_NOT_SUPPORTED"),
        (0xA0, "CKR_PIN_INCORRECT"),
        (0xB3, "CKR_SESSION_HANDLE_INVALID"),
        (0x140, "CKR_CURVE_NOT_SUPPORTED"),
        (0x190, "CKR_CRYPTOKI_NOT_INITIALIZED"),
        (0x80000001, "CKR_0x80000001"),
    ],
)
def test_some_names(code: int, name: str) -> None:
    assert ckr_name(code) == name


def test_names_are_unique() -> None:
    assert len(set(CKR_NAMES.values())) == len(CKR_NAMES)
    assert all(name.startswith("CKR_") and name.isupper() for name in CKR_NAMES.values())


def test_each_class_of_python_pkcs11_has_a_name_and_no_other() -> None:
    classes = {
        name
        for name, member in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(member, exceptions.PKCS11Error)
    }
    assert set(CKR_OF_EXCEPTION) - classes == set(), "no such class"
    assert classes - set(CKR_OF_EXCEPTION) - OF_THE_LIBRARY == set(), "a class without a name"
    assert set(CKR_OF_EXCEPTION.values()) <= set(CKR_NAMES.values())


def test_hints_are_for_values_that_exist_and_fit_into_a_sentence() -> None:
    hints = {name: ckr_hint(name) for name in CKR_NAMES.values() if ckr_hint(name)}
    assert set(_ckr._HINTS) == set(hints), "a hint for no return value"
    for name, hint in hints.items():
        assert hint[0].islower() and not hint.endswith(".") and "\n" not in hint, name
    assert ckr_hint("") == ckr_hint("CKR_0x80000001") == ""
    assert ckr_hint("CKR_PIN_INCORRECT") == (
        "check the PIN; the login was tried once and is never repeated, because PINs lock"
    )
