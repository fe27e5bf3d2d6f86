# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_token_info makes of the structures that a library filled, and what it asks a slot after an error."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import functions, structures
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.library import any_mechanism_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.slots import (
    SlotAnswers,
    ask_library,
    ask_slot,
    session_state,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.token_description import MechanismFlag, describe_slot

DEVICE_ERROR, INVALID, NOT_RECOGNIZED = 0x30, 0x70, 0xE1
RSA, EC, SHA256, VENDOR = 0x00, 0x1040, 0x250, 0x80001234


class Answering(functions.Functions):
    """A library whose functions answer as they are told."""

    def __init__(self, codes: t.Sequence[int] = (), **answers: int) -> None:
        self.codes = codes
        self.answers = answers
        self.asked: list[t.Any] = []

    def _call(self, name: str, *arguments: t.Any) -> int:
        self.asked.append(name)
        if name in ("C_GetMechanismList", "C_GetSlotList"):
            arguments[2]._obj.value = len(self.codes)
            for index, code in enumerate(self.codes if arguments[1] else ()):
                arguments[1][index] = code
        return self.answers.get(name, functions.CKR_OK)


def described(mechanism: int = RSA, **sizes_and_flags: int) -> dict[str, t.Any]:
    """What is told of one mechanism."""
    info = structures.CkMechanismInfo(**sizes_and_flags)
    answers = SlotAnswers(1, None, structures.CkTokenInfo(), {mechanism: info}, ())
    (row,) = describe_slot(answers, lambda token: {})["token"]["mechanisms"]
    return t.cast("dict[str, t.Any]", row)


@pytest.mark.parametrize(
    ("mechanism", "flags", "words"),
    [
        (RSA, 0x10001, ["hw", "generate_key_pair"]),
        (RSA, 0, []),
        (EC, 0x1910000, ["generate_key_pair", "ec_f_p", "ec_oid", "ec_uncompress"]),
        (RSA, 0x1910000, ["generate_key_pair"]),  # curves mean nothing there
        (RSA, 0xC8010080, ["generate_key_pair"]),  # bits that the standard does not define
        (RSA, 0x7F75F9E81300, None),  # a pointer
        (SHA256, 0x400, ["digest"]),
    ],
)
def test_flags_of_a_mechanism(mechanism: int, flags: int, words: list[str] | None) -> None:
    assert described(mechanism, flags=flags)["flags"] == words


def test_every_flag_has_a_bit_of_its_own() -> None:
    assert sum(MechanismFlag) == 0x37FFFF7F


@pytest.mark.parametrize(
    ("smallest", "largest", "told"),
    [
        (512, 16384, (512, 16384)),
        (0, 256, (0, 256)),
        (1, 0x80000000, (1, 0x80000000)),
        (0, 0, (None, None)),
        (16, 0, (None, None)),
        (512, 256, (None, None)),
        (structures.UNAVAILABLE, structures.UNAVAILABLE, (None, None)),
        (0, 0x7F75F9E81300, (None, None)),
    ],
)
def test_sizes_of_a_mechanism(smallest: int, largest: int, told: tuple[int | None, int | None]) -> None:
    row = described(min_key_size=smallest, max_key_size=largest)
    assert (row["min_key_size"], row["max_key_size"]) == told


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0x1054, "CKM_RSA_AES_KEY_WRAP"),  # this collection knows it, python-pkcs11 does not
        (0x1087, "CKM_AES_GCM"),
        (0x122, "CKM_DES_CBC"),  # python-pkcs11 calls it _DES_CBC
        (0x220, "CKM_SHA_1"),
        (VENDOR, "0x80001234"),
        (0x7FFFFFFF, "0x7fffffff"),
    ],
)
def test_names_of_mechanisms(code: int, name: str) -> None:
    assert any_mechanism_name(code) == name


def test_what_is_no_utf8_is_shown_nevertheless() -> None:
    slot = structures.CkSlotInfo(slot_description=b"caf\xe9 \0 ".ljust(64), manufacturer_id=b"M\xc3\xbcller".ljust(32))
    shown = describe_slot(SlotAnswers(1, slot, None, {}, ()), lambda token: {})
    assert (shown["description"], shown["manufacturer"]) == ("caf\\xe9", "Müller")


def test_a_slot_in_order_is_asked_everything() -> None:
    library = Answering([EC, RSA])
    answers = ask_slot(library, 7)
    assert (answers.slot_id, list(answers.mechanisms), answers.errors) == (7, [RSA, EC], ())
    assert library.asked == [
        "C_GetSlotInfo",
        "C_GetTokenInfo",
        *["C_GetMechanismList"] * 2,
        *["C_GetMechanismInfo"] * 2,
    ]


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
        def _call(self, name: str, *arguments: t.Any) -> int:
            rv = super()._call(name, *arguments)
            if len(self.asked) == 2:
                self.codes = [1, 2, 3]
                return functions.CKR_BUFFER_TOO_SMALL
            return rv

    assert Growing([1, 2]).mechanism_list(7) == (functions.CKR_OK, [1, 2, 3])


def test_a_library_that_is_never_satisfied_is_given_up() -> None:
    library = Answering([1], C_GetMechanismList=functions.CKR_BUFFER_TOO_SMALL)
    assert library.mechanism_list(7) == (functions.CKR_BUFFER_TOO_SMALL, [])
    assert len(library.asked) < 9


@pytest.mark.parametrize(
    ("state", "word"), [(0, "ro_public"), (1, "ro_user"), (3, "rw_user"), (4, "rw_so"), (9, "0x9")]
)
def test_states_of_a_session(state: int, word: str) -> None:
    assert session_state(structures.CkSessionInfo(state=state)) == word
