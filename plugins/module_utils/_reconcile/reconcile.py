# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one way from a wish to the token: look, decide, act, look again. For all modules, with any provider.

What acts is imported where it is to act: most tasks find the pair as it is wished.
"""

from __future__ import annotations

import dataclasses
import random
import time
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Action, Plan, decide_present
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import RaceLost, Staged, Work, is_clear
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import changing

T = t.TypeVar("T")
# How often another host may win the race for the same name before this one gives up.
_RACES = 5
_SETTLING = 0.3  # seconds; the halves of a pair are stored within milliseconds of each other
_ALREADY_THERE = Proof(None, "nothing new to prove; verify=true proves the pair as it is")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What was there and what is there now (in check mode: would be), for the result and the diff."""

    action: Action
    before: keypair.KeyPair | None
    after: keypair.KeyPair | None
    proof: Proof
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything was done, or would be."""
        return self.action is not Action.NOTHING


def reconcile(session: TokenSession, wish: Wish, state: str, check_mode: bool) -> Outcome:
    """Brings the pair into `state`, or says what that would do; raises `HsmError` with nothing half-made left."""
    return finished(Reconciliation(session, wish, check_mode).stages(state))


def finished(stages: Staged[T]) -> T:
    """The result of work that never stops."""
    while True:
        try:
            next(stages)
        except StopIteration as end:
            return t.cast("T", end.value)


class Reconciliation(Work):
    """The work on one pair, whatever is found of it."""

    def stages(self, state: str) -> Staged[Outcome]:
        """As `reconcile`, with a stop before a new pair is looked for again."""
        if state == "absent":
            return self._changing.absent()
        work = self._resolved()
        for lost in range(_RACES):
            try:
                return (yield from (work._changing.session_pair() if work.wish.session else work._bring(*work._look())))
            except RaceLost:
                time.sleep(random.uniform(0.1, 0.5) * 2**lost)
        why = f"{_RACES} times another host generated a pair of the same name at the same moment"
        raise work.failed("generate", why, "Nothing of this task's is left; run it on one host.")

    def manage(self, pair: keypair.KeyPair, state: str) -> Outcome:
        """As `reconcile`, for a pair or a half that was chosen already."""
        work = self._resolved()
        return work._changing.remove([pair]) if state == "absent" else finished(work._bring(pair))

    def _resolved(self) -> Reconciliation:
        """The same, with the users as the HSM calls them."""
        if not self.wish.share_with:
            return self
        users = self.session.resolve_users(self.wish.share_with)
        return dataclasses.replace(self, wish=dataclasses.replace(self.wish, share_with=users))

    @property
    def _changing(self) -> changing.Changing:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import changing

        return changing.Changing(self.session, self.wish, self.check_mode)

    def settled(self) -> tuple[list[keypair.KeyPair], bool]:
        """Looks a second time before a half pair or a duplicate is believed: another host may be at work on it.

        The second value: whether what a killed run left was finished.
        """
        pairs = self.find()
        if is_clear(pairs):
            return pairs, False
        time.sleep(_SETTLING)
        self.session.look_anew()
        pairs = self.find()
        mended = self._changing.actions.finish_freezing(pairs[0]) if len(pairs) == 1 else None
        return ([mended], True) if mended else (pairs, False)

    def _look(self) -> tuple[keypair.KeyPair | None, bool, tuple[str, ...]]:
        pairs, mended = self.settled()
        lone = pairs[0].lone if len(pairs) == 1 else None
        if lone and lone.half == attributes.PUBLIC and self.session.facts.set_attribute:
            self._changing.replacement.refuse_public_half(lone)
        if not (self.wish.complete and lone and lone.half == attributes.PRIVATE):
            self.refuse_unclear(pairs)
        if pairs:
            return pairs[0], mended, self.settle_ids(pairs[0])
        return None, mended, self.look_alikes()

    def _bring(
        self, found: keypair.KeyPair | None, mended: bool = False, warnings: tuple[str, ...] = ()
    ) -> Staged[Outcome]:
        """Makes what was found as it is wished."""
        before = found
        if found and found.lone and self.wish.complete:
            from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import completion

            check = dataclasses.replace(self, check_mode=True)._bring
            found = completion.Completion(self.session, self.wish, self.check_mode).completed(found.lone, check)
            mended = True
        plan = decide_present(self.wish, found, self.session.facts, self.session.token_name)
        if plan.action is not Action.NOTHING:
            self._changing.refuse_write_protected(plan)
        work = dataclasses.replace(self, wish=plan.wish) if plan.wish else self
        standing = work._standing(found) if found else _ALREADY_THERE
        if found and plan.action is not Action.NOTHING and not standing.method:
            work.refuse_strangers(found)
        warnings = (*self.session.warnings, *warnings, *plan.warnings, *filter(None, [standing.warning]))
        action = plan.action_after(mended)
        if found is None or plan.action is Action.REPLACE:
            action, after, proof = yield from work._changing.make(found, plan)
            warnings += (*filter(None, [proof.warning]), *work._changing.unproven(proof))
        else:
            after, proof = work._keep(found, plan, standing)
        return Outcome(action, before, after, proof, warnings)

    def _keep(self, found: keypair.KeyPair, plan: Plan, standing: Proof) -> tuple[keypair.KeyPair | None, Proof]:
        """A pair that stays, as it is or changed."""
        if plan.steps:
            self._changing.check_change(found, plan, standing)
        self.session.await_servers(self.wish, found, patient=not self.check_mode)
        if plan.steps:
            return self._changing.change(found, plan, standing)
        if self.wish.verify and standing is _ALREADY_THERE:
            return found, self.proof(found)
        return found, standing

    def _standing(self, found: keypair.KeyPair) -> Proof:
        """Halves that only an id joins are settled by a proof alone, before anything is done to them."""
        if self.wish.verify is False:
            return Proof(None, "verify is false")
        if not (self.wish.proven_always and found.whole and found.pairing == "id"):
            return _ALREADY_THERE
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.proof import standing

        return self.enough(standing(self.session, self.wish, found, self.check_mode))
