# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sizes and counts that a library makes up, told by functions of C that this process makes itself."""

from __future__ import annotations

import ctypes
import itertools
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import functions, mechanism_list, slots, structures
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.slots import ask_slot
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.structures import CK_ULONG

HUGE = 1 << 60
NONE = functions.Template({})


class MadeUp(functions.Functions):
    """A library of which only some functions exist."""

    def __init__(self, **made: t.Callable[..., int]) -> None:
        self._table = structures.FunctionList()
        self._kept = []
        for name, function in made.items():
            arguments = [CK_ULONG] * (function.__code__.co_argcount)
            callback = ctypes.CFUNCTYPE(CK_ULONG, *arguments)(function)
            self._kept.append(callback)
            self._table.functions[functions._INDEX[name]] = ctypes.cast(callback, ctypes.c_void_p)


def count_at(address: int, count: int) -> int:
    CK_ULONG.from_address(address).value = count
    return 0


def searching(answers: t.Iterable[t.Sequence[int]]) -> MadeUp:
    """A library whose search answers with these handles, call by call."""
    left = iter(answers)

    def find(session: int, found: int, room: int, count: int) -> int:
        handles = next(left)
        block = (CK_ULONG * 64).from_address(found)
        block[: min(len(handles), 64)] = list(handles[:64])
        return count_at(count, len(handles))

    return MadeUp(
        C_FindObjectsInit=lambda session, template, size: 0, C_FindObjects=find, C_FindObjectsFinal=lambda session: 0
    )


@pytest.mark.parametrize("count", [functions._MOST_NUMBERS + 1, 1 << 31, HUGE])
def test_lists_of_absurd_length(count: int) -> None:
    library = MadeUp(
        C_GetSlotList=lambda present, slots, place: count_at(place, count),
        C_GetMechanismList=lambda slot, codes, place: count_at(place, count),
        C_GetSlotInfo=lambda slot, info: 0,
        C_GetTokenInfo=lambda slot, info: 0,
    )
    for ask in (lambda: slots.slot_list(library), lambda: mechanism_list.asked(library, 0)):
        with pytest.raises(functions.Nonsense, match=f"with {count} entries"):
            ask()
    (error,) = ask_slot(library, 0).errors
    assert (error.call, error.ckr) == ("C_GetMechanismList", f"C_GetMechanismList with {count} entries")


def test_a_count_beside_an_error_is_none() -> None:
    assert slots.slot_list(MadeUp(C_GetSlotList=lambda a, b, place: count_at(place, HUGE) or 5)) == (5, [])


def test_a_function_that_is_not_in_the_list() -> None:
    assert MadeUp().make("C_CopyObject", 1, 2, NONE) == (functions.CKR_FUNCTION_NOT_SUPPORTED, 0)


def test_handles_that_come_twice_count_once() -> None:
    assert searching([[7, 7, 8], [8, 9], [7], []]).find(1, NONE) == (0, [7, 8, 9])


@pytest.mark.parametrize(
    "answers",
    [
        itertools.repeat([7]),
        ([number, *range(60)] for number in itertools.cycle(range(50))),
        iter([list(range(65))]),
        ([number * 64 + one for one in range(64)] for number in itertools.count()),
    ],
    ids=["the same", "a circle", "more than there is room", "no end"],
)
def test_searches_without_an_end(answers: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "_MOST_HANDLES", 10_000)
    ended: list[int] = []
    library = searching(answers)

    def end(session: int) -> int:
        ended.append(session)
        return 0

    final = ctypes.CFUNCTYPE(CK_ULONG, CK_ULONG)(end)
    library._table.functions[functions._INDEX["C_FindObjectsFinal"]] = ctypes.cast(final, ctypes.c_void_p)
    with pytest.raises(functions.Nonsense):
        library.find(1, NONE)
    assert ended == [1], "the search is ended all the same"


@pytest.mark.parametrize("length", [functions._LONGEST_VALUE + 1, 1 << 31, HUGE])
def test_attributes_of_absurd_length(length: int) -> None:
    def read(session: int, key: int, array: int, count: int) -> int:
        for entry in (functions.CkAttribute * count).from_address(array):
            entry.length = length
        return 0x150

    read_alone = iter([0x150, 0])

    def answer(session: int, key: int, array: int, count: int) -> int:
        read(session, key, array, count)
        return next(read_alone)

    values = MadeUp(C_GetAttributeValue=answer).read(1, 1, {0x3: 16})
    assert values == {0x3: functions.ReadValue(None, functions.CKR_ATTRIBUTE_VALUE_INVALID)}
