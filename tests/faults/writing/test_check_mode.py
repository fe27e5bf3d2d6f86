# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode logs in and looks, and calls no function that could change the token."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.soft_token import SO_PIN

FROZEN = {"private_attributes": {"modifiable": False}}
# What is there, the task, and what the task itself does.
CASES: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], set[str]]] = {
    "present": ({}, {"label": "new"}, {"C_GenerateKeyPair"}),
    "present and frozen": ({}, {"label": "new", **FROZEN}, {"C_GenerateKeyPair", "C_CopyObject", "C_DestroyObject"}),
    "session": ({}, {"label": "k", "session": True}, {"C_GenerateKeyPair"}),
    "change": ({}, {"label": "k", "usage": ["sign", "derive"]}, {"C_SetAttributeValue"}),
    "freeze": ({}, {"label": "k", **FROZEN}, {"C_CopyObject", "C_DestroyObject"}),
    "replace": (
        {},
        {"label": "k", "curve": "P-384", "on_mismatch": "replace"},
        {"C_GenerateKeyPair", "C_SetAttributeValue", "C_DestroyObject"},
    ),
    "absent": ({}, {"label": "k", "curve": None, "state": "absent"}, {"C_DestroyObject"}),
}


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_called_that_writes(token: FaultyToken, case: str) -> None:
    there, task, writes = CASES[case]
    token.ecc(label="k", curve="P-256", **there)
    before = token.objects()
    run = token.faulty_ecc(check_mode=True, **task)
    assert run.result["changed"] is True
    assert run.writes == {}
    assert run.calls["C_Login"] == 1
    assert sorted(before.splitlines()) == sorted(token.objects().splitlines())
    done = token.faulty_ecc(**task)
    assert done.result["changed"] is True
    assert set(done.writes) == writes


@pytest.mark.parametrize("task", [{}, {"verify": True}])
def test_unchanged_pair_is_not_written(token: FaultyToken, task: dict[str, t.Any]) -> None:
    """Not in check mode, and not without it either."""
    token.ecc(label="k", curve="P-256")
    for check_mode in (True, False):
        run = token.faulty_ecc(label="k", check_mode=check_mode, **task)
        assert run.result["changed"] is False
        assert run.writes == {}


def test_new_token(token: FaultyToken) -> None:
    """hsm_token does not even log in."""
    run = token.faulty("hsm_token", check_mode=True, token_label="another", so_pin=SO_PIN)
    assert run.result["changed"] is True
    assert run.writes == {}
    assert "C_Login" not in run.calls
    done = token.faulty("hsm_token", token_label="another", so_pin=SO_PIN)
    assert set(done.writes) == {"C_InitToken", "C_InitPIN"}
