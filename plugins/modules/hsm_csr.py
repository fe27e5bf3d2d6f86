#!/usr/bin/python

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hsm_csr
short_description: Have a certificate request signed by a key in an HSM
version_added: 1.0.0
author:
  - The cryptoki.hsm authors (!UNKNOWN)
description:
  - Makes a certificate request (PKCS#10, RFC 2986) of a key pair that is on a token. The private key signs inside the
    HSM.
  - A request that is there is kept where it parses, its own signature holds, its public key is that of the pair, and
    its subject, its extensions, the scheme and the digest are as wished. It is never compared by its bytes.
  - The options have the names that C(community.crypto.openssl_csr) has.
  - A new request is checked with the public half before it is returned or written. What goes wrong leaves an old file
    as it was.
extends_documentation_fragment:
  - ansible.builtin.files
  - cryptoki.hsm._attributes
  - cryptoki.hsm._attributes.actiongroup_hsm
  - cryptoki.hsm._certificate
  - cryptoki.hsm._certificate.file
  - cryptoki.hsm._certificate.signing
  - cryptoki.hsm._choice
  - cryptoki.hsm._login
attributes:
  idempotent:
    support: partial
    details:
      - Without O(path) and O(content), and with O(force=true), every run signs a new request.
notes:
  - In check mode a pair that is not on the token is no failure, because an earlier task of the play may make it. The
    request is known after that, and a warning says so.
  - A file at O(path) that has more in it than a request, or a private key, is not written over.
  - A key with C(always_authenticate) asks for the PIN at each use, and gets that of the task. It is refused where there
    is none, because the login is one at a PIN pad, where a wrong PIN would lock the token now, and where the token
    refused the PIN before; it is not tried again.
seealso:
  - module: cryptoki.hsm.hsm_certificate
  - module: cryptoki.hsm.hsm_rsa_keypair
  - module: cryptoki.hsm.hsm_ecc_keypair
  - module: community.crypto.openssl_csr_info
  - module: community.crypto.openssl_csr
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_certificates
    description: From a pair to a request and a certificate, and a CA in an HSM.
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_login
    description: How a token is named and a PIN handed over.
"""

EXAMPLES = r"""
- name: Have a request for a web server
  cryptoki.hsm.hsm_csr:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: web
    pin_file: /etc/pki/hsm.pin
    label: www
    path: /etc/pki/www.csr
    common_name: www.example.org
    subject_alt_name:
      - DNS:www.example.org
      - DNS:example.org
    key_usage:
      - digitalSignature
    key_usage_critical: true
    extended_key_usage:
      - serverAuth

- name: Have a request for an intermediate CA
  cryptoki.hsm.hsm_csr:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: intermediate
    pin_file: /etc/pki/hsm.pin
    label: issuing-ca
    path: /etc/pki/issuing-ca.csr
    mode: "0644"
    country_name: DE
    organization_name: Example
    common_name: Example Issuing CA
    basic_constraints:
      - CA:TRUE
      - pathlen:0
    basic_constraints_critical: true
    key_usage:
      - keyCertSign
      - cRLSign
    key_usage_critical: true

- name: Sign a request with RSASSA-PSS, and write nothing
  cryptoki.hsm.hsm_csr:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: web
    pin_file: /etc/pki/hsm.pin
    label: www
    common_name: www.example.org
    signature_scheme: pss
    digest: sha384
  register: www
"""

RETURN = r"""
csr:
  description:
    - The request as PEM, whether it was made now or was there; V(null) where check mode foretells a new one.
  returned: success
  type: str
filename:
  description: The file.
  returned: if O(path) is given
  type: str
  sample: /etc/pki/www.csr
backup_file:
  description: The old file under its new name.
  returned: changed, and if O(backup) is V(true)
  type: str
  sample: /etc/pki/www.csr.2026-11-26@22:11~
reasons:
  description: Why a new request was signed, or would be; empty where none was.
  returned: success
  type: list
  elements: str
  sample: ["its subject differs"]
request:
  description: What is in the request, or would be.
  returned: success
  type: dict
  contains:
    subject:
      description: The subject, the most specific part first (RFC 4514).
      type: str
      returned: always
      sample: CN=www.example.org,O=Example,C=DE
    extensions:
      description: The extensions.
      type: list
      elements: dict
      returned: always
      contains:
        oid:
          description: Its OID.
          type: str
          returned: always
          sample: 2.5.29.15
        name:
          description: The option for it, V(null) where there is none.
          type: str
          returned: always
          sample: key_usage
        critical:
          description: Whether it is critical.
          type: bool
          returned: always
        value:
          description: The DER of its value, in base64.
          type: str
          returned: always
          sample: AwIHgA==
        text:
          description: The value as it is given, V(null) where that is long.
          type: str
          returned: always
          sample: digitalSignature
    public_key_fingerprint:
      description:
        - SHA-256 of the public key (SubjectPublicKeyInfo in DER), colon-separated; V(null) where the pair is not there
          yet.
      type: str
      returned: always
    signature:
      description: Scheme and digest of the signature; V(null) where the pair is not there yet.
      type: str
      returned: always
      sample: ecdsa with sha256
outcome:
  description:
    - What was done, or would be done in check mode.
    - V(none), V(generated), V(replaced), or V(changed) where only the owner or mode of the file was.
  type: str
  returned: success
  sample: generated
changes:
  description: Each value of the request and of the file that changed, or would in check mode.
  type: list
  elements: dict
  returned: success
  contains:
    half:
      description: V(null).
      type: str
      returned: always
    name:
      description: Its name, as in RV(request) and, for extensions, in their C(name) or C(oid).
      type: str
      returned: always
      sample: subject
    before:
      description: Its value before; V(null) where there was none.
      type: raw
      returned: always
      sample: CN=old.example.org
    after:
      description: Its value now, or after a run without check mode; V(null) where there is none any more.
      type: raw
      returned: always
      sample: CN=www.example.org
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

from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import csr


def main() -> None:
    """Entry point."""
    csr.run()


if __name__ == "__main__":
    main()
