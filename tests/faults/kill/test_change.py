# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SIGKILL while a pair is frozen, changed or removed: the next run finishes, or names what is there."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken

WISH: dict[str, t.Any] = {"label": "k", "curve": "P-256", "lock_timeout": 1}
FREEZE: dict[str, t.Any] = {"private_attributes": {"modifiable": False}, "public_attributes": {"modifiable": False}}


@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("function", ["C_CopyObject", "C_DestroyObject"])
def test_kill_while_a_pair_is_frozen(token: FaultyToken, function: str, moment: str, call: int) -> None:
    """Between the copy of a half and the destruction of its original both are there: the next run removes that."""
    assert token.start("hsm_ecc_keypair", f"{function}#{call} {moment} kill", **WISH, **FREEZE).died()
    finished = (function, moment, call) == ("C_DestroyObject", "after", 2)
    assert token.ecc(**WISH, **FREEZE).result["changed"] is not finished
    run = token.ecc(**WISH, **FREEZE, verify=True)
    assert run.result["changed"] is False
    for half in ("private_key", "public_key"):
        assert run.key_pair[half]["attributes"]["modifiable"] is False
    assert token.halves("k") == ["private", "public"]


@pytest.mark.parametrize("call", [1, 2])
def test_kill_while_a_pair_is_changed(token: FaultyToken, call: int) -> None:
    token.ecc(**WISH)
    usage: dict[str, t.Any] = {"usage": ["derive"]}
    assert token.start("hsm_ecc_keypair", f"C_SetAttributeValue#{call} before kill", **WISH, **usage).died()
    assert token.ecc(**WISH, **usage).result["changed"] is True
    assert token.ecc(**WISH, **usage, verify=True).result["changed"] is False


def test_kill_while_a_pair_is_removed(token: FaultyToken) -> None:
    """The private half is gone: the public one is named, and removed when it is."""
    token.ecc(**WISH)
    absent: dict[str, t.Any] = {"label": "k", "state": "absent", "lock_timeout": 1}
    assert token.start("hsm_ecc_keypair", "C_DestroyObject#2 before kill", **absent).died()
    assert token.halves("k") == ["public"]
    run = token.ecc(**absent)
    assert "Name it by id or fingerprint to remove it." in run.msg
    key_id = token.listing()[0]["id"]
    assert key_id in run.msg.replace(":", "")
    assert token.ecc(**absent, id_hex=key_id).result["changed"] is True
    assert token.ecc(**absent).result["changed"] is False
    assert token.listing() == []
