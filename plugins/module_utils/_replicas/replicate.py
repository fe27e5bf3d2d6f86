# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one way from a wish to several tokens: look everywhere, decide, generate, copy, prove, finish, freeze last.

Each token is brought to the wish by the same reconcile as a single one. What is new here is the copy, and that all of
this run's work is taken back where too few tokens have the pair in the end.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.worker import Deadline
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Action, Plan, predicted
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Node, Proof
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.transfer import choose_way, not_as_original
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.lookup import refuse_unclear, refuse_unnamed_twin
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import Outcome, find_settled, reconcile
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.copies import Copies
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.nodes import Group, Member
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.plan import (
    CopyPlan,
    plan_copies,
    refuse_different,
    uncopyable,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import HALVES
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError

_PAUSE = 0.5  # seconds between two attempts
_GRACE = 10.0  # seconds that taking back gets at least, after a timeout


@dataclasses.dataclass(frozen=True)
class Terms:
    """On how many tokens the pair has to be, and in which time (None: one attempt a node, however long it takes)."""

    min_servers: int
    timeout: float | None = None
    wrapping_key: str | None = None


@dataclasses.dataclass(frozen=True)
class Replicated:
    """The outcome on the source, whether any token changed, and what each node has before and after."""

    outcome: Outcome
    nodes: tuple[Node, ...]
    before: t.Mapping[str, str | None]
    after: t.Mapping[str, str | None]


def replicate(group: Group, wish: Wish, state: str, terms: Terms, check_mode: bool) -> Replicated:
    """Brings the pair into C(state) on the nodes, or says what that would do.

    Raises L{HsmError} where fewer than C(min_servers) have it in the end; then nothing that this run made is left, or
    the error names it.
    """
    run = _Run(group, wish, state, terms, check_mode)
    return run.absent() if state == "absent" else run.present()


class _Run:
    """One pair on all nodes."""

    def __init__(self, group: Group, wish: Wish, state: str, terms: Terms, check_mode: bool) -> None:
        self._group = group
        self._wish = wish
        self._state = state
        self._terms = terms
        self._check_mode = check_mode
        self._deadline = Deadline(terms.timeout)
        self._found: dict[Member, KeyPair | None] = {}
        self._mended = False
        self._copies = Copies(group, wish, terms.wrapping_key, self._found)

    def present(self) -> Replicated:
        """The pair is there, as wished, on enough nodes."""
        self._look(self._terms.min_servers)
        plan = plan_copies(self._wish, self._by_name(), self._group.source.name)
        self._refuse_unfreezable()
        expected = self._predicted(plan)
        if self._check_mode or not (expected.outcome.changed or self._wish.verify):
            return expected
        try:
            proof = self._make(plan)
            outcomes = self._bring(self._wish.unfrozen(), proof)
        except HsmError as error:
            self._take_back(error)
        except Exception:  # a bug, reported as one, and nothing is left
            self._copies.take_back(self._last_deadline())
            raise
        if self._wish.unfrozen() != self._wish:
            outcomes = self._freeze(outcomes)
        return self._result(outcomes)

    def absent(self) -> Replicated:
        """The pair is on no node; one that is not reached is a failure, after all others are done."""
        self._look(0)
        refuse_different(self._wish, self._by_name())
        outcomes = self._group.each(
            list(self._found),
            lambda node: reconcile(node.session, self._wish, "absent", self._check_mode),
            self._deadline,
        )
        failed = [node for node in self._group.all if node not in outcomes]
        if failed:
            gone = [node.name for node, outcome in outcomes.items() if outcome.changed]
            raise HsmError(
                f"Could not make sure that {self._wish} is gone from all {len(self._group.all)} tokens."
                f" {self._reasons(failed)} What remains there is not known."
                f" {'Removed from' if not self._check_mode else 'To be removed from'}: {', '.join(gone) or 'none'}.",
                nodes=[dataclasses.asdict(row) for row in self._rows(outcomes)],
            )
        return self._result(outcomes)

    # Looking

    def _look(self, enough: int) -> None:
        """Reaches the nodes and looks for the pair, until so many and the source are there or the time is over."""
        for dummy in self._attempts():
            waiting = [node for node in self._group.all if node not in self._found]
            self._group.reach(waiting, self._share(3))  # the other parts are for copying and finishing
            there = [node for node in waiting if node.reached and not self._deadline.passed]
            looks = self._group.each(there, self._look_at, self._share(3))
            for node in there:
                if node.error and not isinstance(node.error, TokenError):  # a refusal, and no fault of the node
                    raise node.error
            for node, (pairs, mended) in looks.items():
                if not (len(pairs) == 1 and pairs[0].lone):
                    refuse_unclear(node.session, self._wish, pairs)
                self._found[node] = pairs[0] if pairs else None
                self._mended |= mended
            possible = [node for node in self._group.all if node in self._found or _may_come(node)]
            wanted = enough or len(possible)
            if self._has_enough(self._found, wanted) or not self._has_enough(possible, wanted):
                break
        if enough and not self._has_enough(self._found, enough):
            self._refuse_too_few()
        for node in self._found:
            node.session.deadline = self._deadline

    def _refuse_too_few(self) -> t.NoReturn:
        """Before anything is made."""
        failed = [node for node in self._group.all if node not in self._found]
        for node in failed:
            if node.error:
                node.error.final = True  # of many pairs, only the first one waits for it
        raise self._too_few(f"{self._reasons([node for node in failed if node.error] or failed)} Nothing was changed.")

    def _has_enough(self, nodes: t.Collection[Member], enough: int) -> bool:
        return self._group.source in nodes and len(nodes) >= enough

    def _share(self, parts: int) -> Deadline:
        """The time for a step, which is all where no node can be done without."""
        needed = self._terms.min_servers == len(self._group.all) and self._state == "present"
        return self._deadline if needed else self._deadline.share(parts)

    def _look_at(self, node: Member) -> tuple[list[KeyPair], bool]:
        pairs, mended = find_settled(node.session, self._wish, self._check_mode)
        if not pairs and self._state == "present":
            refuse_unnamed_twin(node.session, self._wish)
        return pairs, mended

    def _by_name(self) -> dict[str, KeyPair | None]:
        return {node.name: self._found[node] for node in self._group.all if node in self._found}

    def _attempts(self) -> t.Iterator[None]:
        """One attempt, and within a timeout further ones."""
        yield
        while self._terms.timeout is not None and (self._deadline.left or 0) > 2 * _PAUSE:  # or it would be cut short
            time.sleep(_PAUSE)
            yield

    def _refuse_unfreezable(self) -> None:
        """What cannot be destroyed any more can only be set when all else is done, and that needs a copy."""
        for node in self._found:
            if not node.session.facts.copy and any(self._wish.freezing(half) for half in HALVES):
                raise HsmError(
                    f"Refused to generate {self._wish} on several tokens: '{node.session.token_name}' cannot copy an"
                    " object, which destroyable=false and modifiable=false need there after all else is done."
                )

    # Making

    def _make(self, plan: CopyPlan) -> Proof | None:
        """Generates the pair if no node has it, and copies it to those that lack it."""
        proof = self._copies.generate(self._deadline) if plan.donor is None else None
        donor = next((node for node in self._found if node.name == plan.donor), self._group.source)
        original = self._copies.original or self._found[donor]
        if original is None:
            raise HsmError(f"Could not find {self._wish} on the {donor} after generating it.")
        self._copies.original = original
        lack = {node for node in self._found if node.name in plan.lack}
        for dummy in self._attempts():
            waiting = [node for node in lack - set(self._copies.made) if _may_come(node)]
            self._group.reach([node for node in waiting if not node.reached], self._share(2))
            ready = [node for node in waiting if node.reached]
            donor.session.deadline = self._share(2)
            self._group.each(ready, lambda node: self._copies.copy(donor, original, node), donor.session.deadline)
            having = [node for node in self._found if node not in lack or node in self._copies.made]
            possible = [node for node in self._found if node in having or _may_come(node)]
            if len(having) >= self._terms.min_servers or not donor.reached or len(possible) < self._terms.min_servers:
                break
        self._require(having)
        return proof

    def _no_copy(self, plan: CopyPlan, donor: Member, original: KeyPair, node: Member) -> str | None:
        """Why the pair cannot be copied to a node that lacks it."""
        reason = uncopyable(original, self._terms.wrapping_key) if plan.donor else None
        if reason:
            return f"Refused to copy {self._wish} to it: {reason}."
        try:
            node.session.check_making(f"copy {self._wish} to the token '{node.session.token_name}'")
            choose_way(original, donor.session.able(), node.session.able(), self._terms.wrapping_key)
        except HsmError as error:
            return error.msg
        return None

    def _set_apart(self, nodes: t.Iterable[Member], reason: str) -> None:
        for node in nodes:
            node.error = HsmError(reason)
            node.error.final = True

    def _require(self, having: t.Collection[Member], so_far: str = "") -> None:
        if len(having) < self._terms.min_servers or self._group.source not in having:
            raise self._too_few(self._reasons([node for node in self._group.all if node not in having]) + so_far)

    # Finishing

    def _bring(self, wish: Wish, proof: Proof | None) -> dict[Member, Outcome]:
        """Every node that has the pair to what is wished: the replicas first, the source last."""
        source = self._group.source
        having = [node for node in self._found if (self._found[node] or node in self._copies.made) and not node.error]
        replicas = [node for node in having if node is not source]
        outcomes = self._group.each(replicas, self._reconciled(wish), self._share(2))
        self._refuse_refusals(replicas)
        self._require([*outcomes, source])
        outcomes |= self._group.each([source], self._reconciled(wish), self._deadline)
        if source.error:
            raise source.error
        if proof:
            outcomes[source] = dataclasses.replace(outcomes[source], proof=proof)
        return outcomes

    def _reconciled(self, wish: Wish, check_mode: bool = False) -> t.Callable[[Member], Outcome]:
        return lambda node: reconcile(node.session, wish, "present", check_mode)

    def _refuse_refusals(self, nodes: t.Iterable[Member]) -> None:
        """A wish that a node refuses is no fault of the node, and fails the task however many others there are."""
        for node in nodes:
            if node.error and not isinstance(node.error, TokenError):
                raise node.error

    def _freeze(self, before: dict[Member, Outcome]) -> dict[Member, Outcome]:
        """The last step, which nothing can take back: what fails now is named, and the pair stays."""
        source = self._group.source
        replicas = [node for node in before if node is not source]
        frozen = self._group.each(replicas, self._reconciled(self._wish), self._deadline)
        if len(frozen) == len(replicas):
            frozen |= self._group.each([source], self._reconciled(self._wish), self._deadline)
        failed = [node for node in before if node not in frozen]
        if failed:
            raise HsmError(
                f"Could not finish {self._wish}: what is set last is not set everywhere. {self._reasons(failed)}"
                f" The pair is on {', '.join(node.name for node in before)}; run the task again."
            )
        return {
            node: dataclasses.replace(before[node], after=done.after, changed=done.changed or before[node].changed)
            for node, done in frozen.items()
        }

    # Telling

    def _predicted(self, plan: CopyPlan) -> Replicated:
        """What would happen, refusals included; nothing is made, not even an object of the session.

        A real run begins with it, too, so that no token is changed before every token has agreed.
        """
        source = self._group.source
        having = [node for node in self._found if node.name not in plan.lack and (plan.donor or node is source)]
        outcomes = self._group.each(having, self._reconciled(self._wish, check_mode=True), self._deadline)
        self._refuse_refusals(having)
        donor = next((node for node in self._found if node.name == plan.donor), source)
        original = self._found[donor] or t.cast(KeyPair, predicted(self._wish, Plan(Action.GENERATE)))
        for node in self._found:
            if node.name in plan.lack:
                reason = self._no_copy(plan, donor, original, node)
                if reason:
                    self._set_apart([node], reason)
                else:
                    outcomes[node] = Outcome(True, None, original, Proof(None, "check mode"))
        self._require(outcomes, " Nothing was changed.")
        return self._result(outcomes)

    def _result(self, outcomes: t.Mapping[Member, Outcome]) -> Replicated:
        source = self._group.source
        changed = (
            self._mended or any(self._copies.made.values()) or any(outcome.changed for outcome in outcomes.values())
        )
        warnings = [warning for outcome in outcomes.values() for warning in outcome.warnings]
        rows = self._rows(outcomes)
        warnings += [
            f"The node '{row.name}' does not have {self._wish}: {row.message}" for row in rows if row.status != "ok"
        ]
        outcome = dataclasses.replace(
            outcomes[source], before=self._found.get(source), changed=changed, warnings=tuple(warnings)
        )
        before = {node.name: _fingerprint(self._found.get(node)) for node in self._group.all}
        after = {
            node.name: _fingerprint(outcomes[node].after if node in outcomes else self._found.get(node))
            for node in self._group.all
        }
        return Replicated(outcome, rows, before, after)

    def _rows(self, outcomes: t.Mapping[Member, Outcome]) -> tuple[Node, ...]:
        original = outcomes[self._group.source].after if self._group.source in outcomes else None
        return tuple(self._row(node, outcomes.get(node), original) for node in self._group.all)

    def _row(self, node: Member, outcome: Outcome | None, original: KeyPair | None) -> Node:
        if outcome is None:
            status: t.Literal["failed", "unsynchronised"] = "unsynchronised" if node in self._found else "failed"
            return Node(node.name, status, str(node.error) if node.error else "")
        names = not_as_original(original, outcome.after) if original and outcome.after and node.reached else []
        told = f"a copy, in which {', '.join(names)} cannot be as in the original" if names else ""
        return Node(node.name, "ok", told)

    def _reasons(self, failed: t.Iterable[Member]) -> str:
        return " ".join(f"Node '{node.name}': {node.error or 'it does not have the pair.'}" for node in failed)

    def _too_few(self, reasons: str) -> HsmError:
        failed = [node.error for node in self._group.all if node.error]
        answer = {name: value for error in failed for name, value in error.data.items() if name == "ckr"}
        return HsmError(
            f"Could not have {self._wish} on {self._terms.min_servers} of {len(self._group.all)} tokens. {reasons}",
            nodes=[dataclasses.asdict(node) for node in self._rows({})],
            **answer,
        )

    def _last_deadline(self) -> Deadline:
        return Deadline(None if self._terms.timeout is None else max(_GRACE, self._terms.timeout))

    def _take_back(self, error: HsmError) -> t.NoReturn:
        """Removes what this run made, on every node that it can reach, and raises C(error) with what remains."""
        remains = self._copies.take_back(self._last_deadline())
        there = [node.name for node, pair in self._found.items() if pair]
        stays = f" The pair that was there before stays on {', '.join(there)}." if there else ""
        raise HsmError(f"{error.msg}{' ' if remains else ''}{remains}{stays}", **error.data) from None


def _may_come(node: Member) -> bool:
    """Whether another attempt may fare better than the last one."""
    return not (node.error and node.error.final)


def _fingerprint(pair: KeyPair | None) -> str | None:
    if pair is None:
        return None
    return bytes.fromhex(pair.fingerprint).hex(":") if pair.fingerprint else "not known yet"
