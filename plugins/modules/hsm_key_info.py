#!/usr/bin/python

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hsm_key_info
short_description: Find the keys in an HSM and read their attributes
version_added: 1.0.0
author:
  - The cryptoki.hsm authors (!UNKNOWN)
description:
  - Lists the keys of a token with all their attributes, joins the halves of pairs, and says which are half pairs,
    duplicates, or orphans.
  - Covers C(findKey), C(getAttribute), and C(getKeyInfo). A filter that is not given takes any key; all that are given
    must fit.
  - Needs a login to see private and secret keys. It reads no secret value and changes nothing.
extends_documentation_fragment:
  - cryptoki.hsm._attributes.info_module
  - cryptoki.hsm._attributes.actiongroup_hsm
  - cryptoki.hsm._choice
  - cryptoki.hsm._login
options:
  label_regex:
    description:
      - Regular expression of Python that is found somewhere in the label.
    type: raw
  object_class:
    description:
      - Class of the key. The flag C(-c) of C(findKey).
    type: str
    choices:
      - public_key
      - private_key
      - secret_key
  session:
    description:
      - Whether the key lives in a session, V(true), or on the token, V(false). The flag C(-sess) of C(findKey).
    type: bool
  modulus:
    description:
      - Modulus of an RSA key in hexadecimal digits, with or without colons, blanks, line ends, and C(0x). The flag
        C(-m) of C(findKey).
    type: raw
  kcv:
    description:
      - Key check value of the key in at least six hexadecimal digits. The flag C(-kcv) of C(findKey).
    type: raw
  shared_with:
    description:
      - Crypto users who all may use the key. PKCS#11 has no sharing, so O(provider=pkcs11) refuses it.
      - The flag C(-u) of C(findKey).
    type: list
    elements: raw
  attributes:
    description:
      - The attributes to read and to return, all if not given. Fewer make a task on a full token quicker.
    type: list
    elements: str
    choices:
      - allowed_mechanisms
      - always_authenticate
      - always_sensitive
      - class
      - copyable
      - decrypt
      - derive
      - destroyable
      - ec_params
      - ec_point
      - encrypt
      - extractable
      - id
      - id_hex
      - kcv
      - key_gen_mechanism
      - key_type
      - label
      - local
      - modifiable
      - modulus
      - modulus_bits
      - never_extractable
      - private
      - public_exponent
      - sensitive
      - sign
      - sign_recover
      - token
      - trusted
      - unwrap
      - value_len
      - verify
      - verify_recover
      - wrap
      - wrap_with_trusted
  attribute_file:
    description:
      - Return each object also as the text that C(getAttribute) writes, for tools that read that. With
        O(provider=key_mgmt_util) it is what the command wrote, with others the lines of its documentation, less
        those of which the token tells nothing.
    type: bool
    default: false
notes:
  - An error of the search is a failure. What cannot be read of a key that was found is listed as unreadable, and is no
    failure.
  - What is marked goes by the keys that the filters take; whether a label is unique on the token, only a search for
    nothing but that label tells.
seealso:
  - module: cryptoki.hsm.hsm_key
  - module: cryptoki.hsm.hsm_rsa_keypair
  - module: cryptoki.hsm.hsm_ecc_keypair
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_keys
    description: How keys are found, read and changed, whoever made them.
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_login
    description: How a token is named and a PIN handed over.
"""

EXAMPLES = r"""
- name: Read every key of the token
  cryptoki.hsm.hsm_key_info:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: root
    pin_file: /etc/pki/hsm.pin
  register: token

- name: No private key may leave the HSM, and no pair is torn or ambiguous
  ansible.builtin.assert:
    that:
      - extractable == []
      - wrong == []
    fail_msg: "extractable: {{ extractable | join(' ') }}, half or twice: {{ wrong | join(' ') }}"
  vars:
    extractable: >-
      {{ token.objects | selectattr('class', '==', 'private_key')
         | rejectattr('attributes.extractable', 'false') | map(attribute='uri') }}
    wrong: "{{ token.key_pairs | rejectattr('problems', '==', []) | map(attribute='uri') }}"

- name: Show the orphans that broken generations left
  ansible.builtin.debug:
    msg: "{{ token.key_pairs | selectattr('problems', 'contains', 'orphan') | map(attribute='fingerprint') }}"

- name: Find the private RSA keys of the web servers
  cryptoki.hsm.hsm_key_info:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: root
    pin_file: /etc/pki/hsm.pin
    object_class: private_key
    key_type: rsa
    label_regex: ^web-[0-9]+$
    attributes:
      - label
      - id
      - extractable
      - modulus_bits

- name: Read a key as getAttribute -a 512 writes it
  cryptoki.hsm.hsm_key_info:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: root
    pin_file: /etc/pki/hsm.pin
    label: rsa_test
    object_class: public_key
    attribute_file: true
  register: rsa_test

- name: Write it to a file
  ansible.builtin.copy:
    content: "{{ rsa_test.objects[0].attribute_file }}"
    dest: /tmp/attr_rsa_test
    mode: "0600"
"""

RETURN = r"""
objects:
  description: The keys that all filters take, public keys first, then private and secret keys.
  returned: success
  type: list
  elements: dict
  contains:
    class:
      description: V(public_key), V(private_key), or V(secret_key).
      type: str
      returned: always
      sample: public_key
    handle:
      description: Handle of the object. That of PKCS#11 is of this run only and cannot choose a key in a later one.
      type: int
      returned: always
      sample: 3
    uri:
      description: RFC 7512 URI of the object.
      type: str
      returned: always
      sample: pkcs11:token=root;serial=4f6e173c372c7d41;model=SoftHSM%20v2;object=ecc14;type=public
    key_pair:
      description:
        - The number of its pair in RV(key_pairs), from 0. V(null) for a secret key, and for a key of which the token
          tells nothing.
      type: int
      returned: always
      sample: 0
    attributes:
      description:
        - The attributes of the object by their PKCS#11 names in lower case; what the object lacks is absent. Byte
          values are colon-separated. C(kcv) is the token's check value, or the first three bytes of the SHA-1 of the
          public key (SubjectPublicKeyInfo).
      type: dict
      returned: always
      sample:
        class: public_key
        ec_params: "06:05:2b:81:04:00:22"
        kcv: e80cae
        key_gen_mechanism: CKM_EC_KEY_PAIR_GEN
        key_type: ec
        label: ecc14
    unreadable:
      description: Names of attributes that the token did not tell; C(class) where it told nothing of the object.
      type: list
      elements: str
      returned: always
      sample: []
    attribute_file:
      description: The text that C(getAttribute) writes; V(null) where nothing of the object could be read.
      type: str
      returned: with O(attribute_file=true)
      sample: "OBJ_ATTR_CLASS\n0x02\nOBJ_ATTR_KEY_TYPE\n0x03\n"
key_pairs:
  description:
    - The pairs and lone halves that these keys belong to, with what RV(objects) does not tell. A pair may have a half
      that the filters do not take.
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
          and label where there is no identifier), or by the modulus of an RSA key whose private half does not tell its
          exponent. V(null) for a lone half. What only V(id) joins is not proven here; the modules that manage key pairs
          do it.
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
    certificates:
      description: The certificates on the token that have an identifier of the pair. Clusters' tools tell of none.
      type: list
      elements: dict
      returned: always
      contains:
        label:
          description: Label of the certificate; V(null) where it is no text.
          type: str
          returned: always
          sample: web
        id_hex:
          description: Its identifier as bytes, colon-separated, which joins it to the pair.
          type: str
          returned: always
          sample: "77:65:62"
        subject:
          description: Its subject (RFC 4514); V(null) where it cannot be read.
          type: str
          returned: always
          sample: CN=web.example.com
        issuer:
          description: Its issuer (RFC 4514); V(null) where it cannot be read.
          type: str
          returned: always
          sample: CN=Example Issuing CA
        serial_number:
          description: Its serial number as bytes, colon-separated; V(null) where it cannot be read.
          type: str
          returned: always
          sample: "4f:6e:17"
        not_before:
          description: The start of its validity in UTC; V(null) where it cannot be read.
          type: str
          returned: always
          sample: "2026-12-01T12:00:00Z"
        not_after:
          description: The end of its validity in UTC; V(null) where it cannot be read.
          type: str
          returned: always
          sample: "2027-03-01T12:00:00Z"
        fingerprint:
          description: SHA-256 of the certificate in DER, colon-separated; V(null) where the token does not tell it.
          type: str
          returned: always
    problems:
      description:
        - What is wrong with it as far as it shows without using it.
        - V(half) is a half without its other. V(duplicate) has an identifier that another key has too, or no identifier
          and a label and type that another key has too, or a half more than once. V(ids) has halves with different
          identifiers, which another program has given it, or is a half beside which there is one of the same label and
          curve with another identifier. V(orphan) has neither label nor
          identifier, as what a killed generation leaves. V(unreadable) does not tell its type or its name.
        - V(stale_certificate) has the identifier of a certificate of another key, which programs take for its own.
      type: list
      elements: str
      returned: always
      sample: []
    public_key:
      description: The public half, V(null) where there is none.
      type: dict
      returned: always
      contains: &half
        handle:
          description:
            - Its handle in this run. The object of RV(objects) with this handle has its attributes, if the filters take
              it.
          type: int
          returned: always
          sample: 3
    private_key:
      description: The private half, V(null) where there is none.
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
      description: Label of the token, or serial number of an HSM of a cluster.
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
"""

import ctypes
import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import groups, key_groups
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import description
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.attribute_file import NAMES, attribute_file
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.problems import is_stale, problems
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.selection import Selected, select, selection_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import edge, providers
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.keypair import nodes_of

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import certificate

# Attributes that are returned in another form than they are read.
SOURCE = {"kcv": "check_value", "id_hex": "id"}


def look(module: edge.HsmModule) -> edge.Result:
    """Looks for the keys that the options select, those of other users too, and changes nothing."""
    selection = dataclasses.replace(selection_from(module.params), others=True)
    provider, login = providers.provider_from(module.params)
    module.know(login)
    module.require_libraries(provider)
    with provider.session(writable=False) as session:
        for warning in session.tell_damage():
            module.warn(warning)
        selected = select(session, selection, to_read(module.params))
        beside = certificates_of(session, selected.pairs)
        nodes, token = nodes_of(session.nodes()), session.uri_attributes
    # Only now: a library may hold as much of a large token as is told of it.
    give_back_memory()
    return {"changed": False, **told(selected, beside, token, module.params), "nodes": nodes}


def give_back_memory() -> None:
    """What a library has freed stays with the process otherwise, where the C library keeps it (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)


def to_read(params: edge.Params) -> frozenset[str] | None:
    """The attributes to ask the token for; None is all."""
    if params["attributes"] is None:
        return None
    names = {*params["attributes"], *(NAMES if params["attribute_file"] else ())}
    return frozenset(SOURCE.get(name, name) for name in names)


def told(
    selected: Selected,
    beside: t.Sequence[t.Sequence[certificate.Certificate]],
    token: t.Mapping[str, str],
    params: edge.Params,
) -> edge.Result:
    """What is returned of the selected keys; `beside` are the certificates of each pair."""
    names = params["attributes"]
    number_of = {handle: number for number, pair in enumerate(selected.pairs) for handle in pair.handles}

    def shown(found: TokenObject) -> edge.Result:
        number = number_of.get(found.handle)
        spki = None if number is None else selected.pairs[number].spki
        row = {
            "class": f"{found.half}_key",
            "key_pair": number,
            **description.describe_object(found, token, spki, names),
        }
        return {**row, "attribute_file": attribute_file(found, spki)} if params["attribute_file"] else row

    return {
        "objects": [shown(found) for found in (*selected.objects, *selected.unread)],
        "key_pairs": [
            {**description.describe(pair, token, reference), **told_of(found, pair.spki, words)}
            for pair, words, found in zip(
                selected.pairs, problems(selected.pairs, selected.beside), beside, strict=True
            )
        ],
    }


def reference(found: TokenObject) -> edge.Result:
    """A half of a pair, by what finds it among the objects."""
    return {"handle": found.handle or None}


def certificates_of(session: TokenSession, pairs: t.Sequence[KeyPair]) -> list[list[certificate.Certificate]]:
    """For each pair the certificates that have an id of it; one search."""
    ids = {one for pair in pairs for one in pair.ids}
    found = session.certificates(identifier=ids.pop() if len(ids) == 1 else None) if ids else []
    places: dict[bytes, list[int]] = {}
    for place, one in enumerate(found):
        places.setdefault(one.id, []).append(place)
    of_pairs = (sorted(place for ident in pair.ids for place in places.get(ident, ())) for pair in pairs)
    return [[found[place] for place in of_pair] for of_pair in of_pairs]


def told_of(found: t.Sequence[certificate.Certificate], spki: bytes | None, words: list[str]) -> edge.Result:
    """What is returned of a pair's certificates and of what is wrong with it."""
    if not found:
        return {"certificates": [], "problems": words}
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import certificate

    stale = ["stale_certificate"] if any(is_stale(one, spki) for one in found) else []
    return {"certificates": [certificate.describe_certificate(one) for one in found], "problems": [*words, *stale]}


def main() -> None:
    """Entry point."""
    edge.HsmModule(groups.LOGIN + key_groups.KEY_INFO, providers.kind_of).run(look)


if __name__ == "__main__":
    main()
