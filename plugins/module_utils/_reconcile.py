# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one way from a wish to the token: look, decide, act, look again. For both modules, with any provider.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import dataclasses
import random
import time

from ansible_collections.cryptoki.hsm.plugins.module_utils._actions import RaceLost, change, destroy, generate, replace
from ansible_collections.cryptoki.hsm.plugins.module_utils._errors import HsmError
from ansible_collections.cryptoki.hsm.plugins.module_utils._keypair import KeyPair, Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._lookup import (
    find_pairs,
    is_clear,
    refuse_unclear,
    refuse_unnamed_twin,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._plan import (
    Action,
    Plan,
    decide_absent,
    decide_present,
    predicted,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._providers.base import Proof, TokenSession

# How often another host may win the race for the same name before this one gives up.
_RACES = 5
_SETTLING = 0.3  # seconds; the halves of a pair are stored within milliseconds of each other
_ALREADY_THERE = Proof(None, "the pair was there before; set verify=true to prove it")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What was there and what is there now (in check mode: would be), for the result and the diff."""

    changed: bool
    before: KeyPair | None
    after: KeyPair | None
    proof: Proof
    warnings: tuple[str, ...] = ()


def reconcile(session: TokenSession, wish: Wish, state: str, check_mode: bool) -> Outcome:
    """Brings the pair into C(state), or says what that would do; raises L{HsmError} with nothing half-made left."""
    if state == "absent":
        return _absent(session, wish, check_mode)
    for attempt in range(_RACES):
        try:
            return _session_pair(session, wish, check_mode) if wish.session else _present(session, wish, check_mode)
        except RaceLost:
            time.sleep(random.uniform(0.1, 0.5) * 2**attempt)
    raise HsmError(
        f"Could not generate {wish} on the token '{session.token_name}': {_RACES} times another host generated a pair"
        " of the same name at the same moment. Nothing of this task's is left; run it on one host."
    )


def _absent(session: TokenSession, wish: Wish, check_mode: bool) -> Outcome:
    pairs = find_pairs(session, wish)
    if not (len(pairs) == 1 and pairs[0].lone):
        refuse_unclear(session, wish, pairs)
    plan = decide_absent(wish, pairs, session.token_name)
    if plan.pair and not check_mode:
        destroy(session, wish, plan.pair)
    return Outcome(plan.action is Action.REMOVE, plan.pair, None, Proof(None, "the pair is absent"))


def _session_pair(session: TokenSession, wish: Wish, check_mode: bool) -> Outcome:
    """A pair that lives as long as this session; its label may be that of other pairs, its id may not."""
    if wish.id is not None:
        refuse_taken = find_pairs(session, wish)
        if refuse_taken:
            raise HsmError(
                f"Refused to generate {wish} on the token '{session.token_name}': its id belongs to {refuse_taken[0]}."
            )
    session.check_generation(wish)
    if check_mode:
        return Outcome(True, None, predicted(wish, Plan(Action.GENERATE)), Proof(None, "check mode"))
    pair, proof = generate(session, wish)
    return Outcome(True, None, pair, proof)


def _present(session: TokenSession, wish: Wish, check_mode: bool) -> Outcome:
    pairs = _find_settled(session, wish)
    refuse_unclear(session, wish, pairs)
    if not pairs:
        refuse_unnamed_twin(session, wish)
    before = pairs[0] if pairs else None
    plan = decide_present(wish, before, session.facts, session.token_name)
    if plan.action in (Action.GENERATE, Action.REPLACE):
        session.check_generation(wish)
    proof = _prove_existing(session, wish, before) if before and plan.action is not Action.REPLACE else None
    if check_mode:
        made = Proof(None, "check mode")
        return Outcome(plan.action is not Action.NOTHING, before, predicted(wish, plan), proof or made, plan.warnings)
    after = before
    if plan.action is Action.GENERATE:
        after, proof = generate(session, wish, alone=True)
    elif plan.action is Action.REPLACE and before:
        after, proof = replace(session, wish, before)
    elif plan.action is Action.CHANGE and before:
        after = change(session, wish, before, plan.steps)
    return Outcome(plan.action is not Action.NOTHING, before, after, proof or _ALREADY_THERE, plan.warnings)


def _find_settled(session: TokenSession, wish: Wish) -> list[KeyPair]:
    """Looks a second time before a half pair or a duplicate is believed: another host may be at work on it."""
    pairs = find_pairs(session, wish)
    if not is_clear(pairs):
        time.sleep(_SETTLING)
        pairs = find_pairs(session, wish)
    return pairs


def _prove_existing(session: TokenSession, wish: Wish, pair: KeyPair) -> Proof:
    """An existing pair is proven when the user asks for it; halves joined by id are settled by a proof only."""
    if not wish.verify:
        return _ALREADY_THERE
    proof = session.prove(wish, pair)
    if proof.method is None:
        raise HsmError(f"Could not prove {wish} on the token '{session.token_name}': {proof.reason}.")
    return proof
