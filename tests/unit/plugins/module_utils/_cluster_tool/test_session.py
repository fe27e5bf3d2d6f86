# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every session with a cluster's tool does in the same way: generations that fail, users, waiting, proofs."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._cluster_tool import session as _session
from ansible_collections.cryptoki.hsm.plugins.module_utils._cluster_tool.session import ToolSession, awaited
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, Sharing, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Query
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VendorFacts
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import KeyClass, Value
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError

WISH = Wish("ecc", label="k", curve=curve_by_name("P-256"))
DRAWN = b"drawn"


def half(handle: int, key_class: KeyClass, id_: bytes = DRAWN, modulus: bytes = b"\x99") -> TokenObject:
    """A half of an RSA pair, which its modulus joins."""
    attributes: dict[str, Value | None] = {"key_type": "rsa", "label": "k", "id": id_, "modulus": modulus}
    return TokenObject(handle, key_class, attributes, sharing=Sharing("alice", ("bob", "carol")))


class Cluster(ToolSession):
    """A cluster of three HSMs in memory. `fails`: what fails, and with what; `told`: what was done."""

    facts = VendorFacts("a tool", label_max=9)
    token_name = "cluster"
    uri_attributes: t.Mapping[str, str] = {}
    user = "alice"
    nothing_left = "Nothing is there."
    patience = 7

    def __init__(self, made: t.Sequence[TokenObject] = (), **fails: HsmError) -> None:
        self.made = made
        self.keys: list[TokenObject] = []
        self.fails = fails
        self.told: list[t.Any] = []
        self.answering = [1, 2, 3]

    def _try(self, name: str, *told: t.Any) -> None:
        self.told.append((name, *told))
        if name in self.fails:
            raise self.fails[name]

    def find(self, query: Query) -> list[TokenObject]:
        self._try("find", query.key_class)
        return [key for key in self.keys if key.half == query.key_class and query.id in (None, key.id)]

    def survey(self, query: Query, at_most: int | None = None) -> list[TokenObject] | None:
        return self.find(query)

    def look_anew(self) -> None:
        self.told.append(("look_anew",))

    def reconnect(self) -> None:
        self._try("reconnect")

    def place(self, handle: int) -> str:
        return f"at {handle}"

    def read(self, found: TokenObject) -> TokenObject:
        return found

    def crypto_user(self, name: str) -> str:
        return {"3": "alice", "4": "bob"}.get(name, name)

    def change_sharing(self, found: TokenObject, users: t.Sequence[str], away: bool) -> None:
        self._try("away" if away else "share", *users)

    def refusal(self, wish: Wish) -> str | None:
        return "it is refused" if wish.session else None

    def drawn_id(self, wish: Wish) -> bytes:
        return DRAWN

    def make(self, wish: Wish, attempt: str) -> list[TokenObject]:
        self.keys += self.made
        self._try("make")
        return list(self.made)

    def remove(self, half: KeyClass, handle: int) -> None:
        self._try("remove", half, handle)
        self.keys = [key for key in self.keys if key.handle != handle]

    def size(self) -> int:
        return 3

    def missing(self, wanted: int, pair: KeyPair) -> str:
        there = self.answering.pop(0) if len(self.answering) > 1 else self.answering[0]
        return f"it is on {there}" if there < wanted else ""

    def set_attributes(self, found: TokenObject, values: t.Mapping[str, Value]) -> TokenObject:
        raise NotImplementedError

    def freeze(self, found: TokenObject, values: t.Mapping[str, bool]) -> TokenObject:
        raise NotImplementedError


PAIR = (half(7, "public"), half(8, "private"))
OTHERS = (half(9, "public", modulus=b"\x77"), half(10, "private", modulus=b"\x77"))
REFUSED = TokenError("do it", said="no", hint="")


def message(run: t.Callable[[], t.Any]) -> str:
    """What a failure says."""
    with pytest.raises(HsmError) as raised:
        run()
    return raised.value.msg


def test_a_new_pair_is_the_two_halves_that_were_made() -> None:
    session = Cluster(PAIR)
    assert session.generate(WISH) == KeyPair(PAIR[:1], PAIR[1:], "id")
    assert session.told == [("look_anew",), ("make",)]


def test_what_carries_the_drawn_id_is_taken_back_private_half_first() -> None:
    session = Cluster((half(6, "public", b"other"), *PAIR), make=REFUSED)
    assert message(lambda: session.generate(WISH)) == (
        "Could not generate the ECC key pair 'k', id 64:72:61:77:6e on the token 'cluster': the HSM answered no."
        " Nothing of it is left on the token."
    )
    assert [key.handle for key in session.keys] == [6]
    assert [told for told in session.told if told[0] == "remove"] == [("remove", "private", 8), ("remove", "public", 7)]
    assert ("reconnect",) in session.told


@pytest.mark.parametrize("id_", [None, b"told"])
def test_the_handles_of_another_pair_destroy_nothing(id_: bytes | None) -> None:
    """The tool answers with a pair that was there before; what carries the drawn id goes."""
    other = (half(1, "public", b"other"), half(2, "private", b"other"))
    session = Cluster(other)
    session.keys = list(PAIR)
    said = message(lambda: session.generate(dataclasses.replace(WISH, id=id_)))
    assert f"the HSM returned a pair that does not have the id of the new one, {other[0]} and {other[1]}." in said
    assert [key.handle for key in session.keys] == ([1, 2] if id_ is None else [7, 8, 1, 2])


def test_what_cannot_be_taken_back_is_named() -> None:
    session = Cluster(PAIR, make=REFUSED, remove=TokenError("remove it", said="never", hint=""))
    assert message(lambda: session.generate(WISH)).endswith(
        " What remains on the token: the new private half (at 8; never) and the new public half (at 7; never)."
    )


def test_what_carries_a_wished_id_is_named_and_left() -> None:
    session = Cluster(PAIR, make=REFUSED)
    said = message(lambda: session.generate(dataclasses.replace(WISH, id=DRAWN)))
    assert said.endswith(
        f" What is there now under this name: {PAIR[0]}, {PAIR[1]}. If it is a pair, verify=true proves it."
    )
    assert session.keys == list(PAIR)


@pytest.mark.parametrize("where", ["find", "reconnect"])
@pytest.mark.parametrize(("error", "reason"), [(REFUSED, "no"), (HsmError("It is gone."), "It is gone.")])
def test_a_failed_search_is_told(where: str, error: HsmError, reason: str) -> None:
    fails: dict[str, HsmError] = {"make": REFUSED, where: error}
    said = message(lambda: Cluster(PAIR, **fails).generate(WISH))
    assert said.endswith(f" What it left on the token is not known, because a search failed ({reason}).")


def test_what_is_not_there_is_told_as_the_tool_knows_it() -> None:
    assert message(lambda: Cluster(make=REFUSED).generate(WISH)).endswith(" Nothing is there.")


def test_a_session_pair_is_not_looked_for() -> None:
    session = Cluster(PAIR, make=REFUSED)
    said = message(lambda: session.generate(dataclasses.replace(WISH, session=True)))
    assert said.endswith(" Nothing of it is left, because it was a pair of this session.")
    assert session.told == [("look_anew",), ("make",)]


def test_what_remains_is_not_looked_for_where_it_is_known() -> None:
    session = Cluster(PAIR, make=REFUSED.at("make it", "It is known."))
    assert message(lambda: session.generate(WISH)).endswith(" It is known.")
    assert session.told == [("look_anew",), ("make",)]


def test_halves_that_do_not_belong_together_are_no_pair() -> None:
    stranger = half(8, "private", modulus=b"\x77")
    session = Cluster((PAIR[0], stranger))
    assert message(lambda: session.generate(WISH)) == (
        "Could not generate the ECC key pair 'k', id 64:72:61:77:6e on the token 'cluster': the HSM returned halves"
        f" that do not belong together, {PAIR[0]} and {stranger}. Nothing of it is left on the token."
    )
    assert session.keys == []


@pytest.mark.parametrize("made", [PAIR[:1], (*PAIR, *OTHERS)])
def test_what_is_not_one_whole_pair_is_none(made: t.Sequence[TokenObject]) -> None:
    session = Cluster(made)
    assert "the HSM returned halves that do not belong together" in message(lambda: session.generate(WISH))
    assert session.keys == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"session": True}, "it is refused"),
        ({"min_servers": 4}, "min_servers is 4 and the cluster has 3 HSMs"),
        ({"label": "0123456789"}, "a tool takes at most 9 bytes of label"),
        (
            {"verify": True, "quorum": 2},
            "verify is true, and the pair cannot be proven, because each use of the key needs the approval of 2 users",
        ),
    ],
)
def test_what_cannot_be_made_is_refused(change: dict[str, t.Any], said: str) -> None:
    wish = dataclasses.replace(WISH, **change)
    assert message(lambda: Cluster().check_generation(wish)) == (
        f"Refused to generate {wish} on the token 'cluster': {said}."
    )


@pytest.mark.parametrize("change", [{}, {"verify": True}, {"quorum": 2}, {"verify": False, "quorum": 2}])
def test_what_can_be_made_is_not_refused(change: dict[str, t.Any]) -> None:
    Cluster().check_generation(dataclasses.replace(WISH, **change))


def test_a_key_with_a_quorum_is_not_used_for_a_proof() -> None:
    private = dataclasses.replace(PAIR[1], sharing=Sharing("alice", ("bob",), quorum=2))
    proof = Cluster().prove(WISH, KeyPair(PAIR[:1], (private,), "material"))
    assert (proof.method, proof.reason) == (None, "each use of the key needs the approval of 2 users")


def test_users_are_added_before_others_are_taken_away() -> None:
    session = Cluster()
    assert session.share(PAIR[1], ("carol", "dave", "erin")) == PAIR[1]
    assert session.told == [("look_anew",), ("share", "dave", "erin"), ("away", "bob")]
    session.told.clear()
    session.share(dataclasses.replace(PAIR[1], sharing=None), ())
    assert session.told == [("look_anew",)]


@pytest.mark.parametrize(
    ("users", "said"),
    [
        (("bob", "alice"), "Refused to share a key with 'alice': the caller owns it and is not shared with."),
        (("3",), "Refused to share a key with 'alice': the caller owns it and is not shared with."),
        (("bob", "4"), "Refused to share a key with [bob, 4]: that names a user twice."),
    ],
)
def test_users_that_are_refused(users: tuple[str, ...], said: str) -> None:
    assert message(lambda: Cluster().resolve_users(users)) == said


def test_users_are_told_by_name_in_order() -> None:
    assert Cluster().resolve_users(("dave", "4")) == ("bob", "dave")


class Clock:
    """A clock that only sleep moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_session, "time", clock)
    return clock


ONCE = " It was looked at once, because timeout is not given."
CHECK = " It was looked at once, because check mode does not wait."


@pytest.mark.parametrize(
    ("new", "timeout", "patient", "slept", "within", "once"),
    [
        (True, 3, True, [1, 1, 1], " within 3 seconds", ""),
        (True, None, True, [1] * 7, "", ""),
        (False, 3, True, [1, 1, 1], " within 3 seconds", ""),
        (False, None, True, [], "", ONCE),
        (False, 3, False, [], "", CHECK),
        (False, None, False, [], "", CHECK),
    ],
)
def test_waiting_for_servers_ends(
    clock: Clock, new: bool, timeout: int | None, patient: bool, slept: list[float], within: str, once: str
) -> None:
    wish = dataclasses.replace(WISH, min_servers=4, timeout=timeout)
    session = Cluster(PAIR)
    if new:
        session.generate(WISH)
    said = message(lambda: session.await_servers(wish, KeyPair(PAIR[:1], PAIR[1:]), patient))
    assert clock.slept == slept
    there = min(len(slept), 2) + 1
    assert said == f"Could not find {wish} on 4 HSMs of the token 'cluster'{within}: it is on {there}.{once}"


def test_a_pair_that_was_counted_is_not_counted_again(clock: Clock) -> None:
    session = Cluster()
    wish = dataclasses.replace(WISH, min_servers=3, timeout=60)
    session.await_servers(wish, KeyPair(PAIR[:1], PAIR[1:]))
    session.answering = [1]
    session.await_servers(wish, KeyPair(PAIR[:1], PAIR[1:]))
    assert clock.slept == [1, 1]


def test_waiting_for_servers_ends_with_success(clock: Clock) -> None:
    pair = KeyPair(PAIR[:1], PAIR[1:])
    Cluster().await_servers(WISH, pair)
    Cluster().await_servers(dataclasses.replace(WISH, min_servers=3, timeout=60), pair)
    assert clock.slept == [1, 1]


def test_the_last_look_is_at_the_end(clock: Clock) -> None:
    looks: list[float] = []

    def missing() -> list[float]:
        looks.append(clock.now)
        return looks

    assert awaited(missing, 1.5) == [100.0, 101.0, 101.5]


def test_a_cluster_is_one_session_for_all_threads() -> None:
    session = Cluster()
    with session.further() as other:
        assert other is session
