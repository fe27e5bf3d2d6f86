# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""For any list and any state of the token: twice is once, check mode foretells, and many pairs go as single ones."""

from __future__ import annotations

import dataclasses
import typing as t

from hypothesis import assume, event, given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.entries import Entry, entries_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.many import Done, reconcile_many
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import reconcile
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, InputError
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession, SharedSession
from ansible_collections.cryptoki.hsm.tests.support.task_options import list_params

WRITES = {"generate", "set_attributes", "freeze", "destroy"}
KINDS = ("secp256r1", "secp384r1", "2048")
Given = dict[str, t.Any]


# ---- tokens: whole pairs, halves and duplicates, whose keys the token knows ----


class Stored(t.NamedTuple):
    """A pair of the token, or one of its halves."""

    kind: str
    label: str
    id: bytes
    private: dict[str, bool]
    halves: str

    def pair(self, handle: int) -> KeyPair:
        pair = pair_of(
            private_key(self.kind, handle),
            private={"sign": True, **self.private},
            public={"verify": True},
            handle=handle,
            label=self.label,
            id=self.id,
        )
        if self.halves == "public":
            return dataclasses.replace(pair, privates=())
        return dataclasses.replace(pair, publics=()) if self.halves == "private" else pair


def stored(labels: t.Sequence[str], ids: t.Sequence[bytes]) -> st.SearchStrategy[Stored]:
    return st.builds(
        Stored,
        st.sampled_from(KINDS),
        st.sampled_from(labels),
        st.sampled_from(ids),
        st.fixed_dictionaries({}, optional={name: st.booleans() for name in ("sign", "extractable", "modifiable")}),
        st.sampled_from(["both"] * 6 + ["public", "private"]),
    )


def token_of(rows: t.Sequence[Stored], kind: type[MemorySession] = SharedSession) -> MemorySession:
    pairs = [row.pair(1 + 2 * number) for number, row in enumerate(rows)]
    session = kind(*pairs)
    for row, pair in zip(rows, pairs, strict=True):
        for found in pair.privates:
            session.keys.of[found.handle] = private_key(row.kind, found.handle - 1)
    return session


# ---- entries ----


def options(labels: t.Sequence[str], ids: t.Sequence[bytes]) -> st.SearchStrategy[Given]:
    key = st.sampled_from(
        [{"type": "ecc", "curve": "P-256"}, {"type": "ecc", "curve": "P-384"}, {"type": "rsa", "modulus_bits": 2048}]
    )
    present = st.fixed_dictionaries(
        {"label": st.sampled_from(labels)},
        optional={
            "id_hex": st.sampled_from([raw.hex() for raw in ids if raw]),
            "extractable": st.booleans(),
            "usage": st.sampled_from([["sign"], ["sign", "derive"], ["decrypt"]]),
            "on_mismatch": st.sampled_from(["fail", "keep", "replace"]),
            "private_attributes": st.sampled_from([{"modifiable": False}, {"derive": True}]),
        },
    )
    names = {"label": st.sampled_from(labels), "id_hex": st.sampled_from([raw.hex() for raw in ids if raw])}
    absent = st.one_of(
        *(
            st.fixed_dictionaries({"state": st.just("absent"), **{name: names[name] for name in given}})
            for given in (["label"], ["id_hex"], ["label", "id_hex"])
        )
    )
    return st.builds(
        lambda key, more: {**(key if "state" not in more else {"type": key["type"]}), **more},
        key,
        st.one_of(present, present, absent),
    )


def checked(given: t.Sequence[Given]) -> list[Entry]:
    try:
        return entries_from(list_params(*given))
    except InputError:
        assume(False)
        raise


def many(session: MemorySession, entries: t.Sequence[Entry], parallel: int, check_mode: bool = False) -> list[Done]:
    return reconcile_many(session, entries, check_mode, parallel, lambda done: None)


def changes(every: t.Sequence[Done]) -> list[bool]:
    return [bool(done.outcome and done.outcome.changed) for done in every]


def state(session: MemorySession) -> dict[int, TokenObject]:
    return {found.handle: found for found in session.objects}


LABELS, IDS = ("a", "b", "c"), (b"", b"\x01", b"\x02", b"\x03")


@given(st.lists(stored(LABELS, IDS), max_size=5), st.lists(options(LABELS, IDS), max_size=5), st.sampled_from([1, 3]))
def test_twice_is_once_and_check_mode_foretells(rows: list[Stored], given_: list[Given], parallel: int) -> None:
    """Entries may have to do with one another, on the token only: then some fails, and the next run may go further."""
    entries, session = checked(given_), token_of(rows)
    before = state(session)
    foretold = many(session, entries, parallel, check_mode=True)
    assert not WRITES & set(session.calls) and state(session) == before
    first = many(session, entries, parallel)
    assert [done.entry for done in first] == entries
    if any(done.error for done in (*foretold, *first)):
        event("something failed")
        return
    event(f"{sum(changes(first))} changes")
    assert changes(first) == changes(foretold)
    assert [done.outcome and done.outcome.before for done in first] == [
        done.outcome and done.outcome.before for done in foretold
    ]
    after = state(session)
    session.calls.clear()
    again = many(session, entries, parallel)
    assert [done.error for done in again] == [None] * len(entries)
    assert changes(again) == [False] * len(entries) and state(session) == after
    assert not WRITES & set(session.calls)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Stored], list[Given]]:
    """Each entry with labels and ids of its own on the token, so that none has to do with another."""
    rows: list[Stored] = []
    given_: list[Given] = []
    for number in range(draw(st.integers(1, 5))):
        labels, ids = (f"{number}a", f"{number}b"), (bytes([number, 1]), bytes([number, 2]))
        rows += draw(st.lists(stored(labels, ids), max_size=2))
        given_.append(draw(options(labels, ids)))
    return rows, given_


def single(session: MemorySession, entry: Entry, check_mode: bool) -> Done:
    try:
        return Done(entry, reconcile(session, entry.wish, entry.state, check_mode))
    except HsmError as error:
        return Done(entry, error=error)


@given(worlds(), st.sampled_from([1, 3]))
def test_many_pairs_go_the_way_of_single_ones(world: tuple[list[Stored], list[Given]], parallel: int) -> None:
    rows, given_ = world
    entries = checked(given_)
    alone, together = token_of(rows, MemorySession), token_of(rows)
    for check_mode in (True, False, False):
        expected = [single(alone, entry, check_mode) for entry in entries]
        every = many(together, entries, parallel, check_mode)
        assert changes(every) == changes(expected)
        assert [bool(done.error) for done in every] == [bool(done.error) for done in expected]
        assert [done.outcome and done.outcome.warnings for done in every] == [
            done.outcome and done.outcome.warnings for done in expected
        ]
        if check_mode:  # nothing is drawn in it, so that all that is told is the same
            assert [str(done.error) for done in every] == [str(done.error) for done in expected]
            assert [done.outcome for done in every] == [done.outcome for done in expected]
    assert sorted(str(found.label) for found in together.objects) == sorted(str(found.label) for found in alone.objects)
