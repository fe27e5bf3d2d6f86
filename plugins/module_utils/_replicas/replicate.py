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
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.expectation import predicted
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Action, Plan
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Node, Proof
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.transfer import choose_way, not_as_original
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import (
    Outcome,
    Reconciliation,
    reconcile,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.copies import Copies
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.nodes import Group, Member
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.plan import (
    CopyPlan,
    plan_copies,
    refuse_different,
    uncopyable,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import HALVES
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.text import colon_hex

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
    """Brings the pair into `state` on the nodes, or says what that would do.

    Raises `HsmError` where fewer than `min_servers` have it in the end; then nothing that this run made is left, or
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
        outcomes = self._reconciled(list(self._found), self._wish, self._deadline, self._check_mode)
        failed = self._group.without(outcomes)
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
        for dummy in self._rounds():
            self._group.reach(self._group.without(self._found), self._share(3))  # the rest is for copying and finishing
            there = [node for node in self._group.without(self._found) if node.reached and not self._deadline.passed]
            self._look_at(there)
            if self._is_decided(enough):
                break
        if enough and not self._has_enough(self._found, enough):
            self._refuse_too_few()
        for node in self._found:
            node.session.deadline = self._deadline

    def _is_decided(self, enough: int) -> bool:
        """Whether so many nodes are there, all that may come if 0, or cannot be any more."""
        possible = [node for node in self._group.all if node in self._found or node.may_come]
        wanted = enough or len(possible)
        return self._has_enough(self._found, wanted) or not self._has_enough(possible, wanted)

    def _refuse_too_few(self) -> t.NoReturn:
        """Before anything is made."""
        failed = self._group.without(self._found)
        for node in failed:
            if node.error:
                node.set_apart(node.error)  # of many pairs, only the first one waits for it
        raise self._too_few(f"{self._reasons([node for node in failed if node.error] or failed)} Nothing was changed.")

    def _look_at(self, nodes: t.Sequence[Member]) -> None:
        """What the nodes have of the pair, whole or a lone half; where it is anything else, it is refused."""
        looks = self._group.each(nodes, self._settled, self._share(3))
        self._group.refuse_refusals(nodes)
        for node, (pairs, mended) in looks.items():
            if not (len(pairs) == 1 and pairs[0].lone):
                self._work(node).refuse_unclear(pairs)
            self._found[node] = pairs[0] if pairs else None
            self._mended |= mended

    def _settled(self, node: Member) -> tuple[list[KeyPair], bool]:
        pairs, mended = self._work(node).settled()
        if not pairs and self._state == "present":
            self._work(node).refuse_unnamed_twin()
        return pairs, mended

    def _work(self, node: Member) -> Reconciliation:
        return Reconciliation(node.session, self._wish, self._check_mode)

    def _has_enough(self, nodes: t.Collection[Member], enough: int) -> bool:
        return self._group.source in nodes and len(nodes) >= enough

    def _share(self, parts: int) -> Deadline:
        """The time for a step, which is all where no node can be done without."""
        needed = self._terms.min_servers == len(self._group.all) and self._state == "present"
        return self._deadline if needed else self._deadline.share(parts)

    def _by_name(self) -> dict[str, KeyPair | None]:
        return {node.name: self._found[node] for node in self._group.all if node in self._found}

    def _rounds(self) -> t.Iterator[None]:
        """One, and within a timeout further ones."""
        yield
        while self._terms.timeout is not None and (self._deadline.left or 0) > 2 * _PAUSE:  # or it would be cut short
            time.sleep(_PAUSE)
            yield

    def _refuse_unfreezable(self) -> None:
        """What cannot be destroyed any more can only be set when all else is done, and that needs a copy."""
        for node in self._found:
            if not node.session.facts.copy and any(self._wish.freezing(half) for half in HALVES):
                raise HsmError.refused(
                    f"generate {self._wish} on several tokens",
                    f"'{node.session.token_name}' cannot copy an object, which destroyable=false and modifiable=false"
                    " need there after all else is done",
                )

    # Making

    def _make(self, plan: CopyPlan) -> Proof | None:
        """Generates the pair if no node has it, and copies it to those that lack it."""
        proof = self._copies.generate(self._deadline) if plan.donor is None else None
        donor = self._donor(plan)
        original = self._copies.original or self._found[donor]
        if original is None:
            raise HsmError(f"Could not find {self._wish} on the {donor} after generating it.")
        self._copies.original = original
        for dummy in self._rounds():
            self._copy_to(self._lacking(plan), donor, original)
            lacking = self._lacking(plan)
            having = [node for node in self._found if node not in lacking]
            possible = len(having) + len([node for node in lacking if node.may_come])
            if len(having) >= self._terms.min_servers or possible < self._terms.min_servers or not donor.reached:
                break
        self._require(having)
        return proof

    def _donor(self, plan: CopyPlan) -> Member:
        return next((node for node in self._found if node.name == plan.donor), self._group.source)

    def _lacking(self, plan: CopyPlan) -> list[Member]:
        """The nodes that are to get a copy, and have none yet."""
        return [node for node in self._found if node.name in plan.lack and node not in self._copies.made]

    def _copy_to(self, lacking: t.Sequence[Member], donor: Member, original: KeyPair) -> None:
        waiting = [node for node in lacking if node.may_come]
        self._group.reach([node for node in waiting if not node.reached], self._share(2))
        donor.session.deadline = self._share(2)
        ready = [node for node in waiting if node.reached]
        self._group.each(ready, lambda node: self._copies.copy(donor, original, node), donor.session.deadline)

    def _refuse_no_way(self, plan: CopyPlan, donor: Member, original: KeyPair, node: Member) -> None:
        """Refuses a copy to a node that lacks the pair, before anything is made."""
        reason = uncopyable(original, self._terms.wrapping_key) if plan.donor else None
        if reason:
            raise HsmError.refused(f"copy {self._wish} to it", reason)
        choose_way(original, donor.session.transfer.able(), node.session.transfer.able(), self._terms.wrapping_key)

    def _require(self, having: t.Collection[Member], so_far: str = "") -> None:
        if not self._has_enough(having, self._terms.min_servers):
            raise self._too_few(self._reasons(self._group.without(having)) + so_far)

    # Finishing

    def _bring(self, wish: Wish, proof: Proof | None) -> dict[Member, Outcome]:
        """Every node that has the pair to what is wished: the replicas first, the source last."""
        source = self._group.source
        having = [node for node in self._found if (self._found[node] or node in self._copies.made) and not node.error]
        replicas = self._group.replicas(having)
        outcomes = self._reconciled(replicas, wish, self._share(2))
        self._group.refuse_refusals(replicas)
        self._require([*outcomes, source])
        outcomes |= self._reconciled([source], wish, self._deadline)
        if source.error:
            raise source.error
        if proof:
            outcomes[source] = dataclasses.replace(outcomes[source], proof=proof)
        return outcomes

    def _reconciled(
        self, nodes: t.Sequence[Member], wish: Wish, deadline: Deadline, check_mode: bool = False
    ) -> dict[Member, Outcome]:
        return self._group.each(nodes, lambda node: reconcile(node.session, wish, self._state, check_mode), deadline)

    def _freeze(self, before: dict[Member, Outcome]) -> dict[Member, Outcome]:
        """The last step, which nothing can take back: what fails now is named, and the pair stays."""
        frozen = self._group.source_last(
            before, lambda node: reconcile(node.session, self._wish, "present", False), self._deadline
        )
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
        source, donor, lacking = self._group.source, self._donor(plan), self._lacking(plan)
        having = [node for node in self._found if node not in lacking and (plan.donor or node is source)]
        outcomes = self._reconciled(having, self._wish, self._deadline, check_mode=True)
        self._group.refuse_refusals(having)
        original = self._found[donor] or t.cast(KeyPair, predicted(self._wish, Plan(Action.GENERATE)))
        for node in lacking:
            try:
                self._refuse_no_way(plan, donor, original, node)
                outcomes[node] = Outcome(True, None, original, Proof(None, "check mode"))
            except HsmError as error:
                node.set_apart(HsmError(error.msg))
        self._require(outcomes, " Nothing was changed.")
        return self._result(outcomes)

    def _result(self, outcomes: t.Mapping[Member, Outcome]) -> Replicated:
        changed = self._mended or any(self._copies.made.values()) or any(done.changed for done in outcomes.values())
        rows = self._rows(outcomes)
        warnings = [warning for outcome in outcomes.values() for warning in outcome.warnings]
        lacking = [row for row in rows if row.status != "ok"]
        warnings += [f"The node '{row.name}' does not have {self._wish}: {row.message}" for row in lacking]
        source = self._group.source
        outcome = dataclasses.replace(
            outcomes[source], before=self._found.get(source), changed=changed, warnings=tuple(warnings)
        )
        after = {**self._found, **{node: outcome.after for node, outcome in outcomes.items()}}
        return Replicated(outcome, rows, self._prints(self._found), self._prints(after))

    def _prints(self, pairs: t.Mapping[Member, KeyPair | None]) -> dict[str, str | None]:
        """What each node has, by its fingerprint."""
        told: dict[str, str | None] = {}
        for node in self._group.all:
            pair = pairs.get(node)
            known = colon_hex(bytes.fromhex(pair.fingerprint)) if pair and pair.fingerprint else "not known yet"
            told[node.name] = known if pair else None
        return told

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
        answers = [node.error.data["ckr"] for node in self._group.all if node.error and "ckr" in node.error.data]
        return HsmError(
            f"Could not have {self._wish} on {self._terms.min_servers} of {len(self._group.all)} tokens. {reasons}",
            nodes=[dataclasses.asdict(node) for node in self._rows({})],
            **({"ckr": answers[-1]} if answers else {}),
        )

    def _last_deadline(self) -> Deadline:
        return Deadline(None if self._terms.timeout is None else max(_GRACE, self._terms.timeout))

    def _take_back(self, error: HsmError) -> t.NoReturn:
        """Removes what this run made, on every node that it can reach, and raises `error` with what remains."""
        remains = self._copies.take_back(self._last_deadline())
        there = [node.name for node, pair in self._found.items() if pair]
        stays = f"The pair that was there before stays on {', '.join(there)}." if there else ""
        raise HsmError(" ".join(filter(None, (error.msg, remains, stays))), **error.data) from None
