# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The contract of a provider: which values of an option ask for what it cannot do; what is told of what remains."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import NOT_THERE, Unable, Undoing, undone
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError


@pytest.mark.parametrize(
    ("unable", "asks", "does_not"),
    [
        (Unable("x"), [True, 1, "a", ["a"]], [None, False, 0, "", []]),
        (Unable("x", usual="auto"), ["softhsm"], [None, "", "auto"]),
        (Unable("x", filters=True), [0, [], "a", False], [None]),
        (Unable("x", above=1), [2, 3], [None, 0, 1]),
        (Unable("x", values=(1,)), [1], [None, 0, 2]),
    ],
)
def test_what_asks_for_it(unable: Unable, asks: list[t.Any], does_not: list[t.Any]) -> None:
    assert [value for value in asks if not unable.asked_for(value)] == []
    assert [value for value in does_not if unable.asked_for(value)] == []


def test_what_is_taken_back_and_what_remains() -> None:
    def fail(error: TokenError) -> t.NoReturn:
        raise error

    gone: list[str] = []
    assert (
        undone([])
        == undone([Undoing("a", "handle 1", lambda: gone.append("a"))])
        == ("Nothing of it is left on the token.")
    )
    steps = [
        Undoing("the one half", "handle 1", lambda: fail(TokenError("do it", "CKR_DEVICE_ERROR"))),
        Undoing("a", "handle 2", lambda: gone.append("b")),
        Undoing("the other half", "handle 3", lambda: fail(TokenError("do it", said="no"))),
        Undoing("what another host was faster with", "handle 4", lambda: fail(TokenError("do it", NOT_THERE))),
    ]
    told = "What remains on the token: the one half (handle 1; CKR_DEVICE_ERROR) and the other half (handle 3; no)."
    assert undone(steps) == told and gone == ["a", "b"]
