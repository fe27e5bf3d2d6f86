#!/usr/bin/python

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hsm_token_info
short_description: Show the slots and tokens of an HSM
version_added: 1.0.0
author:
  - The cryptoki.hsm authors (!UNKNOWN)
description:
  - Shows what a PKCS#11 library tells of itself, its slots, and its tokens, as versions, flags, sessions, memory,
    and the state of the PINs, and with O(mechanisms=true) the mechanisms. This needs no PIN.
  - Returns the values that the option O(expect_token) of every module of this collection can pin, and the facts of the
    vendor that are in use, as the option O(vendor_facts) takes them.
  - With O(provider=cloudhsm_cli) it shows the HSMs of the cluster, in RV(hsms), without a login.
  - Without a choice of a token, every slot is shown. One that answers with an error is named with it and does not
    stop the others.
extends_documentation_fragment:
  - cryptoki.hsm._attributes.info_module
  - cryptoki.hsm._attributes.actiongroup_hsm
  - cryptoki.hsm._login
options:
  login:
    description:
      - Log in, and show the state of the session and the number of key objects in RV(session) too. The login is
        tried once.
      - V(true) needs the choice of a token. With V(false) the PIN is not used, and O(pin_file) is not read.
    type: bool
    default: false
  mechanisms:
    description:
      - Show the mechanisms of each token too, in RV(slots[].token.mechanisms). They are many, and each is asked for by
        itself. A cluster tells of none.
    type: bool
    default: false
  token_label:
    description:
      - Label of the token.
      - Give at most one of O(token_label), O(token_serial), O(slot_id), and O(token_uri). If none is given, the
        environment variable E(HSM_TOKEN_LABEL) is used. If that is not set either, every slot is shown.
      - Two tokens that match are an error, which lists them.
    type: raw
seealso:
  - module: cryptoki.hsm.hsm_token
  - module: cryptoki.hsm.hsm_user_info
  - module: cryptoki.hsm.hsm_key_info
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_vendors
    description: The libraries of HSMs, what was tested with them, and what each does otherwise.
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_login
    description: How a token is named and a PIN handed over.
"""

EXAMPLES = r"""
- name: Show every slot
  cryptoki.hsm.hsm_token_info:
    module_path: /usr/lib/softhsm/libsofthsm2.so
  register: all_slots

- name: Show the labels of the tokens
  ansible.builtin.debug:
    msg: "{{ all_slots.slots | selectattr('token') | map(attribute='token.label') }}"

- name: Look at one token
  cryptoki.hsm.hsm_token_info:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: root
  register: root

- name: Stop before a wrong PIN locks the token
  ansible.builtin.assert:
    that: root.slots[0].token.user_pin == 'ok'

- name: Have a key pair on this very token and no other
  cryptoki.hsm.hsm_ecc_keypair:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: root
    pin_file: /etc/pki/hsm.pin
    # To pin it for good, copy these values into the playbook.
    expect_token: "{{ root.slots[0].token.expect_token }}"
    label: root-ca-2026
    curve: P-384
    extractable: false

- name: Show what the token can do
  cryptoki.hsm.hsm_token_info:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: root
    mechanisms: true

- name: Count the keys
  cryptoki.hsm.hsm_token_info:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: root
    pin_file: /etc/pki/hsm.pin
    login: true
"""

RETURN = r"""
library:
  description: The PKCS#11 library.
  returned: success
  type: dict
  contains:
    path:
      description: Path of the library, O(module_path).
      type: str
      returned: always
      sample: /usr/lib/softhsm/libsofthsm2.so
    sha256:
      description: SHA-256 of this file.
      type: str
      returned: always
      sample: 10:a2:3f:17:bc:75:e6:6a:55:c3:a7:b7:27:ad:00:b6:a5:f3:57:3d:a8:84:1a:b7:99:e6:da:9c:c2:01:db:7e
    manufacturer:
      description: Manufacturer of the library.
      type: str
      returned: always
      sample: SoftHSM
    description:
      description: What the library says of itself.
      type: str
      returned: always
      sample: Implementation of PKCS11
    version:
      description: Version of the library.
      type: str
      returned: always
      sample: "2.6"
    cryptoki_version:
      description: Version of PKCS#11 that the library follows.
      type: str
      returned: always
      sample: "2.40"
slots:
  description:
    - All slots of the library in the order of their numbers, or the one slot of the token that was chosen.
  returned: success
  type: list
  elements: dict
  contains:
    slot_id:
      description: Number of the slot. Many libraries number their slots anew now and then.
      type: int
      returned: always
      sample: 1390714021
    description:
      description:
        - What the slot says of itself. It and the next four are null where C(C_GetSlotInfo) is in RV(slots[].errors).
      type: str
      returned: always
      sample: SoftHSM slot ID 0x52e49ca5
    manufacturer:
      description: Manufacturer of the slot.
      type: str
      returned: always
      sample: SoftHSM project
    hardware_version:
      description: Hardware version of the slot.
      type: str
      returned: always
      sample: "2.6"
    firmware_version:
      description: Firmware version of the slot.
      type: str
      returned: always
      sample: "2.6"
    flags:
      description: Flags of the slot (C(CKF_…)), of V(token_present), V(removable_device), and V(hw_slot).
      type: list
      elements: str
      returned: always
      sample: [token_present]
    errors:
      description: Functions that the slot answered with an error. An empty list is a slot in order.
      type: list
      elements: dict
      returned: always
      sample: []
      contains:
        call:
          description:
            - The function, of C_GetSlotInfo, C_GetTokenInfo, and with O(mechanisms=true) C_GetMechanismList and
              C_GetMechanismInfo.
          type: str
          returned: always
          sample: C_GetTokenInfo
        ckr:
          description: Its return value.
          type: str
          returned: always
          sample: CKR_DEVICE_ERROR
    token:
      description: The token in the slot. Null where there is none, or where the slot does not answer.
      type: dict
      returned: always
      contains:
        label:
          description: Label of the token, or serial number of an HSM of a cluster.
          type: str
          returned: always
          sample: demo
        serial:
          description: Serial number.
          type: str
          returned: always
          sample: 4e488b2252e49ca5
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
        hardware_version:
          description: Hardware version.
          type: str
          returned: always
          sample: "2.6"
        firmware_version:
          description: Firmware version.
          type: str
          returned: always
          sample: "2.6"
        uri:
          description: RFC 7512 URI of the token.
          type: str
          returned: always
          sample: pkcs11:token=demo;manufacturer=SoftHSM%20project;serial=4e488b2252e49ca5;model=SoftHSM%20v2
        initialized:
          description:
            - Whether the token is initialised. M(cryptoki.hsm.hsm_token) can make a token of one that is not.
          type: bool
          returned: always
          sample: true
        flags:
          description: Flags of the token, the names of PKCS#11 without C(CKF_) in lower case.
          type: list
          elements: str
          returned: always
          sample: [rng, login_required, user_pin_initialized, restore_key_not_needed, token_initialized]
        user_pin:
          description:
            - State of the user PIN. V(ok), V(not_set), V(to_be_changed), V(count_low) after a wrong PIN,
              V(final_try) when the next wrong PIN locks it, or V(locked).
          type: str
          returned: always
          sample: ok
        so_pin:
          description: State of the PIN of the security officer, in the same words.
          type: str
          returned: always
          sample: ok
        pin_length_min:
          description: Bytes of the shortest PIN.
          type: int
          returned: always
          sample: 4
        pin_length_max:
          description: Bytes of the longest PIN.
          type: int
          returned: always
          sample: 255
        sessions:
          description: Sessions of all programs with the token. A number is null where the token does not tell it.
          type: dict
          returned: always
          contains:
            open:
              description: How many are open.
              type: int
              returned: always
              sample:
            open_rw:
              description: How many of these may write.
              type: int
              returned: always
              sample:
            max:
              description: How many one program may open, or V(unlimited).
              type: raw
              returned: always
              sample: unlimited
            max_rw:
              description: How many of these may write, or V(unlimited).
              type: raw
              returned: always
              sample: unlimited
        memory:
          description: Bytes of the token's memory. A number is null where the token does not tell it.
          type: dict
          returned: always
          sample: {private_free: null, private_total: null, public_free: null, public_total: null}
          contains:
            public_total:
              description: Memory for public objects.
              type: int
              returned: always
            public_free:
              description: How much of it is free.
              type: int
              returned: always
            private_total:
              description: Memory for private objects.
              type: int
              returned: always
            private_free:
              description: How much of it is free.
              type: int
              returned: always
        mechanisms:
          description:
            - The mechanisms of the token in the order of their numbers.
            - What a library leaves undefined is left out. Flags are those of the standard only, and null where they
              are none.
          type: list
          elements: dict
          returned: with O(mechanisms=true)
          contains:
            name:
              description: Name of the mechanism, or its number as C(0x…) where it is not known.
              type: str
              returned: always
              sample: CKM_RSA_PKCS_KEY_PAIR_GEN
            min_key_size:
              description:
                - Size of the smallest key, in bits or bytes as PKCS#11 defines the mechanism. Null where it has none.
              type: int
              returned: always
              sample: 512
            max_key_size:
              description: Size of the largest key.
              type: int
              returned: always
              sample: 16384
            flags:
              description: What the mechanism does, the names of PKCS#11 without C(CKF_) in lower case.
              type: list
              elements: str
              returned: always
              sample: [generate_key_pair]
        expect_token:
          description: The values that the option O(expect_token) can pin, as that option takes them.
          type: dict
          returned: always
          sample:
            firmware_version: "2.6"
            hardware_version: "2.6"
            library_sha256: "10:a2:3f:17:bc:75:e6:6a:55:c3:a7:b7:27:ad:00:b6:a5:f3:57:3d:a8:84:1a:b7:99:e6:da:9c:c2:\
              01:db:7e"
            manufacturer: SoftHSM project
            model: SoftHSM v2
            serial: 4e488b2252e49ca5
        vendor:
          description: The row of the table of vendors that is used for the token, as in the option O(vendor).
          type: str
          returned: always
          sample: softhsm
        vendor_facts:
          description: The facts in use, as the option O(vendor_facts) takes them. Sizes of V(0) are not known.
          type: dict
          returned: always
          sample:
            certificates: true
            composite_pin: false
            copy: true
            copy_sets_copyable: false
            curves: []
            fixed: [allowed_mechanisms, wrap_with_trusted]
            halves_are_one: false
            id_length: 16
            id_max: 0
            label_is_id: false
            label_max: 0
            login_each_session: false
            not_searched: []
            not_sent_private: []
            not_sent_public: []
            only_true_private: []
            only_true_public: []
            read_only_sessions: true
            set_attribute: true
            threads: true
        vendor_facts_from:
          description:
            - Where each of the facts comes from. V(option) is O(vendor_facts), V(vendor) the row of
              RV(slots[].token.vendor), and V(standard) what PKCS#11 says.
          type: dict
          returned: always
          sample:
            certificates: standard
            composite_pin: standard
            copy: standard
            copy_sets_copyable: vendor
            curves: standard
            fixed: vendor
            halves_are_one: standard
            id_length: standard
            id_max: standard
            label_is_id: standard
            label_max: standard
            login_each_session: standard
            not_searched: standard
            not_sent_private: standard
            not_sent_public: standard
            only_true_private: standard
            only_true_public: standard
            read_only_sessions: standard
            set_attribute: standard
            threads: standard
hsms:
  description: The HSMs of a cluster.
  returned: with O(provider=cloudhsm_cli)
  type: list
  elements: dict
  contains:
    name:
      description: Serial number of the HSM.
      type: str
      returned: always
      sample: 5.3G1941-ICM000590
    expect_token:
      description: The values that the option O(expect_token) can pin. Each HSM of the cluster must have them.
      type: dict
      returned: always
      sample:
        firmware_id: CNN35XX-NFBE-FW-2.06-16
        fips_state: 2 [FIPS mode with single factor authentication]
        firmware_version: 2.6.16
        hardware_version: "5.3"
        manufacturer: Marvell Semiconductors, Inc.
        model: NITROX-III CNN35XX-NFBE
        serial: 5.3G1941-ICM000590
session:
  description: What a login shows. Null with O(login=false).
  returned: success
  type: dict
  contains:
    state:
      description: State of the session, V(ro_public), V(ro_user), V(rw_public), or V(rw_user).
      type: str
      returned: always
      sample: ro_user
    objects:
      description: How many key objects of each class the user sees.
      type: dict
      returned: always
      sample: {private_key: 1, public_key: 1, secret_key: 0}
ckr:
  description: The PKCS#11 return value, where the HSM gave one.
  returned: failure
  type: str
  sample: CKR_PIN_INCORRECT
provider_error:
  description: What the tool of a cluster answered, where it drives the HSMs.
  returned: failure
  type: str
  sample: HSM is disconnected
"""

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import groups
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import Login
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import edge, providers

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import TokenInfo
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider

OPTIONS = groups.LOGIN + groups.OptionGroup(
    spec={"login": {"type": "bool", "default": False}, "mechanisms": {"type": "bool", "default": False}}
)
ONE_TOKEN = "give token_label, token_serial, slot_id or token_uri, or set HSM_TOKEN_LABEL"


def look(module: edge.HsmModule) -> edge.Result:
    """Describes the library and its slots, or the HSMs of a cluster."""
    log_in = module.params["login"]
    # Without a login nobody needs the PIN, not even one in a file that the whole group of modules is given.
    params = module.params if log_in else {**module.params, "pin_file": None}
    provider, login = providers.provider_from(params, any_token=True)
    module.know(login)
    module.require_libraries(provider)
    if "slots" in provider.lacks:
        return cluster(provider, log_in)
    return slots(module, t.cast("Pkcs11Provider", provider), t.cast(Login, login))


def cluster(provider: Provider, log_in: bool) -> edge.Result:
    """A cluster has no slots; its HSMs are told without a login."""
    if log_in:
        rule = f"the provider {provider.name} shows nothing more after a login; leave it out"
        raise errors.InputError("login", rule, "true")
    hsms = [{"name": told["serial"], "expect_token": told} for told in provider.identities()]
    return {"changed": False, "library": None, "slots": [], "session": None, "hsms": hsms}


def slots(module: edge.HsmModule, provider: Pkcs11Provider, login: Login) -> edge.Result:
    """The slot of the chosen token, or all; a session with it, if the task logs in."""
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import calls, token_description
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.slots import ask_library, ask_slot

    log_in = module.params["login"]
    if not login.selector.chooses:
        refuse_without_token(login, log_in)
    with provider.library() as library:
        token = provider.choose(library) if login.selector.chooses else None
        if token:
            provider.check_identity(library, token)
        what = f"list the slots of {library.info.path}"
        with calls.attempt(what):
            answers, rv = ask_library(library.functions)
        calls.check(rv, what)
        told = []
        for slot_id in (token.slot_id,) if token else answers.slot_ids:
            with calls.attempt(f"ask slot {slot_id} of {library.info.path}"):
                told.append(ask_slot(library.functions, slot_id, module.params["mechanisms"]))
        sha256 = token_description.library_sha256(library.info.path)

        def options_of(token: TokenInfo) -> dict[str, t.Any]:
            return token_description.options_of(token, sha256, provider.row(library, token), login.vendor_facts)

        result: edge.Result = {
            "changed": False,
            "library": token_description.describe_library(library.info.path, sha256, answers),
            "slots": [token_description.describe_slot(slot, options_of) for slot in told],
            "session": None,
        }
        if log_in and token:
            with provider.logged_in(library, token, writable=False) as session:
                result["session"] = session.describe()
                for warning in session.tell_damage():
                    module.warn(warning)
    for unseen in [] if token else provider.overlooked()[:1]:
        module.warn(f"{unseen[0].upper()}{unseen[1:]}.")
    return result


def refuse_without_token(login: Login, log_in: bool) -> None:
    """What only one token can answer."""
    if log_in:
        raise errors.InputError("login", f"it needs one token; {ONE_TOKEN}")
    if set(login.expect) - {"library_sha256"}:
        raise errors.InputError("expect_token", f"all but library_sha256 needs one token; {ONE_TOKEN}")


def main() -> None:
    """Entry point."""
    edge.HsmModule(OPTIONS, providers.kind_of).run(look)


if __name__ == "__main__":
    main()
