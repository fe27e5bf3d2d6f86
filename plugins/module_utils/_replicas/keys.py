# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys that are there, changed or removed on several tokens: looked at on all first, changed on the source last.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.worker import Deadline
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Node, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.choice import Task
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import Outcome
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.nodes import Group, Member
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError

# The work on one token; the second argument is whether it only looks.
Work = t.Callable[[TokenSession, bool], list[Outcome]]
Outcomes = dict[Member, list[Outcome]]


def bring_everywhere(group: Group, task: Task, deadline: Deadline, work: Work) -> tuple[list[Outcome], list[Node]]:
    """Does `work` on all tokens; the outcomes are the source's, changed where any token's key was.

    Nothing is changed where a token that is reached refuses. One that is not reached ends a change before it begins,
    and a removal after it was done on all others.
    """
    # A removal is done on all that can be reached: who hangs does not use up their time.
    early = deadline.share(3) if task.state == "absent" else deadline
    group.reach(group.all, early)
    reached = [member for member in group.all if member.reached and not deadline.passed]
    looks = _each(group, reached, lambda one: work(one.session, True), deadline)
    missing = [member for member in group.all if member not in looks]
    if missing and task.state == "present":
        raise HsmError(f"Could not reach all {len(group.all)} tokens. {_reasons(missing)} Nothing was changed.")
    _refuse_different(looks, task)
    done = looks
    if not task.check_mode:
        done = _each(
            group, [one for one in looks if one is not group.source], lambda one: work(one.session, False), deadline
        )
        if len(done) == len([one for one in looks if one is not group.source]) and group.source in looks:
            done |= _each(group, [group.source], lambda one: work(one.session, False), deadline)
    undone = [member for member in group.all if member not in done]
    if undone:
        verb = "removed from" if task.state == "absent" else "changed on"
        ready = ", ".join(member.name for member in group.all if member in done) or "none"
        raise HsmError(
            f"Could not finish on all {len(group.all)} tokens. {_reasons(undone)} What remains there is not known;"
            f" {verb}: {ready}. Run the task again when all are reached."
        )
    return _merged(group, done), [Node(member.name) for member in group.all]


def _each(
    group: Group, members: t.Sequence[Member], work: t.Callable[[Member], list[Outcome]], deadline: Deadline
) -> Outcomes:
    """As `Group.each`; a refusal is no fault of a token, and raised."""
    results = group.each(members, work, deadline)
    for member in members:
        if member.error and not isinstance(member.error, TokenError):
            raise member.error
    return results


def _refuse_different(looks: Outcomes, task: Task) -> None:
    """The same choice must mean the same keys on every token; those to be removed may be missing somewhere."""
    prints = {
        member.name: sorted(str(outcome.before.fingerprint) for outcome in outcomes if outcome.before)
        for member, outcomes in looks.items()
    }
    there = [names for names in prints.values() if names or task.state == "present"]
    if any(names != there[0] for names in there):
        listed = "; ".join(f"'{name}' has {', '.join(names) or 'none'}" for name, names in prints.items())
        raise HsmError(f"Refused to touch keys that differ from token to token, by fingerprint: {listed}.")


def _merged(group: Group, done: Outcomes) -> list[Outcome]:
    """The source's outcomes, or for keys that it does not have those of the first token that does."""
    changed = any(outcome.changed for outcomes in done.values() for outcome in outcomes)
    first = next((done[member] for member in group.all if done.get(member)), [])
    return [dataclasses.replace(outcome, changed=outcome.changed or changed) for outcome in first]


def _reasons(members: t.Sequence[Member]) -> str:
    return " ".join(f"Node '{member.name}': {member.error}" for member in members)
