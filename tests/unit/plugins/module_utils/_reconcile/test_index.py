# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The index of a token: it finds what a search would find, is not made where it could not, and follows every write."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Query
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.index import IndexedSession, KeyIndex, index_of
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import IDENTITY, PRIVATE, PUBLIC, Half
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import P256, WISH, ec_pair, handles, session_with

HALVES = st.sampled_from([PUBLIC, PRIVATE])
LABELS = st.sampled_from([None, "a", "b"])
IDS = st.sampled_from([None, b"", b"\x01", b"\x02"])
TYPES = st.sampled_from([None, "ec", "rsa", "ec_edwards", 0x80000001])
BOOLEANS = st.sampled_from([None, True, False])


def named(**values: t.Any) -> dict[str, t.Any]:
    return {name: value for name, value in values.items() if value is not None}


ATTRIBUTES = st.builds(named, label=LABELS, id=IDS, key_type=TYPES, token=BOOLEANS)
OBJECTS = st.lists(st.tuples(HALVES, ATTRIBUTES), max_size=8).map(
    lambda rows: [TokenObject(handle, half, values) for handle, (half, values) in enumerate(rows, 1)]
)
NAMES: dict[str, st.SearchStrategy[t.Any]] = {
    "label": LABELS,
    "id": IDS.filter(lambda value: value != b""),
    "key_type": TYPES.filter(lambda value: not isinstance(value, int)),
    "token": BOOLEANS,
}
QUERIES = st.tuples(HALVES, st.fixed_dictionaries(NAMES)).map(lambda drawn: Query(drawn[0], **drawn[1]))


def token_with(objects: t.Sequence[TokenObject]) -> MemorySession:
    session = MemorySession()
    session.objects = list(objects)
    return session


def found(objects: t.Sequence[TokenObject]) -> set[int]:
    return {one.handle for one in objects}


@given(OBJECTS, QUERIES)
def test_it_finds_what_a_search_finds(objects: list[TokenObject], query: Query) -> None:
    assert found(KeyIndex(objects).find(query)) == found(token_with(objects).find(query))


@given(OBJECTS, OBJECTS, st.sets(st.integers(1, 8)), QUERIES)
def test_it_finds_the_same_after_changes(
    before: list[TokenObject], after: list[TokenObject], gone: set[int], query: Query
) -> None:
    """Objects of one handle are one object in two states."""
    index = KeyIndex(before)
    left = {one.handle: one for one in before}
    for one in after:
        index.add(one)
        left[one.handle] = one
    for handle in gone:
        index.remove(TokenObject(handle, PUBLIC, {}))
        left.pop(handle, None)
    assert found(index.find(query)) == found(token_with(list(left.values())).find(query))


@given(OBJECTS, QUERIES)
def test_an_indexed_session_finds_what_lasts(objects: list[TokenObject], query: Query) -> None:
    """By the index or without it; a session object is never found."""
    session, query = token_with(objects), query._replace(token=None)
    index = index_of(session, 10)
    assert index is not None
    expected = {one.handle for one in session.find(query) if one.attributes.get("token") is True}
    names = {name: getattr(query, name) for name in NAMES}
    both = {one.handle for one in session.find_halves(names) if one.attributes.get("token") is True}
    for made in (index, None):
        indexed = IndexedSession(session)
        indexed.resume(made, lambda: session)
        assert found(indexed.find(query)) == expected
        assert found(indexed.find_halves(names)) == both


@pytest.mark.parametrize("name", ["class", "key_type", "label", "id", "token"])
def test_a_name_that_is_not_told_forbids_an_index(name: str) -> None:
    """The object may be the one that is wished: only the token itself can tell."""
    pair = ec_pair()
    hidden = dataclasses.replace(pair.private, unreadable={name: "CKR_ATTRIBUTE_SENSITIVE"})
    assert index_of(token_with([pair.public, hidden]), 10) is None
    no_text = dataclasses.replace(pair.private, unreadable={name: "no valid value"})
    assert index_of(token_with([pair.public, no_text]), 10) is not None


def test_another_attribute_that_is_not_told_does_not() -> None:
    pair = ec_pair()
    hidden = dataclasses.replace(pair.private, unreadable={"start_date": "CKR_GENERAL_ERROR"})
    assert index_of(token_with([pair.public, hidden]), 10) is not None


def test_an_error_forbids_an_index() -> None:
    session = token_with(ec_pair().objects)
    session.refused["find"] = "CKR_DEVICE_ERROR"
    assert index_of(session, 10) is None


@pytest.mark.parametrize(("pairs", "others", "made"), [(2, 0, False), (3, 15, True), (3, 16, False), (4, 16, True)])
def test_it_is_made_where_it_spares_calls(pairs: int, others: int, made: bool) -> None:
    """A search for one pair makes ten calls, an index one an object: 3 pairs are worth 30 objects."""
    objects = [one for number in range(others) for one in ec_pair(handle=1 + 2 * number).objects]
    assert (index_of(token_with(objects), pairs) is not None) is made


def searches(session: MemorySession) -> int:
    return session.calls.count("find")


class Indexed:
    """A session with an index, and what the token was asked for since that was made."""

    def __init__(self, *pairs: t.Any) -> None:
        self.token = session_with(*pairs)
        self.index = index_of(self.token, 10)
        self.session = IndexedSession(self.token)
        self.session.resume(self.index, lambda: self.token)
        self.token.calls.clear()

    def other_finds(self, **query: t.Any) -> set[int]:
        """What the work on another pair finds in the index."""
        other = IndexedSession(self.token)
        other.resume(self.index, lambda: self.token)
        before = searches(self.token)
        found_by_other = found([one for half in (PUBLIC, PRIVATE) for one in other.find(Query(half, **query))])
        assert searches(self.token) == before, "it asked the token"
        return found_by_other


def test_what_is_generated_is_found_by_the_others_and_searched_by_itself() -> None:
    both = Indexed()
    assert both.session.find(Query(PUBLIC, label="root")) == [] and searches(both.token) == 0
    pair = both.session.generate(WISH)
    assert both.other_finds(label="root") == found(pair.objects) == handles(both.token)
    assert both.session.find(Query(PUBLIC, label="root")) == [pair.public] and searches(both.token) == 1


def test_what_is_changed_is_found_by_its_new_name() -> None:
    both = Indexed(ec_pair())
    both.session.set_attributes(both.token.objects[0], {"label": "new"})
    assert both.other_finds(label="new") == {1} and both.other_finds(label="root") == {2}
    assert both.session.find(Query(PUBLIC, label="new")) and searches(both.token) == 1


def test_what_is_frozen_is_found_as_its_copy() -> None:
    both = Indexed(ec_pair())
    original = both.token.objects[0]
    copy = both.session.freeze(original, {"modifiable": False})
    assert both.other_finds(label="root") == {1, 2, copy.handle} == handles(both.token)
    both.session.destroy(original)
    assert both.other_finds(label="root") == {2, copy.handle} == handles(both.token)
    both.session.find(Query(PUBLIC, label="root"))
    assert searches(both.token) == 1


def test_what_is_destroyed_is_not_found() -> None:
    both = Indexed(ec_pair())
    both.session.destroy(both.token.objects[0])
    assert both.other_finds(label="root") == {2} == handles(both.token)
    both.session.find(Query(PUBLIC, label="root"))
    assert searches(both.token) == 1


@pytest.mark.parametrize("method", ["generate", "set_attributes", "freeze", "destroy"])
def test_after_a_write_that_failed_the_token_is_asked(method: str) -> None:
    """Whether it happened all the same, only the token knows."""
    both = Indexed(ec_pair())
    both.token.refused[method] = "CKR_DEVICE_ERROR"
    arguments: dict[str, tuple[t.Any, ...]] = {
        "generate": (WISH,),
        "set_attributes": (ec_pair().public, {"label": "x"}),
    }
    arguments |= {"freeze": (ec_pair().public, {"modifiable": False}), "destroy": (ec_pair().public,)}
    refusal(lambda: getattr(both.session, method)(*arguments[method]))
    both.session.find(Query(PUBLIC, label="root"))
    assert searches(both.token) == 1


def test_a_session_pair_is_not_found_by_the_others() -> None:
    both = Indexed()
    both.session.generate(dataclasses.replace(WISH, session=True))
    assert both.other_finds(label="root") == set()


def test_to_look_anew_is_to_ask_the_token() -> None:
    both = Indexed(ec_pair())
    both.session.look_anew()
    both.session.find(Query(PUBLIC, label="root"))
    assert searches(both.token) == 1


def test_only_what_is_not_found_may_be_in_a_damaged_file() -> None:
    both = Indexed(ec_pair())
    looked: list[str] = []
    both.token.check_absence = lambda: looked.append("storage")
    for label, looks in (("root", 0), ("other", 1)):
        both.session.find(Query(PUBLIC, label=label))
        assert len(looked) == looks


@pytest.mark.parametrize(("there", "looks"), [((), 1), ((PUBLIC,), 1), ((PRIVATE,), 1), ((PUBLIC, PRIVATE), 0)])
def test_both_halves_are_found_or_the_storage_is_looked_at_once(there: tuple[Half, ...], looks: int) -> None:
    pair = ec_pair()
    both = Indexed(KeyPair(pair.publics if PUBLIC in there else (), pair.privates if PRIVATE in there else ()))
    looked: list[str] = []
    both.token.check_absence = lambda: looked.append("storage")
    halves = both.session.find_halves({"label": "root"})
    assert (tuple(one.half for one in halves), len(looked), searches(both.token)) == (there, looks, 0)


@pytest.mark.parametrize("servers", [None, 2])
def test_servers_are_awaited_where_so_many_are_wished(servers: int | None) -> None:
    both = Indexed(ec_pair())
    awaited: list[t.Any] = []
    both.token.await_servers = lambda *given: awaited.append(given)
    wish = dataclasses.replace(WISH, min_servers=servers)
    both.session.await_servers(wish, ec_pair())
    assert awaited == ([] if servers is None else [(wish, ec_pair(), True)])


def test_a_proof_may_derive_if_nothing_else_is_said() -> None:
    both = Indexed(ec_pair())
    both.token.prove = lambda _wish, _pair, passive: passive
    assert both.session.prove(WISH, ec_pair()) is False  # type: ignore[comparison-overlap]


def test_what_is_as_wished_takes_no_session() -> None:
    def taken() -> t.Any:
        raise AssertionError("a session was taken")

    both = Indexed(ec_pair())
    both.session.resume(both.index, taken)
    assert found(both.session.find(Query(PRIVATE, label="root", key_type=P256.key_type))) == {2}
    with pytest.raises(AssertionError):
        both.session.generate(WISH)


def test_it_holds_what_was_asked_for() -> None:
    """What tells a pair from another is enough to see that no other host made one of its name."""
    pair = ec_pair()
    index = index_of(token_with(pair.objects), 10, IDENTITY)
    assert index is not None
    (public,) = index.find(Query(PUBLIC, label=pair.public.label))
    assert public.attributes.keys() == pair.public.attributes.keys() & IDENTITY
    assert public.attributes != pair.public.attributes and public.fingerprint == pair.fingerprint
