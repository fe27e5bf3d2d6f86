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

from ansible_collections.cryptoki.hsm.plugins.module_utils._attributes import PRIVATE
from ansible_collections.cryptoki.hsm.plugins.module_utils._errors import HsmError, InputError
from ansible_collections.cryptoki.hsm.plugins.module_utils._keypair import (
    HALVES,
    KEY_TYPES_OF,
    Changes,
    Family,
    KeyPair,
    TokenObject,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._keypair_module import node_of, pair_result
from ansible_collections.cryptoki.hsm.plugins.module_utils._lookup import refuse_unclear
from ansible_collections.cryptoki.hsm.plugins.module_utils._module import HsmModule, Params, Result
from ansible_collections.cryptoki.hsm.plugins.module_utils._options import KEY, LOGIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._provider import provider_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._providers.base import Query, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import Outcome, manage
from ansible_collections.cryptoki.hsm.plugins.module_utils._selection import Selection, select, selection_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._wish import changes_from, check_usage


def run() -> t.NoReturn:
    """Runs the module."""
    HsmModule(LOGIN + KEY).run(_work)


def _work(module: HsmModule) -> Result:
    params = module.params
    selection = selection_from(params)
    changes = changes_from(params)
    _check_count(params, changes)
    provider, login = provider_from(params)
    module.know(login)
    module.require_libraries()
    with provider.session(writable=not module.check_mode) as session:
        chosen = _choose(session, selection, changes, params)
        # Every refusal comes before the first change.
        wishes = [_of_pair(session, changes, selection, pair, params["state"]) for pair in chosen]
        outcomes = [
            manage(session, wish, pair, params["state"], module.check_mode)
            for wish, pair in zip(wishes, chosen, strict=True)
        ]
        return _result(session, outcomes)


def _check_count(params: Params, changes: Changes) -> None:
    if params["count"] < 1:
        raise InputError("count", "it must be at least 1", params["count"])
    if params["count"] > 1 and changes.id is not None:
        raise InputError("new_id", "several keys cannot have the same id; leave count out")
    if params["count"] > 1 and changes.label is not None:
        raise InputError("new_label", "several keys of one label could not be told apart; leave count out")


def _choose(session: TokenSession, selection: Selection, changes: Changes, params: Params) -> list[KeyPair]:
    """The pairs and halves that are meant, as many as C(count) says; raises L{HsmError} for any other number."""
    absent = params["state"] == "absent"
    chosen = _chosen(session, selection)
    if not chosen and not absent:
        chosen = _chosen(session, _renamed(selection, changes))
    number = sum(max(len(pair.publics), len(pair.privates)) for pair in chosen)
    if number > params["count"]:
        listed = ", ".join(map(str, chosen))
        raise HsmError(
            f"Refused to touch the keys chosen by {selection} on the token '{session.token_name}': there are {number},"
            f" count is {params['count']}: {listed}. Choose one by id, uri or fingerprint, or set count={number}."
        )
    if number < params["count"] and not absent:
        wished = "the key" if params["count"] == 1 else f"{params['count']} keys"
        raise HsmError(
            f"Could not find {wished} chosen by {selection} on the token '{session.token_name}': there are {number}."
            f" hsm_rsa_keypair, hsm_ecc_keypair and hsm_keypairs generate keys, hsm_key does not."
        )
    return chosen


def _chosen(session: TokenSession, selection: Selection) -> list[KeyPair]:
    pairs = select(session, selection).pairs
    if selection.key_class is None:
        return list(pairs)
    # One half was named, and the other is left alone.
    return [
        KeyPair(privates=pair.privates) if selection.key_class == PRIVATE else KeyPair(publics=pair.publics)
        for pair in pairs
    ]


def _renamed(selection: Selection, changes: Changes) -> Selection:
    """What the selection means after the change: a key that has its new name already was renamed before."""
    return dataclasses.replace(
        selection,
        label=changes.label if changes.label is not None and selection.label is not None else selection.label,
        id=changes.id if changes.id is not None and selection.id is not None else selection.id,
    )


def _of_pair(session: TokenSession, changes: Changes, selection: Selection, pair: KeyPair, state: str) -> Changes:
    """The wished changes of one key, now that its type is known; refuses those that cannot be."""
    key = pair.objects[0]
    family: Family = "rsa" if key.key_type in KEY_TYPES_OF["rsa"] else "ecc"
    own = dataclasses.replace(
        changes, family=family, curve=key.curve, chosen=str(selection), fingerprint=selection.fingerprint
    )
    if state == "absent":
        return dataclasses.replace(own, id=selection.id or None)
    check_usage(own)
    if selection.key_class is None:
        refuse_unclear(session, own, [pair])
    _refuse_taken(session, own, pair)
    return own


def _refuse_taken(session: TokenSession, changes: Changes, pair: KeyPair) -> None:
    """A new name must not be that of another key: an id names one pair only, a shared label names none."""
    own = {found.handle for found in pair.objects}
    if changes.id is not None and any(found.id != changes.id for found in pair.objects):
        _refuse_others(session, changes, "id", [Query(half, id=changes.id) for half in HALVES], own)
    if changes.label is not None and any(found.label != changes.label for found in pair.objects):
        types = KEY_TYPES_OF[changes.family]
        queries = [Query(half, label=changes.label, key_type=name) for half in HALVES for name in types]
        _refuse_others(session, changes, "label", queries, own)


def _refuse_others(
    session: TokenSession, changes: Changes, name: str, queries: t.Sequence[Query], own: t.Collection[int]
) -> None:
    others: list[TokenObject] = [found for query in queries for found in session.find(query)]
    listed = ", ".join(str(found) for found in others if found.handle not in own)
    if listed:
        raise HsmError(
            f"Refused to rename {changes} on the token '{session.token_name}': the new {name} belongs to {listed}."
            f" Choose another {name}."
        )


def _result(session: TokenSession, outcomes: t.Sequence[Outcome]) -> Result:
    told = [pair_result(session, outcome) for outcome in outcomes]
    changed = [row["diff"] for row in told if row["changed"]]
    return {
        "changed": bool(changed),
        "key_pairs": [row["key_pair"] for row in told if row["key_pair"]],
        "nodes": [node_of(session)],
        "diff": {when: {"key_pairs": [row[when] for row in changed if row[when]]} for when in ("before", "after")},
    }
