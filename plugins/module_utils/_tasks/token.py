# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_token does: from options to the result.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import values as _values
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import LOGIN, NEW_TOKEN, PIN_CHOICE
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import Secret, secret
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import TokenFlag, TokenInfo
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.new_token import TokenWish, make_token
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import InputError
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.edge import HsmModule, Result
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.providers import slots_from

# The label is that of the token to make, and the slot may be chosen beside it.
OPTIONS = dataclasses.replace(LOGIN, mutually_exclusive=(PIN_CHOICE,)) + NEW_TOKEN
_MEANINGLESS = {
    "token_serial": "a new token has no serial number yet",
    "token_uri": "a token is made by its label",
    "crypto_user": "a PKCS#11 token has one user",
}


def run() -> t.NoReturn:
    """Runs the module."""
    HsmModule(OPTIONS).run(_work)


def _work(module: HsmModule) -> Result:
    for option, reason in _MEANINGLESS.items():
        if module.params[option] is not None:
            raise InputError(option, reason)
    wish = TokenWish(
        label=_values.token_label(module.params["token_label"]),
        so_pin=_pin(module, "so_pin"),
        pin=_pin(module, "pin"),
        slot_id=None if module.params["slot_id"] is None else _values.slot_id(module.params["slot_id"]),
    )
    provider, login = slots_from({**module.params, "slot_id": None})
    module.know(login)
    module.require_libraries(provider)
    with provider.library() as library:
        outcome = make_token(library, wish, provider.overlooked, provider.check_identity, module.check_mode)
    before, after = (_described(token) for token in (outcome.before, outcome.after))
    return {"changed": outcome.changed, "token": after, "diff": {"before": before, "after": after}}


def _pin(module: HsmModule, option: str) -> Secret:
    pin = secret(option, module.params[option], module.params[f"{option}_file"])
    if pin is None:
        raise InputError(option, f"it is missing; give it or {option}_file")
    module.hide(pin)
    return pin


def _described(token: TokenInfo | None) -> dict[str, t.Any]:
    if token is None:
        return {}
    names = ("label", "serial", "manufacturer", "model", "slot_id", "uri")
    user_pin = bool(token.flags & TokenFlag.USER_PIN_INITIALIZED)
    return {**{name: getattr(token, name) for name in names}, "user_pin_initialized": user_pin}
