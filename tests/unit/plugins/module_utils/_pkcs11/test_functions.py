# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the C functions are called, and how much room they get for what they write."""

from __future__ import annotations

import ctypes
import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import functions
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.mechanism import CkMechanism
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.session_state import CkSessionInfo
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.structures import (
    CK_ULONG,
    UNAVAILABLE,
)
from ansible_collections.cryptoki.hsm.tests import support

INTERPOSER = Path(next(iter(support.__path__))) / "pkcs11_fault.c"


class Writing(functions.Functions):
    """A library that answers an operation with `data`, in no less room than it needs."""

    def __init__(self, data: bytes, **answers: int) -> None:
        self.data = data
        self.answers = answers
        self.called: list[str] = []
        self.rooms: list[int] = []

    def call(self, name: str, *arguments: t.Any) -> int:
        self.called.append(name)
        if name in self.answers:
            return self.answers[name]
        room, size = arguments[-2], arguments[-1]._obj
        self.rooms.append(size.value)
        enough = size.value >= len(self.data)
        size.value = len(self.data)
        if not enough:
            return functions.CKR_BUFFER_TOO_SMALL
        room[: len(self.data)] = self.data
        return functions.CKR_OK


def test_functions_are_in_the_order_of_the_standard() -> None:
    """The interposer of the fault tests has a list of its own, with which real libraries work."""
    listed = re.findall(r"X\((\d+), (C_\w+)\)", INTERPOSER.read_text(encoding="utf-8"))
    assert {name: int(index) for index, name in listed} == functions._INDEX


def test_arguments_are_as_c_takes_them() -> None:
    template = functions.Template({0x3: b"label", 0x102: b""})
    info = CkSessionInfo(state=3)
    number, pointer, data, length, array, count, nothing = functions._as_c([1 << 40, info, b"\0data", template, None])
    assert isinstance(number, CK_ULONG) and number.value == 1 << 40  # not cut to a C int
    assert pointer._obj is info
    assert (data, length.value) == (b"\0data", 5)
    entries = [(entry.type, ctypes.string_at(entry.value, entry.length)) for entry in array[: count.value]]
    assert entries == [(0x3, b"label"), (0x102, b"")]
    assert nothing is None
    assert list(functions._as_c([functions.Template({})]))[1].value == 0


def test_numbers_of_a_template_lie_where_a_processor_can_take_them() -> None:
    """Beside texts and bits of any length."""
    number = bytes(CK_ULONG(7))
    template = functions.Template({0x1: b"\1", 0x3: b"label", 0x100: number, 0x102: b"", 0x161: number})
    entries = list(template.array)
    assert [entry.value % ctypes.alignment(CK_ULONG) for entry in entries] == [0] * 5
    assert [CK_ULONG.from_address(entries[place].value).value for place in (2, 4)] == [7, 7]


@pytest.mark.parametrize("size", [0, 1, 71, 8192])
def test_usual_output_takes_one_call(size: int) -> None:
    library = Writing(b"\0" * size)
    assert library.output("C_Sign", 1, b"data") == (functions.CKR_OK, b"\0" * size)
    assert library.called == ["C_Sign"]


def test_longer_output_is_asked_for_again() -> None:
    library = Writing(b"x" * 8193)
    assert library.output("C_WrapKey", 1, CkMechanism(1), 2, 3) == (functions.CKR_OK, b"x" * 8193)
    assert library.rooms == [8192, 8193]


def test_room_has_an_end() -> None:
    """A library that asks for more and more, or for all memory there is, is told so once."""

    class Greedy(Writing):
        def call(self, name: str, *arguments: t.Any) -> int:
            self.rooms.append(ctypes.sizeof(arguments[-2]))
            arguments[-1]._obj.value = UNAVAILABLE
            return functions.CKR_BUFFER_TOO_SMALL

    library = Greedy(b"")
    assert library.output("C_Decrypt", 1, b"") == (functions.CKR_BUFFER_TOO_SMALL, b"")
    assert library.rooms == [8192, 1 << 20]


def test_output_of_an_error_is_none() -> None:
    library = Writing(b"signature", C_Sign=0x30)
    assert library.output("C_Sign", 1, b"data") == (0x30, b"")
    assert library.called == ["C_Sign"]
