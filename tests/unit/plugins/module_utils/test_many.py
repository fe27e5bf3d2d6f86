# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many pairs on a token in memory, by several threads: their order, what fails, what ends it all, and rivals."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils import _reconcile
from ansible_collections.cryptoki.hsm.plugins.module_utils._entries import Entry
from ansible_collections.cryptoki.hsm.plugins.module_utils._errors import TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._keypair import KeyPair, Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._many import Done, reconcile_many
from ansible_collections.cryptoki.hsm.plugins.module_utils._providers.base import Proof
from ansible_collections.cryptoki.hsm.tests.unit.plugins.module_utils.memory_token import (
    MemorySession,
    SharedSession,
    private_key,
)
from ansible_collections.cryptoki.hsm.tests.unit.plugins.module_utils.scenarios import (
    P256,
    WISH,
    ec_pair,
    handles,
    session_with,
)

PARALLEL = [1, 4]


@pytest.fixture(autouse=True, scope="module")
def _no_waiting() -> t.Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_reconcile.time, "sleep", lambda seconds: None)
        yield


def entries_of(*wishes: Wish, state: t.Any = "present") -> list[Entry]:
    return [Entry(number, state, wish) for number, wish in enumerate(wishes)]


def labelled(*labels: str) -> list[Entry]:
    return entries_of(*(Wish("ecc", label=label, curve=P256) for label in labels))


LABELS = tuple("abcdefgh")
EIGHT = labelled(*LABELS)


class Reports(list[Done]):
    """What was reported, one word a line."""

    def words(self) -> list[tuple[int, str]]:
        def word(done: Done) -> str:
            if done.error:
                return "failed"
            return "made" if done.outcome is None else "changed" if done.outcome.changed else "unchanged"

        return [(done.entry.number, word(done)) for done in self]


def many(
    session: MemorySession, entries: t.Sequence[Entry], parallel: int = 4, check_mode: bool = False
) -> tuple[list[Done], Reports]:
    reports = Reports()
    return reconcile_many(session, entries, check_mode, parallel, reports.append), reports


def labels_of(session: MemorySession) -> dict[str, int]:
    """How many objects carry each label."""
    labels = [str(found.label) for found in session.objects]
    return {label: labels.count(label) for label in labels}


def messages(every: t.Sequence[Done]) -> list[str]:
    return [done.error.msg if done.error else "" for done in every]


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
    assert session.calls.count("find") == 2 == len(session.calls)


def test_a_token_without_further_sessions_works_with_one() -> None:
    class Single(SharedSession):
        def further(self) -> t.Any:
            self._called("further")
            raise TokenError("open another session", "CKR_SESSION_COUNT")

    session = Single()
    every, _reports = many(session, EIGHT)
    assert messages(every) == [""] * 8 and labels_of(session) == dict.fromkeys(LABELS, 2)
    assert session.calls.count("further") == 1


def test_another_error_of_a_further_session_is_that_of_its_entry() -> None:
    session = SharedSession()
    session.refused["further"] = "CKR_DEVICE_MEMORY"
    barrier = threading.Barrier(2)

    def prove(wish: Wish, pair: KeyPair, passive: bool = False) -> Proof:
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(timeout=0.2)  # time for the other thread to want a session
        return Proof("CKM_ECDSA")

    session.prove = prove  # type: ignore[method-assign]
    every, _reports = many(session, EIGHT, parallel=2)
    failed = [done for done in every if done.error]
    assert failed and len(failed) < 8
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
    """Its third generation, and with C(onwards) all later ones, end with C(ckr)."""

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


class Contested(SharedSession):
    """While a pair is proven, another host makes one of the same name, for the first of C(times) proofs of 'c'."""

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
    class Buggy(SharedSession):
        def generate(self, wish: Wish) -> KeyPair:
            if str(wish.label).startswith("new"):
                threading.Event().wait(0.05)  # time for the main thread to hear of the bug
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
    assert len(session.objects) < 400, "what waited was begun after the bug"
    assert set(labels_of(session).values()) == {2}


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
