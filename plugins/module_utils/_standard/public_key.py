# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Public keys as tokens hold them, turned into a SubjectPublicKeyInfo (RFC 5280, 4.1.2.7); asn1crypto reads them."""

from __future__ import annotations

import hashlib
import traceback
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import Value

ASN1CRYPTO_IMPORT_ERROR: str | None = None
try:
    from asn1crypto import pem
    from asn1crypto.keys import PublicKeyInfo
except ImportError:
    # Over PKCS#11 python-pkcs11, which needs asn1crypto, is missing then too; the module says so.
    ASN1CRYPTO_IMPORT_ERROR = traceback.format_exc()


# rsaEncryption with NULL (RFC 3279, 2.3.1).
_RSA = bytes.fromhex("300d06092a864886f70d0101010500")


def rsa_spki(modulus: bytes, public_exponent: bytes) -> bytes:
    """DER of the SubjectPublicKeyInfo of an RSA key (RFC 8017, A.1.1), from big-endian integers."""
    return spki(_RSA, der(0x30, _integer(modulus) + _integer(public_exponent)))


def spki(algorithm: bytes, key: bytes) -> bytes:
    """DER of a SubjectPublicKeyInfo. asn1crypto would write it too, in thirty times the time: tokens have many keys."""
    return der(0x30, algorithm + der(0x03, b"\0" + key))


def _integer(raw: bytes) -> bytes:
    number = int.from_bytes(raw, "big")
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def der(tag: int, content: bytes) -> bytes:
    """DER of a value with its tag and length (X.690, 8.1)."""
    size = len(content)
    octets = b"" if size < 0x80 else size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets) if octets else size]) + octets + content


def spki_of(attributes: t.Mapping[str, Value | None]) -> bytes | None:
    """DER of the SubjectPublicKeyInfo of one half, or None where its attributes do not tell it.

    An EC private half usually carries no point (PKCS#11 3.1, section 6.3.4); CKA_PUBLIC_KEY_INFO may.
    """
    info = attributes.get("public_key_info")
    told = _normalised(info) if isinstance(info, bytes) else None
    if told:
        return told
    modulus, exponent = attributes.get("modulus"), attributes.get("public_exponent")
    if isinstance(modulus, bytes) and modulus and isinstance(exponent, bytes) and exponent:
        return rsa_spki(modulus, exponent)
    params, point = attributes.get("ec_params"), attributes.get("ec_point")
    if not (isinstance(params, bytes) and isinstance(point, bytes) and point):
        return None
    from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import ec_key  # RSA keys need no curves

    return ec_key.spki_of(params, point)


def _normalised(info: bytes) -> bytes | None:
    """CKA_PUBLIC_KEY_INFO in the form of `rsa_spki` and `ec_key.spki`, so that equal keys have equal bytes."""
    try:
        parsed = PublicKeyInfo.load(info, strict=True)
        if parsed.algorithm == "rsa":
            return t.cast(bytes, PublicKeyInfo.wrap(parsed["public_key"].parsed, "rsa").dump())
        if parsed.algorithm == "ec":
            from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import ec_key

            return ec_key.spki_of(parsed["algorithm"]["parameters"].chosen.dump(), parsed["public_key"].native)
        return t.cast(bytes, parsed.dump(force=True))
    except (ValueError, TypeError, KeyError, AttributeError):  # the last: an EC key without parameters
        return None


def public_key_pem(spki: bytes) -> str:
    """PEM of a SubjectPublicKeyInfo (RFC 7468, section 13)."""
    return t.cast(bytes, pem.armor("PUBLIC KEY", spki)).decode("ascii")


def fingerprint(spki: bytes) -> str:
    """SHA-256 of the SubjectPublicKeyInfo, 64 lower-case digits."""
    return hashlib.sha256(spki).hexdigest()


def kcv(spki: bytes) -> str:
    """Key check value as the commands show it: the first three bytes of SHA-1 of the SubjectPublicKeyInfo.

    This reproduces c51c18 and bbb32a of the dumps in the documentation of genRSAKeyPair and genECCKeyPair.
    """
    return hashlib.sha1(spki, usedforsecurity=False).hexdigest()[:6]
