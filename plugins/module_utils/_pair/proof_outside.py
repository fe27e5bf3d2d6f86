# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the private half of a pair does inside a token, checked outside by cryptography.

It is imported when there is something to check: most tasks find their pair as it should be, and prove nothing.
"""

from __future__ import annotations

import hashlib
import secrets
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair, session
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors, mechanisms

try:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
except ImportError:
    # A module that needs it has said so before.
    pass

UNKNOWN_CURVE = "cryptography on this host does not know the curve"
# Answers after which the next mechanism is tried: the token does not have this one, or not for this key.
_REFUSED_MECHANISM = (
    "CKR_MECHANISM_INVALID",
    "CKR_MECHANISM_PARAM_INVALID",
    "CKR_KEY_FUNCTION_NOT_PERMITTED",
    "CKR_KEY_TYPE_INCONSISTENT",
    "CKR_FUNCTION_NOT_SUPPORTED",
)
# DigestInfo of SHA-256 without the digest (RFC 8017, section 9.2, note 1).
_SHA256_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def known(curve: str) -> bool:
    """Whether keys on a curve can be checked here."""
    names: list[t.Any] = [kind.name for kind in ec.EllipticCurve.__subclasses__()]
    return curve.lower() in {name.lower() for name in names}


def prove_with(
    signer: session.Signer, rows: t.Sequence[mechanisms.Mechanism], pair: keypair.KeyPair, spki: bytes
) -> session.Proof:
    """The proof with the first mechanism that the token takes. What it has is looked at once it has refused one.

    Raises `HsmError` when the halves do not belong together, and `TokenError` as the token does.
    """
    private, public = pair.private.key_type, pair.public.key_type
    if private != public:
        raise errors.HsmError(f"The halves {pair} do not belong together: the private half is of type {private}.")
    key = _public_key(pair, spki)
    if key is None:
        return session.Proof(None, UNKNOWN_CURVE)
    refusal = None
    for row in rows:
        if refusal and row.code not in signer.mechanisms:
            continue
        try:
            fits = _PROVERS[row.use, pair.private.key_type](signer, row, key)
        except errors.TokenError as error:
            if error.ckr in _REFUSED_MECHANISM:
                refusal = row.code, error
                continue
            raise _unproven(error) from None
        if fits:
            return session.Proof(row.name)
        raise errors.HsmError(
            f"The halves {pair} do not belong together: what the private half did by {row.name} does not fit the"
            " public half."
        )
    if refusal and refusal[0] in signer.mechanisms:
        raise _unproven(refusal[1])
    return session.Proof(None, "the token has no mechanism for it that can be checked outside")


def _public_key(pair: keypair.KeyPair, spki: bytes) -> t.Any:
    """The public half; None where it is on a curve that is not known here."""
    try:
        return serialization.load_der_public_key(spki)
    except (UnsupportedAlgorithm, ValueError):
        curve = pair.public.curve
        if curve and known(curve.name):
            raise errors.HsmError(f"The public half {pair.public} holds no valid public key.") from None
        return None


def _unproven(error: errors.TokenError) -> errors.TokenError:
    if error.final:  # the PIN was wrong, whatever the key may do
        return error
    hint = "a key that this token does not let be used this way can be made with verify=false"
    return errors.TokenError(error.attempt, error.ckr, said=error.said, hint=hint)


def _rsa_signature(signer: session.Signer, mechanism: mechanisms.Mechanism, key: t.Any) -> bool:
    data = secrets.token_bytes(32)
    algorithm: t.Any = getattr(hashes, (mechanism.hash or "sha256").upper())()
    scheme: t.Any = padding.PKCS1v15()
    message = data if mechanism.hash else _SHA256_DIGEST_INFO + hashlib.sha256(data).digest()
    if mechanism.name.endswith("_PSS"):
        scheme = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
    return _verifies(key, signer.sign(mechanism, message), data, scheme, algorithm)


def _ecdsa_signature(signer: session.Signer, mechanism: mechanisms.Mechanism, key: t.Any) -> bool:
    data = secrets.token_bytes(32)
    name = mechanism.hash or _fitting_hash(key.curve.key_size)
    message = data if mechanism.hash else hashlib.new(name, data).digest()
    signature = signer.sign(mechanism, message)
    half = len(signature) // 2
    numbers = (int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
    algorithm: t.Any = getattr(hashes, name.upper())()
    return _verifies(key, utils.encode_dss_signature(*numbers), data, ec.ECDSA(algorithm))


def _fitting_hash(bits: int) -> str:
    """The smallest SHA-2 that is no weaker than the curve; a stronger one is cut to the order's size."""
    return "sha256" if bits <= 256 else "sha384" if bits <= 384 else "sha512"


def _eddsa_signature(signer: session.Signer, mechanism: mechanisms.Mechanism, key: t.Any) -> bool:
    data = secrets.token_bytes(32)
    return _verifies(key, signer.sign(mechanism, data), data)


def _verifies(key: t.Any, signature: bytes, *arguments: t.Any) -> bool:
    try:
        key.verify(signature, *arguments)
    except InvalidSignature:
        return False
    return True


def _decryption(signer: session.Signer, mechanism: mechanisms.Mechanism, key: rsa.RSAPublicKey) -> bool:
    data = secrets.token_bytes(32)
    scheme: t.Any = padding.PKCS1v15()
    if mechanism.name == "CKM_RSA_PKCS_OAEP":  # SHA-1 is the library's default and all that SoftHSM 2.6 takes
        scheme = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303
    return signer.decrypt(mechanism, key.encrypt(data, scheme)) == data


def _derivation(signer: session.Signer, mechanism: mechanisms.Mechanism, key: ec.EllipticCurvePublicKey) -> bool:
    outside = ec.generate_private_key(key.curve)
    point = outside.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    shared = outside.exchange(ec.ECDH(), key)
    return signer.derive(point, len(shared)) == shared


_PROVERS: dict[tuple[str, str], t.Callable[[session.Signer, mechanisms.Mechanism, t.Any], bool]] = {
    ("sign", "rsa"): _rsa_signature,
    ("sign", "ec"): _ecdsa_signature,
    ("sign", "ec_edwards"): _eddsa_signature,
    ("decrypt", "rsa"): _decryption,
    ("derive", "ec"): _derivation,
}
