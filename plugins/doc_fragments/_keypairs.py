# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Twin of KEYPAIRS in module_utils/_options/groups.py.

Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations


class ModuleDocFragment:
    """A list of wished key pairs."""

    DOCUMENTATION = r"""
options:
  keypairs:
    description:
      - The wished pairs, each as one of M(cryptoki.hsm.hsm_rsa_keypair) or M(cryptoki.hsm.hsm_ecc_keypair).
      - Every entry is checked before the login, and no two of them may name the same pair.
    type: list
    elements: dict
    required: true
    suboptions:
      type:
        description: The type of the pair, V(rsa) or V(ecc).
        type: str
        required: true
        choices:
          - rsa
          - ecc
      state:
        description:
          - V(present) generates the pair where it is missing, and compares it where it is there.
          - V(absent) destroys both halves.
        type: str
        default: present
        choices:
          - present
          - absent
      label:
        description:
          - As O(cryptoki.hsm.hsm_rsa_keypair#module:label). Required for V(present).
          - Entries of one type can share a label only if each of them has an id or a fingerprint.
        type: raw
        aliases:
          - l
      id:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:id). No two entries may have the same.
        type: raw
      id_hex:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:id_hex).
        type: raw
      fingerprint:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:fingerprint). No two entries may have the same.
        type: raw
      session:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:session). The pair is gone when the task ends.
        type: bool
        default: false
        aliases:
          - sess
      extractable:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:extractable). Set V(false) in production.
        type: bool
      nex:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:nex), the flag C(-nex) of the commands.
        type: bool
      usage:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:usage).
        type: list
        elements: str
        choices:
          - sign
          - decrypt
          - wrap
          - derive
      private_attributes:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:private_attributes).
        type: dict
        suboptions:
          sign:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:private_attributes.sign).
            type: bool
          sign_recover:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:private_attributes.sign_recover).
            type: bool
          decrypt:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:private_attributes.decrypt).
            type: bool
          unwrap:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:private_attributes.unwrap).
            type: bool
          derive:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:private_attributes.derive).
            type: bool
          private:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:private_attributes.private).
            type: bool
          wrap_with_trusted:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:private_attributes.wrap_with_trusted).
            type: bool
          always_authenticate:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:private_attributes.always_authenticate).
            type: bool
          modifiable:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:private_attributes.modifiable).
            type: bool
          copyable:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:private_attributes.copyable).
            type: bool
          destroyable:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:private_attributes.destroyable).
            type: bool
      public_attributes:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:public_attributes).
        type: dict
        suboptions:
          verify:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:public_attributes.verify).
            type: bool
          verify_recover:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:public_attributes.verify_recover).
            type: bool
          encrypt:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:public_attributes.encrypt).
            type: bool
          wrap:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:public_attributes.wrap).
            type: bool
          derive:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:public_attributes.derive).
            type: bool
          private:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:public_attributes.private).
            type: bool
          trusted:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:public_attributes.trusted).
            type: bool
          modifiable:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:public_attributes.modifiable).
            type: bool
          copyable:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:public_attributes.copyable).
            type: bool
          destroyable:
            description: As O(cryptoki.hsm.hsm_rsa_keypair#module:public_attributes.destroyable).
            type: bool
      allowed_mechanisms:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:allowed_mechanisms).
        type: list
        elements: str
      key_gen_mechanism:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:key_gen_mechanism).
        type: str
      on_mismatch:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:on_mismatch).
        type: str
        default: fail
        choices:
          - fail
          - keep
          - replace
      certificates:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:certificates).
        type: str
        default: fail
        choices:
          - fail
          - keep
          - follow
      share_with:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:share_with).
        type: list
        elements: raw
        aliases:
          - u
      quorum:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:quorum).
        type: int
        aliases:
          - m_value
      management_quorum:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:management_quorum).
        type: int
      attest:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:attest).
        type: bool
        default: false
      modulus_bits:
        description:
          - As O(cryptoki.hsm.hsm_rsa_keypair#module:modulus_bits). For V(rsa) only, and required there for V(present).
        type: int
        aliases:
          - m
      public_exponent:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:public_exponent). For V(rsa) only.
        type: int
        aliases:
          - e
      complete:
        description: As O(cryptoki.hsm.hsm_rsa_keypair#module:complete). For V(rsa) only.
        type: bool
      curve:
        description:
          - As O(cryptoki.hsm.hsm_ecc_keypair#module:curve). For V(ecc) only, and required there for V(present).
        type: raw
        aliases:
          - i
"""
