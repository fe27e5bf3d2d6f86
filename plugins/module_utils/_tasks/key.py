# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_key does: choose keys that are there, and change or remove them."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import groups, key_groups
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.changes import changes_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import description, diff, plan
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.change import Change
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.outcome import WORDS, main_action
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Node
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import choice, reconcile
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.selection import selection_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import edge, keypair, providers
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.told import done_to

# One key, and what was done to it on each token.
Everywhere = tuple[reconcile.Outcome, t.Mapping[str, reconcile.Outcome]]


def run() -> t.NoReturn:
    """Runs the module."""
    edge.HsmModule(groups.LOGIN + key_groups.KEY, providers.kind_of).run(_work)


def _work(module: edge.HsmModule) -> edge.Result:
    task = task_from(module.params)
    provider, login = providers.provider_from(module.params)
    replicas = keypair.replicas_of(module, login)
    module.require_libraries(provider)
    if replicas:
        # What knows of several tokens is imported for the tasks that have them.
        from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas import keys

        with replicas.group(writable=not module.check_mode) as group:
            every, nodes = keys.bring_everywhere(group, task, replicas.terms.timeout, module.check_mode)
            _warn(module, every)
            return _result(module, group.source.uri_attributes, task.changes, every, nodes, several=True)
    with provider.session(writable=not module.check_mode) as session:
        outcomes = task.bring(session, module.check_mode)
        every = [(outcome, {session.token_name: outcome}) for outcome in outcomes]
        _warn(module, every)
        return _result(module, session.uri_attributes, task.changes, every, session.nodes())


def _warn(module: edge.HsmModule, every: t.Sequence[Everywhere]) -> None:
    for warning in dict.fromkeys(text for outcome, _on_tokens in every for text in outcome.warnings):
        module.warn(warning)


def task_from(params: edge.Params) -> choice.KeyTask:
    """What the options choose, and what is to come of it; raises `InputError`."""
    task = choice.KeyTask(selection_from(params), changes_from(params), params["state"], params["count"])
    task.check_half(task.selection)
    _refuse_lone_handle(task)
    if task.count < 1:
        raise errors.InputError("count", "it must be at least 1", task.count)
    if task.count > 1 and task.changes.id is not None:
        raise errors.InputError("new_id", "several keys cannot have the same id; leave count out")
    if task.count > 1 and task.changes.label is not None:
        raise errors.InputError("new_label", "several keys of one label could not be told apart; leave count out")
    return task


def _refuse_lone_handle(task: choice.KeyTask) -> None:
    selection = task.selection
    named = selection.label or selection.id or selection.fingerprint
    if task.state == "absent" and selection.handle is not None and not named:
        rule = "with state=absent give label, id or fingerprint beside it, because handles can change with a restore"
        raise errors.InputError("handle", rule, selection.handle)


def _result(
    module: edge.HsmModule,
    uri_attributes: t.Mapping[str, str],
    changes: Change,
    every: t.Sequence[Everywhere],
    nodes: t.Iterable[Node],
    several: bool = False,
) -> edge.Result:
    main = main_action({outcome.action for outcome, _on_tokens in every})
    names = module.params["return_attributes"]
    done = [(outcome, *done_to(changes, outcome, on_tokens, several)) for outcome, on_tokens in every]
    return {
        "changed": main is not plan.Action.NOTHING,
        "outcome": WORDS[main],
        "changes": [change for _outcome, summary, _told in done for change in summary["changes"]],
        "key_pairs": [
            {**description.describe(outcome.after, uri_attributes, names=names), **summary}
            for outcome, summary, _told in done
            if outcome.after
        ],
        "nodes": keypair.nodes_of(nodes),
        "diff": diff.diffs([told for _outcome, _summary, told in done if told]),
    }
