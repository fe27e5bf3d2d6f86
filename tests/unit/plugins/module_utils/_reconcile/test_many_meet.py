# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many pairs that meet others: another host's, each other, a session's, and a bug of ours."""

from __future__ import annotations

import dataclasses
import threading
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.threads import Threads
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.entries import Entry
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import many as many_pairs
from ansible_collections.cryptoki.hsm.tests.support.many_pairs import (
    EIGHT,
    LABELS,
    PARALLEL,
    entries_of,
    labelled,
    labels_of,
    many,
    messages,
)
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key
from ansible_collections.cryptoki.hsm.tests.support.memory_token import SharedSession
from ansible_collections.cryptoki.hsm.tests.support.scenarios import P256, WISH, ec_pair, handles, session_with


class Contested(SharedSession):
    """While a pair is proven, another host makes one of the same name, for the first of `times` proofs of 'c'."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def prove(self, wish: Wish, pair: KeyPair, passive: bool = False) -> Proof:
        if wish.label == "c" and self.times:
            self.times -= 1
            rival = ec_pair(label="c", handle=1001)
            self.objects.extend(rival.objects)
            self.keys.of[1002] = private_key("secp256r1", 1001)
        return super().prove(wish, pair, passive)


@pytest.mark.parametrize("parallel", PARALLEL)
def test_a_rival_that_is_seen_by_the_second_look(parallel: int) -> None:
    """It wins; ours is removed again, and the others are not disturbed."""
    session = Contested(1)
    every, reports = many(session, EIGHT, parallel)
    assert messages(every) == [""] * 8 and labels_of(session) == dict.fromkeys(LABELS, 2)
    assert {1001, 1002} < handles(session)
    third = every[2].outcome
    assert third and not third.changed and third.after and third.after.public.handle == 1001
    assert [number for number, _word in reports.words()].count(2) == 1


def test_a_race_that_is_lost_twice_takes_a_third_round() -> None:
    class Fleeting(Contested):
        """What the other host made is gone again when ours is."""

        def destroy(self, found: t.Any) -> None:
            super().destroy(found)
            self.objects[:] = [one for one in self.objects if one.handle not in (1001, 1002)]

    session = Fleeting(2)
    every, _reports = many(session, EIGHT)
    third = every[2].outcome
    assert messages(every) == [""] * 8 and third and third.changed
    assert labels_of(session) == dict.fromkeys(LABELS, 2)
    assert session.calls.count("generate") == 10


def test_a_bug_begins_nothing_new_and_removes_nothing() -> None:
    generated: list[str | None] = []

    class Buggy(SharedSession):
        def generate(self, wish: Wish) -> KeyPair:
            generated.append(wish.label)
            return super().generate(wish)

        def prove(self, wish: Wish, pair: KeyPair, passive: bool = False) -> Proof:
            if wish.label == "c":
                raise KeyError("a bug")
            return super().prove(wish, pair, passive)

    session = Buggy()
    with pytest.raises(KeyError, match="a bug"):
        many(session, labelled(*(f"{number}" for number in range(20)), "c"), parallel=1)
    assert labels_of(session) == {f"{number}": 2 for number in range(20)}
    with pytest.raises(KeyError, match="a bug"):
        many(session, labelled("0", "c", *(f"new {number}" for number in range(200))), parallel=1)
    assert generated[-1] == "c", "what waited was begun after the bug"
    assert set(labels_of(session).values()) == {2}


def test_after_a_bug_another_thread_begins_nothing_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is at work until the main thread has heard of the bug: it ends that pair."""
    begun, heard = threading.Event(), threading.Event()

    class Listening(Threads):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            heard.set()
            super().shutdown(wait, cancel_futures=cancel_futures)

    class Buggy(SharedSession):
        def generate(self, wish: Wish) -> KeyPair:
            if wish.label == "a":
                assert begun.wait(timeout=60)
                raise KeyError("a bug")
            begun.set()
            assert heard.wait(timeout=60)
            return super().generate(wish)

    monkeypatch.setattr(many_pairs, "Threads", Listening)
    session = Buggy()
    with pytest.raises(KeyError, match="a bug"):
        many(session, EIGHT, parallel=2)
    assert labels_of(session) == {"b": 2}


def test_entries_that_mean_one_pair_are_told() -> None:
    """Only the token shows that this label and this id are one pair's: neither result may hide the other."""
    pair = ec_pair(label="a", id=b"\x07")
    print_of = pair.fingerprint or ""
    for other in (Wish("ecc", id=b"\x07"), Wish("ecc", fingerprint=print_of)):
        entries = [*labelled("a"), Entry(1, "absent", other)]
        every, reports = many(session_with(pair, kind=SharedSession), entries, parallel=1)
        assert messages(every) == [
            "",
            f"keypairs[0] names the same pair as keypairs[1]: the ECC key pair 'a' is {other}. What was done stays;"
            " name each pair once.",
        ]
        assert reports.words()[-1] == (1, "failed")


def test_a_session_pair_is_not_taken_for_one_that_stays() -> None:
    wish = Wish("ecc", label="a", curve=P256)
    for order in (False, True), (True, False):
        session = SharedSession()
        entries = entries_of(*(dataclasses.replace(wish, session=one) for one in order), WISH)
        every, _reports = many(session, entries, parallel=1)
        assert messages(every) == [""] * 3 and all(done.outcome and done.outcome.changed for done in every)
        lasting = [found for found in session.objects if found.attributes["token"]]
        assert sorted(str(found.label) for found in lasting) == ["a", "a", "root", "root"]


@pytest.mark.parametrize("check_mode", [True, False])
def test_an_empty_list_is_done(check_mode: bool) -> None:
    session = SharedSession()
    assert many(session, [], check_mode=check_mode) == ([], []) and session.calls == []


def test_absent_pairs() -> None:
    pairs = [ec_pair(label=label, handle=10 * number + 1) for number, label in enumerate("abx")]
    session = session_with(*pairs, kind=SharedSession)
    entries = [dataclasses.replace(entry, state="absent") for entry in EIGHT]
    foretold, _reports = many(session, entries, check_mode=True)
    assert len(session.objects) == 6
    every, _reports = many(session, entries)
    assert [done.outcome for done in every] == [done.outcome for done in foretold]
    assert [done.outcome.changed for done in every if done.outcome] == [True] * 2 + [False] * 6
    assert labels_of(session) == {"x": 2}
