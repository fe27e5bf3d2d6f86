# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done where a pair is not as it is wished: it is made, changed or removed, with what lies beside it."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import absence, keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Action, Plan
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import actions as _actions
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import reconcile
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import Staged, Work
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.beside import Beside
    from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.replacement import Replacement

_CHECK_MODE = Proof(None, "check mode")


class Changing(Work):
    """The work on a pair that is to come, to go or to be changed; all that can be refused is refused before."""

    def absent(self) -> reconcile.Outcome:
        """The pair is gone afterwards."""
        self.session.check_absence()
        pairs = self.find()
        if not (len(pairs) == 1 and pairs[0].lone):
            self.refuse_unclear(pairs)
        for pair in pairs:
            self.settle_ids(pair, "absent")
        return self.remove(pairs)

    def remove(self, pairs: t.Sequence[keypair.KeyPair]) -> reconcile.Outcome:
        """Removes what was found, if that may go."""
        plan = absence.decide_absent(self.wish, pairs, self.session.token_name)
        self.refuse_write_protected(plan)
        if plan.pair:
            self.refuse_strangers(plan.pair)
            beside = self._beside(plan.pair.ids, "remove")
            if not self.check_mode:
                self.actions.destroy(plan.pair)
                beside.remove()
        return reconcile.Outcome(plan.action, plan.pair, None, Proof(None, "the pair is absent"))

    def session_pair(self) -> Staged[reconcile.Outcome]:
        """A pair that lives as long as this session; its label may be that of other pairs, its id may not."""
        taken = self.find() if self.wish.id is not None else []
        if taken:
            raise self.refused("generate", f"its id belongs to {taken[0]}")
        self.session.check_generation(self.wish)
        plan = Plan(Action.GENERATE)
        self.actions.check_freezing(plan)
        if self.check_mode:
            return reconcile.Outcome(plan.action, None, *self._predicted(plan))
        after, proof = yield from self.actions.generate()
        return reconcile.Outcome(plan.action, None, after, proof, self.unproven(proof))

    def make(self, old: keypair.KeyPair | None, plan: Plan) -> Staged[tuple[Action, keypair.KeyPair | None, Proof]]:
        """A new pair, in the place of the old one if there is one; all that can be refused is refused before."""
        replacement = self.replacement
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

    def unproven(self, proof: Proof) -> tuple[str, ...]:
        """The warning of a new pair that could not be proven."""
        if proof.method or self.check_mode or self.wish.verify is False:
            return ()
        return (f"Could not prove {self.where}, which is new: {proof.reason}.",)

    def check_change(self, found: keypair.KeyPair, plan: Plan, standing: Proof) -> None:
        """Refuses, before anything is done, a copy that the token's owner could not use or that no proof could show."""
        copied = [step.half for step in plan.steps if step.kind is attributes.Changeable.BY_COPY]
        if copied:
            self.session.check_making(f"copy {self.where}")
            self.actions.check_freezing(plan)
        # A copy is proven; halves that are strangers would be seen then only, after what cannot be taken back.
        doubtful = attributes.PRIVATE in copied and found.pairing == "id" and not standing.method
        # No check gives the PIN of each use: a wrong one every night would lock it.
        if doubtful and not (self.check_mode and found.private.attributes.get("always_authenticate")):
            self.session.prove(self.wish, found, passive=self.check_mode)

    def change(self, found: keypair.KeyPair, plan: Plan, standing: Proof) -> tuple[keypair.KeyPair | None, Proof]:
        """The pair with the steps of the plan, and the proof that is asked for."""
        ids = {found.half(step.half).id for step in plan.steps if "id" in step.values}
        beside = self._beside(ids - {b""}, "rename")
        if self.check_mode:
            return self._predicted(plan)
        with beside.moved(self.wish.id or b""):
            after = self.actions.change(found, plan.steps)
        return after, self.proof(after) if self.wish.verify else standing

    def refuse_write_protected(self, plan: Plan) -> None:
        """Before anything is done, so that check mode knows it, too."""
        if self.session.write_protected and plan.action is not Action.NOTHING:
            raise self.refused(plan.action.value, "the token is write-protected")

    @property
    def actions(self) -> _actions.Actions:
        """What acts on the token."""
        return _actions.Actions(self.session, self.wish, self.check_mode)

    @property
    def replacement(self) -> Replacement:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.replacement import Replacement

        return Replacement(self.session, self.wish, self.check_mode)

    def _beside(self, ids: t.Collection[bytes], act: str) -> Beside:
        """The certificates with these ids, which go with what is about to be done."""
        from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.beside import Beside

        return Beside(self.session, self.wish, self.check_mode).of(ids, act)

    def _predicted(self, plan: Plan) -> tuple[keypair.KeyPair | None, Proof]:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import expectation

        return expectation.predicted(self.wish, plan, self.session.facts, self.session.user), _CHECK_MODE
