# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_csr does: compare a request with what is wished, and have it signed anew where it differs."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import certificate_groups, groups
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.profile import check_scheme, profile_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import signing_key
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.selection import selection_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import edge, file_module, providers, signing
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import request
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.profile import Profile, by_name

NOT_YET = "the pair is not there yet"


def run() -> t.NoReturn:
    """Runs the module."""
    file_module.FileModule(groups.LOGIN + certificate_groups.CSR, providers.kind_of).run(t.cast("t.Any", work))


def work(module: file_module.FileModule) -> edge.Result:
    """From the options to the result."""
    selection = signing_key.of_private_key(selection_from(module.params))
    provider, login = providers.provider_from(module.params)
    module.know(login)
    module.require_libraries(provider)
    profile = profile_from(module.params)
    check_scheme(module.params)
    raw = module.existing()
    with provider.session(writable=False) as session:
        key = signing.SigningKey.found(session, selection, module.params, module.check_mode)
        found = None if raw is None else request.read(raw)
        reasons = _reasons(module, raw, found, profile, key)
        made = None
        if reasons and key:
            module.check_alone(raw)
            key.check()
            if not module.check_mode:
                build = functools.partial(request.made, profile, key.public, key.scheme)
                made = key.signed("certificate request", build)
    if key is None:
        module.warn(f"There is not yet {signing_key.named(selection)}; the request is known when it is there.")
    title = (
        f"{module.params['path'] or 'certificate request'} by {signing_key.named(selection)} on {session.token_name}"
    )
    foretold = request.foretold(profile, *((key.public, key.scheme) if key else (None, None)))
    settled = _settled(module, title, raw is not None, found, made, foretold if reasons else None)
    return {**settled, "reasons": reasons}


def _reasons(
    module: file_module.FileModule, raw: bytes | None, found: t.Any, profile: Profile, key: signing.SigningKey | None
) -> list[str]:
    """Why a request is to be signed."""
    if raw is None:
        return [module.none_there]
    if found is None:
        return ["what is there is no certificate request"]
    if key is None:
        return [NOT_YET]
    wished, digest_given = key.scheme, module.params["digest"] is not None
    reasons = request.why_anew(found, profile, key.public, wished, digest_given)
    return reasons or (["force is true"] if module.params["force"] else [])


def _settled(
    module: file_module.FileModule,
    title: str,
    there: bool,
    found: t.Any,
    made: t.Any,
    foretold: dict[str, t.Any] | None,
) -> edge.Result:
    """What is returned of the request, once it is written; `foretold`: what a new one will be, None if none is due."""
    now = made or (None if foretold else found)
    before = request.told(found) if found else {}
    after = request.told(now) if now else foretold or {}
    pem = request.pem(now) if now else None
    change = file_module.Change(title, by_name(before), by_name(after))
    settled = module.settle((pem or b"") if foretold else None, there, change)
    return {**settled, "csr": pem.decode() if pem else None, "request": after}
