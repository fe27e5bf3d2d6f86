# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists, searches and attributes as libraries give them, which is not always as the standard has it."""

from __future__ import annotations

import ctypes
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import functions, mechanism_list
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.functions import ReadValue
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.structures import UNAVAILABLE
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError

MISSING, SENSITIVE, FAILED = 0x12, 0x11, 0x30


class Reading(functions.Functions):
    """A token with one object: bytes are a value, a number is the CKR that an attribute is answered with.

    `stops`: it answers nothing after the first attribute that it cannot give. `lazy`: an attribute whose buffer it
    leaves alone, unless it is asked for by itself.
    """

    def __init__(self, values: t.Mapping[int, bytes | int], stops: bool = False, lazy: int = -1, rv: int = 0) -> None:
        self.values = values
        self.stops, self.lazy, self.rv = stops, lazy, rv
        self.calls: list[int] = []

    def call(self, name: str, *arguments: t.Any) -> int:
        assert name == "C_GetAttributeValue" and arguments[:2] == (1, 2)
        array = arguments[2] if isinstance(arguments[2], ctypes.Array) else [arguments[2]]
        assert len(array) == arguments[3]
        self.calls.append(len(array))
        worst = self.rv
        for entry in array:
            value = self.values.get(entry.type, MISSING)
            if isinstance(value, int):
                entry.length = UNAVAILABLE
                worst = worst or value
                if self.stops:
                    return worst
            elif entry.type == self.lazy and len(array) > 1:
                pass
            elif entry.value is None:
                entry.length = len(value)
            elif entry.length < len(value):
                entry.length = UNAVAILABLE
                worst = worst or functions.CKR_BUFFER_TOO_SMALL
            else:
                ctypes.memmove(entry.value, value, len(value))
                entry.length = len(value)
        return worst


def read(library: Reading, **sizes: int) -> dict[int, ReadValue]:
    return library.read(1, 2, {int(name[1:]): size for name, size in sizes.items()})


def test_all_is_read_in_one_call() -> None:
    library = Reading({1: b"label", 2: b"", 3: b"\xa5" * 2 + b"x"})
    assert read(library, _1=9, _2=4, _3=3) == {
        1: ReadValue(b"label", 0),
        2: ReadValue(b"", 0),
        3: ReadValue(b"\xa5\xa5x", 0),
    }
    assert library.calls == [3]


def test_what_is_missing_spoils_nothing_and_is_not_asked_for_again() -> None:
    library = Reading({1: b"label"})
    assert read(library, _1=9, _2=4) == {1: ReadValue(b"label", 0), 2: ReadValue(None, MISSING)}
    assert library.calls == [2]
    library = Reading({1: b"label"}, rv=0)
    library.values = {1: b"label", 2: 0}  # not told, and no error
    assert read(library, _1=9, _2=4) == {1: ReadValue(b"label", 0), 2: ReadValue(None, MISSING)}
    assert library.calls == [2]


def test_what_is_longer_is_asked_for_alone() -> None:
    library = Reading({1: b"x" * 10, 2: b"id"})
    assert read(library, _1=4, _2=4) == {1: ReadValue(b"x" * 10, 0), 2: ReadValue(b"id", 0)}
    assert library.calls == [2, 1, 1]


@pytest.mark.parametrize("rv", [functions.CKR_OK, MISSING])
def test_a_longer_value_whose_length_alone_is_told_is_asked_for_alone(rv: int) -> None:
    """Whatever the library answers beside that."""

    class Telling(Reading):
        def call(self, name: str, *arguments: t.Any) -> int:
            answer = super().call(name, *arguments)
            if len(self.calls) > 1:
                return answer
            arguments[2][0].length = 10
            return rv

    assert read(Telling({1: b"x" * 10}), _1=4, _2=4) == {1: ReadValue(b"x" * 10, 0), 2: ReadValue(None, MISSING)}


def test_a_reason_that_is_another_ones_is_looked_into() -> None:
    library = Reading({1: SENSITIVE, 2: b"id"})
    assert read(library, _1=4, _2=4, _3=4) == {
        1: ReadValue(None, SENSITIVE),
        2: ReadValue(b"id", 0),
        3: ReadValue(None, MISSING),
    }
    assert library.calls == [3, 1, 1]


def test_a_library_that_stops_at_what_it_lacks() -> None:
    library = Reading({2: b"id", 3: b"\xa5\xa5"}, stops=True)
    assert read(library, _1=4, _2=4, _3=2) == {
        1: ReadValue(None, MISSING),
        2: ReadValue(b"id", 0),
        3: ReadValue(b"\xa5\xa5", 0),
    }


def test_a_buffer_that_was_left_alone_holds_no_value() -> None:
    library = Reading({1: b"label", 2: b"id"}, lazy=2)
    assert read(library, _1=9, _2=2) == {1: ReadValue(b"label", 0), 2: ReadValue(b"id", 0)}
    assert library.calls == [2, 1, 1]


def test_an_object_that_is_gone_is_not_asked_again() -> None:
    library = Reading({1: b"label"}, rv=functions.CKR_OBJECT_HANDLE_INVALID)
    assert read(library, _1=9, _2=4) == dict.fromkeys((1, 2), ReadValue(None, functions.CKR_OBJECT_HANDLE_INVALID))
    assert library.calls == [2]


def test_an_error_at_the_second_call_is_told() -> None:
    class Late(Reading):
        def call(self, name: str, *arguments: t.Any) -> int:
            return FAILED if len(self.calls) == 2 else super().call(name, *arguments)

    assert read(Late({1: b"x" * 10}), _1=4) == {1: ReadValue(None, FAILED)}


class Listing(functions.Functions):
    """A library with a list that grows between the calls, and handles that a search finds."""

    def __init__(self, *lengths: int, found: int = 0, **answers: int) -> None:
        self.lengths = list(lengths)
        self.found = list(range(found))
        self.answers = answers
        self.called: list[str] = []

    def call(self, name: str, *arguments: t.Any) -> int:
        self.called.append(name)
        if name in self.answers:
            return self.answers[name]
        if name == "C_FindObjects":
            _session, room, most, count = arguments
            batch, self.found = self.found[:most], self.found[most:]
            room[: len(batch)] = batch
            count._obj.value = len(batch)
        elif name == "C_GetMechanismList":
            _slot, numbers, count = arguments
            room, count._obj.value = count._obj.value, self.lengths.pop(0)
            if numbers is not None:
                if room < count._obj.value:
                    return functions.CKR_BUFFER_TOO_SMALL
                numbers[: count._obj.value] = range(count._obj.value)
        return functions.CKR_OK


def test_the_mechanisms_of_a_token_are_asked_for_once() -> None:
    """A failure is no answer."""
    library = Listing(C_GetMechanismList=FAILED)
    with pytest.raises(
        TokenError, match=r"^Could not list the mechanisms of slot 7: the HSM answered CKR_DEVICE_ERROR"
    ):
        mechanism_list.codes(library, 7)
    library.answers, library.lengths = {}, [2, 2]
    assert mechanism_list.codes(library, 7) == mechanism_list.codes(library, 7) == {0, 1}
    assert library.called == ["C_GetMechanismList"] * 3
    library = Listing(C_GetMechanismList=0, C_GetMechanismInfo=FAILED)
    with pytest.raises(
        TokenError, match=r"^Could not read the mechanism 0x1040 of slot 7: the HSM answered CKR_DEVICE"
    ):
        mechanism_list.key_sizes(library, 7, 0x1040)


@pytest.mark.parametrize(
    ("lengths", "rv", "numbers", "calls"),
    [
        ((3, 3), 0, [0, 1, 2], 2),
        ((3, 2), 0, [0, 1], 2),
        ((0,), 0, [], 1),
        ((2, 3, 3, 3), 0, [0, 1, 2], 4),
        ((2, 3, 3, 4), functions.CKR_BUFFER_TOO_SMALL, [], 4),
    ],
)
def test_a_list_may_grow_once(lengths: tuple[int, ...], rv: int, numbers: list[int], calls: int) -> None:
    library = Listing(*lengths)
    assert mechanism_list.asked(library, 0) == (rv, numbers) and len(library.called) == calls


def test_a_list_that_fails_is_empty() -> None:
    assert mechanism_list.asked(Listing(C_GetMechanismList=FAILED), 0) == (FAILED, [])


@pytest.mark.parametrize(
    ("found", "at_most", "handles", "searches"),
    [(0, None, 0, 1), (3, None, 3, 2), (64, None, 64, 2), (200, None, 200, 5), (200, 5, 64, 1), (64, 64, 64, 2)],
)
def test_a_search_ends_when_nothing_more_is_found(found: int, at_most: int | None, handles: int, searches: int) -> None:
    library = Listing(found=found)
    assert library.find(1, functions.Template({}), at_most) == (0, list(range(handles)))
    assert library.called == ["C_FindObjectsInit", *["C_FindObjects"] * searches, "C_FindObjectsFinal"]


@pytest.mark.parametrize("name", ["C_FindObjectsInit", "C_FindObjects", "C_FindObjectsFinal"])
def test_a_search_that_fails_is_told(name: str) -> None:
    library = Listing(**{name: FAILED})
    assert library.find(1, functions.Template({}))[0] == FAILED
    assert ("C_FindObjectsFinal" in library.called) is (name != "C_FindObjectsInit")
