# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mechanisms of RSA and EC key pairs: their names, numbers and what a pair can be proven with.

Source: PKCS#11 3.1, sections 6.1 (RSA) and 6.3 (elliptic curves), and its header pkcs11t.h for the numbers.
"""

from __future__ import annotations

import typing as t

Use = t.Literal["generate", "sign", "decrypt", "derive", "wrap"]


class Mechanism(t.NamedTuple):
    """One row: `use` is what the private half does with it, `hash` the digest that the token computes itself."""

    name: str
    code: int
    family: t.Literal["rsa", "ec", "ec_edwards", "aes"]
    use: Use
    hash: str = ""


_TABLE = (
    Mechanism("CKM_RSA_PKCS_KEY_PAIR_GEN", 0x00, "rsa", "generate"),
    Mechanism("CKM_RSA_X9_31_KEY_PAIR_GEN", 0x0A, "rsa", "generate"),
    Mechanism("CKM_RSA_PKCS", 0x01, "rsa", "sign"),
    Mechanism("CKM_RSA_9796", 0x02, "rsa", "sign"),
    Mechanism("CKM_RSA_X_509", 0x03, "rsa", "sign"),
    Mechanism("CKM_SHA1_RSA_PKCS", 0x06, "rsa", "sign", "sha1"),
    Mechanism("CKM_RSA_PKCS_OAEP", 0x09, "rsa", "decrypt"),
    Mechanism("CKM_RSA_X9_31", 0x0B, "rsa", "sign"),
    Mechanism("CKM_SHA1_RSA_X9_31", 0x0C, "rsa", "sign", "sha1"),
    Mechanism("CKM_RSA_PKCS_PSS", 0x0D, "rsa", "sign"),
    Mechanism("CKM_SHA1_RSA_PKCS_PSS", 0x0E, "rsa", "sign", "sha1"),
    Mechanism("CKM_SHA256_RSA_PKCS", 0x40, "rsa", "sign", "sha256"),
    Mechanism("CKM_SHA384_RSA_PKCS", 0x41, "rsa", "sign", "sha384"),
    Mechanism("CKM_SHA512_RSA_PKCS", 0x42, "rsa", "sign", "sha512"),
    Mechanism("CKM_SHA256_RSA_PKCS_PSS", 0x43, "rsa", "sign", "sha256"),
    Mechanism("CKM_SHA384_RSA_PKCS_PSS", 0x44, "rsa", "sign", "sha384"),
    Mechanism("CKM_SHA512_RSA_PKCS_PSS", 0x45, "rsa", "sign", "sha512"),
    Mechanism("CKM_SHA224_RSA_PKCS", 0x46, "rsa", "sign", "sha224"),
    Mechanism("CKM_SHA224_RSA_PKCS_PSS", 0x47, "rsa", "sign", "sha224"),
    Mechanism("CKM_RSA_AES_KEY_WRAP", 0x1054, "rsa", "wrap"),
    Mechanism("CKM_EC_KEY_PAIR_GEN", 0x1040, "ec", "generate"),
    Mechanism("CKM_ECDSA", 0x1041, "ec", "sign"),
    Mechanism("CKM_ECDSA_SHA1", 0x1042, "ec", "sign", "sha1"),
    Mechanism("CKM_ECDSA_SHA224", 0x1043, "ec", "sign", "sha224"),
    Mechanism("CKM_ECDSA_SHA256", 0x1044, "ec", "sign", "sha256"),
    Mechanism("CKM_ECDSA_SHA384", 0x1045, "ec", "sign", "sha384"),
    Mechanism("CKM_ECDSA_SHA512", 0x1046, "ec", "sign", "sha512"),
    Mechanism("CKM_ECDH1_DERIVE", 0x1050, "ec", "derive"),
    Mechanism("CKM_ECDH1_COFACTOR_DERIVE", 0x1051, "ec", "derive"),
    Mechanism("CKM_ECMQV_DERIVE", 0x1052, "ec", "derive"),
    Mechanism("CKM_ECDH_AES_KEY_WRAP", 0x1053, "ec", "wrap"),
    Mechanism("CKM_EC_EDWARDS_KEY_PAIR_GEN", 0x1055, "ec_edwards", "generate"),
    Mechanism("CKM_EDDSA", 0x1057, "ec_edwards", "sign"),
    Mechanism("CKM_AES_KEY_GEN", 0x1080, "aes", "generate"),
    Mechanism("CKM_AES_KEY_WRAP", 0x2109, "aes", "wrap"),
    Mechanism("CKM_AES_KEY_WRAP_PAD", 0x210A, "aes", "wrap"),
    Mechanism("CKM_AES_KEY_WRAP_KWP", 0x210B, "aes", "wrap"),
)
MECHANISMS: dict[str, Mechanism] = {row.name: row for row in _TABLE}
_BY_CODE = {row.code: row for row in _TABLE}

# The mechanism that makes a key of each type, unless a vendor needs its own (option key_gen_mechanism).
KEY_GEN: dict[str, str] = {
    "rsa": "CKM_RSA_PKCS_KEY_PAIR_GEN",
    "ec": "CKM_EC_KEY_PAIR_GEN",
    "ec_edwards": "CKM_EC_EDWARDS_KEY_PAIR_GEN",
}


def mechanism_name(code: int) -> str:
    """The name of a mechanism, or its number as `0x…` where this table has none."""
    row = _BY_CODE.get(code)
    return row.name if row else f"0x{code:08x}"
