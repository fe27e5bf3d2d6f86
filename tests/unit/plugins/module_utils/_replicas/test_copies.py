# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies on tokens in memory: no other's key is taken back, and the same copy of another host counts."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.worker import Deadline
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import RaceLost
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.copies import Copies
from ansible_collections.cryptoki.hsm.tests.support.memory_nodes import MemoryNode, group_of
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import WISH, ec_pair

PAIR, OTHER, ANOTHER_KEY = ec_pair(), ec_pair(handle=5, id=b"other"), ec_pair(handle=5)


@contextlib.contextmanager
def copies_of(folder: Path, there: KeyPair) -> t.Iterator[tuple[MemoryNode, t.Any, Copies]]:
    """What one run made of `PAIR`; the replica, with what is there, as a token and as the run sees it."""
    nodes = [MemoryNode(folder / "alpha", PAIR), MemoryNode(folder / "beta", there)]
    with group_of(*nodes) as group:
        group.reach(group.all, Deadline())
        copies = Copies(group, dataclasses.replace(WISH, id=PAIR.private.id), None, dict.fromkeys(group.all))
        copies.original = PAIR
        yield nodes[1], group.all[1], copies


@pytest.mark.parametrize(("there", "left"), [(PAIR, 0), (OTHER, 2)])
def test_what_carries_another_id_is_not_taken_back(there: KeyPair, left: int, tmp_path: Path) -> None:
    """A token may have answered with the handles of another pair."""
    with copies_of(tmp_path, there) as (node, token, copies):
        copies.made[token] = there.objects
        told = copies.take_back(Deadline())
        assert len(node.objects) == left
    assert told.count("(it does not carry the id of the pair)") == left


def test_a_handle_is_one_of_its_session(tmp_path: Path) -> None:
    """While a token is waited for, the work on another pair may cost another token's session, and get a new one."""
    stranger = ec_pair(id=b"other")
    assert stranger.handles == PAIR.handles
    nodes = [MemoryNode(tmp_path / "alpha", PAIR), MemoryNode(tmp_path / "beta", stranger)]
    with group_of(*nodes) as group:
        group.reach(group.all, Deadline())

        @contextlib.contextmanager
        def alone() -> t.Iterator[None]:
            group.all[1].session.close()
            yield

        of_pair = group.beside(alone)
        copies = Copies(of_pair, dataclasses.replace(WISH, id=PAIR.private.id), None, dict.fromkeys(of_pair.all))
        copies.original, copies.made = PAIR, dict.fromkeys(of_pair.all, PAIR.objects)
        group.all[0].session.close()
        assert copies.take_back(Deadline()) == "Nothing that this run made is left on alpha, beta."
    assert [node.objects for node in nodes] == [[], [*stranger.objects]]


@pytest.mark.parametrize(
    ("there", "counts"), [(PAIR, True), (OTHER, False), (ANOTHER_KEY, False), (KeyPair(PAIR.publics), False)]
)
def test_the_same_copy_of_another_host_counts(
    there: KeyPair, counts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*dummy: object) -> t.NoReturn:
        raise RaceLost

    monkeypatch.setattr(Copies, "_copy_once", lost)
    monkeypatch.setattr("time.sleep", lambda dummy: None)
    with copies_of(tmp_path, there) as (_node, token, copies):
        if counts:
            copies.copy(token, PAIR, token)
            assert copies.made[token] == ()
        else:
            assert "5 times another host stored a pair" in refusal(lambda: copies.copy(token, PAIR, token))
            assert not copies.made
