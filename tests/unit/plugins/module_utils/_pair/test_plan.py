# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decision, over every combination: an independent model of the rules says what each must be.

The model knows PKCS#11 and what guide_key_pairs promises only. What a change is planned to do is done on a token in
memory that refuses what the standard forbids.
"""

from __future__ import annotations

import collections
import itertools
import typing as t

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.absence import decide_absent
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.difference import differences
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.expectation import predicted
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import (
    Action,
    Plan,
    decide_present,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VENDORS, VendorFacts
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.actions import Actions
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    PRIVATE,
    PUBLIC,
    SETTABLE,
    Changeable,
    Half,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError
from ansible_collections.cryptoki.hsm.tests.support import memory_keys
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import FROZEN, pair_of, private_key, rsa_material
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession

SMALL, LARGE = rsa_material(2**2047 + 1), rsa_material(2**3071 + 1)
ON_MISMATCH: tuple[t.Any, ...] = ("fail", "keep", "replace")
FOUND: list[tuple[t.Any, ...]] = list(
    itertools.product([SMALL, LARGE], [True, False], [True, False], *[[True, False]] * 3)
)
WISHED = list(
    itertools.product(
        [True, False],  # extractable; one that is not wished is as one that is so already
        [("sign",)],  # usage
        [{}, *({name: value} for name in FROZEN for value in (True, False))],  # private_attributes
        ON_MISMATCH,
    )
)
BOTH = [True, False]
FACTS = [
    *(VendorFacts("some", set_attribute=settable, copy=copy) for settable, copy in itertools.product(BOTH, BOTH)),
    VendorFacts("some", copy_sets_copyable=False),
    VendorFacts("some", fixed=frozenset({"sign"})),
    VendorFacts("some", fixed=frozenset({"extractable"})),
]


def mendable(facts: VendorFacts, found: t.Mapping[str, t.Any], name: str, wish: t.Any) -> bool:
    """Whether PKCS#11 lets this attribute of the private half be brought to the wish."""
    if name in facts.fixed:
        return False
    if name in FROZEN:
        able = facts.copy and (name != "copyable" or facts.copy_sets_copyable)
        return wish is False and able and found["copyable"] and found["destroyable"]
    free = name in memory_keys.FREE or memory_keys.ONE_WAY.get(name) is wish
    return free and facts.set_attribute and found["modifiable"]


def model(wish: Wish, pair: KeyPair, facts: VendorFacts) -> tuple[Action | None, set[str]]:
    """What must be decided (None: refused), and the names of what cannot be mended."""
    found = pair.private.attributes
    wished: dict[str, t.Any] = {**wish.private_attributes}
    if wish.extractable is not None:
        wished["extractable"] = wish.extractable
    if wish.usage is not None:
        wished["sign"] = True
    rows = {name: value for name, value in wished.items() if found[name] is not value}
    forbidden = {name for name, value in rows.items() if not mendable(facts, found, name, value)}
    if pair.private.modulus_bits != wish.modulus_bits:
        forbidden.add("modulus_bits")
    if not forbidden:
        return (Action.CHANGE if rows else Action.NOTHING), forbidden
    if wish.on_mismatch == "keep":
        return Action.NOTHING, forbidden
    # What the wish does not say comes from the pair that is replaced.
    later = [wish.private_attributes.get(name, found[name]) for name in ("destroyable", "modifiable")]
    frozen_later = False in later
    possible = facts.set_attribute and found["destroyable"] and (facts.copy or not frozen_later)
    return (Action.REPLACE if wish.on_mismatch == "replace" and possible else None), forbidden


class Trusting(MemorySession):
    """A token whose keys are no more than their attributes."""

    def prove(self, wish: Wish, pair: KeyPair, passive: bool = False) -> Proof:
        self._called("prove")
        return Proof("not asked")


def check_plan(wish: Wish, pair: KeyPair, facts: VendorFacts, plan: Plan) -> None:
    """What holds of every plan, whatever it is."""
    assert plan.pair is pair
    assert plan.action is not Action.REMOVE
    assert plan.action is not Action.REPLACE or wish.on_mismatch == "replace"
    assert bool(plan.steps) is (plan.action is Action.CHANGE)
    if plan.action is Action.NOTHING:
        assert bool(plan.warnings) is bool(differences(wish, pair)), "nothing is done without a word if it differs"
        assert not plan.warnings or wish.on_mismatch == "keep"
    after = predicted(wish, plan)
    assert after is not None
    if plan.action is not Action.NOTHING:
        assert differences(wish, pair) and not differences(wish, after)
    again = decide_present(wish, after, facts, "t")
    assert (again.action, again.steps, again.warnings) == (Action.NOTHING, (), plan.warnings), "decided twice"
    if plan.action is Action.CHANGE:
        session = Trusting(pair, facts=facts)
        changed = Actions(session, wish).change(pair, plan.steps)
        for half, ours in ((PUBLIC, changed.public), (PRIVATE, changed.private)):
            assert ours.attributes == after.half(half).attributes
        assert len(session.objects) == 2 and set(session.calls) <= {"set_attributes", "freeze", "prove", "destroy"}
        kinds = [step.kind for step in plan.steps]
        assert kinds == sorted(kinds, key=[Changeable.ANY, Changeable.TO_TRUE, Changeable.BY_COPY].index), (
            "what undoes comes first"
        )


def test_every_combination_of_found_wished_and_vendor() -> None:
    decided: collections.Counter[t.Any] = collections.Counter()
    for key, sign, extractable, *frozen in FOUND:
        pair = pair_of(
            key,
            private={"sign": sign, "extractable": extractable, **dict(zip(FROZEN, frozen, strict=True))},
            public={"verify": True},
        )
        for (wish_extractable, usage, own, on_mismatch), facts in itertools.product(WISHED, FACTS):
            wish = Wish(
                "rsa",
                label="root",
                modulus_bits=2048,
                extractable=wish_extractable,
                usage=usage,
                private_attributes=own,
                on_mismatch=on_mismatch,
            )
            action, forbidden = model(wish, pair, facts)
            try:
                plan = decide_present(wish, pair, facts, "t")
            except HsmError as error:
                assert action is None, error.msg
                assert all(f"{name} is " in error.msg for name in forbidden) or "destroyable is false for" in error.msg
            else:
                assert plan.action is action, (wish, pair, facts, plan)
                assert all(f"{name} is " in plan.warnings[0] for name in forbidden if plan.warnings)
                check_plan(wish, pair, facts, plan)
            decided[action] += 1
    assert set(decided) == {None, Action.NOTHING, Action.CHANGE, Action.REPLACE}
    assert min(decided.values()) > 100


def test_every_combination_that_is_to_be_absent() -> None:
    for public, private, name in itertools.product([None, True, False], [None, True, False], ["label", "id"]):
        pair = pair_of(SMALL, public={"destroyable": public}, private={"destroyable": private})
        wish = Wish("rsa", label="root", id=b"\x01" if name == "id" else None)
        for halves in ((pair.public,), (pair.private,), pair.objects, ()):
            publics = tuple(found for found in halves if found.half == PUBLIC)
            privates = tuple(found for found in halves if found.half == PRIVATE)
            pairs = [KeyPair(publics, privates)] if halves else []
            kept = any(found.attributes.get("destroyable") is False for found in halves)
            if kept or (halves == (pair.public,) and name == "label"):
                with pytest.raises(HsmError, match="^Refused to remove the RSA key pair 'root'"):
                    decide_absent(wish, pairs, "t")
                continue
            plan = decide_absent(wish, pairs, "t")
            assert plan == (Plan(Action.REMOVE, pairs[0]) if halves else Plan(Action.NOTHING))
            assert predicted(wish, plan) is None


def own_attributes(half: Half) -> st.SearchStrategy[dict[str, bool]]:
    return st.dictionaries(st.sampled_from([name for name in SETTABLE[half] if name != "trusted"]), st.booleans())


def found_attributes(half: Half) -> st.SearchStrategy[dict[str, t.Any]]:
    """Any state of the bits, and any of them missing."""
    return st.fixed_dictionaries(
        {},
        optional={
            **{name: st.none() | st.booleans() for name in (*SETTABLE[half], "extractable", "sensitive")},
            "label": st.sampled_from(["root", "other", None]),
            "allowed_mechanisms": st.sampled_from([None, (1,), (1, 0x40), ()]),
        },
    )


CURVES = [curve_by_name(name) for name in ("secp256r1", "secp384r1", "ed25519")]
WISHES = st.builds(
    Wish,
    st.just("ecc"),
    label=st.just("root"),
    id=st.sampled_from([None, b"\x01"]),
    curve=st.sampled_from(CURVES),
    extractable=st.none() | st.booleans(),
    usage=st.none() | st.lists(st.sampled_from(["sign", "decrypt", "wrap", "derive"]), unique=True).map(tuple),
    private_attributes=own_attributes(PRIVATE),
    public_attributes=own_attributes(PUBLIC),
    allowed_mechanisms=st.sampled_from([None, (0x40, 1)]),
    on_mismatch=st.sampled_from(ON_MISMATCH),
)
ANY_FACTS = st.sampled_from([*VENDORS.values(), *FACTS])


@settings(max_examples=max(300, settings().max_examples))
@given(WISHES, st.sampled_from(CURVES), found_attributes(PRIVATE), found_attributes(PUBLIC), ANY_FACTS)
def test_any_wish_beside_any_pair(
    wish: Wish, curve: t.Any, private: dict[str, t.Any], public: dict[str, t.Any], facts: VendorFacts
) -> None:
    pair = pair_of(private_key(curve.name), private=private, public={**public, "allowed_mechanisms": None})
    try:
        plan = decide_present(wish, pair, facts, "t")
    except HsmError as error:
        assert wish.on_mismatch != "keep" and "\n" not in error.msg
        assert differences(wish, pair)
        for row in error.data.get("differences", ()):
            assert f"{row['name']} is " in error.msg
    else:
        check_plan(wish, pair, facts, plan)


@given(WISHES, ANY_FACTS)
def test_a_missing_pair_is_always_generated(wish: Wish, facts: VendorFacts) -> None:
    plan = decide_present(wish, None, facts, "t")
    assert plan == Plan(Action.GENERATE)
    born = predicted(wish, plan)
    assert born and born.whole and differences(wish, born) == []
    assert decide_present(wish, born, facts, "t") == Plan(Action.NOTHING, born)
    assert all(found.handle == 0 for found in born.objects)


@given(WISHES, ANY_FACTS)
def test_what_the_token_makes_of_a_wish_is_as_wished(wish: Wish, facts: VendorFacts) -> None:
    assume(wish.curve and not wish.freezing(PRIVATE) and not wish.freezing(PUBLIC))
    made = MemorySession(facts=facts).generate(wish)
    assert differences(wish, made) == []
    for half, found in ((PUBLIC, made.public), (PRIVATE, made.private)):
        assert wish.new_half(half).items() <= found.attributes.items()
