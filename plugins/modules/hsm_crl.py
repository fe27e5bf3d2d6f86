#!/usr/bin/python

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hsm_crl
short_description: Have a revocation list signed by the key of a CA in an HSM
version_added: 1.0.0
author:
  - The cryptoki.hsm authors (!UNKNOWN)
description:
  - Makes certificate revocation lists (CRL, RFC 5280). The private key that is chosen, which is that of the CA, signs
    them inside the HSM.
  - A list that is there is kept where the signature of the CA holds, issuer, entries and extensions are as wished, and
    it is not within O(renew_before) of its next update. It is never compared by its bytes.
  - Each new list has a number that is one more than that of the one before, and the identifier of the CA's key.
  - A new list is checked with the public half before it is returned or written. What goes wrong leaves an old file as
    it was.
extends_documentation_fragment:
  - ansible.builtin.files
  - cryptoki.hsm._attributes
  - cryptoki.hsm._attributes.actiongroup_hsm
  - cryptoki.hsm._certificate.file
  - cryptoki.hsm._certificate.signing
  - cryptoki.hsm._choice
  - cryptoki.hsm._login
attributes:
  idempotent:
    support: partial
    details:
      - Without O(path) and O(content), and with O(force=true), every run signs a new list.
options:
  ca_path:
    description:
      - File on the target with the certificate of the CA, in PEM or DER.
      - It must be of the chosen pair, have C(CA:TRUE), be valid now, and allow C(cRLSign) if it has a key usage.
      - Either it or O(ca_content) is needed.
    type: path
  ca_content:
    description:
      - The certificate of the CA itself.
    type: str
  content:
    description:
      - The list that there is already, instead of a file, as PEM, or as DER in base64. Nothing is written then, the
        result is only returned.
  revoked_certificates:
    description:
      - The certificates that are revoked. The list may be empty.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - File on the target with the certificate, in PEM or DER, whose serial number is taken. It must be of this CA,
            where no O(revoked_certificates[].issuer) is given.
          - One of it, O(revoked_certificates[].content) and O(revoked_certificates[].serial_number) is needed.
        type: path
      content:
        description:
          - The certificate itself, likewise.
        type: str
      serial_number:
        description:
          - The serial number of the certificate, as O(serial_numbers) says.
        type: raw
      revocation_date:
        description:
          - When it was revoked, in UTC as V(20301231235959Z) or V(2030-12-31), or relative to now as V(-1h).
          - An entry that the list has already keeps its date, unless an absolute one is given.
        type: str
        default: +0s
      issuer:
        description:
          - The issuer of the certificate, where it is another one than this CA, as V(dirName:CN=name,O=organization).
            The list becomes an indirect one by that, which many programs do not take.
        type: list
        elements: str
      issuer_critical:
        description:
          - Whether the issuer is critical. RFC 5280 demands it, so V(false) is refused beside
            O(revoked_certificates[].issuer).
        type: bool
        default: false
      reason:
        description:
          - Why it was revoked. V(unspecified) is said by leaving the reason out of the list, as RFC 5280 recommends.
            V(remove_from_crl) is of delta lists only, and refused.
        type: str
        choices:
          - unspecified
          - key_compromise
          - ca_compromise
          - affiliation_changed
          - superseded
          - cessation_of_operation
          - certificate_hold
          - privilege_withdrawn
          - aa_compromise
          - remove_from_crl
      reason_critical:
        description:
          - Whether the reason is critical. RFC 5280 has it not critical, so V(true) is refused beside
            O(revoked_certificates[].reason).
        type: bool
        default: false
      invalidity_date:
        description:
          - Since when it is known or suspected that the certificate was not to be trusted, in the form of
            O(revoked_certificates[].revocation_date). A relative one is not compared.
        type: str
      invalidity_date_critical:
        description:
          - Whether the invalidity date is critical. RFC 5280 has it not critical, so V(true) is refused beside
            O(revoked_certificates[].invalidity_date).
        type: bool
        default: false
  crl_mode:
    description:
      - With V(generate), the list has the entries that are given, and no others. A certificate that is left out is no
        longer revoked.
      - With V(update), entries that the list has already stay. It is refused where the signature of the CA does not
        hold on what is there.
    type: str
    default: generate
    choices: [generate, update]
  serial_numbers:
    description:
      - How O(revoked_certificates[].serial_number) is written, as an integer such as V(66223), or as octets in
        hexadecimal with colons such as V(01:02:AF), which this collection returns.
    type: str
    default: integer
    choices: [integer, hex-octets]
  last_update:
    description:
      - From when on the list holds, in UTC as V(20301231235959Z) or V(2030-12-31), or relative to now as V(-1h). A
        relative one is not compared.
    type: str
    default: +0s
  next_update:
    description:
      - When the next list is there at the latest, likewise. Programs take a list for nothing after that.
      - A list with a relative one is signed anew when it is over.
    type: str
    required: true
  renew_before:
    description:
      - How long before its next update a list is signed anew, as V(2d) or V(1w12h). It is shorter than the time until
        then, and not given beside an absolute O(next_update).
    type: str
  number:
    description:
      - The least number of the list. A list that is there and has a lower one is signed anew.
      - It is needed where there is no list of this CA that has a number, since no program takes a list whose number is
        not above that of the last one. Give V(1) for the first list of a CA, and take it out of the task then, so that
        a list that was lost is a failure, and does not begin again at that number.
    type: int
  format:
    description:
      - Whether the list is written as PEM or as DER. One that is there and differs in nothing else is converted, and
        not signed anew.
    type: str
    default: pem
    choices: [pem, der]
  return_content:
    description:
      - Whether RV(crl) is returned, where O(path) is given. It always is where O(path) is not.
    type: bool
    default: false
notes:
  - A certificate that must not be trusted any more stays in the list until it has ended, and in one list after that.
  - Keys of RSA with less than 2048 bits, and on curves of less than 224, are not used.
  - In check mode a pair or a file that is not there is no failure, because an earlier task of the play may make it. The
    list is known after that, and a warning says so. That of O(path) must be there, or O(number) be given.
  - A key with C(always_authenticate) gets the PIN of the task, as with M(cryptoki.hsm.hsm_certificate).
  - A file at O(path) that has more in it than one list, or a private key, is not written over.
seealso:
  - module: cryptoki.hsm.hsm_certificate
  - module: community.crypto.x509_crl
  - module: community.crypto.x509_crl_info
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_certificates
    description: From a pair to a request and a certificate, and a CA in an HSM.
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_login
    description: How a token is named and a PIN handed over.
"""

EXAMPLES = r"""
- name: Have the first revocation list of a CA
  cryptoki.hsm.hsm_crl:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: issuing
    pin_file: /etc/pki/hsm.pin
    label: issuing-ca
    ca_path: /etc/pki/issuing-ca.pem
    path: /var/www/ca.crl
    format: der
    revoked_certificates: []
    next_update: +7d
    number: 1

- name: Have the revocation list of a CA, every day anew in the last two days of its week
  cryptoki.hsm.hsm_crl:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: issuing
    pin_file: /etc/pki/hsm.pin
    label: issuing-ca
    ca_path: /etc/pki/issuing-ca.pem
    path: /var/www/ca.crl
    format: der
    next_update: +7d
    renew_before: 2d
    serial_numbers: hex-octets
    revoked_certificates:
      - serial_number: "2b:91:04:7f"
        revocation_date: "20261101083000Z"
        reason: key_compromise
      - path: /etc/pki/old/www.pem
        reason: superseded
"""

RETURN = r"""
crl:
  description:
    - The list, whether it was signed now or was there, as PEM, or its DER in base64; V(null) where check mode foretells
      a new one.
  returned: if O(return_content) is V(true), or O(path) is not given
  type: str
format:
  description: In which form the list is.
  returned: success
  type: str
  sample: pem
filename:
  description: The file.
  returned: if O(path) is given
  type: str
  sample: /var/www/ca.crl
backup_file:
  description: The old file under its new name.
  returned: changed, and if O(backup) is V(true)
  type: str
  sample: /var/www/ca.crl.2026-11-26@22:11~
reasons:
  description: Why a new list was signed, or would be, or the old one converted; empty where neither was.
  returned: success
  type: list
  elements: str
  sample: ["revoked 2b:91:04:7f is not in it"]
details:
  description:
    - What is in the list, or would be; V(null) in check mode where a file that it needs is not there yet.
  returned: success
  type: dict
  contains:
    issuer:
      description: The CA, the most specific part of its name first (RFC 4514).
      type: str
      returned: always
      sample: CN=Example Issuing CA,O=Example,C=DE
    number:
      description: The number of the list.
      type: int
      returned: always
      sample: 17
    last_update:
      description: From when on it holds, in UTC.
      type: str
      returned: always
      sample: "2026-11-26T00:00:00Z"
    next_update:
      description: When the next one is there at the latest, in UTC.
      type: str
      returned: always
      sample: "2026-12-03T00:00:00Z"
    revoked_certificates:
      description: The entries.
      type: list
      elements: dict
      returned: always
      contains:
        serial_number:
          description: The serial number, colon-separated.
          type: str
          returned: always
          sample: 2b:91:04:7f
        revocation_date:
          description: When it was revoked, in UTC.
          type: str
          returned: always
          sample: "2026-11-01T08:30:00Z"
        issuer:
          description: The issuer where it is not that of the list, else V(null).
          type: list
          elements: str
          returned: always
          sample: ["dirName:CN=Other CA"]
        reason:
          description: Why it was revoked, V(null) where that is not said.
          type: str
          returned: always
          sample: key_compromise
        invalidity_date:
          description: Since when it was not to be trusted, in UTC; V(null) where that is not said.
          type: str
          returned: always
          sample: "2026-10-30T00:00:00Z"
    extensions:
      description: The extensions of the list.
      type: list
      elements: dict
      returned: always
      contains:
        oid:
          description: Its OID.
          type: str
          returned: always
          sample: 2.5.29.35
        name:
          description: Its name in results and messages of other modules, V(null) where there is none.
          type: str
          returned: always
          sample: authority_key_identifier
        critical:
          description: Whether it is critical.
          type: bool
          returned: always
        value:
          description: The DER of its value, in base64.
          type: str
          returned: always
          sample: AgER
        text:
          description: The value as people read it, V(null) where that is long.
          type: str
          returned: always
          sample: 0a:1b:2c
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
  sample: replaced
changes:
  description: Each value of the list and of the file that changed, or would in check mode.
  type: list
  elements: dict
  returned: success
  contains:
    half:
      description: V(null).
      type: str
      returned: always
    name:
      description: Its name, as in RV(details). Each entry has a name of its own.
      type: str
      returned: always
      sample: revoked 2b:91:04:7f
    before:
      description: Its value before; V(null) where there was none.
      type: raw
      returned: always
      sample: "2026-11-01T08:30:00Z"
    after:
      description: Its value now, or after a run without check mode; V(null) where there is none any more.
      type: raw
      returned: always
      sample: 2026-11-01T08:30:00Z, key_compromise
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

from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import crl


def main() -> None:
    """Entry point."""
    crl.run()


if __name__ == "__main__":
    main()
