# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The function list inside python-pkcs11 is only read where it is made as it is known to be."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import typing as t
from pathlib import Path

import pkcs11._pkcs11
import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.functions import Functions
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.other_list import list_of
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.structures import FunctionList
from ansible_collections.cryptoki.hsm.tests.support.in_child import in_child
from ansible_collections.cryptoki.hsm.tests.support.soft_token import library


class HasFuncList:
    """What python-pkcs11's class of this name is for Python: three words behind the head of an object."""

    __slots__ = ("one", "three", "two")


class Lib(HasFuncList):
    """As python-pkcs11's `lib`."""

    __slots__ = ("more",)


class Renamed:
    """A class of another name."""

    __slots__ = HasFuncList.__slots__


HasLess = type("HasFuncList", (), {"__slots__": ("one", "two")})
HasMore = type("HasFuncList", (), {"__slots__": ("four", "one", "three", "two")})


@contextlib.contextmanager
def keeping(kind: t.Any, *pointers: int | None) -> t.Iterator[t.Any]:
    """An object with these words behind its head."""
    part = kind()
    words = (ctypes.c_void_p * len(pointers)).from_address(id(part) + object.__basicsize__)
    gc.disable()  # Python would take the pointers for objects of its own, and follow them
    words[:] = list(pointers)
    try:
        yield part
    finally:
        words[:] = [None] * len(pointers)
        gc.enable()


def a_list(major: int = 2, missing: int | None = None) -> FunctionList:
    made = FunctionList()
    made.version.major = major
    made.functions[:] = [None if index == missing else 0x1000 + index for index in range(68)]
    return made


@pytest.mark.parametrize("major", [2, 3])
def test_the_list_is_what_the_first_pointer_names(major: int) -> None:
    made = a_list(major)
    with keeping(Lib, ctypes.addressof(made), None, None) as part:
        found = list_of(part)
        assert found is not None and ctypes.addressof(found) == ctypes.addressof(made)


@pytest.mark.parametrize("kind", [Renamed, HasLess, HasMore])
def test_another_class_is_not_read(kind: t.Any) -> None:
    with keeping(type("Lib", (kind,), {"__slots__": ()}), ctypes.addressof(made := a_list())) as part:
        assert made.functions[0] and list_of(part) is None


def test_pointers_that_are_not_as_known() -> None:
    made = ctypes.addressof(kept := a_list())
    for pointers in ((None, None, None), (made, made, None), (made, None, made), (None, made, None)):
        with keeping(Lib, *pointers) as part:
            assert list_of(part) is None, pointers
    assert kept.version.major == 2


@pytest.mark.parametrize(("major", "missing"), [(0, None), (1, None), (4, None), (2, 0), (2, 67)])
def test_what_is_no_function_list(major: int, missing: int | None) -> None:
    made = a_list(major, missing)
    with keeping(Lib, ctypes.addressof(made), None, None) as part:
        assert list_of(part) is None


@pytest.mark.skipif(not Path(library()).exists(), reason="there is no SoftHSM")
def test_python_pkcs11_is_made_as_it_is_known_to_be() -> None:
    """A new version for which this fails needs its place of the list looked up, or p11-kit is refused."""

    def look() -> None:
        own = Functions(library())
        kind: t.Any = pkcs11._pkcs11.lib
        part = kind.__new__(kind, library())
        theirs = list_of(part)
        assert theirs is not None
        before = own._table
        own.share(part)
        assert own._table is before  # SoftHSM has one list for all
        assert ctypes.addressof(theirs) == ctypes.addressof(before)

    in_child(look)
