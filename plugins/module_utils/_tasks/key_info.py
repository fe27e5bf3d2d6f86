# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_key_info does: look, and change nothing.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import KEY_INFO, LOGIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.attribute_file import NAMES, attribute_file
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.description import describe, describe_object
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.problems import problems
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.selection import Selected, select, selection_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.edge import HsmModule, Params, Result
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.keypair import nodes_of
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.providers import provider_from

# Attributes that are returned in another form than they are read.
_SOURCE = {"kcv": "check_value", "id_hex": "id"}


def run() -> t.NoReturn:
    """Runs the module."""
    HsmModule(LOGIN + KEY_INFO).run(_work)


def _work(module: HsmModule) -> Result:
    selection = dataclasses.replace(selection_from(module.params), others=True)
    provider, login = provider_from(module.params)
    module.know(login)
    module.require_libraries(provider)
    with provider.session(writable=False) as session:
        for warning in session.tell_damage():
            module.warn(warning)
        selected = select(session, selection, _to_read(module.params))
        return _result(session, selected, module.params)


def _to_read(params: Params) -> frozenset[str] | None:
    """The attributes to ask the token for; None is all."""
    if params["attributes"] is None:
        return None
    names = {*params["attributes"], *(NAMES if params["attribute_file"] else ())}
    return frozenset(_SOURCE.get(name, name) for name in names)


def _result(session: TokenSession, selected: Selected, params: Params) -> Result:
    names = params["attributes"]
    spki_of = {found.handle: pair.spki for pair in selected.pairs for found in pair.objects}

    def shown(found: TokenObject) -> Result:
        spki = spki_of.get(found.handle)
        told = {"class": f"{found.half}_key", **describe_object(found, session.uri_attributes, spki, names)}
        return {**told, "attribute_file": attribute_file(found, spki)} if params["attribute_file"] else told

    return {
        "changed": False,
        "objects": [shown(found) for found in (*selected.objects, *selected.unread)],
        "key_pairs": [
            {**describe(pair, session.uri_attributes, names), "problems": words}
            for pair, words in zip(selected.pairs, problems(selected.pairs), strict=True)
        ],
        "nodes": nodes_of(session.nodes()),
    }
