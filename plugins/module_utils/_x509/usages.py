# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of what a certificate's key may be used for (RFC 5280, sections 4.2.1.3 and 4.2.1.12)."""

from __future__ import annotations

# The bits of keyUsage: OpenSSL's short name, its long name, and cryptography's argument.
_KEY_USAGES = (
    ("digitalSignature", "Digital Signature", "digital_signature"),
    ("nonRepudiation", "Non Repudiation", "content_commitment"),
    ("keyEncipherment", "Key Encipherment", "key_encipherment"),
    ("dataEncipherment", "Data Encipherment", "data_encipherment"),
    ("keyAgreement", "Key Agreement", "key_agreement"),
    ("keyCertSign", "Certificate Sign", "key_cert_sign"),
    ("cRLSign", "CRL Sign", "crl_sign"),
    ("encipherOnly", "Encipher Only", "encipher_only"),
    ("decipherOnly", "Decipher Only", "decipher_only"),
)
KEY_USAGES = {name.lower(): row[2] for row in _KEY_USAGES for name in row[:2]}
SHORT_NAMES = {argument: short for short, _long, argument in _KEY_USAGES}
# Bits that only say how keyAgreement is used.
OF_AGREEMENT = frozenset({"encipher_only", "decipher_only"})

_PURPOSES = {
    "1.3.6.1.5.5.7.3.1": ("serverAuth", "TLS Web Server Authentication"),
    "1.3.6.1.5.5.7.3.2": ("clientAuth", "TLS Web Client Authentication"),
    "1.3.6.1.5.5.7.3.3": ("codeSigning", "Code Signing"),
    "1.3.6.1.5.5.7.3.4": ("emailProtection", "E-mail Protection"),
    "1.3.6.1.5.5.7.3.5": ("ipsecEndSystem", "IPSec End System"),
    "1.3.6.1.5.5.7.3.6": ("ipsecTunnel", "IPSec Tunnel"),
    "1.3.6.1.5.5.7.3.7": ("ipsecUser", "IPSec User"),
    "1.3.6.1.5.5.7.3.8": ("timeStamping", "Time Stamping"),
    "1.3.6.1.5.5.7.3.9": ("OCSPSigning", "OCSP Signing"),
    "1.3.6.1.5.5.7.3.17": ("ipsecIKE", "ipsec Internet Key Exchange"),
    "1.3.6.1.5.5.7.3.21": ("secureShellClient", "SSH Client"),
    "1.3.6.1.5.5.7.3.22": ("secureShellServer", "SSH Server"),
    "1.3.6.1.5.5.7.3.36": ("documentSigning",),
    "2.5.29.37.0": ("anyExtendedKeyUsage", "Any Extended Key Usage"),
    "1.3.6.1.4.1.311.2.1.21": ("msCodeInd", "Microsoft Individual Code Signing"),
    "1.3.6.1.4.1.311.2.1.22": ("msCodeCom", "Microsoft Commercial Code Signing"),
    "1.3.6.1.4.1.311.10.3.1": ("msCTLSign", "Microsoft Trust List Signing"),
    "1.3.6.1.4.1.311.10.3.4": ("msEFS", "Microsoft Encrypted File System"),
    "1.3.6.1.4.1.311.20.2.2": ("msSmartcardLogin", "Microsoft Smartcard Login"),
    "1.3.6.1.5.2.3.4": ("pkInitClientAuth", "PKINIT Client Auth"),
    "1.3.6.1.5.2.3.5": ("pkInitKDC", "Signing KDC Response"),
}
PURPOSES = {name.lower(): oid for oid, names in _PURPOSES.items() for name in names}
PURPOSE_NAMES = {oid: names[0] for oid, names in _PURPOSES.items()}
