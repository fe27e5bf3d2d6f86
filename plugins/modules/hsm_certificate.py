#!/usr/bin/python

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hsm_certificate
short_description: Have a certificate issued by a key in an HSM
version_added: 1.0.0
author:
  - The cryptoki.hsm authors (!UNKNOWN)
description:
  - Issues certificates (RFC 5280). The private key that is chosen signs them inside the HSM.
  - Without O(ca_path) and O(ca_content) the certificate is that of the chosen pair itself, and self-signed.
  - With them the pair is that of the CA. It issues for a request (O(csr_path)), for a bare public key
    (O(public_key_path)), or for the holder of another certificate (O(certificate_path)), which is cross-signing.
  - What the task says of subject and extensions wins. Of a request, and of another certificate, the subject is taken
    over where the task says none, and the extensions in O(copy_extensions).
  - A certificate that is there is kept where the issuer's signature holds, it is of the right key, subject, issuer,
    extensions and identifiers are as wished, and it is not within O(renew_before) of its end. It is never compared by
    its bytes.
  - A new certificate is checked with the public half before it is returned or written. What goes wrong leaves an old
    file as it was.
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
      - Without O(path) and O(content), and with O(force=true), every run issues a new certificate.
options:
  csr_path:
    description:
      - File on the target with the certificate request, in PEM or DER. Its own signature must hold.
      - Without a CA it must be of the chosen pair.
    type: path
  csr_content:
    description:
      - The certificate request itself.
    type: str
  public_key_path:
    description:
      - File on the target with the public key to certify, in PEM or DER. The task says the subject.
    type: path
  public_key_content:
    description:
      - The public key itself.
    type: str
  certificate_path:
    description:
      - File on the target with a certificate, in PEM or DER, whose holder gets one of this CA, too. The identifier of
        its key is taken over.
    type: path
  certificate_content:
    description:
      - That certificate itself.
    type: str
  ca_path:
    description:
      - File on the target with the certificate of the CA, in PEM or DER.
      - It must be of the chosen pair, have C(CA:TRUE), be valid now, and allow C(keyCertSign) if it has a key usage.
    type: path
    aliases: [ownca_path]
  ca_content:
    description:
      - The certificate of the CA itself.
    type: str
    aliases: [ownca_content]
  copy_extensions:
    description:
      - The extensions that are taken over from a request or another certificate, where the task does not say them
        itself.
      - C(CA:TRUE) is never taken over. What is taken over is critical where it was, or where the task says so, for
        instance by O(key_usage_critical).
    type: list
    elements: str
    default: [subject_alt_name]
    choices:
      - subject_alt_name
      - key_usage
      - extended_key_usage
      - basic_constraints
      - name_constraints
      - crl_distribution_points
      - certificate_policies
      - authority_info_access
      - ocsp_must_staple
  not_before:
    description:
      - Start of the validity, in UTC as V(20301231235959Z) or V(2030-12-31), or relative to now as V(-1h). A relative
        one is not compared.
    type: str
    default: +0s
    aliases: [selfsigned_not_before, ownca_not_before, selfsigned_notBefore]
  not_after:
    description:
      - End of the validity, likewise. It is refused where it is after the end of the CA certificate and something is to
        be issued. A certificate that is there and as wished is kept.
      - A certificate with a relative end is issued anew when it has expired.
    type: str
    default: +3650d
    aliases: [selfsigned_not_after, ownca_not_after, selfsigned_notAfter]
  renew_before:
    description:
      - How long before its end a certificate is issued anew, as V(30d) or V(1w12h). It is shorter than the lifetime,
        and not given beside an absolute O(not_after).
    type: str
  serial_number:
    description:
      - Serial number of the certificate. If nothing is said, a random one of 159 bits is drawn, and none is compared.
      - Who issues gives each one once. So it is refused beside O(renew_before), and where a certificate of that number
        would be issued anew.
    type: int
  create_subject_key_identifier:
    default: true
  digest:
    choices: [sha256, sha384, sha512]
    aliases: [selfsigned_digest, ownca_digest]
notes:
  - O(csr_content), O(public_key_content), O(certificate_content) and O(ca_content) that are given with an empty value,
    or V(null), are not taken for ones that are not given, or the task of a CA would sign for itself. In check mode,
    where earlier tasks return such values, the certificate is known later, else it is a failure. C(default(omit))
    leaves an option out.
  - What a file has behind its first certificate is kept where it goes on with the certificate of the CA. Anything else
    there, or in front of it, such as a private key, is a failure when a certificate is to be issued.
  - An authority key identifier is made from the certificate of the CA, where the task does not say one. A self-signed
    certificate has none.
  - Keys of RSA with less than 2048 bits, on curves of less than 224, and of DSA and DH are not certified, and not used.
  - A CA needs C(keyCertSign) in O(key_usage), and O(basic_constraints_critical=true). C(keyCertSign) and name
    constraints without C(CA:TRUE) are refused. So is a CA below one whose path length is used up, and a self-signed
    certificate with a key usage that the attributes of its own private key rule out.
  - Names that are none by their form, and a key usage that no key of its type has, are refused, too. The guide on
    certificates lists what pkilint calls an error and is made all the same.
  - In check mode a pair or a file that is not there is no failure, because an earlier task of the play may make it. The
    certificate is known after that, and a warning says so. The diff shows what the options say of it, and C(known after
    generation) for what depends on keys and files that are not there.
  - A key with C(always_authenticate) asks for the PIN at each use, and gets that of the task. It is refused where there
    is none, because the login is one at a PIN pad, where a wrong PIN would lock the token now, and where the token
    refused the PIN before; it is not tried again.
seealso:
  - module: cryptoki.hsm.hsm_csr
  - module: cryptoki.hsm.hsm_certificate_object
  - module: cryptoki.hsm.hsm_crl
  - module: cryptoki.hsm.hsm_rsa_keypair
  - module: cryptoki.hsm.hsm_ecc_keypair
  - module: community.crypto.x509_certificate_info
  - module: community.crypto.x509_certificate
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_certificates
    description: From a pair to a request and a certificate, and a CA in an HSM.
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_login
    description: How a token is named and a PIN handed over.
"""

EXAMPLES = r"""
- name: Have a root certificate
  cryptoki.hsm.hsm_certificate:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: root
    pin_file: /etc/pki/hsm.pin
    label: root-ca
    path: /etc/pki/root-ca.pem
    country_name: DE
    organization_name: Example
    common_name: Example Root CA
    basic_constraints:
      - CA:TRUE
    basic_constraints_critical: true
    key_usage:
      - keyCertSign
      - cRLSign
    key_usage_critical: true
    not_after: +7300d

- name: Have a certificate of a web server, renewed a month before its end
  cryptoki.hsm.hsm_certificate:
    module_path: /usr/lib/softhsm/libsofthsm2.so
    token_label: root
    pin_file: /etc/pki/hsm.pin
    label: root-ca
    ca_path: /etc/pki/root-ca.pem
    csr_path: /etc/pki/www.csr
    path: /etc/pki/www.pem
    key_usage:
      - digitalSignature
    key_usage_critical: true
    extended_key_usage:
      - serverAuth
    not_after: +90d
    renew_before: 30d
"""

RETURN = r"""
certificate:
  description:
    - The certificate as PEM, whether it was issued now or was there; V(null) where check mode foretells a new one.
  returned: success
  type: str
filename:
  description: The file.
  returned: if O(path) is given
  type: str
  sample: /etc/pki/www.pem
backup_file:
  description: The old file under its new name.
  returned: changed, and if O(backup) is V(true)
  type: str
  sample: /etc/pki/www.pem.2026-11-26@22:11~
reasons:
  description: Why a new certificate was issued, or would be; empty where none was.
  returned: success
  type: list
  elements: str
  sample: ["its subject differs"]
details:
  description:
    - What is in the certificate, or would be; V(null) in check mode where a file that it needs is not there yet.
  returned: success
  type: dict
  contains:
    subject:
      description: The subject, the most specific part first (RFC 4514).
      type: str
      returned: always
      sample: CN=www.example.org,O=Example,C=DE
    issuer:
      description: The issuer, likewise.
      type: str
      returned: always
      sample: CN=Example Root CA,O=Example,C=DE
    serial_number:
      description: The serial number, colon-separated; V(null) where it is not drawn yet.
      type: str
      returned: always
      sample: 0a:1b
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
  description: Each value of the certificate and of the file that changed, or would in check mode.
  type: list
  elements: dict
  returned: success
  contains:
    half:
      description: V(null).
      type: str
      returned: always
    name:
      description: Its name, as in RV(details) and, for extensions, in their C(name) or C(oid).
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

from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import certificate


def main() -> None:
    """Entry point."""
    certificate.run()


if __name__ == "__main__":
    main()
