# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proof of a pair: the private half works inside the token, the public half outside, by cryptography.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
import traceback
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._attributes import PRIVATE
from ansible_collections.cryptoki.hsm.plugins.module_utils._errors import HsmError, InputError, TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._mechanisms import (
    MECHANISMS,
    Mechanism,
    Use,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._providers.base import Proof
from ansible_collections.cryptoki.hsm.plugins.module_utils._wish import Wish

CRYPTOGRAPHY_IMPORT_ERROR: str | None = None
try:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
except ImportError:
    CRYPTOGRAPHY_IMPORT_ERROR = traceback.format_exc()

# In the order of preference; what a token lacks or the key must not use is passed over. The first that the token
# takes is used, CKM_ECDSA with a hash that fits the curve (FIPS 186-5, section 6.4.1).
_SIGNING: dict[str, tuple[str, ...]] = {
    "rsa": (
        "CKM_SHA256_RSA_PKCS",
        "CKM_SHA384_RSA_PKCS",
        "CKM_SHA512_RSA_PKCS",
        "CKM_SHA256_RSA_PKCS_PSS",
        "CKM_SHA384_RSA_PKCS_PSS",
        "CKM_SHA512_RSA_PKCS_PSS",
        "CKM_RSA_PKCS",
    ),
    "ec": ("CKM_ECDSA", "CKM_ECDSA_SHA256", "CKM_ECDSA_SHA384", "CKM_ECDSA_SHA512"),
    "ec_edwards": ("CKM_EDDSA",),
}
_DECRYPTING: dict[str, tuple[str, ...]] = {"rsa": ("CKM_RSA_PKCS_OAEP", "CKM_RSA_PKCS")}
_DERIVING: dict[str, tuple[str, ...]] = {"ec": ("CKM_ECDH1_DERIVE",)}
_UNKNOWN_CURVE = "cryptography on this host does not know the curve"
_UNPROVEN_HINT = "a key that this token does not let be used this way can be made with verify=false"
# Answers after which the next mechanism is tried: the token lists this one and does not take it.
_REFUSED_MECHANISM = ("CKR_MECHANISM_INVALID", "CKR_MECHANISM_PARAM_INVALID", "CKR_KEY_FUNCTION_NOT_PERMITTED")
# DigestInfo of SHA-256 without the digest (RFC 8017, section 9.2, note 1).
_SHA256_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


class Signer(t.Protocol):
    """What a proof needs of a session with a token."""

    def sign(self, found: TokenObject, mechanism: int, data: bytes, pss: str = "") -> bytes:
        """A signature made inside the token."""

    def decrypt(self, found: TokenObject, mechanism: int, data: bytes) -> bytes:
        """A decryption made inside the token."""

    def derive(self, found: TokenObject, point: bytes, size: int) -> bytes:
        """An ECDH secret made inside the token."""


def candidates(wish: Wish, attributes: t.Mapping[str, t.Any]) -> list[Mechanism]:
    """The mechanisms that a private half with these attributes may be proven with, best first; pure.

    Signing comes first, then decryption, then derivation, within C(allowed_mechanisms).
    """
    key_type = attributes.get("key_type") or wish.key_type  # a pair that is kept may be of another type than the wish
    tables: dict[Use, dict[str, tuple[str, ...]]] = {"sign": _SIGNING, "decrypt": _DECRYPTING, "derive": _DERIVING}
    # CKM_RSA_PKCS both signs and decrypts, so that the use comes from the bit.
    rows = [
        dataclasses.replace(MECHANISMS[name], use=bit)
        for bit, table in tables.items()
        if attributes.get(bit) is True
        for name in table.get(key_type, ())
    ]
    allowed = attributes.get("allowed_mechanisms") or wish.allowed_mechanisms
    return [row for row in rows if not allowed or row.code in allowed]


def unprovable(wish: Wish, attributes: t.Mapping[str, t.Any]) -> str | None:
    """Why a pair with these attributes cannot be proven, or None; pure."""
    if attributes.get("always_authenticate") is True:
        return "always_authenticate asks for the PIN at each use"
    if not candidates(wish, attributes):
        return "the private key may neither sign, decrypt nor derive with a mechanism that can be checked outside"
    return None


def refuse_unprovable(wish: Wish, options: str = "these options") -> None:
    """Refuses, before the login, an explicit C(verify=true) that cannot be done."""
    if wish.verify:
        reason = unprovable(wish, wish.template(PRIVATE))
        if not reason and wish.key_type == "ec" and wish.curve and not _known_outside(wish.curve.name):
            reason = _UNKNOWN_CURVE
        if reason:
            raise InputError("verify", f"a pair with {options} cannot be proven, because {reason}", "true")


def _known_outside(curve: str) -> bool:
    names: list[t.Any] = [known.name for known in ec.EllipticCurve.__subclasses__()]
    return curve.lower() in {name.lower() for name in names}


def prove(
    signer: Signer, token_mechanisms: t.Collection[int], wish: Wish, pair: KeyPair, passive: bool = False
) -> Proof:
    """Proves a pair; raises L{HsmError} when the halves do not belong together, and L{TokenError} as the token does.

    C(passive): no object is made, so that nothing is derived.
    """
    reason = unprovable(wish, pair.private.attributes)
    if reason:
        return Proof(None, reason)
    usable = [row for row in candidates(wish, pair.private.attributes) if row.code in token_mechanisms]
    if passive:
        usable = [row for row in usable if row.use != "derive"]
    if not usable:
        return Proof(None, "the token has no mechanism for it that can be checked outside")
    if pair.spki is None:
        return Proof(None, "the token does not tell the public key")
    try:
        key: t.Any = serialization.load_der_public_key(pair.spki)
    except (UnsupportedAlgorithm, ValueError):
        curve = pair.public.curve
        if curve and _known_outside(curve.name):
            raise HsmError(f"The public half {pair.public} holds no valid public key.") from None
        return Proof(None, _UNKNOWN_CURVE)
    return _prove_with(signer, usable, pair, key)


def _prove_with(signer: Signer, usable: t.Sequence[Mechanism], pair: KeyPair, key: t.Any) -> Proof:
    """The proof with the first mechanism that the token takes for this key; its policy may refuse some."""
    for mechanism in usable:
        try:
            fits = _PROVERS[mechanism.use, pair.private.key_type](signer, mechanism, pair, key)
        except TokenError as error:
            if error.ckr in _REFUSED_MECHANISM and mechanism is not usable[-1]:
                continue
            raise TokenError(error.attempt, error.ckr, said=error.said, hint=_UNPROVEN_HINT) from None
        if not fits:
            break
        return Proof(mechanism.name)
    raise HsmError(
        f"The halves {pair} do not belong together: what the private half did by {mechanism.name} does not fit the"
        " public half."
    )


def _rsa_signature(signer: Signer, mechanism: Mechanism, pair: KeyPair, key: t.Any) -> bool:
    data = secrets.token_bytes(32)
    name = mechanism.hash or "sha256"
    algorithm: t.Any = getattr(hashes, name.upper())()
    scheme: t.Any = padding.PKCS1v15()
    message, pss = data, ""
    if mechanism.name.endswith("_PSS"):
        scheme, pss = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size), name
    elif not mechanism.hash:
        message = _SHA256_DIGEST_INFO + hashlib.sha256(data).digest()
    signature = signer.sign(pair.private, mechanism.code, message, pss)
    return _verifies(key, signature, data, scheme, algorithm)


def _ecdsa_signature(signer: Signer, mechanism: Mechanism, pair: KeyPair, key: t.Any) -> bool:
    data = secrets.token_bytes(32)
    name = mechanism.hash or _fitting_hash(key.curve.key_size)
    message = data if mechanism.hash else hashlib.new(name, data).digest()
    signature = signer.sign(pair.private, mechanism.code, message)
    half = len(signature) // 2
    numbers = (int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
    algorithm: t.Any = getattr(hashes, name.upper())()
    return _verifies(key, utils.encode_dss_signature(*numbers), data, ec.ECDSA(algorithm))


def _fitting_hash(bits: int) -> str:
    """The smallest SHA-2 that is no weaker than the curve; a stronger one is cut to the order's size."""
    return "sha256" if bits <= 256 else "sha384" if bits <= 384 else "sha512"


def _eddsa_signature(signer: Signer, mechanism: Mechanism, pair: KeyPair, key: t.Any) -> bool:
    data = secrets.token_bytes(32)
    return _verifies(key, signer.sign(pair.private, mechanism.code, data), data)


def _verifies(key: t.Any, signature: bytes, *arguments: t.Any) -> bool:
    try:
        key.verify(signature, *arguments)
    except InvalidSignature:
        return False
    return True


def _decryption(signer: Signer, mechanism: Mechanism, pair: KeyPair, key: rsa.RSAPublicKey) -> bool:
    data = secrets.token_bytes(32)
    scheme: t.Any = padding.PKCS1v15()
    if mechanism.name == "CKM_RSA_PKCS_OAEP":  # SHA-1 is the library's default and all that SoftHSM 2.6 takes
        scheme = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303
    return signer.decrypt(pair.private, mechanism.code, key.encrypt(data, scheme)) == data


def _derivation(signer: Signer, mechanism: Mechanism, pair: KeyPair, key: ec.EllipticCurvePublicKey) -> bool:
    outside = ec.generate_private_key(key.curve)
    point = outside.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    shared = outside.exchange(ec.ECDH(), key)
    return signer.derive(pair.private, point, len(shared)) == shared


_PROVERS: dict[tuple[str, str], t.Callable[[Signer, Mechanism, KeyPair, t.Any], bool]] = {
    ("sign", "rsa"): _rsa_signature,
    ("sign", "ec"): _ecdsa_signature,
    ("sign", "ec_edwards"): _eddsa_signature,
    ("decrypt", "rsa"): _decryption,
    ("derive", "ec"): _derivation,
}
