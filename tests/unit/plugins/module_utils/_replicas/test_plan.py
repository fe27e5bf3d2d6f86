# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which node gives and which take: for whatever the tokens hold, no two keys are ever merged."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.plan import (
    CopyPlan,
    plan_copies,
    refuse_different,
    uncopyable,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key

NAMES = ("a", "b", "c", "d")
WISH = Wish("ecc", label="root")
KINDS = ("secp256r1", "2048")
ONE, OTHER = (pair_of(private_key("secp256r1", number), private={"extractable": True}) for number in (0, 1))
Held: t.TypeAlias = "KeyPair | None"


def public_of(pair: KeyPair) -> KeyPair:
    return KeyPair(publics=pair.publics)


def private_of(pair: KeyPair) -> KeyPair:
    return KeyPair(privates=pair.privates)


def held() -> st.SearchStrategy[Held]:
    """What a node may have of a name: nothing, a whole pair, or a half, of one of two keys of each type."""
    pairs = [pair_of(private_key(kind, number)) for kind in KINDS for number in (0, 1)]
    everything = [None, *pairs, *map(public_of, pairs), *map(private_of, pairs)]
    # Agreement is rare where each is drawn from all.
    return st.one_of(st.sampled_from(everything), st.sampled_from([None, pairs[0], public_of(pairs[0])]))


def found() -> st.SearchStrategy[dict[str, Held]]:
    return st.lists(held(), min_size=1, max_size=len(NAMES)).map(lambda values: dict(zip(NAMES, values, strict=False)))


def prints(there: t.Mapping[str, Held]) -> set[str | None]:
    """The fingerprints of all halves that tell one."""
    return {half.fingerprint for pair in there.values() if pair for half in pair.objects} - {None}


def planned(there: t.Mapping[str, Held], wish: Wish = WISH) -> CopyPlan | None:
    try:
        return plan_copies(wish, there, "a")
    except HsmError:
        return None


@given(found(), st.booleans())
def test_a_plan_fits_what_is_there(there: dict[str, Held], named: bool) -> None:
    wish = dataclasses.replace(WISH, fingerprint=ONE.fingerprint) if named else WISH
    plan = planned(there, wish)
    assume(plan is not None)
    assert plan is not None
    whole = {name for name, pair in there.items() if pair and pair.whole}
    assert plan.donor not in plan.lack
    assert len(set(plan.lack)) == len(plan.lack)
    assert len(prints(there)) <= 1
    if plan.donor is None:
        assert not any(there.values())
        assert set(plan.lack) == set(there) - {"a"}
    else:
        assert plan.donor in whole
        assert set(plan.lack) == set(there) - whole
        assert plan.donor == "a" or (named and "a" not in whole)
        left = [there[name] for name in plan.lack]
        assert all(pair.lone and pair.lone.half == "public" and pair.lone.fingerprint for pair in left if pair)


@given(found())
def test_different_keys_are_never_planned_with(there: dict[str, Held]) -> None:
    assume(len(prints(there)) > 1)
    assert planned(there) is None
    assert planned(there, dataclasses.replace(WISH, fingerprint=ONE.fingerprint)) is None
    with pytest.raises(HsmError, match="the tokens have different keys of that name"):
        refuse_different(WISH, there)


@given(found())
def test_a_refusal_says_where_what_is(there: dict[str, Held]) -> None:
    try:
        plan_copies(WISH, there, "a")
    except HsmError as error:
        named = [name for name, pair in there.items() if pair and f"'{name}' has " in error.msg]
        assert named
        assert error.msg.startswith(f"Refused to touch {WISH}: ")
        assert not error.final


def test_nothing_anywhere() -> None:
    assert plan_copies(WISH, {"a": None, "b": None}, "a") == CopyPlan(None, ("b",))


def test_on_all() -> None:
    assert plan_copies(WISH, {"a": ONE, "b": ONE}, "a") == CopyPlan("a", ())


def test_public_half_of_a_killed_copy() -> None:
    """It is completed where the pair is, and no one's leftover where it is not."""
    assert plan_copies(WISH, {"a": ONE, "b": public_of(ONE)}, "a") == CopyPlan("a", ("b",))
    with pytest.raises(HsmError, match="what the node 'b' has of it is no pair"):
        plan_copies(WISH, {"a": None, "b": public_of(ONE)}, "a")


@pytest.mark.parametrize("pair", [ONE, pair_of(private_key("2048"))])
def test_private_half_is_never_completed(pair: KeyPair) -> None:
    with pytest.raises(HsmError, match="what the node 'b' has of it is no pair"):
        plan_copies(WISH, {"a": pair, "b": private_of(pair)}, "a")


def test_half_on_the_source() -> None:
    for half in (public_of(ONE), private_of(ONE)):
        with pytest.raises(HsmError):
            plan_copies(WISH, {"a": half, "b": None}, "a")


def test_only_on_a_replica() -> None:
    there = {"a": None, "b": ONE, "c": ONE}
    with pytest.raises(HsmError, match="only on replicas, 'b' has .*, 'c' has .*, and not on 'a'.* by its fingerprint"):
        plan_copies(WISH, there, "a")
    assert plan_copies(dataclasses.replace(WISH, fingerprint=ONE.fingerprint), there, "a") == CopyPlan("b", ("a",))


def test_uncopyable() -> None:
    """What a private half does not tell of being extractable counts as no."""
    assert uncopyable(ONE, None) is None
    for extractable in (False, None):
        reason = uncopyable(pair_of(private_key("secp256r1"), private={"extractable": extractable}), None)
        assert "not extractable" in str(reason)
    trusted = pair_of(private_key("secp256r1"), private={"extractable": True, "wrap_with_trusted": True})
    assert "needs the option wrapping_key" in str(uncopyable(trusted, None))
    assert uncopyable(trusted, "kek") is None
