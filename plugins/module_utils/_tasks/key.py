# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_key does: choose keys that are there, and change or remove them."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import LOGIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.key_groups import KEY
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.wish import changes_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Node
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.choice import KeyTask
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import Outcome
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.selection import selection_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import InputError
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.edge import HsmModule, Params, Result
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.keypair import nodes_of, pair_result, replicas_of
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.providers import kind_of, provider_from


def run() -> t.NoReturn:
    """Runs the module."""
    HsmModule(LOGIN + KEY, kind_of).run(_work)


def _work(module: HsmModule) -> Result:
    task = task_from(module.params)
    provider, login = provider_from(module.params)
    replicas = replicas_of(module, login)
    module.require_libraries(provider)
    if replicas:
        # What knows of several tokens is imported for the tasks that have them.
        from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.keys import bring_everywhere

        with replicas.group(writable=not module.check_mode) as group:
            outcomes, nodes = bring_everywhere(group, task, replicas.terms.timeout, module.check_mode)
            _warn(module, outcomes)
            return _result(group.source.uri_attributes, outcomes, nodes)
    with provider.session(writable=not module.check_mode) as session:
        outcomes = task.bring(session, module.check_mode)
        _warn(module, outcomes)
        return _result(session.uri_attributes, outcomes, session.nodes())


def _warn(module: HsmModule, outcomes: t.Sequence[Outcome]) -> None:
    for warning in dict.fromkeys(text for outcome in outcomes for text in outcome.warnings):
        module.warn(warning)


def task_from(params: Params) -> KeyTask:
    """What the options choose, and what is to come of it; raises `InputError`."""
    task = KeyTask(selection_from(params), changes_from(params), params["state"], params["count"])
    task.check_half(task.selection)
    _refuse_lone_handle(task)
    if task.count < 1:
        raise InputError("count", "it must be at least 1", task.count)
    if task.count > 1 and task.changes.id is not None:
        raise InputError("new_id", "several keys cannot have the same id; leave count out")
    if task.count > 1 and task.changes.label is not None:
        raise InputError("new_label", "several keys of one label could not be told apart; leave count out")
    return task


def _refuse_lone_handle(task: KeyTask) -> None:
    selection = task.selection
    named = selection.label or selection.id or selection.fingerprint
    if task.state == "absent" and selection.handle is not None and not named:
        rule = "with state=absent give label, id or fingerprint beside it, because handles can change with a restore"
        raise InputError("handle", rule, selection.handle)


def _result(uri_attributes: t.Mapping[str, str], outcomes: t.Sequence[Outcome], nodes: t.Iterable[Node]) -> Result:
    told = [pair_result(uri_attributes, outcome) for outcome in outcomes]
    changed = [row["diff"] for row in told if row["changed"]]
    return {
        "changed": bool(changed),
        "key_pairs": [row["diff"]["after"] for row in told if row["diff"]["after"]],
        "nodes": nodes_of(nodes),
        "diff": {when: {"key_pairs": [row[when] for row in changed if row[when]]} for when in ("before", "after")},
    }
