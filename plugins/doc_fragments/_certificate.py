# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Twin of module_utils/_options/certificate_groups.py.

Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations


class ModuleDocFragment:
    """The subject and the extensions, as community.crypto names them, and two more."""

    DOCUMENTATION = r"""
options:
  subject:
    description:
      - Fields of the subject by their names, short (V(CN)) or long (V(commonName)), or by an OID with dots. A list as
        value gives the field several times.
      - Their order is not compared with what is there, and that of O(subject_ordered) is.
      - They follow those that have options of their own.
    type: dict
  subject_ordered:
    description:
      - The whole subject as a list, each entry with one field and its value.
    type: list
    elements: dict
  country_name:
    description:
      - The field C(countryName) of the subject, two letters.
    type: str
    aliases: [C, countryName]
  state_or_province_name:
    description:
      - The field C(stateOrProvinceName) of the subject.
    type: str
    aliases: [ST, stateOrProvinceName]
  locality_name:
    description:
      - The field C(localityName) of the subject.
    type: str
    aliases: [L, localityName]
  organization_name:
    description:
      - The field C(organizationName) of the subject.
    type: str
    aliases: [O, organizationName]
  organizational_unit_name:
    description:
      - The field C(organizationalUnitName) of the subject.
    type: str
    aliases: [OU, organizationalUnitName]
  common_name:
    description:
      - The field C(commonName) of the subject.
    type: str
    aliases: [CN, commonName]
  email_address:
    description:
      - The field C(emailAddress) of the subject.
    type: str
    aliases: [E, emailAddress]
  subject_alt_name:
    description:
      - Other names of the subject, each with what it is in front. V(DNS:www.example.org), V(email:a@example.org),
        V(URI:https://example.org/), V(IP:192.0.2.1), V(RID:1.2.3.4), V(dirName:CN=name,O=organization) with the most
        specific part first, and V(otherName:1.2.3.4;UTF8:text), or its DER as hexadecimal pairs with colons.
      - Names of the DNS that are not ASCII are given in the form that begins with C(xn--).
    type: list
    elements: str
    aliases: [subjectAltName]
  subject_alt_name_critical:
    description:
      - Whether O(subject_alt_name) is critical.
    type: bool
    default: false
    aliases: [subjectAltName_critical]
  use_common_name_for_san:
    description:
      - Whether a common name that can be a host name is a DNS name, too, where there is no O(subject_alt_name).
      - It is never one with C(CA:TRUE) in O(basic_constraints).
    type: bool
    default: true
    aliases: [useCommonNameForSAN]
  key_usage:
    description:
      - What the key may be used for. V(digitalSignature), V(nonRepudiation), V(keyEncipherment), V(dataEncipherment),
        V(keyAgreement), V(keyCertSign), V(cRLSign), V(encipherOnly), V(decipherOnly), or OpenSSL's long names.
    type: list
    elements: str
    aliases: [keyUsage]
  key_usage_critical:
    description:
      - Whether O(key_usage) is critical. RFC 5280 recommends it.
    type: bool
    default: false
    aliases: [keyUsage_critical]
  extended_key_usage:
    description:
      - Which purposes the key has, by OpenSSL's short name (V(serverAuth), V(clientAuth), V(codeSigning),
        V(emailProtection), V(timeStamping), V(OCSPSigning), and others), its long name, or an OID with dots.
    type: list
    elements: str
    aliases: [extKeyUsage, extendedKeyUsage]
  extended_key_usage_critical:
    description:
      - Whether O(extended_key_usage) is critical. Time stamping needs it.
    type: bool
    default: false
    aliases: [extKeyUsage_critical, extendedKeyUsage_critical]
  basic_constraints:
    description:
      - V(CA:TRUE) or V(CA:FALSE), and V(pathlen:0) for how many further CAs may be below this one.
    type: list
    elements: str
    aliases: [basicConstraints]
  basic_constraints_critical:
    description:
      - Whether O(basic_constraints) is critical. RFC 5280 demands it of a CA.
    type: bool
    default: false
    aliases: [basicConstraints_critical]
  ocsp_must_staple:
    description:
      - Whether a server must present an OCSP response with the certificate (RFC 7633).
    type: bool
    default: false
    aliases: [ocspMustStaple]
  ocsp_must_staple_critical:
    description:
      - Whether O(ocsp_must_staple) is critical.
    type: bool
    default: false
    aliases: [ocspMustStaple_critical]
  name_constraints_permitted:
    description:
      - Names that the CA may issue for, in the form of O(subject_alt_name). An V(IP) is a network here, as
        V(IP:192.0.2.0/24).
    type: list
    elements: str
  name_constraints_excluded:
    description:
      - Names that the CA may not issue for, likewise.
    type: list
    elements: str
  name_constraints_critical:
    description:
      - Whether the name constraints are critical. RFC 5280 demands it.
    type: bool
    default: false
  crl_distribution_points:
    description:
      - Where the revocation list is.
    type: list
    elements: dict
    suboptions:
      full_name:
        description:
          - Its full names, for instance V(URI:http://ca.example.org/ca.crl).
        type: list
        elements: str
      relative_name:
        description:
          - Its name below that of the issuer of the list, each part as V(CN=name).
        type: list
        elements: str
      crl_issuer:
        description:
          - Who issues the list, where it is not the issuer of the certificate.
        type: list
        elements: str
      reasons:
        description:
          - The reasons of revocation that this list has.
        type: list
        elements: str
        choices:
          - key_compromise
          - ca_compromise
          - affiliation_changed
          - superseded
          - cessation_of_operation
          - certificate_hold
          - privilege_withdrawn
          - aa_compromise
  certificate_policies:
    description:
      - Under which policies the certificate is issued.
    type: list
    elements: dict
    suboptions:
      policy:
        description:
          - OID of the policy, or V(anyPolicy).
        type: str
        required: true
      cps:
        description:
          - URIs of the certification practice statement.
        type: list
        elements: str
      user_notice:
        description:
          - A text to be shown to those who rely on the certificate.
        type: str
  certificate_policies_critical:
    description:
      - Whether O(certificate_policies) is critical.
    type: bool
    default: false
  authority_info_access:
    description:
      - Where more is told of the issuer, each as V(OCSP;URI:http://ocsp.example.org) or
        V(caIssuers;URI:http://ca.example.org/ca.cer).
    type: list
    elements: str
  create_subject_key_identifier:
    description:
      - Whether the identifier of the key, made of the public key, is an extension.
    type: bool
    default: false
  subject_key_identifier:
    description:
      - The identifier of the key as hexadecimal pairs, with or without colons. It wins over
        O(create_subject_key_identifier).
    type: str
  authority_key_identifier:
    description:
      - The identifier of the issuer's key as hexadecimal pairs, with or without colons.
    type: str
  authority_cert_issuer:
    description:
      - Names of the issuer of the issuer's certificate, in the form of O(subject_alt_name).
      - It needs O(authority_cert_serial_number).
    type: list
    elements: str
  authority_cert_serial_number:
    description:
      - Serial number of the issuer's certificate.
      - It needs O(authority_cert_issuer).
    type: int
  extensions:
    description:
      - Any other extensions. One that has an option of its own is not said twice.
    type: list
    elements: dict
    suboptions:
      oid:
        description:
          - Its OID with dots.
        type: str
        required: true
      critical:
        description:
          - Whether it is critical.
        type: bool
        default: false
      value:
        description:
          - The DER of its value, in base64.
        type: str
        required: true
"""

    # The private key that signs is chosen as in the fragment _choice.
    SIGNING = r"""
options:
  digest:
    description:
      - The digest of the signature. If nothing is said, SHA-256 for an RSA key, and what fits the curve for an EC key.
        An Ed25519 key has its own, whatever is said.
      - One that is not said is not compared.
    type: str
    choices: [sha256, sha384, sha512]
  signature_scheme:
    description:
      - How an RSA key signs, V(pkcs1v15) if nothing is said. V(pss) has a salt as long as the digest. It is refused for
        other keys.
      - V(pss) needs cryptography 42 or later on the target.
    type: str
    choices: [pkcs1v15, pss]
"""

    FILE = r"""
options:
  path:
    description:
      - The file on the target. What is in it is compared, and stays where it is as wished. It is written in one step.
      - A link is followed, unless another user than root, the task's own or the owner of its folder made it.
      - Without O(path) and O(content) there is nothing to compare, so that every run signs.
    type: path
  content:
    description:
      - What there is already, instead of a file. Nothing is written then, the result is only returned.
    type: str
  force:
    description:
      - Whether it is made anew although it is as wished.
    type: bool
    default: false
  backup:
    description:
      - Whether the old file is kept under another name, with the time in it.
    type: bool
    default: false
"""
