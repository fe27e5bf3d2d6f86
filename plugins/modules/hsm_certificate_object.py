#!/usr/bin/python

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hsm_certificate_object
short_description: Have a certificate in an HSM beside its key
version_added: 1.0.0
author:
  - The cryptoki.hsm authors (!UNKNOWN)
description:
  - Stores a certificate, and those of its issuers, on the token of its key. Java, GnuPG, NSS, and browsers find a key
    there only beside a certificate with the same identifier.
  - The certificate gets the identifier and the label of the private key. One that is there already is not stored
    twice. Its identifier and label are set right in place, or in a copy where the token cannot change them.
  - Another certificate of the same key and issuer is replaced. The new one is stored and read back first, then the old
    one goes, and the token is looked at once more. A certificate of the same key by another issuer stays.
  - With O(provider=pkcs11) only, since the tools of clusters store no certificates.
extends_documentation_fragment:
  - cryptoki.hsm._attributes
  - cryptoki.hsm._attributes.actiongroup_hsm
  - cryptoki.hsm._choice
  - cryptoki.hsm._login
options:
  state:
    description:
      - V(present) has the certificate on the token. It needs a choice of the key, and O(path) or O(content).
      - V(absent) removes all certificates of the chosen key, and no other. With O(path) or O(content) it removes just
        that certificate, and needs no choice of a key. Certificates of issuers stay, since other keys may need them.
        One of them goes where it is named by O(path) itself.
    type: str
    default: present
    choices:
      - present
      - absent
  path:
    description:
      - File on the target with the certificate, in PEM or DER. Further certificates in it are those of its issuers, as
        in C(fullchain.pem) of an ACME client. The one of the key is the first.
    type: path
  content:
    description:
      - The certificate itself, in PEM, likewise with those of its issuers.
    type: str
  chain_path:
    description:
      - File on the target with the certificates of its issuers, in PEM, or one in DER.
      - Each is stored once, whatever number of keys it serves, under the identifier of its own key and the common name
        of its subject. One that is there already stays as it is.
      - A certificate that is not of an issuer of the first one, nor of an issuer's issuer, is refused.
    type: path
  chain_content:
    description:
      - The certificates of its issuers themselves, in PEM.
    type: str
  force:
    description:
      - Whether a certificate that begins before the one on the token may take its place, or that begins at the same
        time and ends before. It is refused otherwise.
    type: bool
    default: false
notes:
  - Refused are the certificate of another key, a key without an identifier, and a token that takes no certificates.
  - Every certificate of the token is read. One that cannot be read is a failure, as it may be the one that is meant.
  - O(path), O(content), O(chain_path), and O(chain_content) that are given as V(null) are not taken for ones that are
    not given, or all certificates of a key would go where one was meant. In check mode, where earlier tasks return
    V(null), the certificate is known later, else it is a failure. C(default(omit)) leaves an option out.
  - The token is opened for writing only where something is to be changed.
  - In check mode a key or a file that is not there is no failure, because an earlier task of the play may make it. A
    warning says so.
  - A certificate of another key with the identifier of the chosen one is not touched. A warning names it.
seealso:
  - module: cryptoki.hsm.hsm_certificate
  - module: cryptoki.hsm.hsm_key_info
  - module: community.crypto.x509_certificate_info
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_certificates
    description: From a pair to a request and a certificate, and a CA in an HSM.
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_login
    description: How a token is named and a PIN handed over.
"""

EXAMPLES = r"""
- name: Have the certificate of the web server and of its issuers beside its key
  cryptoki.hsm.hsm_certificate_object:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: web
    pin_file: /etc/pki/hsm.pin
    label: www
    path: /etc/pki/www.pem
    chain_path: /etc/pki/issuing-ca.pem

- name: Have no certificate of a key
  cryptoki.hsm.hsm_certificate_object:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: web
    pin_file: /etc/pki/hsm.pin
    label: old
    state: absent

- name: Remove the certificate of an issuer that is not used any more
  cryptoki.hsm.hsm_certificate_object:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: web
    pin_file: /etc/pki/hsm.pin
    path: /etc/pki/old-ca.pem
    state: absent
"""

RETURN = r"""
certificates:
  description:
    - The certificate of the key, and those of its issuers, as they are now. In check mode as they would be, and none
      where something is not there yet. None with O(state=absent).
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: V(key) for the certificate of the key, V(chain) for one of an issuer.
      type: str
      returned: always
      sample: key
    label:
      description: Label of the certificate.
      type: str
      returned: always
      sample: www
    id_hex:
      description: Identifier as bytes, colon-separated.
      type: str
      returned: always
      sample: "77:77:77"
    subject:
      description: The subject, the most specific part first (RFC 4514).
      type: str
      returned: always
      sample: CN=www.example.org
    issuer:
      description: The issuer, likewise.
      type: str
      returned: always
      sample: CN=Example Issuing CA
    serial_number:
      description: The serial number, colon-separated.
      type: str
      returned: always
      sample: 4f:6e:17
    not_before:
      description: Start of the validity, in UTC.
      type: str
      returned: always
      sample: "2026-11-26T00:00:00Z"
    not_after:
      description: End of the validity, in UTC.
      type: str
      returned: always
      sample: "2027-02-24T00:00:00Z"
    fingerprint:
      description: SHA-256 of the certificate in DER, colon-separated.
      type: str
      returned: always
    uri:
      description: RFC 7512 URI of the certificate, without a PIN.
      type: str
      returned: always
      sample: pkcs11:token=web;object=www;type=cert;id=%77%77%77
    outcome:
      description: What was done to it, in the words of RV(outcome).
      type: str
      returned: always
      sample: generated
    changes:
      description: What changed of it, as in RV(changes).
      type: list
      elements: dict
      returned: always
outcome:
  description:
    - What was done, or would be done in check mode.
    - V(none), V(generated) where none of this issuer was there, V(replaced), V(changed) where it got another label or
      id or lost its copies, or V(removed). Where only a certificate of an issuer was stored it is V(generated).
  type: str
  returned: success
  sample: generated
changes:
  description: Each value that changed, or would in check mode.
  type: list
  elements: dict
  returned: success
  contains:
    half:
      description: V(null).
      type: str
      returned: always
    name:
      description: Its name, as in RV(certificates), or V(copies).
      type: str
      returned: always
      sample: serial_number
    before:
      description: Its value before; V(null) where there was none.
      type: raw
      returned: always
      sample: 4f:6e:16
    after:
      description: Its value now, or after a run without check mode; V(null) where there is none any more.
      type: raw
      returned: always
      sample: 4f:6e:17
ckr:
  description: The PKCS#11 return value, where the HSM gave one.
  returned: failure
  type: str
  sample: CKR_DEVICE_ERROR
"""

from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import certificate_object


def main() -> None:
    """Entry point."""
    certificate_object.run()


if __name__ == "__main__":
    main()
