#!/usr/bin/python

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hsm_key
short_description: Rename, restrict, and remove keys that are in an HSM
version_added: 1.0.0
author:
  - The cryptoki.hsm authors (!UNKNOWN)
description:
  - Changes or removes key pairs and halves that are on a token already, whoever made them. It generates none.
  - Covers C(setAttribute) and C(shareKey). More keys than O(count) are refused and listed; nothing is touched then.
  - Secret keys are not managed. One that has the name of the choice is passed over. Where it is all that is there,
    O(state=present) fails, and O(state=absent) has nothing to remove.
extends_documentation_fragment:
  - cryptoki.hsm._attributes
  - cryptoki.hsm._attributes.actiongroup_hsm
  - cryptoki.hsm._choice
  - cryptoki.hsm._keypair.certificates
  - cryptoki.hsm._keypair.halves
  - cryptoki.hsm._keypair.replicas
  - cryptoki.hsm._keypair.returned
  - cryptoki.hsm._login
options:
  state:
    description:
      - V(present) changes what is chosen as the other options say, and fails where it is not there. A lone half is
        refused unless O(uri) names its class.
      - V(absent) removes what is chosen, both halves of a pair and lone halves too. A lone public half goes only when
        it is named by more than its label. A C(handle) alone is refused, and one that is another key's than the other
        options say, too.
    type: str
    default: present
    choices:
      - present
      - absent
  count:
    description:
      - How many keys the choice means, a pair counts as one. More are refused.
      - Fewer are a failure with O(state=present), and are fine with O(state=absent).
    type: int
    default: 1
  new_label:
    description:
      - Label that the key gets, 1 to 127 bytes of UTF-8. One that another key of the same type has is refused.
      - A key that is not found by the chosen label, but by the new one, was renamed before and is unchanged.
    type: raw
  new_id:
    description:
      - Identifier that the key gets, as a text. One that another key pair has is refused.
    type: raw
  new_id_hex:
    description:
      - Identifier that the key gets, as bytes in hexadecimal digits.
    type: raw
  extractable:
    description:
      - V(false) makes the private key non-extractable, which cannot be taken back. V(true) is refused.
    type: bool
  usage:
    description:
      - What the pair may be used for. V(sign) sets sign on the private half and verify on the public one,
        V(decrypt) decrypt and encrypt, V(wrap) unwrap and wrap, V(derive) derive on the private half. What is not
        listed is set to false.
      - V(decrypt) and V(wrap) together are a risk. Whoever may use such a pair can wrap an extractable key under
        the public half and decrypt it to clear with the private half.
    type: list
    elements: str
    choices:
      - sign
      - decrypt
      - wrap
      - derive
  share_with:
    description:
      - The crypto users who may use the private key, besides its owner. PKCS#11 has no sharing, so
        O(provider=pkcs11) refuses it. C(shareKey) does this one user at a time.
      - A key with a quorum for its management cannot be shared by a task, since that needs the users' signatures.
    type: list
    elements: raw
  share_mode:
    description:
      - Whether O(share_with) lists all users, or those to add or to remove. The key is never shared with fewer users
        than its quorum needs.
    type: str
    default: exact
    choices:
      - exact
      - add
      - remove
notes:
  - Halves that only an identifier joins, and of which one was named, are proven to belong together before either is
    changed or removed.
  - A run that was killed between the halves of a renaming is finished by the next run, where the key itself or a proof
    shows that the halves belong together. Else it is refused and both are listed.
  - A change that the token refuses is taken back on the other half, as far as the token lets it; the message names what
    stays.
seealso:
  - module: cryptoki.hsm.hsm_key_info
  - module: cryptoki.hsm.hsm_rsa_keypair
  - module: cryptoki.hsm.hsm_ecc_keypair
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_keys
    description: How keys are found, read and changed, whoever made them.
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_login
    description: How a token is named and a PIN handed over.
"""

EXAMPLES = r"""
- name: Rename a key pair, and give it the identifier of its certificate
  cryptoki.hsm.hsm_key:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: root
    pin_file: /etc/pki/hsm.pin
    label: ecc14
    new_label: ocsp-2026
    new_id: ocsp-2026

- name: Let an imported key only sign, and never leave the HSM
  cryptoki.hsm.hsm_key:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: root
    pin_file: /etc/pki/hsm.pin
    id_hex: "01"
    usage:
      - sign
    extractable: false

- name: Find the orphans
  cryptoki.hsm.hsm_key_info:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: root
    pin_file: /etc/pki/hsm.pin
    label: ""
    id: ""
  register: orphans

- name: Remove those that tell their public key, one by one
  cryptoki.hsm.hsm_key:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: root
    pin_file: /etc/pki/hsm.pin
    fingerprint: "{{ item }}"
    state: absent
  loop: "{{ orphans.key_pairs | map(attribute='fingerprint') | select }}"

- name: Remove two duplicates of one label, and not a third one
  cryptoki.hsm.hsm_key:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: root
    pin_file: /etc/pki/hsm.pin
    label: trial
    count: 2
    state: absent

- name: Remove a public half without its private half
  cryptoki.hsm.hsm_key:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: root
    pin_file: /etc/pki/hsm.pin
    uri: pkcs11:object=rsa_test;type=public
    state: absent
"""

RETURN = r"""
outcome:
  description:
    - What was done, or would be done in check mode.
    - V(none), V(changed), or V(removed).
  type: str
  returned: success
  sample: changed
changes:
  description:
    - Each value that was changed, or would be in check mode. A key that is removed is named by its
      fingerprint, V(not known) where no half tells it, and by its class if it is a half.
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
    - What changes, for the diff mode, each with a header that names pair and token. From 20 changed pairs on it is one
      text with a line for each.
  type: list
  elements: dict
  returned: success
key_pairs:
  description:
    - The chosen pairs and halves as they are now; none with O(state=absent). In check mode as they would be.
  returned: success
  type: list
  elements: dict
  contains:
    label:
      description: Label of the pair; V(null) where it is no text.
      type: str
      returned: always
      sample: ecc14
    id:
      description: Identifier as a text, V(null) where it is none.
      type: str
      returned: always
      sample: rsa_mv2
    id_hex:
      description: Identifier as bytes, colon-separated; V(null) where there is none.
      type: str
      returned: always
      sample: "72:73:61:5f:6d:76:32"
    key_type:
      description: Type of the key, or a vendor's number as C(0x…); V(null) where the token does not tell it.
      type: str
      returned: always
      sample: ec
    modulus_bits:
      description: Size of the modulus in bits.
      type: int
      returned: for RSA keys
      sample: 2048
    public_exponent:
      description: Public exponent.
      type: int
      returned: for RSA keys
      sample: 65537
    curve:
      description: Name of the curve; V(null) where it is not known.
      type: str
      returned: for keys of other types
      sample: secp384r1
    public_key_pem:
      description: The public key (SubjectPublicKeyInfo) as PEM; V(null) where no half tells it.
      type: str
      returned: always
    fingerprint:
      description:
        - SHA-256 of the public key (SubjectPublicKeyInfo in DER), colon-separated; V(null) where no half tells it.
      type: str
      returned: always
    uri:
      description: RFC 7512 URI of the pair, without a PIN.
      type: str
      returned: always
      sample: pkcs11:token=root;serial=4f6e173c372c7d41;model=SoftHSM%20v2;object=ecc14
    pairing:
      description:
        - How the halves were joined, V(material) by the public key in both or V(id) by curve and identifier (by curve
          and label where there is no identifier). V(null) for a lone half.
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
    outcome:
      description: What was done to this key, in the words of RV(outcome).
      type: str
      returned: always
      sample: changed
    changes:
      description: What was changed of this key, as in RV(changes).
      type: list
      elements: dict
      returned: always
    public_key:
      description: The public half, V(null) where it is not there or was not chosen.
      type: dict
      returned: always
      contains: &half
        handle:
          description: Handle of the object. That of PKCS#11 is of this run only and cannot choose a key in a later one.
          type: int
          returned: always
          sample: 3
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
      description: The private half, V(null) where it is not there or was not chosen.
      type: dict
      returned: always
      contains: *half
nodes:
  description: The token.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Label of the token, name of the replica, or serial number of an HSM of a cluster.
      type: str
      returned: always
      sample: root
    status:
      description: V(ok), or V(unsynchronised) where not every HSM of a cluster has the same keys.
      type: str
      returned: always
      sample: ok
    message:
      description: What is to be said of it.
      type: str
      returned: always
ckr:
  description: The PKCS#11 return value, where the HSM gave one.
  returned: failure
  type: str
  sample: CKR_DEVICE_ERROR
provider_error:
  description: What the tool of a cluster answered, where it drives the HSMs.
  returned: failure
  type: str
  sample: HSM is disconnected
differences:
  description: What cannot be changed in place, each with C(half), C(name), C(found), and C(wished).
  returned: failure because the token does not let it be changed
  type: list
  elements: dict
"""

from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import key


def main() -> None:
    """Entry point."""
    key.run()


if __name__ == "__main__":
    main()
