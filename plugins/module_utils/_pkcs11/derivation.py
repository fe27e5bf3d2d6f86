# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ECDH inside a token: the secret that a private half has with another's point."""

from __future__ import annotations

import ctypes

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import calls, mechanism, removal, structures
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, mechanisms

_NO_KDF = 1  # CKD_NULL
_READABLE: dict[str, attributes.Value] = {
    "key_type": "generic_secret",
    "token": False,
    "sensitive": False,
    "extractable": True,
}


class CkEcdhParams(ctypes.Structure):
    """CK_ECDH1_DERIVE_PARAMS."""

    _fields_ = (
        *structures.ulongs("kdf shared_length"),
        ("shared_data", ctypes.c_void_p),
        ("public_length", structures.CK_ULONG),
        ("public_data", ctypes.c_char_p),
    )


def ecdh(point: bytes) -> mechanism.CkMechanism:
    """CKM_ECDH1_DERIVE with another's point; the key is the secret's first bytes, as they are."""
    parameter = CkEcdhParams(kdf=_NO_KDF, public_length=len(point), public_data=point)
    return mechanism.CkMechanism(mechanisms.MECHANISMS["CKM_ECDH1_DERIVE"].code, parameter)


def derive(session: calls.Session, what: str, key: int, point: bytes, size: int) -> bytes:
    """The first bytes of a secret, which is read and then destroyed; `key` is the handle of a private half."""
    readable = calls.template({**_READABLE, "value_len": size}, attributes.SECRET)
    handle = session.make(what, "C_DeriveKey", ecdh(point), key, readable)
    try:
        return session.secret(what, handle, size)
    finally:
        removal.discard(session, attributes.SECRET, handle)
