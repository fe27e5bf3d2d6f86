# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""After a failed generation, keys of every class are found by id and by label: ours go, the others are named."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.remains import Remains
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    PRIVATE,
    PUBLIC,
    SECRET,
    KeyClass,
    Value,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.tests.support.scenarios import WISH

NAMED = dataclasses.replace(WISH, label="root", id=b"\x01\x02")
OURS: dict[str, Value] = {"label": "root", "id": b"\x01\x02", "key_type": "ec"}
ANSWER = "CKR_DEVICE_ERROR"


class Keys:
    """What `Remains` asks of a session, on keys that stand in a dictionary."""

    def __init__(self, *keys: tuple[KeyClass, dict[str, Value]]) -> None:
        self.keys = {(key_class, handle): values for handle, (key_class, values) in enumerate(keys, 1)}
        self.unreadable: set[int] = set()
        self.fixed: set[int] = set()
        self.unsearchable: set[tuple[KeyClass, str]] = set()
        self.ignored: set[str] = set()
        self.told: dict[str, Value] = {}
        self.fails_by: bytes | None = None

    def handles(self, key_class: KeyClass, wanted: t.Mapping[str, Value]) -> list[int]:
        if {(key_class, name) for name in wanted} & self.unsearchable or self.fails_by in wanted.values():
            raise TokenError("find", "CKR_TEMPLATE_INCONSISTENT")
        rows = [(key[1], values) for key, values in self.keys.items() if key[0] == key_class]
        compared = {name: value for name, value in wanted.items() if name not in self.ignored}
        return [handle for handle, values in rows if compared.items() <= values.items()]

    def read(self, key_class: KeyClass, handle: int, names: frozenset[str] | None = None) -> TokenObject:
        if (key_class, handle) not in self.keys:
            raise TokenError("read", "CKR_OBJECT_HANDLE_INVALID")
        if handle in self.unreadable:
            raise TokenError("read", ANSWER)
        values = self.keys[key_class, handle]
        told = {name: value for name, value in {**values, **self.told}.items() if names is None or name in names}
        return TokenObject(handle, key_class, {"class": f"{key_class}_key", **told}, {})

    def destroy(self, key_class: KeyClass, handle: int, stored: bool = True) -> None:
        if handle in self.fixed:
            raise TokenError("destroy", "CKR_ACTION_PROHIBITED")
        del self.keys[key_class, handle]

    def state(self) -> str:
        return "rw_user"

    def remains(self, drawn: bool = True, returned: t.Mapping[KeyClass, int] | None = None, wish: Wish = NAMED) -> str:
        return Remains(t.cast(t.Any, self), wish, drawn).take_back(returned or {})


def test_a_secret_key_with_the_drawn_id_goes_although_nobody_can_read_it() -> None:
    keys = Keys((PUBLIC, OURS), (SECRET, {**OURS, "key_type": "aes"}))
    keys.unreadable = {2}
    assert keys.remains() == "Nothing of it is left on the token." and not keys.keys


def test_what_does_not_go_is_named() -> None:
    keys = Keys((SECRET, OURS), (PRIVATE, OURS))
    keys.unreadable = keys.fixed = {1, 2}
    assert keys.remains() == (
        "What remains on the token: the new private half (handle 2; CKR_ACTION_PROHIBITED) and the new secret key"
        " (handle 1; CKR_ACTION_PROHIBITED)."
    )


def test_a_secret_key_that_has_the_id_by_chance_stays() -> None:
    """Ids of two bytes repeat; its label is another."""
    keys = Keys((SECRET, {**OURS, "label": "backup"}))
    assert keys.remains() == (
        "What is there now under this name: (secret ec key, label 'backup', id 01:02, fingerprint unknown)."
    )
    assert keys.keys


@pytest.mark.parametrize("label", ["root", None])
@pytest.mark.parametrize("length", [2, 7, 8, 16])
def test_a_pair_that_has_the_id_by_chance_stays(length: int, label: str | None) -> None:
    """As above; what the token returned is ours all the same, and long ids do not repeat."""
    drawn = bytes(range(length))
    wish = dataclasses.replace(NAMED, id=drawn, label=label)
    other = {**OURS, "id": drawn, "label": "other"}
    keys = Keys((PUBLIC, other), (PRIVATE, other), (PRIVATE, other))
    told = keys.remains(True, {PRIVATE: 3}, wish)
    assert list(keys.keys) == ([] if length >= 8 else [(PUBLIC, 1), (PRIVATE, 2)])
    assert ("label 'other'" in told) is (length < 8)


@pytest.mark.parametrize("drawn", [True, False])
def test_what_has_the_label_and_no_id(drawn: bool) -> None:
    keys = Keys((PUBLIC, {**OURS, "id": b""}))
    assert keys.remains(drawn) == (
        "What is there now under this name: (public ec key, label 'root', id none, fingerprint unknown). If it is a"
        " pair, verify=true proves it."
    )


def test_others_of_the_same_label_are_known_by_their_ids() -> None:
    keys = Keys((PUBLIC, {**OURS, "id": b"\x07"}), (SECRET, {**OURS, "id": b"\x08"}))
    assert keys.remains(drawn=False) == "Nothing of that name is left on the token."
    keys.unreadable = {2}
    assert keys.remains(drawn=False) == (
        f"What is there now under this name: a secret key with handle 2 that cannot be read ({ANSWER})."
    )


def test_of_a_told_id_only_what_was_returned_goes() -> None:
    keys = Keys((PUBLIC, OURS), (PRIVATE, OURS), (PRIVATE, OURS))
    told = keys.remains(False, {PUBLIC: 1, PRIVATE: 2})
    assert told.startswith("What was surely its own was removed. What is there now under this name: (private ec key, ")
    assert list(keys.keys) == [(PRIVATE, 3)]


def test_a_search_that_fails_hides_no_other_one() -> None:
    keys = Keys((PUBLIC, OURS), (PRIVATE, OURS))
    keys.unsearchable = {(SECRET, "id"), (SECRET, "label")}
    assert keys.remains() == (
        "What was surely its own was removed. What else it left on the token is not known, because a search failed"
        " (CKR_TEMPLATE_INCONSISTENT)."
    )
    assert not keys.keys


@pytest.mark.parametrize("length", [2, 16])
def test_a_token_that_does_not_go_by_ids(length: int) -> None:
    """It finds every key by any id. What tells another id, or none, stays; what is ours goes."""
    drawn = bytes(range(length))
    wish = dataclasses.replace(NAMED, id=drawn)
    others: list[dict[str, Value]] = [{**OURS, "id": b"\x07" * length, "label": "other"}, {"key_type": "ec"}]
    keys = Keys(*((half, values) for values in others for half in (PUBLIC, PRIVATE)), (PUBLIC, {**OURS, "id": drawn}))
    keys.ignored = {"id"}
    assert keys.remains(wish=wish) == "Nothing of it is left on the token."
    assert [handle for _half, handle in keys.keys] == [1, 2, 3, 4]


def test_a_key_of_ours_that_tells_a_wrong_id_goes() -> None:
    """As long as the token goes by ids in searches; if nobody knows, it stays, and that is told."""
    drawn = bytes(range(16))
    wish = dataclasses.replace(NAMED, id=drawn, label="other")
    keys = Keys((PUBLIC, {**OURS, "id": drawn}))
    keys.told["id"] = b"wrong"
    keys.fails_by = bytes(255 - byte for byte in drawn)
    assert keys.remains(wish=wish) == (
        "What it left on the token is not known, because a search failed (CKR_TEMPLATE_INCONSISTENT)."
    )
    assert keys.keys
    keys.fails_by = None
    assert keys.remains(wish=wish) == "Nothing of it is left on the token." and not keys.keys
