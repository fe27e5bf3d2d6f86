#!/usr/bin/python

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hsm_token
short_description: Make a token in an HSM or in SoftHSM
version_added: 0.1.0
author:
  - The cryptoki.hsm authors (@cryptoki)
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
seealso:
  - module: cryptoki.hsm.hsm_rsa_keypair
  - module: cryptoki.hsm.hsm_ecc_keypair
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

from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.token import run


def main() -> None:
    """Entry point."""
    run()


if __name__ == "__main__":
    main()
