# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is taken back from a token, and only that."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.removal import destroy, discard, named
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError


class Session:
    """A session in which each object is as `objects` has it; `silent`: attributes cannot be read."""

    def __init__(self, objects: t.Mapping[int, t.Mapping[str, t.Any]], silent: bool = False) -> None:
        self.objects, self.silent = dict(objects), silent

    def read(self, dummy_class: str, handle: int, names: frozenset[str]) -> t.Any:
        if self.silent:
            raise TokenError("read an object", "CKR_ATTRIBUTE_SENSITIVE")
        if handle not in self.objects:
            raise TokenError("read an object", "CKR_OBJECT_HANDLE_INVALID")
        found = self.objects[handle]
        return SimpleNamespace(attributes={name: value for name, value in found.items() if name in names})

    def handles(self, dummy_class: str, wanted: t.Mapping[str, t.Any]) -> list[int]:
        return [handle for handle, found in self.objects.items() if wanted.items() <= found.items()]

    def destroy(self, dummy_class: str, handle: int, stored: bool = True) -> None:
        del self.objects[handle]

    def state(self) -> str:
        return "rw_user"


def test_what_went_as_it_was_told_is_no_error() -> None:
    session = Session({1: {}, 2: {}})
    destroy(t.cast("t.Any", session), PRIVATE, 1)
    assert set(session.objects) == {2}


@pytest.mark.parametrize("silent", [False, True])
def test_what_is_there_to_stay_is_not_discarded(silent: bool) -> None:
    session = Session({1: {"token": True}, 2: {"token": False}, 3: {}}, silent)
    for handle in (1, 2, 3):
        discard(t.cast("t.Any", session), PRIVATE, handle)
    assert sorted(session.objects) == [1, 3]


def test_handles_of_other_objects_are_not_taken_for_ours() -> None:
    session = Session({1: {"id": b"ours"}, 2: {"id": b"other"}})
    assert named(t.cast("t.Any", session), b"ours", {PUBLIC: 1, PRIVATE: 2}) == [(PUBLIC, 1)]
