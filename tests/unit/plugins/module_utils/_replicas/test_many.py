# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many pairs on several tokens in memory at the same time: what each comes to, and what they share."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.entries import Entry
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Action
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.many import Done
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import Staged
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.many import most_at_once, replicate_many
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.replicate import Replicated, Terms, stages
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.tokens import Group, Token
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key
from ansible_collections.cryptoki.hsm.tests.support.memory_nodes import MemoryNode, NodeSession, group_of
from ansible_collections.cryptoki.hsm.tests.support.scenarios import FREEZE, WISH, ec_pair

NAMES = ("alpha", "beta", "gamma")
LABELS = tuple(f"k{number}" for number in range(8))
THERE = dataclasses.replace(WISH, label="there")
RIVAL = ec_pair(label="k3", handle=900)
OFFERS = {"alpha": 0, "beta": 1, "gamma": 1}


class OneLogin(MemoryNode):
    """A node whose second login is refused for good; `refused` counts how often it was asked."""

    @property
    def refused(self) -> int:
        told = self._file.with_suffix(".refused")
        return len(told.read_text()) if told.exists() else 0

    @contextlib.contextmanager
    def unlocked_session(self, *, writable: bool, threads: bool = False) -> t.Iterator[NodeSession]:
        if "open" in self.calls:
            with self._file.with_suffix(".refused").open("a") as told:
                told.write("x")
            error = TokenError("log in", "CKR_PIN_INCORRECT")
            error.final = True
            raise error
        with super().unlocked_session(writable=writable, threads=threads) as session:
            yield session


class RivalSession(NodeSession):
    """Another host makes a pair of the same name as one of ours just after it."""

    def generate(self, wish: Wish) -> KeyPair:
        made = super().generate(wish)
        if wish.label == "k3" and RIVAL.private.handle not in self.keys.of:
            self.keys.of[RIVAL.private.handle] = private_key("secp256r1", RIVAL.publics[0].handle)
            self.objects.extend(RIVAL.objects)
        return made


class Rival(MemoryNode):
    """A node on which that happens."""

    @contextlib.contextmanager
    def unlocked_session(self, *, writable: bool, threads: bool = False) -> t.Iterator[NodeSession]:
        yield RivalSession(self, writable)


class Tokens:
    """Three of them, the source first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.all = {name: MemoryNode(folder / name) for name in NAMES}
        self.told: list[Done] = []
        self.errors: dict[str, str] = {}

    def have(self, name: str, *pairs: t.Any, kind: type[MemoryNode] = MemoryNode, **rules: str) -> MemoryNode:
        self.all[name] = kind(self._folder / name, *pairs, **rules)
        return self.all[name]

    def run(
        self, *labels: str, parallel: int = 4, min_servers: int = 3, state: str = "present", wish: Wish = WISH
    ) -> list[Done]:
        """The pairs of these labels; what was told of them while it ran, and how each token fared, are kept."""
        entries = [
            Entry(number, t.cast(t.Any, state), dataclasses.replace(wish, label=label))
            for number, label in enumerate(labels)
        ]

        def bring(group: Group, entry: Entry) -> Staged[Replicated]:
            return stages(group, entry.wish, entry.state, Terms(min_servers), False)

        self.told = []
        with group_of(*self.all.values()) as group:
            every = replicate_many(group, entries, bring, parallel, self.told.append)
            self.errors = {token.name: str(token.error) for token in group.all if token.error}
        assert [done.entry for done in every] == entries
        assert sorted(done.entry.number for done in self.told) == [*range(len(entries))]
        return every

    def labels(self) -> dict[str, list[str]]:
        """Of all objects on each token."""
        return {name: sorted(str(found.label) for found in node.objects) for name, node in self.all.items()}

    def count(self, call: str) -> dict[str, int]:
        return {name: node.calls.count(call) for name, node in self.all.items()}


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path)


def halves(*labels: str) -> list[str]:
    return sorted([*labels, *labels])


def actions(every: t.Sequence[Done]) -> list[Action | None]:
    return [done.outcome.action if done.outcome else None for done in every]


@pytest.mark.parametrize("parallel", [1, 2, 4, 16])
def test_all_are_made_under_one_login_and_one_transport_key(tokens: Tokens, parallel: int) -> None:
    every = tokens.run(*LABELS, parallel=parallel)
    assert actions(every) == [Action.GENERATE] * len(LABELS) and not tokens.errors
    assert tokens.labels() == dict.fromkeys(NAMES, halves(*LABELS))
    assert tokens.count("open") == dict.fromkeys(NAMES, 1) and tokens.count("offer") == OFFERS
    for done in every:
        prints = {outcome.after.fingerprint for outcome in done.on_tokens.values() if outcome.after}
        assert len(prints) == 1 and [node.status for node in done.nodes] == ["ok"] * 3
    # Each pair once a token: nothing is proven or stored twice.
    assert tokens.count("prove") == dict.fromkeys(NAMES, len(LABELS))
    assert tokens.count("receive") == {"alpha": 0, "beta": len(LABELS), "gamma": len(LABELS)}


def test_pairs_that_are_there_are_searched_for_at_once(tokens: Tokens) -> None:
    tokens.run(*LABELS)
    for node in tokens.all.values():
        node.obey()
    again = tokens.run(*LABELS)
    assert actions(again) == [Action.NOTHING] * len(LABELS)
    assert tokens.count("find") == dict.fromkeys(NAMES, 2 + 2)  # for the first pair, and for all others
    assert tokens.count("receive") == tokens.count("generate") == dict.fromkeys(NAMES, 0)
    gone = tokens.run(*LABELS, state="absent")
    assert actions(gone) == [Action.REMOVE] * len(LABELS) and tokens.labels() == dict.fromkeys(NAMES, [])


def test_one_that_fails_is_its_own_matter(tokens: Tokens) -> None:
    tokens.have("alpha", ec_pair(label="k5"))
    tokens.have("beta", ec_pair(label="k5", handle=5))
    every = tokens.run(*LABELS)
    assert [done.entry.wish.label for done in every if done.error] == ["k5"]
    assert "the tokens have different keys of that name" in str(every[5].error)
    others = [label for label in LABELS if label != "k5"]
    assert tokens.labels() == {"alpha": halves(*LABELS), "beta": halves(*LABELS), "gamma": halves(*others)}
    assert not tokens.errors


def test_a_token_that_is_lost_is_reached_again(tokens: Tokens) -> None:
    """The pairs that were worked on just then fail and leave nothing, all others are there; and none waits for ever."""
    tokens.run("first")
    tokens.all["beta"].obey(receive="once die")
    every = tokens.run("first", *LABELS)
    failed = [str(done.entry.wish.label) for done in every if done.error]
    assert 1 <= len(failed) <= 4 and all("died" in str(e.error) or "ended" in str(e.error) for e in every if e.error)
    there = halves("first", *(label for label in LABELS if label not in failed))
    assert tokens.labels() == dict.fromkeys(NAMES, there)
    assert tokens.count("open") == {"alpha": 2, "beta": 2, "gamma": 1 + 1}
    again = tokens.run("first", *LABELS)
    assert not any(done.error for done in again) and tokens.labels() == dict.fromkeys(NAMES, halves("first", *LABELS))


def test_a_login_that_is_refused_is_not_tried_for_another_pair(tokens: Tokens) -> None:
    beta = tokens.have("beta", kind=OneLogin, receive="once die")
    assert isinstance(beta, OneLogin)
    every = tokens.run(*LABELS, min_servers=2)
    assert beta.refused <= 1 and not any(done.error for done in every)
    assert tokens.labels() == {"alpha": halves(*LABELS), "beta": [], "gamma": halves(*LABELS)}
    assert list(tokens.errors) == ["beta"]


def test_what_a_later_pair_finds_out_of_a_token_is_known_in_the_end(tokens: Tokens) -> None:
    beta = tokens.have("beta", kind=OneLogin)
    tokens.run("first")
    beta.obey(receive="once die")
    tokens.run("first", *LABELS, min_servers=2)
    assert list(tokens.errors) == ["beta"] and "CKR_PIN_INCORRECT" in tokens.errors["beta"]


def test_a_bug_ends_the_rest(tokens: Tokens) -> None:
    tokens.have("alpha", generate="bug")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        tokens.run(*LABELS)
    assert tokens.labels() == dict.fromkeys(NAMES, [])


def test_two_that_turn_out_to_be_one_are_told(tokens: Tokens) -> None:
    pair = ec_pair(label="there")
    for name in NAMES:
        tokens.have(name, pair)
    wishes = [THERE, dataclasses.replace(WISH, label=None, id=pair.private.id)]
    entries = [Entry(number, "present", wish) for number, wish in enumerate(wishes)]

    def bring(group: Group, entry: Entry) -> Staged[Replicated]:
        return stages(group, entry.wish, entry.state, Terms(3), False)

    with group_of(*tokens.all.values()) as group:
        first, second = replicate_many(group, entries, bring, 4, tokens.told.append)
    assert not first.error and "keypairs[0] names the same pair as keypairs[1]" in str(second.error)


def test_a_token_named_twice_is_refused_for_each_pair(tmp_path: Path) -> None:
    """Also for those that come when the tokens are reached: what is there once would count as two."""
    node = MemoryNode(tmp_path / "alpha", *(ec_pair(label=f"k{number}", handle=2 * number) for number in (1, 2)))
    group = Group([Token(name, t.cast(t.Any, node), True) for name in NAMES[:2]])
    entries = [Entry(number, "present", dataclasses.replace(WISH, label=f"k{number}")) for number in (1, 2)]

    def bring(group: Group, entry: Entry) -> Staged[Replicated]:
        return stages(group, entry.wish, entry.state, Terms(2), False)

    try:
        every = replicate_many(group, entries, bring, 4, lambda dummy: None)
    finally:
        for token in group.all:
            token.close()
    assert ["are the same token 'alpha'" in str(done.error) for done in every] == [True, True]


def test_what_is_frozen_last_is_proven_where_all_was_read_at_once(tokens: Tokens) -> None:
    wish = dataclasses.replace(WISH, private_attributes=FREEZE, public_attributes=FREEZE)
    every = tokens.run(*LABELS, wish=wish)
    assert actions(every) == [Action.GENERATE] * len(LABELS)
    assert all(found.attributes["destroyable"] is False for node in tokens.all.values() for found in node.objects)
    assert tokens.labels() == dict.fromkeys(NAMES, halves(*LABELS))


@pytest.mark.parametrize(("name", "call"), [("beta", "receive"), ("alpha", "wrap"), ("gamma", "prove")])
def test_a_bug_leaves_no_pair_that_others_were_to_finish(tokens: Tokens, name: str, call: str) -> None:
    """All of them are made before the first is copied."""
    tokens.run("first")
    tokens.all[name].obey(**{call: "once bug"})
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        tokens.run("first", *LABELS, parallel=2)
    there = tokens.labels()
    assert there["alpha"] == there["beta"] == there["gamma"], there


def test_another_hosts_pair_wins_where_one_look_serves_all(tokens: Tokens) -> None:
    """Ours is gone again, and the other one gets its copies."""
    tokens.have("alpha", kind=Rival)
    every = tokens.run(*LABELS)
    assert [str(done.error) for done in every if done.error] == []
    assert tokens.labels() == dict.fromkeys(NAMES, halves(*LABELS))
    for node in tokens.all.values():
        prints = {found.fingerprint for found in node.objects if found.label == "k3" and found.fingerprint}
        assert prints == {RIVAL.fingerprint}


def test_one_look_at_the_source_serves_all_that_were_made(tokens: Tokens) -> None:
    """What is left for each is the last look, at both halves, once its copies are there."""
    tokens.run("first")
    alone = tokens.all["alpha"].calls.count("find")
    tokens.run("first", *LABELS)
    assert tokens.all["alpha"].calls.count("find") == alone + 6 + 2 * len(LABELS)  # 6 for the first, which is there


@pytest.mark.parametrize(
    ("limit", "tokens", "pairs"), [(1024, 2, 319), (1024, 15, 59), (1024, 700, 1), (256, 15, 11), (32, 3, 1)]
)
def test_there_are_descriptors_for_so_many_pairs(
    limit: int, tokens: int, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sysconf", lambda dummy: limit)
    assert most_at_once(tokens) == pairs
