# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_rsa_keypair and hsm_ecc_keypair do: from options to the result.

What knows of several tokens, or of proofs, is imported for the tasks that need it.
"""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import groups
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.wish import wish_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import description
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Credentials, Node
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Family
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import Outcome, reconcile
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import edge, providers

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas import options

OPTIONS: dict[Family, groups.OptionGroup] = {
    "rsa": groups.LOGIN + groups.KEYPAIR + groups.RSA,
    "ecc": groups.LOGIN + groups.KEYPAIR + groups.ECC,
}


def run(family: Family) -> t.NoReturn:
    """Runs the module of one family."""
    edge.HsmModule(OPTIONS[family], providers.kind_of).run(functools.partial(_work, family))


def _work(family: Family, module: edge.HsmModule) -> edge.Result:
    wish, state = wish_from(family, module.params), module.params["state"]
    provider, login = providers.provider_from(module.params)
    replicas = replicas_of(module, login)
    if state == "present" and replicas:
        replicas.check(wish)
    if state == "present" and wish.verify:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import proof

        proof.refuse_unprovable(wish)
    module.require_libraries(provider)
    provider.intend([wish] if state == "present" else [])
    if replicas:
        with replicas.group(writable=not module.check_mode) as group:
            done = replicas.bring_pair(group, wish, state, module.check_mode)
            outcome, on_tokens, nodes = done.outcome, done.on_tokens, done.nodes
            result = pair_result(group.source.uri_attributes, outcome, module.params)
    else:
        with provider.session(writable=not module.check_mode) as session:
            outcome = reconcile(session, wish, state, module.check_mode)
            on_tokens, nodes = {session.token_name: outcome}, tuple(session.nodes())
            result = pair_result(session.uri_attributes, outcome, module.params)
    for warning in outcome.warnings:
        module.warn(warning)
    result |= {"outcome": "none", "changes": [], "nodes": nodes_of(nodes), "diff": []}
    if outcome.changed:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import told

        result |= told.told_of(wish, outcome, on_tokens, bool(replicas))
    return result


def replicas_of(module: edge.HsmModule, login: Credentials) -> options.Replicas | None:
    """The tokens of a task that has replicas; raises `InputError`. The module knows every login from then on.

    None of them before: what is harmless in one may be a secret of another.
    """
    if not module.params["replicas"]:
        module.know(login)
        return None
    from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas import options

    replicas = options.replicas_from(module.params, login)
    for one in replicas.logins.values():
        module.know(one)
    return replicas


def pair_result(uri_attributes: t.Mapping[str, str], outcome: Outcome, params: edge.Params) -> edge.Result:
    """What is returned of one pair: whether it changed, and what it is now."""
    after = description.describe(outcome.after, uri_attributes, names=params["return_attributes"])
    key_pair = {**after, "verified": outcome.proof.method, "unverified_reason": outcome.proof.reason} if after else None
    return {"changed": outcome.changed, "key_pair": key_pair}


def nodes_of(nodes: t.Iterable[Node]) -> list[dict[str, str]]:
    """The returned nodes."""
    return [node._asdict() for node in nodes]
