# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The contract of a provider: which values of an option ask for what it cannot do."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Unable


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
