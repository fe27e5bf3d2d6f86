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
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import (
    Action,
    Plan,
    decide_absent,
    decide_present,
    predicted,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Changes, Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.actions import (
    RaceLost,
    Steps,
    change,
    destroy,
    finish_freezing,
    finished,
    generate,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.lookup import (
    find_pairs,
    is_clear,
    refuse_unclear,
    refuse_unnamed_twin,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.replacement import (
    find_leftover,
    finish,
    refuse_leftover,
    replace,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import Change
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError

# How often another host may win the race for the same name before this one gives up.
_RACES = 5
_SETTLING = 0.3  # seconds; the halves of a pair are stored within milliseconds of each other
_CHECK_MODE = Proof(None, "check mode")
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
    return finished(reconciling(session, wish, state, check_mode))


def reconciling(session: TokenSession, wish: Wish, state: str, check_mode: bool) -> Steps[Outcome]:
    """As L{reconcile}, with a stop before a new pair is looked for again."""
    wish = _resolved(session, wish) if state == "present" else wish
    if state == "absent":
        return _absent(session, wish, check_mode)
    for attempt in range(_RACES):
        try:
            work = _session_pair if wish.session else _present
            return (yield from work(session, wish, check_mode))
        except RaceLost:
            time.sleep(random.uniform(0.1, 0.5) * 2**attempt)
    raise HsmError(
        f"Could not generate {wish} on the token '{session.token_name}': {_RACES} times another host generated a pair"
        " of the same name at the same moment. Nothing of this task's is left; run it on one host."
    )


def manage(session: TokenSession, changes: Changes, pair: KeyPair, state: str, check_mode: bool) -> Outcome:
    """As L{reconcile}, for a pair or a half that was chosen already."""
    changes = _resolved(session, changes)
    if state == "absent":
        return _remove(session, changes, [pair], check_mode)
    return finished(_bring(session, changes, pair, check_mode))


W = t.TypeVar("W", bound=Wish)


def _resolved(session: TokenSession, wish: W) -> W:
    """The wish with its users as the HSM calls them."""
    if not wish.share_with:
        return wish
    return dataclasses.replace(wish, share_with=session.resolve_users(wish.share_with))


def _absent(session: TokenSession, wish: Wish, check_mode: bool) -> Outcome:
    session.check_absence()
    pairs = find_pairs(session, wish)
    if not (len(pairs) == 1 and pairs[0].lone):
        refuse_unclear(session, wish, pairs)
    return _remove(session, wish, pairs, check_mode)


def _remove(session: TokenSession, wish: Wish, pairs: t.Sequence[KeyPair], check_mode: bool) -> Outcome:
    plan = decide_absent(wish, pairs, session.token_name)
    _refuse_write_protected(session, wish, plan)
    if plan.pair:
        refuse_strangers(session, wish, plan.pair, check_mode)
        if not check_mode:
            destroy(session, wish, plan.pair)
    return Outcome(plan.action is Action.REMOVE, plan.pair, None, Proof(None, "the pair is absent"))


def _session_pair(session: TokenSession, wish: Wish, check_mode: bool) -> Steps[Outcome]:
    """A pair that lives as long as this session; its label may be that of other pairs, its id may not."""
    if wish.id is not None:
        taken = find_pairs(session, wish)
        if taken:
            raise HsmError(
                f"Refused to generate {wish} on the token '{session.token_name}': its id belongs to {taken[0]}."
            )
    session.check_generation(wish)
    if check_mode:
        return Outcome(True, None, predicted(wish, Plan(Action.GENERATE), session.facts, session.user), _CHECK_MODE)
    pair, proof = yield from generate(session, wish)
    return Outcome(True, None, pair, proof)


def _present(session: TokenSession, wish: Wish, check_mode: bool) -> Steps[Outcome]:
    pairs, mended = find_settled(session, wish, check_mode)
    refuse_unclear(session, wish, pairs)
    before = pairs[0] if pairs else None
    if before is None:
        refuse_unnamed_twin(session, wish)
    return (yield from _bring(session, wish, before, check_mode, mended))


def _bring(
    session: TokenSession, wish: Wish, before: KeyPair | None, check_mode: bool, mended: bool = False
) -> Steps[Outcome]:
    """Makes what was found as it is wished."""
    plan = decide_present(wish, before, session.facts, session.token_name)
    _refuse_write_protected(session, wish, plan)
    leftover = _prepare(session, wish, plan, check_mode)
    changed = mended or plan.action is not Action.NOTHING
    if plan.pair and plan.action in (Action.NOTHING, Action.CHANGE):
        session.await_servers(wish, plan.pair, patient=not check_mode)
    if check_mode:
        proof = _prove_existing(session, wish, plan.pair, check_mode) if plan.action is Action.NOTHING else _CHECK_MODE
        after = predicted(wish, plan, session.facts, session.user)
    else:
        after, proof = yield from _act(session, wish, plan, leftover)
    return Outcome(changed, before, after, proof, (*session.warnings, *plan.warnings))


def _prepare(session: TokenSession, wish: Wish, plan: Plan, check_mode: bool) -> KeyPair | None:
    """Everything that can be refused before the action, and what a broken replacement left."""
    making = plan.action in (Action.GENERATE, Action.REPLACE)
    # Where no key can be renamed, no replacement was ever begun.
    leftover = find_leftover(session, wish) if making and session.facts.set_attribute else None
    if plan.action is Action.REPLACE:
        refuse_leftover(session, wish, leftover)
    if making and not leftover:
        session.check_generation(wish)
    if plan.action in (Action.CHANGE, Action.REPLACE) and plan.pair:
        refuse_strangers(session, wish, plan.pair, check_mode)
    if any(step.kind is Change.BY_COPY for step in plan.steps):
        session.check_making(f"copy {wish} on the token '{session.token_name}'")
    return leftover


def _act(
    session: TokenSession, wish: Wish, plan: Plan, leftover: KeyPair | None
) -> Steps[tuple[KeyPair | None, Proof]]:
    if plan.action is Action.GENERATE and leftover:
        return finish(session, wish, leftover)
    if plan.action is Action.GENERATE:
        return (yield from generate(session, wish, alone=True))
    if plan.action is Action.REPLACE and plan.pair:
        return (yield from replace(session, wish, plan.pair))
    after = plan.pair
    if plan.action is Action.CHANGE and plan.pair:
        after = change(session, wish, plan.pair, plan.steps)
    return after, _prove_existing(session, wish, after)


def refuse_strangers(session: TokenSession, wish: Wish, pair: KeyPair, check_mode: bool) -> None:
    """Before a pair is changed or removed whose halves only an id joins, and only one of which was named: a proof."""
    named_apart = wish.fingerprint is not None or len({found.label for found in pair.objects}) > 1
    if not (pair.whole and pair.pairing == "id" and named_apart):
        return
    proof = session.prove(wish, pair, passive=check_mode)
    if proof.method is None and not check_mode:
        raise HsmError(
            f"Refused to touch {wish} on the token '{session.token_name}': only their id joins the halves {pair}, and"
            f" that they belong together cannot be proven ({proof.reason}). Name them by label or id."
        )


def _refuse_write_protected(session: TokenSession, wish: Wish, plan: Plan) -> None:
    """Before the attempt, so that check mode knows it, too."""
    if session.write_protected and plan.action is not Action.NOTHING:
        raise HsmError(
            f"Refused to {plan.action.value} {wish} on the token '{session.token_name}': the token is write-protected."
        )


def find_settled(session: TokenSession, wish: Wish, check_mode: bool) -> tuple[list[KeyPair], bool]:
    """Looks a second time before a half pair or a duplicate is believed: another host may be at work on it.

    The second value: whether what a killed run left was finished.
    """
    pairs = find_pairs(session, wish)
    if is_clear(pairs):
        return pairs, False
    time.sleep(_SETTLING)
    session.look_anew()
    pairs = find_pairs(session, wish)
    finished = finish_freezing(session, wish, pairs[0], check_mode) if len(pairs) == 1 else None
    return ([finished], True) if finished else (pairs, False)


def _prove_existing(session: TokenSession, wish: Wish, pair: KeyPair | None, check_mode: bool = False) -> Proof:
    """An existing pair is proven when the user asks for it; halves joined by id are settled by a proof only."""
    if not wish.verify or pair is None:
        return _ALREADY_THERE
    proof = session.prove(wish, pair, passive=check_mode)
    if proof.method is None and not check_mode:
        raise HsmError(f"Could not prove {wish} on the token '{session.token_name}': {proof.reason}.")
    return proof
