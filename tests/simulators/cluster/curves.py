# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Elliptic curves: the numbers of key_mgmt_util, the names of CloudHSM CLI, and what keys on them look like."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Curve:
    """`number` is key_mgmt_util's; `nid` is OpenSSL's, which dumps show as OBJ_ATTR_MODULUS_BITS."""

    name: str
    number: int
    nid: int
    bits: int
    oid: str  # DER in hex, as CKA_EC_PARAMS
    token_name: str  # pkcs11-tool's
    fips: bool = True
    edwards: bool = False

    @property
    def point_length(self) -> int:
        """Bytes of an uncompressed point, or of a point on an Edwards curve (RFC 8032, 5.1.2)."""
        if self.edwards:
            return (self.bits + 7) // 8
        return 1 + 2 * ((self.bits + 7) // 8)

    @property
    def private_length(self) -> int:
        """Bytes of the private key as PKCS#8 with the public point: what both tools show as the key's length.

        Source: 122 of P-224 (AWS cloudhsm_cli-key-generate-asymmetric-pair-ec), 138 of P-256 (genECCKeyPair).
        """
        octets = (self.bits + 7) // 8
        if self.edwards:  # RFC 8410, 7: without the public point; that it is told so is assumed
            return 16 + octets
        public = _sized(_sized(1 + self.point_length))
        inner = _sized(3 + _sized(octets) + public)
        algorithm = _sized(9 + len(self.oid) // 2)
        return _sized(3 + algorithm + _sized(inner))


def _sized(length: int) -> int:
    """Bytes of a DER element with so many bytes of content."""
    return length + 2 + (length > 127) + (length > 255)


# Numbers: key_mgmt_util genECCKeyPair (AWS lists 2, 14, 16; Alibaba Cloud's page of the same tool lists all 16, of
# which the prime ones are here). Names: AWS cloudhsm_cli-key-generate-asymmetric-pair-ec. P-192 is refused by policy
# (genECCKeyPair), and so is Ed25519 in FIPS mode (AWS latest-releases, 5.17.0), which key_mgmt_util does not have; that
# secp256k1 is not: AWS lists it for FIPS clusters too.
CURVES = (
    Curve("secp192r1", 1, 409, 192, "06082a8648ce3d030101", "prime192v1", fips=False),
    Curve("secp256r1", 2, 415, 256, "06082a8648ce3d030107", "prime256v1"),
    Curve("secp224r1", 13, 713, 224, "06052b81040021", "secp224r1"),
    Curve("secp384r1", 14, 715, 384, "06052b81040022", "secp384r1"),
    Curve("secp521r1", 15, 716, 521, "06052b81040023", "secp521r1"),
    Curve("secp256k1", 16, 714, 256, "06052b8104000a", "secp256k1"),
    Curve("ed25519", 0, 1087, 256, "06032b6570", "edwards25519", fips=False, edwards=True),
)
BY_NAME = {curve.name: curve for curve in CURVES}
BY_NUMBER = {curve.number: curve for curve in CURVES}
