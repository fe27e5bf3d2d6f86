# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys of a token in memory and the objects that describe them, with the attributes that PKCS#11 3.1 gives them."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    PRIVATE,
    PUBLIC,
    SECRET,
    Half,
    KeyClass,
    Value,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name

X962 = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
SPKI = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
CURVES: dict[str, type[ec.EllipticCurve]] = {
    "secp224r1": ec.SECP224R1,
    "secp256r1": ec.SECP256R1,
    "secp384r1": ec.SECP384R1,
    "secp521r1": ec.SECP521R1,
    "secp256k1": ec.SECP256K1,
    "brainpoolP256r1": ec.BrainpoolP256R1,
    "brainpoolP384r1": ec.BrainpoolP384R1,
    "brainpoolP512r1": ec.BrainpoolP512R1,
}
# PKCS#11 3.1, tables 21 and 22: what a half may be used for, each by a bit.
USAGE: dict[Half, tuple[str, ...]] = {
    PUBLIC: ("encrypt", "wrap", "verify", "verify_recover", "derive"),
    PRIVATE: ("decrypt", "unwrap", "sign", "sign_recover", "derive"),
}
# PKCS#11 3.1, tables 11, 21 and 22, footnotes 8, 10 and 11: what C_SetAttributeValue may change.
FREE = {"label", "id", "allowed_mechanisms", *USAGE[PUBLIC], *USAGE[PRIVATE]}
ONE_WAY = {"sensitive": True, "wrap_with_trusted": True, "extractable": False}
FROZEN = ("modifiable", "copyable", "destroyable")
BITS: dict[KeyClass, tuple[str, ...]] = {
    SECRET: (),
    PUBLIC: (*USAGE[PUBLIC], "trusted"),
    PRIVATE: (*USAGE[PRIVATE], "wrap_with_trusted", "always_authenticate"),
}


@functools.cache
def private_key(kind: str, number: int = 0) -> t.Any:
    """A private key: `kind` is the name of a curve, or the bits of an RSA key; `number` tells equal ones apart."""
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind]())
    if kind.startswith("ed"):
        return ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ed448.Ed448PrivateKey.generate()
    return rsa.generate_private_key(65537, int(kind))


def octet_string(raw: bytes) -> bytes:
    """DER of an OCTET STRING, as PKCS#11 wants CKA_EC_POINT."""
    size = bytes([len(raw)]) if len(raw) < 0x80 else bytes([0x81, len(raw)])
    return b"\x04" + size + raw


def material(key: t.Any) -> dict[Half, dict[str, Value]]:
    """The attributes that describe a key itself, of each half; an EC private half does not tell its point."""
    public = key.public_key()
    if isinstance(key, rsa.RSAPrivateKey):
        return rsa_material(public.public_numbers().n, public.public_numbers().e)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        name, key_type, point = key.curve.name, "ec", public.public_bytes(*X962)
    else:
        name = "ed25519" if isinstance(key, ed25519.Ed25519PrivateKey) else "ed448"
        key_type, point = "ec_edwards", public.public_bytes(*RAW)
    both: dict[str, Value] = {"key_type": key_type, "ec_params": curve_by_name(name).ec_params()}
    return {PUBLIC: {**both, "ec_point": octet_string(point)}, PRIVATE: both}


def rsa_material(modulus: int, exponent: int = 65537) -> dict[Half, dict[str, Value]]:
    """As `material`, for an RSA key of which only the numbers matter."""
    size = (modulus.bit_length() + 7) // 8
    both: dict[str, Value] = {
        "key_type": "rsa",
        "modulus": modulus.to_bytes(size, "big"),
        "public_exponent": exponent.to_bytes((exponent.bit_length() + 7) // 8, "big"),
    }
    return {PUBLIC: {**both, "modulus_bits": modulus.bit_length()}, PRIVATE: both}


def usual(half: Half, **changed: Value | None) -> dict[str, Value]:
    """All other attributes of a half as a token has them that may do nothing yet; None takes one away."""
    values: dict[str, Value | None] = dict.fromkeys(BITS[half], False)
    values.update(dict.fromkeys(("token", "local", *FROZEN), True))
    values.update({"class": f"{half}_key", "private": half == PRIVATE, "label": "root", "id": b"\x01"})
    if half == PRIVATE:
        values.update(sensitive=True, extractable=True, always_sensitive=True, never_extractable=False)
    values.update(changed)
    return {name: value for name, value in values.items() if value is not None}


def pair_of(
    key: t.Any,
    private: t.Mapping[str, Value | None] | None = None,
    public: t.Mapping[str, Value | None] | None = None,
    handle: int = 1,
    **both: Value | None,
) -> KeyPair:
    """The whole pair of a key (or of its `material`), with changed attributes of one half or of `both`."""
    known = key if isinstance(key, dict) else material(key)
    return KeyPair(
        (TokenObject(handle, PUBLIC, {**usual(PUBLIC, **both, **(public or {})), **known[PUBLIC]}),),
        (TokenObject(handle + 1, PRIVATE, {**usual(PRIVATE, **both, **(private or {})), **known[PRIVATE]}),),
        "material" if known[PRIVATE]["key_type"] == "rsa" else "id",
    )


def without(found: TokenObject, *names: str) -> TokenObject:
    """The object without some of its attributes."""
    kept = {name: value for name, value in found.attributes.items() if name not in names}
    return dataclasses.replace(found, attributes=kept)
