#!/usr/bin/python

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hsm_keypairs
short_description: Manage many key pairs in an HSM under one login
version_added: 1.0.0
author:
  - The cryptoki.hsm authors (!UNKNOWN)
description:
  - Generates, compares, changes, and removes any number of RSA and ECC key pairs inside a hardware security module. The
    private keys never leave the HSM.
  - Each entry of O(keypairs) is treated as a task of M(cryptoki.hsm.hsm_rsa_keypair) or
    M(cryptoki.hsm.hsm_ecc_keypair) would treat it, but there is one login for all of them, pairs are worked on at the
    same time, and a token of which they are most is read once instead of searched for each.
  - An entry that fails does not stop the others. The task fails at its end and names what failed; RV(key_pairs) tells
    of every entry. What was made stays, and the next run finds it.
  - After an error that ends the work with the token (it was removed, the session is gone), what was not begun is not
    attempted.
  - All new pairs are made and proven first, and then looked for again at once, so that one look finds what another host
    may have made meanwhile. What cannot be taken back is done after that.
extends_documentation_fragment:
  - cryptoki.hsm._attributes
  - cryptoki.hsm._attributes.actiongroup_hsm
  - cryptoki.hsm._keypair.for_all
  - cryptoki.hsm._keypair.replicas
  - cryptoki.hsm._keypair.returned
  - cryptoki.hsm._keypairs
  - cryptoki.hsm._login
attributes:
  action:
    description:
      - Indicates this has a corresponding action plugin so some parts of the options can be executed on the controller.
    support: full
    details:
      - On the controller there is only the display of the progress. The module does its work on the target, and returns
        the same without it.
  async:
    description: Supports being used with the C(async) keyword.
    support: full
    details:
      - No progress is shown then.
  idempotent:
    support: partial
    details:
      - With O(keypairs[].session=true) every run generates a new pair.
options:
  parallel:
    description:
      - How many pairs are worked on at the same time, 1 to 64. Each has a session of its own, as far as the token has
        sessions.
      - If not given, it is twice the number of processors that the module's process may use.
      - With O(replicas) each token has up to so many sessions, and one where its library does not allow threads. New
        pairs are made on the first token, eight times this number at most, and copied to the others after that.
      - It is 1 in check mode, and with O(replicas) and O(timeout).
      - It is 1 on a token whose library does not allow threads, and with O(replicas) less where the limit of open files
        (C(ulimit -n)) allows no more on so many tokens. Both are a warning if a number is given.
    type: int
  progress_file:
    description:
      - A file on the target that gets a line for each pair that is made or done, for a second terminal, since a module
        cannot tell anything before it ends. It is written anew by each run. A pair that fails after it was made gets a
        second line. With O(replicas) a line tells how many pairs each token has by then.
      - Secrets are masked in it as Ansible masks them in the result. A full disk does not stop the task.
      - Check mode writes no such file.
    type: path
notes:
  - Where the output of Ansible is a terminal, it shows every few seconds how many pairs are done, how fast, and how
    long the others will take. This takes a second connection to the target. Where none opens, in check mode, with
    C(async), and where O(progress_file) is no absolute path or has a variable, nothing is shown.
  - Two tasks on one host never generate the same pair twice, they wait for each other. Where two hosts do it at the
    same moment, each sees the other's pair before it returns, removes its own, and looks again.
seealso:
  - module: cryptoki.hsm.hsm_rsa_keypair
  - module: cryptoki.hsm.hsm_ecc_keypair
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_key_pairs
    description: What is looked for, what is done about it, and what is refused.
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_login
    description: How a token is named and a PIN handed over.
"""

EXAMPLES = r"""
- name: Have the keys of a PKI
  cryptoki.hsm.hsm_keypairs:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: root
    pin_file: /etc/pki/hsm.pin
    keypairs:
      - type: rsa
        label: root-ca-2026
        id: root-ca-2026
        modulus_bits: 4096
        usage:
          - sign
        extractable: false
      - type: ecc
        label: ocsp
        curve: P-384
        extractable: false
      - type: rsa
        label: root-ca-2016
        state: absent
  register: pki

- name: Keep the public keys
  ansible.builtin.copy:
    content: "{{ item.public_key_pem }}"
    dest: "/etc/pki/{{ item.label }}.pub.pem"
    mode: "0644"
  loop: "{{ pki.key_pairs | selectattr('public_key_pem', 'defined') }}"
  loop_control:
    label: "{{ item.label }}"
  when: item.public_key_pem is not none  # it is in check mode, before the pair exists

- name: Have a key pair for each of many devices, and follow it by 'tail -f'
  cryptoki.hsm.hsm_keypairs:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: devices
    pin_file: /etc/pki/hsm.pin
    keypairs: "{{ [common] | product(devices) | map('combine') }}"
    parallel: 8
    progress_file: /run/devices.progress
  vars:
    common:
      type: ecc
      curve: P-256
      extractable: false
    devices:
      - label: device-0001
      - label: device-0002
"""

RETURN = r"""
counts:
  description:
    - How many entries came to each outcome, V(generated), V(changed), V(replaced), V(removed), V(repaired), or V(none),
      and how many V(failed). The message of a task that does not fail tells those that are not 0.
  returned: success, and failure of single pairs
  type: dict
  sample: {generated: 12, changed: 3, replaced: 0, removed: 0, repaired: 0, none: 185, failed: 0}
diff:
  description:
    - What changes, for the diff mode, each with a header that names pair and token. A new pair is shown as
      it was wished. From 20 changed pairs on it is one text with a line for each.
  type: list
  elements: dict
  returned: success, and failure of single pairs
key_pairs:
  description:
    - What became of each entry of O(keypairs), in their order. The description of the pair is part of it where there
      is one; in check mode it is what is known without doing anything. It is there when the task fails, too, unless it
      failed before the first pair.
  returned: success, and failure of single pairs
  type: list
  elements: dict
  contains:
    type:
      description: The type, as wished.
      type: str
      returned: always
      sample: ecc
    changed:
      description: Whether this pair was changed, or would be in check mode.
      type: bool
      returned: always
    outcome:
      description:
        - What was done, or would be done in check mode.
        - V(none), V(generated), V(changed), V(replaced), V(removed), or V(repaired) where something was finished that
          a killed run left, a public half was completed, or a replica got a copy that it lacked.
      type: str
      returned: always
      sample: changed
    changes:
      description:
        - Each value that was changed, or would be in check mode. A pair that is new or removed is named by its
          fingerprint, which is V(not known) in check mode where it will be new.
      type: list
      elements: dict
      returned: always
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
    failed:
      description: Whether this entry failed.
      type: bool
      returned: always
    msg:
      description: Why it failed; empty if it did not.
      type: str
      returned: always
    ckr:
      description: The PKCS#11 return value, where the HSM gave one.
      type: str
      returned: if the entry failed
      sample: CKR_DEVICE_MEMORY
    differences:
      description:
        - What differs and cannot be changed in place, each with C(half), C(name), C(found), and C(wished).
      type: list
      elements: dict
      returned: if the entry failed because of O(keypairs[].on_mismatch=fail)
    label:
      description: Label of the pair, V(null) where neither the entry nor the token tells it.
      type: str
      returned: always
      sample: ocsp
    id:
      description: Identifier as a text, V(null) where it is none.
      type: str
      returned: if there is a pair
      sample: ocsp-2026
    id_hex:
      description: Identifier as bytes, colon-separated; V(null) where there is none.
      type: str
      returned: always
      sample: "72:6f:6f:74"
    key_type:
      description: Type of the key, V(rsa), V(ec), or V(ec_edwards).
      type: str
      returned: if there is a pair
      sample: ec
    modulus_bits:
      description: Size of the modulus in bits.
      type: int
      returned: if there is an RSA pair
      sample: 4096
    public_exponent:
      description: Public exponent.
      type: int
      returned: if there is an RSA pair
      sample: 65537
    curve:
      description: The curve.
      type: str
      returned: if there is an ECC pair
      sample: secp384r1
    public_key_pem:
      description: The public key (SubjectPublicKeyInfo) as PEM; V(null) in check mode for a pair that would be made.
      type: str
      returned: if there is a pair
    fingerprint:
      description: SHA-256 of the public key (SubjectPublicKeyInfo in DER), colon-separated.
      type: str
      returned: if there is a pair
    uri:
      description: RFC 7512 URI of the pair, without a PIN.
      type: str
      returned: if there is a pair
      sample: pkcs11:token=demo;object=ocsp
    pairing:
      description:
        - How the halves were joined, V(material) by the public key in both or V(id) by curve and identifier, or by the
          modulus of an RSA key whose private half does not tell its exponent.
      type: str
      returned: if there is a pair
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
      returned: if there is a pair
      sample: CKM_ECDSA
    unverified_reason:
      description: Why the pair was not proven in this run, or V(null).
      type: str
      returned: if there is a pair
    public_key:
      description: The public half.
      type: dict
      returned: if there is a pair
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
      returned: if there is a pair
      contains: *half
nodes:
  description: The tokens that hold the pairs.
  returned: success, and failure of single pairs
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
  description: The PKCS#11 return value, where the HSM gave one before the first pair. See RV(key_pairs[].ckr) else.
  returned: failure
  type: str
  sample: CKR_PIN_INCORRECT
provider_error:
  description: What the tool of a cluster answered, where it drives the HSMs.
  returned: failure
  type: str
  sample: HSM is disconnected
"""

from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import keypairs


def main() -> None:
    """Entry point."""
    keypairs.run()


if __name__ == "__main__":
    main()
