#!/usr/bin/python

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hsm_ecc_keypair
short_description: Manage ECC key pairs in an HSM
version_added: 1.0.0
author:
  - The cryptoki.hsm authors (!UNKNOWN)
description:
  - Generates, compares, changes, and removes key pairs on elliptic curves inside hardware security modules. The
    private key never leaves the HSM.
  - Covers every flag of C(genECCKeyPair); the flags are aliases of the options.
extends_documentation_fragment:
  - cryptoki.hsm._attributes
  - cryptoki.hsm._attributes.actiongroup_hsm
  - cryptoki.hsm._keypair
  - cryptoki.hsm._keypair.certificates
  - cryptoki.hsm._keypair.for_all
  - cryptoki.hsm._keypair.replicas
  - cryptoki.hsm._keypair.returned
  - cryptoki.hsm._keypair.halves
  - cryptoki.hsm._login
attributes:
  idempotent:
    support: partial
    details:
      - With O(session=true) every run generates a new pair.
options:
  curve:
    description:
      - The curve, by any usual name (V(P-256), V(secp256r1), V(prime256v1), V(nistp256)), by the number that
        C(genECCKeyPair) has for it (V(2), V(13), V(14), V(15), V(16)), or by its OID. Names of one curve compare
        equal.
      - Curves below 224 bits are refused, as the commands refuse C(NID_X9_62_prime192v1). PKCS#11 has no list of
        curves, so whether the token has one shows when it generates.
      - With O(state=absent) or O(on_mismatch=keep) these curves are known all the same, and are compared.
      - Required for O(state=present). The flag C(-i) of C(genECCKeyPair).
    type: raw
    aliases:
      - i
seealso:
  - module: cryptoki.hsm.hsm_rsa_keypair
  - module: cryptoki.hsm.hsm_keypairs
  - module: cryptoki.hsm.hsm_key
  - module: cryptoki.hsm.hsm_key_info
  - module: cryptoki.hsm.hsm_csr
  - module: cryptoki.hsm.hsm_certificate
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_key_pairs
    description: What is looked for, what is done about it, and what is refused.
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_key_mgmt_util
    description: Each command and flag, and what it is here.
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_login
    description: How a token is named and a PIN handed over.
"""

EXAMPLES = r"""
- name: Have a P-384 key pair that only signs
  cryptoki.hsm.hsm_ecc_keypair:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: root
    pin_file: /etc/pki/hsm.pin
    label: ocsp
    curve: P-384
    extractable: false
  register: ocsp

- name: Keep its public key beside the service
  ansible.builtin.copy:
    content: "{{ ocsp.key_pair.public_key_pem }}"
    dest: /etc/pki/ocsp.pub.pem
    mode: "0644"
  when: ocsp.key_pair.public_key_pem is not none  # it is in check mode, before the pair exists

- name: Have a pair for key agreement, with a pinned token
  cryptoki.hsm.hsm_ecc_keypair:
    module_path: /opt/cloudhsm/lib/libcloudhsm_pkcs11.so
    slot_id: 2305843009213693953
    crypto_user: ansible
    pin_file: /etc/pki/hsm.pin
    label: agreement
    curve: "14"
    usage:
      - derive
    extractable: false
    expect_token:
      firmware_version: "2.6"
"""

RETURN = r"""
outcome:
  description:
    - What was done, or would be done in check mode.
    - V(none), V(generated), V(changed), V(replaced), V(removed), or V(repaired) where something was finished that
      a killed run left, a public half was completed, or a replica got a copy that it lacked.
  type: str
  returned: success
  sample: changed
changes:
  description:
    - Each value that was changed, or would be in check mode. A pair that is new or removed is named by its
      fingerprint, which is V(not known) in check mode where it will be new.
  type: list
  elements: dict
  returned: success
  contains:
    half:
      description: V(public) or V(private); V(null) for what both halves share.
      type: str
      returned: always
      sample: private
    name:
      description: Name of the attribute, or of what is returned of the pair.
      type: str
      returned: always
      sample: decrypt
    before:
      description: Its value before; V(null) where there was none.
      type: raw
      returned: always
      sample: true
    after:
      description: Its value now, or after a run without check mode; V(null) where there is none any more.
      type: raw
      returned: always
      sample: false
    node:
      description: The token.
      type: str
      returned: with O(replicas)
      sample: root
diff:
  description:
    - What changes, for the diff mode, each with a header that names pair and token. A new pair is shown as
      it was wished.
  type: list
  elements: dict
  returned: success
key_pair:
  description:
    - The pair, or V(null) with O(state=absent). In check mode what is known without doing anything.
  returned: success
  type: dict
  contains:
    label:
      description: Label of the pair.
      type: str
      returned: always
      sample: ocsp
    id:
      description: Identifier as a text, V(null) where it is none.
      type: str
      returned: always
      sample: ocsp-2026
    id_hex:
      description: Identifier as bytes, colon-separated; V(null) where there is none.
      type: str
      returned: always
      sample: "72:6f:6f:74"
    key_type:
      description: Type of the key, V(ec) or V(ec_edwards).
      type: str
      returned: always
      sample: ec
    curve:
      description: The curve.
      type: str
      returned: always
      sample: secp384r1
    public_key_pem:
      description: The public key (SubjectPublicKeyInfo) as PEM; V(null) in check mode for a pair that would be made.
      type: str
      returned: always
    fingerprint:
      description: SHA-256 of the public key (SubjectPublicKeyInfo in DER), colon-separated.
      type: str
      returned: always
    uri:
      description: RFC 7512 URI of the pair, without a PIN.
      type: str
      returned: always
      sample: pkcs11:token=demo;object=ocsp
    pairing:
      description:
        - How the halves were joined, V(material) by the public key in both or V(id) by curve and identifier, or by the
          modulus of an RSA key whose private half does not tell its exponent.
      type: str
      returned: always
      sample: id
    owner:
      description: The crypto user who owns the pair.
      type: str
      returned: where the HSM has users
      sample: crypto_user
    shared_with:
      description: The crypto users who may use the private key besides its owner.
      type: list
      elements: str
      returned: where the HSM has users
      sample: [alice]
    quorum:
      description: How many users must approve each use of the private key, 0 for none.
      type: int
      returned: where the HSM has users
      sample: 0
    management_quorum:
      description: How many users must approve a change of the private key or of its sharing, 0 for none.
      type: int
      returned: where the HSM has users
      sample: 0
    verified:
      description: The mechanism that the pair was proven with, or V(null).
      type: str
      returned: always
      sample: CKM_ECDSA
    unverified_reason:
      description: Why the pair was not proven in this run, or V(null).
      type: str
      returned: always
    public_key:
      description: The public half.
      type: dict
      returned: always
      contains: &half
        handle:
          description:
            - Handle of the object. That of PKCS#11 is of this run only and cannot choose a key in a later one.
              V(null) for one that would be made.
          type: int
          returned: always
        uri:
          description: RFC 7512 URI of the object.
          type: str
          returned: always
        attributes:
          description:
            - The attributes of the object by their PKCS#11 names in lower case; what the object lacks is absent.
              Byte values are colon-separated. C(kcv) is the token's check value, or the first three bytes of the
              SHA-1 of the public key (SubjectPublicKeyInfo).
          type: dict
          returned: always
        unreadable:
          description: Names of attributes that the token did not tell.
          type: list
          elements: str
          returned: always
    private_key:
      description: The private half.
      type: dict
      returned: always
      contains: *half
nodes:
  description: The tokens that hold the pair.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Label of the token, name of the replica, or serial number of an HSM of a cluster.
      type: str
      returned: always
    status:
      description: V(ok), V(failed), or V(unsynchronised) where a token was reached and does not have the pair.
      type: str
      returned: always
    message:
      description: What is to be said of it.
      type: str
      returned: always
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
differences:
  description: What differs and cannot be changed in place, each with C(half), C(name), C(found), and C(wished).
  returned: failure because of O(on_mismatch=fail)
  type: list
  elements: dict
"""

from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import keypair


def main() -> None:
    """Entry point."""
    keypair.run("ecc")


if __name__ == "__main__":
    main()
