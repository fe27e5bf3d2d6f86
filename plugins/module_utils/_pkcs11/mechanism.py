# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mechanism with its parameter, as the C functions take it."""

from __future__ import annotations

import hashlib

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import structures
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import mechanisms

# CKM_… of a hash, and the mask generation function CKG_MGF1_… with it (PKCS#11 3.1, pkcs11t.h).
_HASHES = {
    "sha1": (0x220, 1),
    "sha224": (0x255, 5),
    "sha256": (0x250, 2),
    "sha384": (0x260, 3),
    "sha512": (0x270, 4),
}
_DATA_SPECIFIED = 1  # CKZ_DATA_SPECIFIED
_NO_KDF = 1  # CKD_NULL


def with_parameter(mechanism: mechanisms.Mechanism) -> structures.CkMechanism:
    """RSASSA-PSS takes its own hash, and a salt as long; RSAES-OAEP takes SHA-1, which is all that SoftHSM 2.6 has."""
    if mechanism.name.endswith("_PSS") and mechanism.hash:
        salt = hashlib.new(mechanism.hash).digest_size
        return structures.CkMechanism(mechanism.code, structures.CkPssParams(*_HASHES[mechanism.hash], salt))
    if mechanism.name == "CKM_RSA_PKCS_OAEP":
        return structures.CkMechanism(mechanism.code, structures.CkOaepParams(*_HASHES["sha1"], _DATA_SPECIFIED))
    return structures.CkMechanism(mechanism.code)


def ecdh(point: bytes) -> structures.CkMechanism:
    """CKM_ECDH1_DERIVE with another's point; the key is the secret's first bytes, as they are."""
    parameter = structures.CkEcdhParams(kdf=_NO_KDF, public_length=len(point), public_data=point)
    return structures.CkMechanism(mechanisms.MECHANISMS["CKM_ECDH1_DERIVE"].code, parameter)
