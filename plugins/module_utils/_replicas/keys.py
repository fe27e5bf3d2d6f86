# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys that are there, changed or removed on several tokens: looked at on all first, changed on the source last."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import worker
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import session
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.outcome import main_action
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import choice, reconcile
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas import tokens
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

Outcomes = dict[tokens.Token, list[reconcile.Outcome]]
# What became of one key: the outcome with what was done anywhere, and that on each token that has the key.
Everywhere = tuple[reconcile.Outcome, t.Mapping[str, reconcile.Outcome]]


def bring_everywhere(
    group: tokens.Group, task: choice.KeyTask, timeout: float | None, check_mode: bool
) -> tuple[list[Everywhere], list[session.Node]]:
    """Does the task on all tokens; the outcomes are the source's, with what was done to the key on any token.

    Nothing is changed where a token that is reached refuses. One that is not reached ends a change before it begins,
    and a removal after it was done on all others.
    """
    deadline = worker.Deadline(timeout)
    done = looks = _look(group, task, deadline)
    if not check_mode:
        done = group.source_last(looks, lambda token: task.bring(token.session, check_mode=False), deadline)
        group.refuse_refusals(looks)
    undone = group.without(done)
    if undone:
        ready = ", ".join(token.name for token in group.all if token in done) or "none"
        verb = "changed on" if task.state == "present" else "removed from"
        raise errors.HsmError(
            f"Could not finish on all {len(group.all)} tokens. {group.reasons(undone)} What remains there is not known;"
            f" {verb}: {ready}. Run the task again when all are reached."
        )
    return _merged({token.name: done[token] for token in group.all}), [session.Node(token.name) for token in group.all]


def _merged(done: t.Mapping[str, list[reconcile.Outcome]]) -> list[Everywhere]:
    """The source's outcomes, or for keys that it does not have those of the first token that does."""
    merged: list[Everywhere] = []
    firsts = next(filter(None, done.values()), [])
    for number, first in enumerate(firsts):
        # Halves that tell no fingerprint cannot be told apart, so that the first is taken with the first of each token.
        nth = [_key(one) for one in firsts[:number]].count(_key(first))
        alike = {name: [one for one in outcomes if _key(one) == _key(first)] for name, outcomes in done.items()}
        same = {name: outcomes[nth] for name, outcomes in alike.items() if nth < len(outcomes)}
        action = main_action({outcome.action for outcome in same.values()})
        merged.append((dataclasses.replace(first, action=action), same))
    return merged


def _key(outcome: reconcile.Outcome) -> str | None:
    return outcome.before.fingerprint if outcome.before else None


def _look(group: tokens.Group, task: choice.KeyTask, deadline: worker.Deadline) -> Outcomes:
    """What the task would do on each token."""
    removal = task.state == "absent"
    # A removal is done on all that can be reached: who hangs does not use up their time.
    group.reach(group.all, deadline.share(3) if removal else deadline)
    reached = [token for token in group.all if token.reached and not deadline.passed]
    looks = group.each(reached, lambda token: task.bring(token.session, check_mode=True), deadline)
    group.refuse_refusals(reached)
    missing = group.without(looks)
    if missing and not removal:
        raise errors.HsmError(
            f"Could not reach all {len(group.all)} tokens. {group.reasons(missing)} Nothing was changed."
        )
    _refuse_different(looks, removal)
    return looks


def _refuse_different(looks: Outcomes, removal: bool) -> None:
    """The same choice must mean the same keys on every token; those to be removed may be missing somewhere."""
    prints = {
        token.name: sorted(str(outcome.before.fingerprint) for outcome in outcomes if outcome.before)
        for token, outcomes in looks.items()
    }
    there = [names for names in prints.values() if names or not removal]
    if any(names != there[0] for names in there):
        listed = "; ".join(f"'{name}' has {', '.join(names) or 'none'}" for name, names in prints.items())
        raise errors.HsmError.refused("touch keys that differ from token to token, by fingerprint", listed)
