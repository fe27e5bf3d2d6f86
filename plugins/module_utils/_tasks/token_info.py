# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_token_info does: from options to the result.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import LOGIN, TOKEN_INFO
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import Login
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import TokenInfo
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.library import Library
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.token_description import (
    describe_library,
    describe_slot,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import InputError
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.edge import HsmModule, Result
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.providers import provider_from

OPTIONS = LOGIN + TOKEN_INFO
_ONE = "give token_label, token_serial, slot_id or token_uri, or set HSM_TOKEN_LABEL"


def run() -> t.NoReturn:
    """Runs the module."""
    HsmModule(OPTIONS).run(_work)


def _work(module: HsmModule) -> Result:
    log_in = module.params["login"]
    # Without a login nobody needs the PIN, not even one in a file that the whole group of modules is given.
    params = module.params if log_in else {**module.params, "pin_file": None}
    provider, login = provider_from(params, any_token=True)
    module.know(login)
    module.require_libraries(provider)
    if "slots" in provider.lacks:
        return _cluster(provider, log_in)
    return _slots(module, t.cast(Pkcs11Provider, provider), t.cast(Login, login), log_in)


def _cluster(provider: Provider, log_in: bool) -> Result:
    """A cluster has no slots; its HSMs are told without a login."""
    if log_in:
        raise InputError(
            "login", f"the provider {provider.name} shows nothing more after a login; leave it out", "true"
        )
    hsms = [{"name": told["serial"], "expect_token": told} for told in provider.identities()]
    return {"changed": False, "library": None, "slots": [], "session": None, "hsms": hsms}


def _slots(module: HsmModule, provider: Pkcs11Provider, login: Login, log_in: bool) -> Result:
    _refuse_without_choice(login, log_in)
    with provider.library() as library:
        token = _chosen(provider, library, login)
        result = _described(provider, library, token)
        if log_in and token:
            with provider.logged_in(library, token, writable=False) as session:
                result["session"] = session.describe()
                for warning in session.tell_damage():
                    module.warn(warning)
    for unseen in [] if token else provider.overlooked()[:1]:
        module.warn(f"{unseen[0].upper()}{unseen[1:]}.")
    return result


def _refuse_without_choice(login: Login, log_in: bool) -> None:
    if login.selector.chooses:
        return
    if log_in:
        raise InputError("login", f"it needs one token; {_ONE}")
    if set(login.expect) - {"library_sha256"}:
        raise InputError("expect_token", f"all but library_sha256 needs one token; {_ONE}")


def _chosen(provider: Pkcs11Provider, library: Library, login: Login) -> TokenInfo | None:
    if not login.selector.chooses:
        return None
    token = provider.choose(library)
    provider.check_identity(library, token)
    return token


def _described(provider: Pkcs11Provider, library: Library, token: TokenInfo | None) -> Result:
    answers = library.answers()
    slot_ids = (token.slot_id,) if token else answers.slot_ids
    return {
        "changed": False,
        "library": describe_library(library.info.path, provider.library_sha256, answers),
        "slots": [describe_slot(library.slot_answers(slot_id), provider.identity) for slot_id in slot_ids],
        "session": None,
    }
