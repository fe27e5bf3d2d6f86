# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may use a pair: what is wished, what was found, and what must never come of it."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.change import Change
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.description import describe
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.difference import differences
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, Sharing, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Action, decide_present
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VendorFacts
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import Reconciliation, reconcile
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.task_options import wished

FACTS = VendorFacts("some")
USERS = st.frozensets(st.sampled_from("abcdefgh"))
Mode = t.Literal["exact", "add", "remove"]
MODES: tuple[Mode, ...] = ("exact", "add", "remove")


def shared(users: t.Collection[str] = (), use: int = 0, manage_quorum: int = 0) -> KeyPair:
    """A pair of the owner's, shared with these users."""
    pair = pair_of(private_key("secp256r1"), label="root")
    sharing = Sharing("owner", tuple(sorted(users)), use, manage_quorum)
    return pair.with_half(dataclasses.replace(pair.private, sharing=sharing))


def changes(users: t.Collection[str], mode: Mode = "exact") -> Change:
    """What hsm_key wishes of an EC pair."""
    return Change(family="ecc", share_with=tuple(sorted(users)), share_mode=mode, chosen="label 'root'")


class UserSession(MemorySession):
    """A token with users; it says what is done to the sharing."""

    user = "owner"

    def resolve_users(self, users: t.Sequence[str]) -> tuple[str, ...]:
        self._called("resolve_users")
        return tuple(sorted("alice" if user == "4" else user for user in users))

    def share(self, found: TokenObject, users: t.Collection[str]) -> TokenObject:
        self._called("share")
        index = self._there(found)
        assert found.sharing
        sharing = dataclasses.replace(found.sharing, shared_with=tuple(sorted(users)))
        self.objects[index] = dataclasses.replace(self.objects[index], sharing=sharing)
        return self.objects[index]


@given(USERS, USERS, st.sampled_from(MODES))
def test_the_wished_users(there: frozenset[str], users: frozenset[str], mode: Mode) -> None:
    expected = {"exact": users, "add": there | users, "remove": there - users}[mode]
    assert changes(users, mode).users(there) == tuple(sorted(expected))
    assert Wish("ecc").users(there) == tuple(sorted(there))


@given(USERS, USERS, st.sampled_from(MODES), st.integers(0, 8))
def test_a_key_is_never_left_with_fewer_users_than_its_quorum(
    there: frozenset[str], users: frozenset[str], mode: Mode, quorum: int
) -> None:
    session = UserSession(shared(there, quorum))
    pair = KeyPair((session.objects[0],), (session.objects[1],), "id")
    wish = changes(users, mode)
    left = set(wish.users(there))
    if left != set(there) and len(left) + 1 < quorum:
        with pytest.raises(HsmError, match=rf"{quorum} users must approve each use of it"):
            Reconciliation(session, wish).manage(pair, "present")
        assert "share" not in session.calls
        return
    for check_mode in (True, False):
        outcome = Reconciliation(session, wish, check_mode).manage(pair, "present")
        assert outcome.changed == (left != set(there))
        assert outcome.after and outcome.after.private.sharing
        assert set(outcome.after.private.sharing.shared_with) == left
    assert session.calls.count("share") == (left != set(there))


@pytest.mark.parametrize("undone", [True, False])
@pytest.mark.parametrize("happened", [True, False])
def test_a_sharing_whose_answer_is_lost_is_taken_back(undone: bool, happened: bool) -> None:
    class Losing(UserSession):
        shares = 0

        def share(self, found: TokenObject, users: t.Collection[str]) -> TokenObject:
            self.shares += 1
            if self.shares == 1:
                if happened:
                    super().share(found, users)
                raise TokenError("share", "CKR_DEVICE_ERROR")
            if not undone:
                raise TokenError("share", "CKR_DEVICE_ERROR")
            return super().share(found, users)

    session = Losing(shared("a"))
    pair = shared("a")
    told = refusal(lambda: Reconciliation(session, changes("ab")).manage(pair, "present"))
    assert ("What stays changed" in told) is (happened and not undone)
    assert (session.objects == list(pair.objects)) is (undone or not happened)
    assert session.shares == (2 if happened else 1)


def test_numbers_are_resolved_before_anything_is_compared() -> None:
    session = UserSession(shared(["alice"]))
    pair = KeyPair((session.objects[0],), (session.objects[1],), "id")
    assert not Reconciliation(session, changes(["4"])).manage(pair, "present").changed
    assert session.calls.index("resolve_users") == 0


def test_a_pair_that_shall_go_needs_no_users() -> None:
    session = UserSession(shared(["alice"]))
    session.refused["resolve_users"] = "CKR_GENERAL_ERROR"
    wish = wished("ecc", state="absent", share_with=["alice"])
    assert reconcile(session, wish, "absent", check_mode=False).changed


@pytest.mark.parametrize("on_mismatch", ["fail", "replace"])
def test_what_needs_signatures_is_refused(on_mismatch: t.Any) -> None:
    wish = wished("ecc", share_with=["bob", "carol"], on_mismatch=on_mismatch, quorum=2)
    message = refusal(lambda: decide_present(wish, shared(["bob"], 2, 2), FACTS, "demo"))
    if on_mismatch == "fail":
        assert "shared_with is [bob], wished [bob, carol]. That needs the signatures of 2 users;" in message
    else:
        assert "a key with a quorum cannot be renamed without the users' signatures" in message
    kept = dataclasses.replace(wish, on_mismatch="keep")
    plan = decide_present(kept, shared(["bob"], 2, 2), FACTS, "demo")
    assert plan.action is Action.NOTHING and plan.warnings


@pytest.mark.parametrize(
    ("there", "quorum", "found"),
    [
        (shared(["bob"], 0), 2, "quorum is 0, wished 2"),
        (shared(["bob"], 4), 2, "quorum is 4, wished 2"),
        (shared(["bob"], 2, 4), 2, "quorum is 2 to use it and 4 to change it, wished 2"),
    ],
)
def test_a_quorum_is_fixed_at_birth(there: KeyPair, quorum: int, found: str) -> None:
    wish = wished("ecc", share_with=["bob"], quorum=quorum)
    assert found in refusal(lambda: decide_present(wish, there, FACTS, "demo"))


def test_what_is_not_said_is_not_compared() -> None:
    assert differences(wished("ecc"), shared(["bob"], 2, 2)) == []
    assert differences(wished("ecc", share_with=["bob"]), shared(["bob"], 2, 2)) == []


def test_a_provider_that_shares_at_birth_only() -> None:
    fixed = VendorFacts("some", fixed=frozenset({"shared_with"}))
    wish = wished("ecc", share_with=["bob"])
    assert "cannot be changed in place" in refusal(lambda: decide_present(wish, shared(), fixed, "demo"))


def test_a_token_without_users_has_what_asks_for_none() -> None:
    pair = pair_of(private_key("secp256r1"), label="root")
    assert differences(wished("ecc", share_with=[], quorum=0), pair) == []
    assert [row.name for row in differences(wished("ecc", share_with=["bob"]), pair)] == ["shared_with"]


def test_the_users_are_returned_where_they_are_known() -> None:
    told = describe(shared(["bob"], 2, 2), {})
    assert (told["owner"], told["shared_with"], told["quorum"]) == ("owner", ["bob"], 2)
    assert "owner" not in describe(pair_of(private_key("secp256r1")), {})


@pytest.mark.parametrize(
    ("there", "found"),
    [
        (shared(["bob", "carol"], 2, 3), ""),
        (shared(["bob", "carol"], 2, 2), "management_quorum is 2, wished 3"),
        (shared(["bob", "carol"], 3, 3), "quorum is 3, wished 2"),
    ],
)
def test_a_quorum_for_changes_is_compared_by_itself(there: KeyPair, found: str) -> None:
    wish = wished("ecc", share_with=["bob", "carol"], quorum=2, management_quorum=3)
    assert "; ".join(map(str, differences(wish, there))) == (f"private half's {found}" if found else "")
