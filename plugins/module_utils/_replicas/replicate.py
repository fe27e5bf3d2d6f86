# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one way from a wish to several tokens: look everywhere, decide, generate, copy, prove, finish, freeze last.

Each token is brought to the wish by the same reconcile as a single one. What is new here is the copy, and that all of
this run's work is taken back where too few tokens have the pair in the end.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import worker
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import expectation, keypair, session, transfer
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.outcome import main_action
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Action, Plan
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import reconcile
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import Outcome
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import Staged
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas import copies, on_token
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.plan import (
    CopyPlan,
    plan_copies,
    refuse_different,
    uncopyable,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.tokens import Group, Token
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors

_PAUSE = 0.5  # seconds between two rounds
_GRACE = 10.0  # seconds that removing and taking back get at least, after a timeout


@dataclasses.dataclass(frozen=True)
class Terms:
    """On how many tokens the pair has to be, and in which time (None: each is tried once, however long it takes)."""

    min_servers: int
    timeout: float | None = None
    wrapping_key: str | None = None


@dataclasses.dataclass(frozen=True)
class Replicated:
    """What became of the pair: the outcome on the source, with what was done anywhere, and that on each token."""

    outcome: Outcome
    nodes: tuple[session.Node, ...]
    on_tokens: t.Mapping[str, Outcome]


def replicate(group: Group, wish: Wish, state: str, terms: Terms, check_mode: bool) -> Replicated:
    """Brings the pair into `state` on the tokens, or says what that would do.

    Raises `HsmError` where fewer than `min_servers` have it in the end; then nothing that this run made is left, or
    the error names it.
    """
    return reconcile.finished(stages(group, wish, state, terms, check_mode))


def stages(group: Group, wish: Wish, state: str, terms: Terms, check_mode: bool) -> Staged[Replicated]:
    """As `replicate`, with a stop before a new pair is looked for again on the source; its copies come after that."""
    run = _Run(group, wish, state, terms, check_mode)
    return run.absent() if state == "absent" else (yield from run.present())


class _Run:
    """One pair on all tokens."""

    def __init__(self, group: Group, wish: Wish, state: str, terms: Terms, check_mode: bool) -> None:
        self._group = group
        self._wish = wish
        self._state = state
        self._terms = terms
        self._check_mode = check_mode
        self._deadline = worker.Deadline(terms.timeout)
        self._found: dict[Token, keypair.KeyPair | None] = {}
        self._mended: set[Token] = set()
        self._alike: list[str] = []
        self._copies = copies.Copies(group, wish, terms.wrapping_key, self._found)

    def present(self) -> Staged[Replicated]:
        """The pair is there, as wished, on enough tokens."""
        self._look(self._terms.min_servers)
        plan = plan_copies(self._wish, self._by_name(), self._group.source.name)
        self._refuse_unfreezable()
        expected = self._predicted(plan)
        if self._check_mode or not (expected.outcome.changed or self._wish.verify):
            return expected
        try:
            proof = yield from self._make(plan)
            outcomes = self._bring(self._wish.unfrozen(), proof)
        except errors.HsmError as error:
            self._take_back(error)
        except Exception:  # a bug, reported as one, and nothing is left
            self._copies.take_back(self._last_deadline())
            raise
        if self._wish.unfrozen() != self._wish:
            outcomes = self._freeze(outcomes)
        return self._result(outcomes)

    def absent(self) -> Replicated:
        """The pair is on no token; one that is not reached is a failure, after all others are done."""
        self._look(0)
        refuse_different(self._wish, self._by_name())
        there = list(self._found)
        left = self._deadline.left
        rest = worker.Deadline(None if left is None else max(_GRACE, left))  # who was waited for has used up the time
        outcomes = self._reconciled(there, self._wish, rest, check_mode=True)
        self._group.refuse_refusals(there)
        if not self._check_mode:
            outcomes = self._reconciled(there, self._wish, rest)
        failed = self._group.without(outcomes)
        if failed:
            gone = [token.name for token, outcome in outcomes.items() if outcome.changed]
            raise errors.HsmError(
                f"Could not make sure that {self._wish} is gone from all {len(self._group.all)} tokens."
                f" {self._group.reasons(failed)} What remains there is not known."
                f" {'Removed from' if not self._check_mode else 'To be removed from'}: {', '.join(gone) or 'none'}.",
                nodes=[row._asdict() for row in self._rows(outcomes)],
            )
        return self._result(outcomes)

    # Looking

    def _look(self, enough: int) -> None:
        """Reaches the tokens and looks for the pair, until so many and the source are there or the time is over."""
        for dummy in self._rounds():
            self._group.reach(self._group.without(self._found), self._share(3))  # the rest is for copying and finishing
            there = [token for token in self._group.without(self._found) if token.reached and not self._deadline.passed]
            self._look_at(there)
            if self._is_decided(enough):
                break
        if enough and not self._has_enough(self._found, enough):
            self._refuse_too_few()
        for token in self._found:
            token.session.deadline = self._deadline

    def _is_decided(self, enough: int) -> bool:
        """Whether so many tokens are there, all that may come if 0, or cannot be any more."""
        possible = [token for token in self._group.all if token in self._found or token.may_come]
        wanted = enough or len(possible)
        return self._has_enough(self._found, wanted) or not self._has_enough(possible, wanted)

    def _refuse_too_few(self) -> t.NoReturn:
        """Before anything is made."""
        failed = self._group.without(self._found)
        for token in failed:
            if token.error:
                token.set_apart(token.error)  # of many pairs, only the first one waits for it
        known = [token for token in failed if token.error]
        raise self._too_few(f"{self._group.reasons(known or failed)} Nothing was changed.")

    def _look_at(self, tokens: t.Sequence[Token]) -> None:
        """What the tokens have of the pair, whole or a lone half; where it is anything else, it is refused."""
        looks = self._group.each(tokens, self._settled, self._share(3))
        self._group.refuse_refusals(tokens)
        for token, (pairs, mended) in looks.items():
            if not (len(pairs) == 1 and pairs[0].lone):
                self._work(token).refuse_unclear(pairs)
            self._found[token] = pairs[0] if pairs else None
            self._mended |= {token} if mended else set()

    def _settled(self, token: Token) -> tuple[list[keypair.KeyPair], bool]:
        pairs, mended = self._work(token).settled()
        if not pairs and self._state == "present":
            self._alike.extend(self._work(token).look_alikes())
        return pairs, mended

    def _work(self, token: Token) -> on_token.OnToken:
        return on_token.OnToken(token.session.searched, self._wish, self._check_mode)

    def _has_enough(self, tokens: t.Collection[Token], enough: int) -> bool:
        return self._group.source in tokens and len(tokens) >= enough

    def _share(self, parts: int) -> worker.Deadline:
        """The time for a step, which is all where no token can be done without."""
        needed = self._terms.min_servers == len(self._group.all) and self._state == "present"
        return self._deadline if needed else self._deadline.share(parts)

    def _by_name(self) -> dict[str, keypair.KeyPair | None]:
        return {token.name: self._found[token] for token in self._group.all if token in self._found}

    def _rounds(self) -> t.Iterator[None]:
        """One, and within a timeout further ones."""
        yield
        while self._terms.timeout is not None and (self._deadline.left or 0) > 2 * _PAUSE:  # or it would be cut short
            time.sleep(_PAUSE)
            yield

    def _refuse_unfreezable(self) -> None:
        """What cannot be destroyed any more can only be set when all else is done, and that needs a copy."""
        for token in self._found:
            if not token.session.facts.copy and any(self._wish.freezing(half) for half in attributes.HALVES):
                raise errors.HsmError.refused(
                    f"generate {self._wish} on several tokens",
                    f"'{token.session.token_name}' cannot copy an object, which destroyable=false and modifiable=false"
                    " need there after all else is done",
                )

    # Making

    def _make(self, plan: CopyPlan) -> Staged[session.Proof | None]:
        """Generates the pair if no token has it, and copies it to those that lack it."""
        proof = (yield from self._copies.generate(self._deadline)) if plan.donor is None else None
        donor = self._donor(plan)
        original = self._copies.original or self._found[donor]
        if original is None:
            raise errors.HsmError(f"Could not find {self._wish} on the {donor} after generating it.")
        self._copies.original = original
        for dummy in self._rounds():
            self._copy_to(self._lacking(plan), donor, original)
            lacking = self._lacking(plan)
            having = [token for token in self._found if token not in lacking]
            possible = len(having) + len([token for token in lacking if token.may_come])
            if len(having) >= self._terms.min_servers or possible < self._terms.min_servers or not donor.reached:
                break
        self._require(having)
        return proof

    def _donor(self, plan: CopyPlan) -> Token:
        return next((token for token in self._found if token.name == plan.donor), self._group.source)

    def _lacking(self, plan: CopyPlan) -> list[Token]:
        """The tokens that are to get a copy, and have none yet."""
        return [token for token in self._found if token.name in plan.lack and token not in self._copies.made]

    def _copy_to(self, lacking: t.Sequence[Token], donor: Token, original: keypair.KeyPair) -> None:
        waiting = [token for token in lacking if token.may_come]
        self._group.reach([token for token in waiting if not token.reached], self._share(2))
        donor.session.deadline = self._share(2)
        ready = [token for token in waiting if token.reached]
        self._group.each(ready, lambda token: self._copies.copy(donor, original, token), donor.session.deadline)

    def _refuse_no_way(self, plan: CopyPlan, donor: Token, original: keypair.KeyPair, token: Token) -> None:
        """Refuses a copy to a token that lacks the pair, before anything is made."""
        reason = uncopyable(original, self._terms.wrapping_key) if plan.donor else None
        if reason:
            raise errors.HsmError.refused(f"copy {self._wish} to it", reason)
        token.session.check_making(f"copy {self._wish} to the token '{token.session.token_name}'")
        transfer.choose_way(
            original, donor.session.transfer.able(), token.session.transfer.able(), self._terms.wrapping_key
        )

    def _require(self, having: t.Collection[Token], so_far: str = "") -> None:
        if not self._has_enough(having, self._terms.min_servers):
            raise self._too_few(self._group.reasons(self._group.without(having)) + so_far)

    # Finishing

    def _bring(self, wish: Wish, proof: session.Proof | None) -> dict[Token, Outcome]:
        """Every token that has the pair to what is wished: the replicas first, the source last."""
        source = self._group.source
        made = self._copies.made
        having = [token for token, pair in self._found.items() if (pair or token in made) and not token.error]
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
        self, tokens: t.Sequence[Token], wish: Wish, deadline: worker.Deadline, check_mode: bool = False
    ) -> dict[Token, Outcome]:
        def work(token: Token) -> Outcome:
            proven, looked = self._copies.proven.get(token), self._copies.looked.pop(token, [])
            return on_token.bring(token.session, wish, self._state, check_mode, proven, looked)

        return self._group.each(tokens, work, deadline)

    def _freeze(self, before: dict[Token, Outcome]) -> dict[Token, Outcome]:
        """The last step, which nothing can take back: what fails now is named, and the pair stays."""
        frozen = self._group.source_last(
            before, lambda token: on_token.bring(token.session, self._wish, "present", False), self._deadline
        )
        failed = [token for token in before if token not in frozen]
        if failed:
            raise errors.HsmError(
                f"Could not finish {self._wish}: what is set last is not set everywhere. {self._group.reasons(failed)}"
                f" The pair is on {', '.join(token.name for token in before)}; run the task again."
            )
        return {
            token: dataclasses.replace(
                before[token], after=done.after, action=main_action((before[token].action, done.action))
            )
            for token, done in frozen.items()
        }

    # Telling

    def _predicted(self, plan: CopyPlan) -> Replicated:
        """What would happen, refusals included; nothing is made, not even an object of the session.

        A real run begins with it, too, so that no token is changed before every token has agreed.
        """
        source, donor, lacking = self._group.source, self._donor(plan), self._lacking(plan)
        having = [token for token in self._found if token not in lacking and (plan.donor or token is source)]

        def foretold(token: Token) -> Outcome:
            return on_token.bring(token.session.searched, self._wish, "present", True, looked=[self._found[token]])

        outcomes = self._group.each(having, foretold, self._deadline)
        self._group.refuse_refusals(having)
        original = self._found[donor] or t.cast(
            keypair.KeyPair, expectation.predicted(self._wish, Plan(Action.GENERATE))
        )
        for token in lacking:
            try:
                self._refuse_no_way(plan, donor, original, token)
                outcomes[token] = Outcome(Action.REPAIR, None, original, session.Proof(None, "check mode"))
            except errors.HsmError as error:
                token.set_apart(errors.HsmError(error.msg))
        self._require(outcomes, " Nothing was changed.")
        return self._result(outcomes)

    def _result(self, outcomes: t.Mapping[Token, Outcome]) -> Replicated:
        every = {token: self._since(token, outcome) for token, outcome in {**self._begun(), **outcomes}.items()}
        rows = self._rows(outcomes)
        told = [warning for outcome in outcomes.values() for warning in outcome.warnings]
        warnings = [*dict.fromkeys((*self._alike, *self._copies.warnings, *told))]
        lacking = [row for row in rows if row.status != "ok"]
        warnings += [f"The node '{row.name}' does not have {self._wish}: {row.message}" for row in lacking]
        source = self._group.source
        action = main_action({done.action for done in every.values()})
        outcome = dataclasses.replace(every[source], action=action, warnings=tuple(warnings))
        return Replicated(outcome, rows, {token.name: every[token] for token in self._group.all if token in every})

    def _begun(self) -> dict[Token, Outcome]:
        """What this run did where it could not finish: it is told, too."""
        made = self._copies.made
        pairs = {token: self._copies.original if made.get(token) else pair for token, pair in self._found.items()}
        begun = {token: pair for token, pair in pairs.items() if made.get(token) or token in self._mended}
        return {token: Outcome(Action.NOTHING, None, pair, session.Proof(None)) for token, pair in begun.items()}

    def _since(self, token: Token, outcome: Outcome) -> Outcome:
        """The outcome on a token since this run's first look at it; a copy of a pair that was elsewhere is a repair."""
        action = outcome.action
        if self._copies.made.get(token) or (action is Action.REPAIR and not outcome.before):
            action = Action.REPAIR if any(self._found.values()) else Action.GENERATE
        elif token in self._mended:
            action = main_action({action, Action.REPAIR})
        return dataclasses.replace(outcome, action=action, before=self._found.get(token))

    def _rows(self, outcomes: t.Mapping[Token, Outcome]) -> tuple[session.Node, ...]:
        original = outcomes[self._group.source].after if self._group.source in outcomes else None
        return tuple(self._row(token, outcomes.get(token), original) for token in self._group.all)

    def _row(self, token: Token, outcome: Outcome | None, original: keypair.KeyPair | None) -> session.Node:
        if outcome is None:
            status: t.Literal["failed", "unsynchronised"] = "unsynchronised" if token in self._found else "failed"
            return session.Node(token.name, status, str(token.error) if token.error else "")
        names = (
            transfer.not_as_original(original, outcome.after) if original and outcome.after and token.reached else []
        )
        told = f"a copy, in which {', '.join(names)} cannot be as in the original" if names else ""
        return session.Node(token.name, "ok", told)

    def _too_few(self, reasons: str) -> errors.HsmError:
        answers = [token.error.data["ckr"] for token in self._group.all if token.error and "ckr" in token.error.data]
        return errors.HsmError(
            f"Could not have {self._wish} on {self._terms.min_servers} of {len(self._group.all)} tokens. {reasons}",
            nodes=[row._asdict() for row in self._rows({})],
            **({"ckr": answers[-1]} if answers else {}),
        )

    def _last_deadline(self) -> worker.Deadline:
        return worker.Deadline(None if self._terms.timeout is None else max(_GRACE, self._terms.timeout))

    def _take_back(self, error: errors.HsmError) -> t.NoReturn:
        """Removes what this run made, on every token that it can reach, and raises `error` with what remains."""
        remains = self._copies.take_back(self._last_deadline())
        there = [token.name for token, pair in self._found.items() if pair]
        stays = f"The pair that was there before stays on {', '.join(there)}." if there else ""
        raise errors.HsmError(" ".join(filter(None, (error.msg, remains, stays))), **error.data) from None
