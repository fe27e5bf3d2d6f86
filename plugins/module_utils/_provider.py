# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of providers; its imports are static, because only these reach the target with a module (AnsiballZ).

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._errors import InputError
from ansible_collections.cryptoki.hsm.plugins.module_utils._login import Login, login_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._providers.base import Ability
from ansible_collections.cryptoki.hsm.plugins.module_utils._providers.pkcs11 import Pkcs11Provider

PROVIDERS = {Pkcs11Provider.name: Pkcs11Provider}


def provider_from(
    params: t.Mapping[str, t.Any], *, needs: Ability | None = None, any_token: bool = False
) -> tuple[Pkcs11Provider, Login]:
    """The provider of a module's options, and how it logs in; refuses what the provider cannot do.

    C(any_token): the options need not choose a token.
    """
    name = params["provider"]
    if name not in PROVIDERS:
        raise InputError("provider", f"this version has {', '.join(PROVIDERS)}; the cluster tools come later", name)
    kind = PROVIDERS[name]
    kind.refuse_lacking(needs)
    kind.refuse_unable(params)
    login = login_from(params, any_token)
    return kind(login, params["lock_timeout"]), login
