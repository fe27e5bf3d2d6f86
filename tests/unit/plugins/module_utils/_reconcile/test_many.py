# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many pairs on a token in memory, by several threads: their order, what fails, what ends it all, and rivals."""

from __future__ import annotations

import contextlib
import threading
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import many as many_pairs
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.many import Done, reconcile_many
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.tests.support.many_pairs import (
    EIGHT,
    LABELS,
    PARALLEL,
    labelled,
    labels_of,
    many,
    messages,
)
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession, SharedSession
from ansible_collections.cryptoki.hsm.tests.support.scenarios import ec_pair, session_with


@pytest.mark.parametrize("parallel", PARALLEL)
def test_results_come_in_the_order_of_the_list(parallel: int) -> None:
    session = session_with(ec_pair(label="c"), ec_pair(label="x", handle=3), kind=SharedSession)
    every, reports = many(session, EIGHT, parallel)
    assert [done.entry for done in every] == EIGHT and messages(every) == [""] * 8
    assert [done.outcome.changed for done in every if done.outcome] == [label != "c" for label in LABELS]
    assert [done.outcome.after.public.label for done in every if done.outcome and done.outcome.after] == list(LABELS)
    assert sorted(reports.words()) == [(number, "unchanged" if number == 2 else "made") for number in range(8)]
    assert labels_of(session) == {**dict.fromkeys(LABELS, 2), "x": 2}
    again, reports = many(session, EIGHT, parallel)
    assert not any(done.outcome.changed for done in again if done.outcome)
    assert sorted(reports.words()) == [(number, "unchanged") for number in range(8)]


@pytest.mark.parametrize("parallel", PARALLEL)
def test_certificates_are_searched_once_for_all(parallel: int) -> None:
    """New pairs are compared with the certificates of their labels, and a token may have thousands."""
    alone = KeyPair((), ec_pair(label="", id=b"web").privates)
    session = session_with(alone, kind=SharedSession)
    session.certified.append(Certificate(9, "c", b"web", b""))
    every, dummy = many(session, EIGHT, parallel)
    assert [len(done.outcome.warnings) for done in every if done.outcome] == [0, 0, 1, 0, 0, 0, 0, 0]
    assert session.calls.count("certificates") == 1


def test_no_more_threads_than_allowed_and_no_session_for_two() -> None:
    class Watched(SharedSession):
        def __init__(self) -> None:
            super().__init__()
            self.busy: set[MemorySession] = set()
            self.most = 0
            self.barrier = threading.Barrier(3)

        @contextlib.contextmanager
        def further(self) -> t.Iterator[MemorySession]:
            yield Further(self)

        def generate(self, wish: Wish) -> KeyPair:
            return self.generate_in(self, wish)

        def generate_in(self, session: MemorySession, wish: Wish) -> KeyPair:
            with self.lock:
                assert session not in self.busy
                self.busy.add(session)
                self.most = max(self.most, len(self.busy))
            self.barrier.wait(timeout=60)  # three are at work at once, or this test never ends
            with self.lock:
                self.busy.remove(session)
            return super().generate(wish)

    class Further(MemorySession):
        def __init__(self, login: Watched) -> None:
            super().__init__()
            self.login = login
            for name in ("find", "prove", "check_generation", "freeze", "destroy"):
                setattr(self, name, getattr(login, name))

        def generate(self, wish: Wish) -> KeyPair:
            return self.login.generate_in(self, wish)

    session = Watched()
    every, _reports = many(session, labelled(*"abcdef"), parallel=3)
    assert messages(every) == [""] * 6 and session.most == 3


@pytest.mark.parametrize("parallel", PARALLEL)
def test_one_look_serves_all_new_pairs(parallel: int) -> None:
    session = SharedSession()
    many(session, EIGHT, parallel)
    assert session.calls.count("generate") == 8
    assert session.calls.count("find") == 4  # two halves, before and after
    session.calls.clear()
    many(session, EIGHT, parallel)
    assert session.calls.count("find") == 2
    assert session.calls.count("prove") == 8  # only an id joins the halves
    assert set(session.calls) <= {"find", "prove", "further"}


@pytest.mark.parametrize("parallel", PARALLEL)
def test_each_pair_is_taken_by_one_thread(parallel: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where no lock of Python's own keeps the threads apart."""

    class Torn:
        """An iterator that gives the same to all that ask at once, and whoever is late sets the others back."""

        def __init__(self, tasks: t.Sequence[t.Any]) -> None:
            self.tasks, self.taken = tasks, 0

        def __iter__(self) -> t.Any:
            return self

        def __next__(self) -> t.Any:
            taken = self.taken
            threading.Event().wait(0.01)
            self.taken = taken + 1
            if taken < len(self.tasks):
                return self.tasks[taken]
            raise StopIteration

    went_on: list[str] = []
    go_on = many_pairs._Task.go_on

    def noted(self: t.Any, *arguments: t.Any) -> Done:
        went_on.append(str(self._entry.wish.label))
        return go_on(self, *arguments)

    monkeypatch.setattr(many_pairs, "iter", Torn, raising=False)
    monkeypatch.setattr(many_pairs._Task, "go_on", noted)
    every, dummy = many(SharedSession(), EIGHT, parallel)
    assert messages(every) == [""] * 8
    assert sorted(went_on) == sorted(LABELS * 2), "each is made, and looked for again"


def test_a_token_without_further_sessions_works_with_one() -> None:
    """The one session is not given back before another was asked for; then the others wait for it."""
    asked = threading.Event()

    class Single(SharedSession):
        def further(self) -> t.Any:
            self._called("further")
            asked.set()
            raise TokenError("open another session", "CKR_SESSION_COUNT")

        def generate(self, wish: Wish) -> KeyPair:
            assert asked.wait(timeout=60)
            return super().generate(wish)

    session = Single()
    every, _reports = many(session, EIGHT)
    assert messages(every) == [""] * 8 and labels_of(session) == dict.fromkeys(LABELS, 2)
    assert session.calls.count("further") == 1


def test_another_error_of_a_further_session_is_that_of_its_entry() -> None:
    """One thread has the one session until each of the other entries has failed for want of a further one."""
    failed: list[Done] = []
    all_but_one = threading.Event()

    class Short(SharedSession):
        def further(self) -> t.Any:
            raise TokenError("open another session", "CKR_DEVICE_MEMORY")

        def prove(self, wish: Wish, pair: KeyPair, passive: bool = False) -> Proof:
            assert all_but_one.wait(timeout=60)
            return Proof("CKM_ECDSA")

    def report(done: Done) -> None:
        if done.error:
            failed.append(done)
        if len(failed) == len(EIGHT) - 1:
            all_but_one.set()

    session = Short()
    every = reconcile_many(session, EIGHT, False, 2, report)
    assert len(failed) == 7
    assert [done for done in every if done.error] == sorted(failed, key=lambda done: done.entry.number)
    assert all("CKR_DEVICE_MEMORY" in message for message in messages(failed))
    assert labels_of(session) == {done.entry.wish.label: 2 for done in every if not done.error}


@pytest.mark.parametrize("parallel", PARALLEL)
def test_one_failing_entry_does_not_stop_the_others(parallel: int) -> None:
    half = KeyPair((ec_pair(label="b").public,))
    every, reports = many(session := session_with(half, kind=SharedSession), EIGHT, parallel)
    assert [done.entry.number for done in every if done.error] == [1]
    assert "it is a public half without its private half" in messages(every)[1]
    assert labels_of(session) == {**dict.fromkeys(LABELS, 2), "b": 1}
    assert sorted(reports.words()) == [(number, "failed" if number == 1 else "made") for number in range(8)]


class Failing(SharedSession):
    """Its third generation, and with `onwards` all later ones, end with `ckr`."""

    def __init__(self, ckr: str, onwards: bool = True) -> None:
        super().__init__()
        self.ckr = ckr
        self.onwards = onwards
        self.count = 0

    def generate(self, wish: Wish) -> KeyPair:
        with self.lock:
            self.count += 1
            count = self.count
        if count == 3 or (count > 3 and self.onwards):
            raise TokenError(f"generate {wish}", self.ckr)
        return super().generate(wish)


REMOVED = "the HSM answered CKR_DEVICE_REMOVED"


def test_an_error_that_ends_it_stops_the_rest() -> None:
    """One thread: two pairs are made, the third ends it, five are not begun; nothing that was made is lost."""
    session = Failing("CKR_DEVICE_REMOVED", onwards=False)
    every, reports = many(session, EIGHT, parallel=1)
    end = messages(every)[2]
    assert end.startswith(f"Could not generate the ECC key pair 'c': {REMOVED}")
    for number, message in enumerate(messages(every)):
        name = f"the ECC key pair '{LABELS[number]}', because of an earlier error. {end}"
        assert message == (
            f"Made a new pair, and did not finish {name}" if number < 2 else end if number == 2 else
            f"Did not begin with {name}"
        )  # fmt: skip
    assert [done.made for done in every] == [True] * 2 + [False] * 6
    assert {done.error.data["ckr"] for done in every if done.error} == {"CKR_DEVICE_REMOVED"}
    assert session.calls.count("generate") == 2 and session.count == 3
    assert labels_of(session) == {"a": 2, "b": 2}
    assert reports.words() == [
        (0, "made"), (1, "made"), *((number, "failed") for number in range(2, 8)), *reports.words()[8:]
    ]  # fmt: skip
    assert sorted(reports.words()[8:]) == [(0, "failed"), (1, "failed")]
    again, _reports = many(session, EIGHT)
    assert messages(again) == [""] * 8 and labels_of(session) == dict.fromkeys(LABELS, 2)


@pytest.mark.parametrize("parallel", PARALLEL)
@pytest.mark.parametrize("ckr", ["CKR_DEVICE_MEMORY", "CKR_GENERAL_ERROR", "CKR_FUNCTION_FAILED"])
def test_an_error_of_one_pair_stops_no_other(parallel: int, ckr: str) -> None:
    session = Failing(ckr, onwards=False)
    every, _reports = many(session, EIGHT, parallel)
    assert [message for message in messages(every) if message and ckr in message]
    assert messages(every).count("") == 7 and len(session.objects) == 14
