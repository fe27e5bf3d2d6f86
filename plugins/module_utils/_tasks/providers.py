# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of providers; its imports are static, because only these reach the target with a module (AnsiballZ)."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import session


def _pkcs11() -> type[session.Provider]:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider

    return Pkcs11Provider


def _cloudhsm_cli() -> type[session.Provider]:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.provider import CloudHsmCliProvider

    return CloudHsmCliProvider


def _key_mgmt_util() -> type[session.Provider]:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.provider import KeyMgmtUtilProvider

    return KeyMgmtUtilProvider


# Only the one that is used is imported, because that takes a good part of a short task's time.
PROVIDERS: dict[str, t.Callable[[], type[session.Provider]]] = {
    "pkcs11": _pkcs11,
    "cloudhsm_cli": _cloudhsm_cli,
    "key_mgmt_util": _key_mgmt_util,
}


def kind_of(params: session.Params) -> type[session.Provider]:
    """The provider that a module's options name."""
    return PROVIDERS[params["provider"]]()


def provider_from(
    params: session.Params, *, needs: session.Ability | None = None, any_token: bool = False
) -> tuple[session.Provider, session.Credentials]:
    """The provider of a module's options, and how it logs in; refuses what the provider cannot do.

    `any_token`: the options need not choose a token, nor give a user where the HSM answers without.
    """
    kind = kind_of(params)
    kind.refuse_lacking(needs)
    kind.refuse_unable(params)
    return kind.connect(params, any_token)
