# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mechanism with its parameter, as the C functions take it."""

from __future__ import annotations

import ctypes
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


class CkMechanism(ctypes.Structure):
    """CK_MECHANISM; keeps its parameter alive as long as it lives."""

    _fields_ = (("mechanism", structures.CK_ULONG), ("parameter", ctypes.c_void_p), ("length", structures.CK_ULONG))

    def __init__(self, mechanism: int, parameter: ctypes.Structure | None = None) -> None:
        super().__init__(mechanism)
        self.kept = parameter
        if parameter is not None:
            self.parameter, self.length = ctypes.addressof(parameter), ctypes.sizeof(parameter)


class CkPssParams(ctypes.Structure):
    """CK_RSA_PKCS_PSS_PARAMS."""

    _fields_ = structures.ulongs("hash mgf salt_length")


class CkOaepParams(ctypes.Structure):
    """CK_RSA_PKCS_OAEP_PARAMS."""

    _fields_ = (
        *structures.ulongs("hash mgf source"),
        ("source_data", ctypes.c_void_p),
        ("source_length", structures.CK_ULONG),
    )


def with_parameter(mechanism: mechanisms.Mechanism) -> CkMechanism:
    """RSASSA-PSS takes its own hash, and a salt as long; RSAES-OAEP takes SHA-1, which is all that SoftHSM 2.6 has."""
    if mechanism.name.endswith("_PSS") and mechanism.hash:
        salt = hashlib.new(mechanism.hash).digest_size
        return CkMechanism(mechanism.code, CkPssParams(*_HASHES[mechanism.hash], salt))
    if mechanism.name == "CKM_RSA_PKCS_OAEP":
        return CkMechanism(mechanism.code, CkOaepParams(*_HASHES["sha1"], _DATA_SPECIFIED))
    return CkMechanism(mechanism.code)
