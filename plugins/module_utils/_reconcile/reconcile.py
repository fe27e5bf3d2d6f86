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
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Action, Plan, decide_absent, decide_present
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import RaceLost, Staged, Work, is_clear
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import actions
    from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.beside import Beside
    from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.replacement import Replacement

T = t.TypeVar("T")
# How often another host may win the race for the same name before this one gives up.
_RACES = 5
_SETTLING = 0.3  # seconds; the halves of a pair are stored within milliseconds of each other
_CHECK_MODE = Proof(None, "check mode")
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
            return self._absent()
        work = self._resolved()
        for lost in range(_RACES):
            try:
                return (yield from (work._session_pair() if work.wish.session else work._bring(*work._look())))
            except RaceLost:
                time.sleep(random.uniform(0.1, 0.5) * 2**lost)
        why = f"{_RACES} times another host generated a pair of the same name at the same moment"
        raise work.failed("generate", why, "Nothing of this task's is left; run it on one host.")

    def manage(self, pair: keypair.KeyPair, state: str) -> Outcome:
        """As `reconcile`, for a pair or a half that was chosen already."""
        work = self._resolved()
        return work._remove([pair]) if state == "absent" else finished(work._bring(pair))

    def _resolved(self) -> Reconciliation:
        """The same, with the users as the HSM calls them."""
        if not self.wish.share_with:
            return self
        users = self.session.resolve_users(self.wish.share_with)
        return dataclasses.replace(self, wish=dataclasses.replace(self.wish, share_with=users))

    @property
    def _actions(self) -> actions.Actions:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import actions

        return actions.Actions(self.session, self.wish, self.check_mode)

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
        mended = self._actions.finish_freezing(pairs[0]) if len(pairs) == 1 else None
        return ([mended], True) if mended else (pairs, False)

    def _absent(self) -> Outcome:
        self.session.check_absence()
        pairs = self.find()
        if not (len(pairs) == 1 and pairs[0].lone):
            self.refuse_unclear(pairs)
        for pair in pairs:
            self.settle_ids(pair, "absent")
        return self._remove(pairs)

    def _remove(self, pairs: t.Sequence[keypair.KeyPair]) -> Outcome:
        plan = decide_absent(self.wish, pairs, self.session.token_name)
        self._refuse_write_protected(plan)
        if plan.pair:
            self.refuse_strangers(plan.pair)
            beside = self._beside(plan.pair.ids, "remove")
            if not self.check_mode:
                self._actions.destroy(plan.pair)
                beside.remove()
        return Outcome(plan.action, plan.pair, None, Proof(None, "the pair is absent"))

    def _session_pair(self) -> Staged[Outcome]:
        """A pair that lives as long as this session; its label may be that of other pairs, its id may not."""
        taken = self.find() if self.wish.id is not None else []
        if taken:
            raise self.refused("generate", f"its id belongs to {taken[0]}")
        self.session.check_generation(self.wish)
        plan = Plan(Action.GENERATE)
        self._actions.check_freezing(plan)
        if self.check_mode:
            return Outcome(plan.action, None, *self._predicted(plan))
        after, proof = yield from self._actions.generate()
        return Outcome(plan.action, None, after, proof, self._unproven(proof))

    def _unproven(self, proof: Proof) -> tuple[str, ...]:
        """The warning of a new pair that could not be proven."""
        if proof.method or self.check_mode or self.wish.verify is False:
            return ()
        return (f"Could not prove {self.where}, which is new: {proof.reason}.",)

    def _look(self) -> tuple[keypair.KeyPair | None, bool, tuple[str, ...]]:
        pairs, mended = self.settled()
        lone = pairs[0].lone if len(pairs) == 1 else None
        if lone and lone.half == attributes.PUBLIC and self.session.facts.set_attribute:
            self._replacement.refuse_public_half(lone)
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
            found, mended = (
                completion.Completion(self.session, self.wish, self.check_mode).completed(found.lone, check),
                True,
            )
        plan = decide_present(self.wish, found, self.session.facts, self.session.token_name)
        self._refuse_write_protected(plan)
        work = dataclasses.replace(self, wish=plan.wish) if plan.wish else self
        standing = work._standing(found) if found else _ALREADY_THERE
        if found and plan.action is not Action.NOTHING and not standing.method:
            work.refuse_strangers(found)
        warnings = (*self.session.warnings, *warnings, *plan.warnings, *filter(None, [standing.warning]))
        action = plan.action_after(mended)
        if found is None or plan.action is Action.REPLACE:
            action, after, proof = yield from work._make(found, plan)
            warnings += (*filter(None, [proof.warning]), *work._unproven(proof))
        else:
            after, proof = work._keep(found, plan, standing)
        return Outcome(action, before, after, proof, warnings)

    def _keep(self, found: keypair.KeyPair, plan: Plan, standing: Proof) -> tuple[keypair.KeyPair | None, Proof]:
        """A pair that stays, as it is or changed."""
        if any(step.kind is attributes.Changeable.BY_COPY for step in plan.steps):
            self.session.check_making(f"copy {self.where}")
            self._actions.check_freezing(plan)
        self.session.await_servers(self.wish, found, patient=not self.check_mode)
        after = found
        if plan.steps:
            ids = {found.half(step.half).id for step in plan.steps if "id" in step.values}
            beside = self._beside(ids - {b""}, "rename")
            if self.check_mode:
                return self._predicted(plan)
            with beside.moved(self.wish.id or b""):
                after = self._actions.change(found, plan.steps)
        again = self.wish.verify and (plan.steps or standing is _ALREADY_THERE)
        return after, self.proof(after) if again else standing

    def _standing(self, found: keypair.KeyPair) -> Proof:
        """Halves that only an id joins are settled by a proof alone, before anything is done to them."""
        if self.wish.verify is False:
            return Proof(None, "verify is false")
        if not (self.wish.proven_always and found.whole and found.pairing == "id"):
            return _ALREADY_THERE
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.proof import standing

        return self.enough(standing(self.session, self.wish, found, self.check_mode))

    def _make(self, old: keypair.KeyPair | None, plan: Plan) -> Staged[tuple[Action, keypair.KeyPair | None, Proof]]:
        """A new pair, in the place of the old one if there is one; all that can be refused is refused before."""
        replacement = self._replacement
        # Where no key can be renamed, no replacement was ever begun.
        leftover = replacement.leftover() if self.session.facts.set_attribute else None
        if old:
            replacement.refuse_leftover(leftover)
        if not leftover:
            self.session.check_generation(self.wish)
        replacement.check_freezing(plan)
        if old or leftover:  # where the old pair is gone, its id is known from the task, or not at all
            ids = old.ids if old else {self.wish.id} if self.wish.id else set()
            replacement = dataclasses.replace(replacement, beside=self._beside(ids, "replace"))
        action = Action.REPAIR if leftover else plan.action
        if self.check_mode:
            return action, *self._predicted(plan)
        if leftover:
            return action, *replacement.finish(leftover)
        return action, *(yield from (replacement.replace(old) if old else replacement.generate(alone=True)))

    @property
    def _replacement(self) -> Replacement:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.replacement import Replacement

        return Replacement(self.session, self.wish, self.check_mode)

    def _beside(self, ids: t.Collection[bytes], act: str) -> Beside:
        """The certificates with these ids, which go with what is about to be done."""
        from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.beside import Beside

        return Beside(self.session, self.wish, self.check_mode).of(ids, act)

    def _predicted(self, plan: Plan) -> tuple[keypair.KeyPair | None, Proof]:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import expectation

        return expectation.predicted(self.wish, plan, self.session.facts, self.session.user), _CHECK_MODE

    def _refuse_write_protected(self, plan: Plan) -> None:
        """Before anything is done, so that check mode knows it, too."""
        if self.session.write_protected and plan.action is not Action.NOTHING:
            raise self.refused(plan.action.value, "the token is write-protected")
