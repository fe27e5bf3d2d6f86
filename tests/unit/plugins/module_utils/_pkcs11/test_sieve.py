# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Searches of tokens that do not go by everything, on tokens that answer as said here."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.calls import Session
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, KeyClass, Value
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError


class Told(Session):
    """A session whose token answers every search with all its keys; `refused` are answers by what was asked for."""

    def __init__(self, *keys: TokenObject | TokenError, refused: t.Mapping[str, str] | None = None) -> None:
        self.keys, self.refused = keys, refused or {}
        self.asked: list[list[str]] = []
        self.not_searched = frozenset({"key_type"})

    def answered(self, key_class: KeyClass, wanted: t.Mapping[str, Value], at_most: int | None = None) -> list[int]:
        self.asked.append(sorted(wanted))
        for name in wanted:
            if name in self.refused:
                raise TokenError("search", self.refused[name])
        return list(range(len(self.keys)))

    def read(self, key_class: KeyClass, handle: int, names: frozenset[str] | None = None) -> TokenObject:
        key = self.keys[handle]
        if isinstance(key, TokenError):
            raise key
        return key


def key(unreadable: dict[str, str] | None = None, **attributes: Value) -> TokenObject:
    return TokenObject(0, PRIVATE, {"class": "private_key", **attributes}, unreadable or {})


A, B = key(label="a", key_type="rsa"), key(label="b", key_type="ec")
GONE = TokenError("read", "CKR_OBJECT_HANDLE_INVALID")


@pytest.mark.parametrize(
    ("wanted", "asked", "found"),
    [
        ({"label": "a"}, ["label"], [0]),  # what the token goes by is compared, too: it may not
        ({"label": "b", "key_type": "ec"}, ["label"], [1]),
        ({"label": "b", "key_type": "rsa"}, ["label"], []),
        ({"key_type": "rsa"}, [], [0]),
        ({"id": b"1"}, ["id"], []),
        ({}, [], [0, 1, 2]),  # every key of the class
    ],
)
def test_what_is_found(wanted: dict[str, Value], asked: list[str], found: list[int]) -> None:
    session = Told(A, B, GONE)
    assert session.handles(PRIVATE, wanted) == found
    assert session.asked == [asked]


def test_a_value_that_the_token_does_not_take() -> None:
    session = Told(A, B, refused={"label": "CKR_ATTRIBUTE_VALUE_INVALID"})
    assert session.handles(PRIVATE, {"label": "b", "key_type": "ec"}) == [1]
    assert session.asked == [["label"], []]


@pytest.mark.parametrize(
    "session",
    [
        Told(A, refused={"label": "CKR_DEVICE_ERROR"}),
        Told(A, TokenError("read", "CKR_DEVICE_ERROR")),
        Told(A, key({"label": "CKR_DEVICE_ERROR"})),
    ],
)
def test_an_error_is_never_an_absence(session: Told) -> None:
    with pytest.raises(TokenError, match="CKR_DEVICE_ERROR"):
        session.handles(PRIVATE, {"label": "x"})


def test_what_is_no_valid_value_is_none_that_was_wished() -> None:
    assert Told(key({"label": "no valid value"}), A).handles(PRIVATE, {"label": "a"}) == [1]


@pytest.mark.parametrize("name", ["key_type", "token"])
def test_what_every_key_has_and_one_does_not_tell(name: str) -> None:
    """It may be the wished one, unless something else tells that it is not."""
    session = Told(key(label="x"), A)
    values: dict[str, Value] = {"key_type": "rsa", "token": True}
    assert session.handles(PRIVATE, {"label": "b", name: values[name]}) == []
    with pytest.raises(TokenError, match=f"compare the {name} of the private key with handle 0: .*TYPE_INVALID"):
        session.handles(PRIVATE, {"label": "x", name: values[name]})


def test_another_key_that_cannot_be_read_is_no_obstacle() -> None:
    session = Told(key({"id": "CKR_DEVICE_ERROR"}, label="b"), key(label="a", id=b"1"))
    assert session.handles(PRIVATE, {"label": "a", "id": b"1"}) == [1]
