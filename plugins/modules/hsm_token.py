#!/usr/bin/python

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hsm_token
short_description: Make a token in an HSM or in SoftHSM
version_added: 1.0.0
author:
  - The cryptoki.hsm authors (!UNKNOWN)
description:
  - Makes a token with C(C_InitToken) and gives it a user PIN with C(C_InitPIN).
  - A token of that label that is there already is left alone and never initialised again, since that would destroy
    its keys. One that a broken run left without a user PIN is finished.
extends_documentation_fragment:
  - cryptoki.hsm._attributes
  - cryptoki.hsm._attributes.actiongroup_hsm
  - cryptoki.hsm._login
options:
  token_label:
    description:
      - Label of the token to make, 1 to 32 bytes of UTF-8.
    type: raw
    required: true
    aliases:
      - label
  so_pin:
    description:
      - PIN of the security officer. Give this or O(so_pin_file).
    type: raw
  so_pin_file:
    description:
      - File on the target that holds the PIN of the security officer. One newline at its end is stripped.
    type: path
  pin:
    description:
      - The user PIN that the token gets. Give this or O(pin_file). Quote it, since YAML makes C(42798) of C(0123456).
    type: raw
  slot_id:
    description:
      - The slot to initialise, where several are free. SoftHSM always has one free slot.
    type: str
  token_serial:
    description:
      - Refused, since a new token has no serial number yet.
    type: raw
  token_uri:
    description:
      - Refused, since a token is made by its label.
    type: str
  crypto_user:
    description:
      - Refused, since PKCS#11 tokens have one user.
    type: raw
  user_type:
    description:
      - V(limited_user) is refused, since the security officer makes a token.
    type: str
    default: user
    choices:
      - user
      - limited_user
seealso:
  - module: cryptoki.hsm.hsm_token_info
  - module: cryptoki.hsm.hsm_rsa_keypair
  - module: cryptoki.hsm.hsm_ecc_keypair
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_quickstart
    description: A token in SoftHSM and the first pair, in a few minutes.
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_login
    description: How a token is named and a PIN handed over.
"""

EXAMPLES = r"""
- name: Have a SoftHSM token
  cryptoki.hsm.hsm_token:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    label: demo
    so_pin_file: /etc/pki/hsm.so-pin
    pin_file: /etc/pki/hsm.pin
"""

RETURN = r"""
outcome:
  description:
    - What was done, or would be done in check mode.
    - V(none), V(generated) for a token that was made, or V(repaired) for one that got the user PIN that a broken run
      left out.
  type: str
  returned: success
  sample: generated
changes:
  description: What is told of the token otherwise than before. What check mode cannot know is left out.
  type: list
  elements: dict
  returned: success
  contains:
    half:
      description: Always V(null), since a token has no halves.
      type: str
      returned: always
    name:
      description: Name of what is returned of the token.
      type: str
      returned: always
      sample: user_pin_initialized
    before:
      description: Its value before; V(null) where there was no token.
      type: raw
      returned: always
      sample: false
    after:
      description: Its value now, or after a run without check mode.
      type: raw
      returned: always
      sample: true
diff:
  description: What changes, for the diff mode, with a header that names the token.
  type: list
  elements: dict
  returned: success
token:
  description: The token. In check mode the serial number and slot of a token that would be made are not known yet.
  returned: success
  type: dict
  contains:
    label:
      description: Label of the token.
      type: str
      returned: always
      sample: demo
    serial:
      description: Serial number.
      type: str
      returned: always
      sample: 5b8a1f3f2d1c0e97
    manufacturer:
      description: Manufacturer.
      type: str
      returned: always
      sample: SoftHSM project
    model:
      description: Model.
      type: str
      returned: always
      sample: SoftHSM v2
    slot_id:
      description: Number of the slot in this run; SoftHSM gives a new token another one afterwards.
      type: int
      returned: always
    uri:
      description: RFC 7512 URI of the token.
      type: str
      returned: always
      sample: pkcs11:token=demo
    user_pin_initialized:
      description: Whether the user PIN is set. It is not on a token that a broken run left, which the module finishes.
      type: bool
      returned: always
      sample: true
ckr:
  description: The PKCS#11 return value, where the HSM gave one.
  returned: failure
  type: str
  sample: CKR_PIN_LEN_RANGE
"""

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import groups, values
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import Secret, secret
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import diff, session
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.outcome import WORDS, changed_fields
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import TokenFlag, TokenInfo
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import new_token
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import edge

NEW_TOKEN = groups.OptionGroup(
    spec={
        "token_label": {"type": "raw", "required": True, "aliases": ["label"], "no_log": False},
        "so_pin": {"type": "raw", "no_log": True},
        "so_pin_file": {"type": "path", "no_log": False},
    },
    mutually_exclusive=(("so_pin", "so_pin_file"),),
)
# The label is that of the token to make, and the slot may be chosen beside it.
OPTIONS = dataclasses.replace(groups.LOGIN, mutually_exclusive=(groups.PIN_CHOICE,)) + NEW_TOKEN
MEANINGLESS = {
    "token_serial": "a new token has no serial number yet",
    "token_uri": "a token is made by its label",
    "crypto_user": "a PKCS#11 token has one user",
    "user_type": "the security officer makes a token, and sets its user PIN",
}


def kind_of(params: edge.Params) -> type[Pkcs11Provider]:
    """Only PKCS#11 makes tokens, so that the other providers need not reach the target."""
    if params["provider"] != Pkcs11Provider.name:
        raise errors.InputError("provider", session.NO_SLOTS, params["provider"])
    return Pkcs11Provider


def make(module: edge.HsmModule) -> edge.Result:
    """Makes the token if it is not there, finishes it if a broken run left it without a user PIN."""
    params = module.params
    for option, reason in MEANINGLESS.items():
        if params[option] != OPTIONS.spec[option].get("default"):
            raise errors.InputError(option, reason)
    wish = new_token.TokenWish(
        label=values.token_label(params["token_label"]),
        so_pin=given_pin(module, "so_pin"),
        pin=given_pin(module, "pin"),
        slot_id=None if params["slot_id"] is None else values.slot_id(params["slot_id"]),
    )
    kind_of(params).refuse_unable(params)
    provider, login = kind_of(params).connect({**params, "slot_id": None}, any_token=False)
    module.know(login)
    module.require_libraries(provider)
    with provider.library() as library:
        outcome = new_token.make_token(provider, library, wish, module.check_mode)
    before, after = (described(token) for token in (outcome.before, outcome.after))
    # Which slot it is in afterwards is not known, and the rest of the URI is told already.
    rows = changed_fields(before, {**after, "serial": after["serial"] or None, "slot_id": None, "uri": None})
    return {
        "changed": outcome.changed,
        "outcome": WORDS[outcome.action],
        "changes": [row.data() for row in rows],
        "token": after,
        "diff": [diff.side_by_side(f"the token {outcome.after.label}", rows)] if outcome.changed else [],
    }


def given_pin(module: edge.HsmModule, option: str) -> Secret:
    """A PIN that has to be given; Ansible masks it from now on."""
    pin = secret(option, module.params[option], module.params[f"{option}_file"])
    if pin is None:
        raise errors.InputError(option, f"it is missing; give it or {option}_file")
    module.hide(pin)
    return pin


def described(token: TokenInfo | None) -> dict[str, t.Any]:
    """What is returned of a token."""
    if token is None:
        return {}
    names = ("label", "serial", "manufacturer", "model", "slot_id", "uri")
    user_pin = bool(token.flags & TokenFlag.USER_PIN_INITIALIZED)
    return {**{name: getattr(token, name) for name in names}, "user_pin_initialized": user_pin}


def main() -> None:
    """Entry point."""
    edge.HsmModule(OPTIONS, kind_of).run(make)


if __name__ == "__main__":
    main()
