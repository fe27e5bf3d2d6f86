# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_key does: choose keys that are there, and change or remove them.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.worker import Deadline
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import KEY, LOGIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.wish import changes_from, check_usage
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Node, Query, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import KEY_TYPES_OF, Changes, Family
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.choice import (
    Chosen,
    Task,
    choose,
    has_new_name,
    proven,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.lookup import refuse_unclear
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import Outcome, manage, refuse_strangers
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.selection import Selection, selection_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.keys import bring_everywhere
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.options import replicas_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import HALVES, PRIVATE, SECRET
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, InputError
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.edge import HsmModule, Params, Result
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.keypair import nodes_of, pair_result
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.providers import provider_from

_ALONE = "To change this half alone, choose it by a uri with type=."


def run() -> t.NoReturn:
    """Runs the module."""
    HsmModule(LOGIN + KEY).run(_work)


def _work(module: HsmModule) -> Result:
    selection, changes, task = checked(module.params, module.check_mode)
    provider, login = provider_from(module.params)
    replicas = replicas_from(module.params, login)
    for one in replicas.logins.values() if replicas else (login,):
        module.know(one)
    module.require_libraries(provider)
    if replicas:
        with replicas.group(writable=not module.check_mode) as group:
            deadline = Deadline(replicas.terms.timeout)
            outcomes, nodes = bring_everywhere(
                group,
                task,
                deadline,
                lambda session, check_mode: bring(
                    session, selection, changes, dataclasses.replace(task, check_mode=check_mode)
                ),
            )
            _warn(module, outcomes)
            return _result(group.source.uri_attributes, outcomes, nodes)
    with provider.session(writable=not module.check_mode) as session:
        outcomes = bring(session, selection, changes, task)
        _warn(module, outcomes)
        return _result(session.uri_attributes, outcomes, session.nodes())


def _warn(module: HsmModule, outcomes: t.Sequence[Outcome]) -> None:
    for warning in dict.fromkeys(text for outcome in outcomes for text in outcome.warnings):
        module.warn(warning)


def checked(params: Params, check_mode: bool) -> tuple[Selection, Changes, Task]:
    """What the options choose, and what is to come of it; raises L{InputError}."""
    selection, changes = selection_from(params), changes_from(params)
    task = Task(params["state"], params["count"], check_mode)
    _check_class(selection, changes)
    _check_count(task, changes)
    return selection, changes, task


def bring(session: TokenSession, selection: Selection, changes: Changes, task: Task) -> list[Outcome]:
    """Brings the chosen keys into the wished state, or says what that would do; every refusal is before any change."""
    chosen = choose(session, selection, changes, task)
    work = [(_of_pair(session, changes, selection, one, task), one.pair) for one in chosen]
    if len(work) > 1:
        for own, pair in work:
            manage(session, own, pair, task.state, check_mode=True)
    return [manage(session, own, pair, task.state, task.check_mode) for own, pair in work]


def _check_class(selection: Selection, changes: Changes) -> None:
    """What was said of a half that was not chosen would come to nothing."""
    if selection.key_class == SECRET:
        raise InputError("uri", "this module changes and removes the keys of pairs only", "type=secret-key")
    given = {
        "extractable": changes.extractable is not None,
        "private_attributes": bool(changes.private_attributes),
        "share_with": changes.share_with is not None,
    }
    if selection.key_class == PRIVATE:
        given = {"public_attributes": bool(changes.public_attributes)}
    for option, is_given in given.items():
        if is_given and selection.key_class is not None:
            by = "uri" if selection.handle is None else "handle"
            raise InputError(
                option, f"the {by} chooses the {selection.key_class} half alone, which it does not concern"
            )


def _check_count(task: Task, changes: Changes) -> None:
    if task.count < 1:
        raise InputError("count", "it must be at least 1", task.count)
    if task.count > 1 and changes.id is not None:
        raise InputError("new_id", "several keys cannot have the same id; leave count out")
    if task.count > 1 and changes.label is not None:
        raise InputError("new_label", "several keys of one label could not be told apart; leave count out")


def _of_pair(session: TokenSession, changes: Changes, selection: Selection, one: Chosen, task: Task) -> Changes:
    """The wished changes of one key, now that its type is known; refuses those that cannot be."""
    key = one.pair.objects[0]
    if selection.handle is not None:
        _check_class(dataclasses.replace(selection, key_class=key.half), changes)
    family: Family = "rsa" if key.key_type in KEY_TYPES_OF["rsa"] else "ecc"
    own = dataclasses.replace(
        changes,
        family=family,
        curve=key.curve,
        fingerprint=selection.fingerprint,
        chosen=str(selection),
        chosen_exactly=any(
            name is not None for name in (selection.id, selection.fingerprint, selection.key_class, selection.handle)
        ),
    )
    if task.state == "present":
        check_usage(own)
        if not selection.one_half:
            refuse_unclear(session, own, [one.pair], _ALONE if one.pair.lone else "")
        _refuse_taken(session, own, one.pair, task.check_mode)
    _refuse_unnamed(session, own, selection, one, task.check_mode)
    return own


def _refuse_unnamed(session: TokenSession, changes: Changes, selection: Selection, one: Chosen, check: bool) -> None:
    """Nothing happens to what was not named: a key of many halves, one that another half names, one without a name."""
    untold = [key for key in one.pair.objects if selection.fingerprint not in (None, key.fingerprint)]
    if one.of.whole:
        if untold and one.pair != one.of:  # of a whole pair that is before its change
            refuse_strangers(session, changes, one.of, check)
        untold = []
    unnamed = [key for key in one.unnamed if key in one.pair.objects and not has_new_name(changes, key)]
    doubtful = [*untold, *(unnamed if selection.by_absence or not one.of.whole else ())]
    if doubtful:
        raise HsmError(
            f"Refused to touch {changes} on the token '{session.token_name}': it cannot be kept apart from what was not"
            f" named, {', '.join(map(str, doubtful))}. Choose the key by its id, or one half by a uri with type=."
        )


def _refuse_taken(session: TokenSession, changes: Changes, pair: KeyPair, check_mode: bool) -> None:
    """A new name must not be that of another key: an id names one pair only, a shared label names none."""
    queries: dict[str, list[Query]] = {}
    if changes.id is not None and any(found.id != changes.id for found in pair.objects):
        queries["id"] = [Query(half, id=changes.id) for half in HALVES]
    if changes.label is not None and any(found.label != changes.label for found in pair.objects):
        types = KEY_TYPES_OF[changes.family]
        queries["label"] = [Query(half, label=changes.label, key_type=name) for half in HALVES for name in types]
    own = {found.handle for found in pair.objects}
    for name, searches in queries.items():
        others = [found for query in searches for found in session.find(query) if found.handle not in own]
        if others and not _is_other_half(session, changes, pair, others, check_mode):
            raise HsmError(
                f"Refused to rename {changes} on the token '{session.token_name}': the new {name} belongs to"
                f" {', '.join(map(str, others))}. Choose another {name}."
            )


def _is_other_half(
    session: TokenSession, changes: Changes, pair: KeyPair, others: t.Sequence[TokenObject], check_mode: bool
) -> bool:
    """Whether a half alone is to have the name that its other half has already."""
    half = pair.lone
    if half is None or len(others) != 1 or others[0].half == half.half:
        return False
    return proven(session, changes, [half, others[0]], check_mode) is not None


def _result(uri_attributes: t.Mapping[str, str], outcomes: t.Sequence[Outcome], nodes: t.Iterable[Node]) -> Result:
    told = [pair_result(uri_attributes, outcome) for outcome in outcomes]
    changed = [row["diff"] for row in told if row["changed"]]
    return {
        "changed": bool(changed),
        "key_pairs": [row["diff"]["after"] for row in told if row["diff"]["after"]],
        "nodes": nodes_of(nodes),
        "diff": {when: {"key_pairs": [row[when] for row in changed if row[when]]} for when in ("before", "after")},
    }
