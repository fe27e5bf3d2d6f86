# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of a library and its slots, also after an error."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import functions, mechanism_list, session_state
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.slots import ask_library, ask_slot

DEVICE_ERROR, INVALID, NOT_RECOGNIZED = 0x30, 0x70, 0xE1
RSA, EC, SHA256, VENDOR = 0x00, 0x1040, 0x250, 0x80001234


class Answering(functions.Functions):
    """A library whose functions answer as they are told."""

    def __init__(self, codes: t.Sequence[int] = (), **answers: int) -> None:
        self.codes = codes
        self.answers = answers
        self.asked: list[t.Any] = []

    def call(self, name: str, *arguments: t.Any) -> int:
        self.asked.append(name)
        if name in ("C_GetMechanismList", "C_GetSlotList"):
            arguments[2]._obj.value = len(self.codes)
            for index, code in enumerate(self.codes if arguments[1] else ()):
                arguments[1][index] = code
        return self.answers.get(name, functions.CKR_OK)


def test_a_slot_in_order_is_asked_everything() -> None:
    library = Answering([EC, RSA])
    answers = ask_slot(library, 7)
    assert (answers.slot_id, list(answers.mechanisms or ()), answers.errors) == (7, [RSA, EC], ())
    assert library.asked == [
        "C_GetSlotInfo",
        "C_GetTokenInfo",
        *["C_GetMechanismList"] * 2,
        *["C_GetMechanismInfo"] * 2,
    ]


def test_mechanisms_are_asked_for_where_they_are_wanted() -> None:
    library = Answering([EC, RSA])
    assert ask_slot(library, 7, with_mechanisms=False).mechanisms is None
    assert library.asked == ["C_GetSlotInfo", "C_GetTokenInfo"]


# How often a slot with two mechanisms is asked for the list of them, which takes two calls, and for one of them.
@pytest.mark.parametrize(
    ("call", "rv", "errors", "lists", "infos"),
    [
        ("C_GetSlotInfo", DEVICE_ERROR, ["CKR_DEVICE_ERROR"], 2, 2),
        ("C_GetTokenInfo", DEVICE_ERROR, ["CKR_DEVICE_ERROR"], 0, 0),
        ("C_GetTokenInfo", NOT_RECOGNIZED, ["CKR_TOKEN_NOT_RECOGNIZED"], 0, 0),
        ("C_GetTokenInfo", functions.CKR_TOKEN_NOT_PRESENT, [], 0, 0),
        ("C_GetMechanismList", DEVICE_ERROR, ["CKR_DEVICE_ERROR"], 1, 0),
        ("C_GetMechanismInfo", DEVICE_ERROR, ["CKR_DEVICE_ERROR"], 2, 1),
        ("C_GetMechanismInfo", INVALID, ["CKR_MECHANISM_INVALID"], 2, 2),  # said once
    ],
)
def test_errors_of_a_slot(call: str, rv: int, errors: list[str], lists: int, infos: int) -> None:
    library = Answering([RSA, EC], **{call: rv})
    answers = ask_slot(library, 7)
    assert [(error.call, error.ckr) for error in answers.errors] == [(call, ckr) for ckr in errors]
    assert (library.asked.count("C_GetMechanismList"), library.asked.count("C_GetMechanismInfo")) == (lists, infos)


def test_slots_are_in_the_order_of_their_numbers() -> None:
    answers, rv = ask_library(Answering([9, 3, 5]))
    assert (answers.slot_ids, rv) == ((3, 5, 9), functions.CKR_OK)
    assert ask_library(Answering([]))[0].slot_ids == ()
    assert ask_library(Answering([9], C_GetSlotList=DEVICE_ERROR))[1] == DEVICE_ERROR
    assert ask_library(Answering([9], C_GetInfo=DEVICE_ERROR))[1] == DEVICE_ERROR


def test_a_list_that_grows_meanwhile_is_read_again() -> None:
    class Growing(Answering):
        def call(self, name: str, *arguments: t.Any) -> int:
            rv = super().call(name, *arguments)
            if len(self.asked) == 2:
                self.codes = [1, 2, 3]
                return functions.CKR_BUFFER_TOO_SMALL
            return rv

    assert mechanism_list.asked(Growing([1, 2]), 7) == (functions.CKR_OK, [1, 2, 3])


def test_a_library_that_is_never_satisfied_is_given_up() -> None:
    library = Answering([1], C_GetMechanismList=functions.CKR_BUFFER_TOO_SMALL)
    assert mechanism_list.asked(library, 7) == (functions.CKR_BUFFER_TOO_SMALL, [])
    assert len(library.asked) < 9


@pytest.mark.parametrize(
    ("state", "word"), [(0, "ro_public"), (1, "ro_user"), (3, "rw_user"), (4, "rw_so"), (9, "0x9")]
)
def test_states_of_a_session(state: int, word: str) -> None:
    assert session_state.word(state) == word
