# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of the return values beside python-pkcs11's classes, and the hints that go with them."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pkcs11 import exceptions

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import return_values as _ckr
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.return_values import (
    CKR_NAMES,
    CKR_OF_EXCEPTION,
    SPELT_OTHERWISE,
    ckr_hint,
    ckr_name,
    ckr_of,
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
    assert set(SPELT_OTHERWISE) - classes == set(), "no such class"
    assert classes - set(CKR_OF_EXCEPTION) - OF_THE_LIBRARY == set(), "a class without a name"
    assert set(CKR_OF_EXCEPTION.values()) <= set(CKR_NAMES.values())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AnotherUserAlreadyLoggedIn", "CKR_USER_ANOTHER_ALREADY_LOGGED_IN"),
        ("FunctionCancelled", "CKR_FUNCTION_CANCELED"),
        ("PinIncorrect", "CKR_PIN_INCORRECT"),
        ("RandomNoRNG", "CKR_RANDOM_NO_RNG"),
        ("SessionReadWriteSOExists", "CKR_SESSION_READ_WRITE_SO_EXISTS"),
        ("SlotIDInvalid", "CKR_SLOT_ID_INVALID"),
        ("TokenNotRecognised", "CKR_TOKEN_NOT_RECOGNIZED"),
        ("UserAlreadyLoggedIn", "CKR_USER_ALREADY_LOGGED_IN"),
    ],
)
def test_some_classes(name: str, value: str) -> None:
    assert CKR_OF_EXCEPTION[name] == value


@pytest.mark.parametrize(
    ("error", "value"),
    [
        (exceptions.PKCS11Error("Buffer was too small. Should never see this."), "CKR_BUFFER_TOO_SMALL"),
        (exceptions.PKCS11Error("Unmapped error code 0x80000004"), "CKR_0x80000004"),
        (exceptions.PinLocked("(not initialized)"), "CKR_PIN_LOCKED"),
        (exceptions.PKCS11Error("OS exception while loading"), None),
    ],
)
def test_what_an_exception_stands_for(error: Exception, value: str | None) -> None:
    assert ckr_of(error) == value


def test_hints_are_for_values_that_exist_and_fit_into_a_sentence() -> None:
    hints = {name: ckr_hint(name) for name in CKR_NAMES.values() if ckr_hint(name)}
    assert set(_ckr._HINTS) == set(hints), "a hint for no return value"
    for name, hint in hints.items():
        assert hint[0].islower() and not hint.endswith(".") and "\n" not in hint, name
    assert ckr_hint("") == ckr_hint("CKR_0x80000001") == ""
    assert ckr_hint("CKR_PIN_INCORRECT") == (
        "check the PIN; the login was tried once and is never repeated, because PINs lock"
    )
    assert "crypto_user" in ckr_hint("CKR_USER_TYPE_INVALID") and "PIN is wrong" in ckr_hint("CKR_USER_TYPE_INVALID")
