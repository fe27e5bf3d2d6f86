# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How something is signed: the scheme and digest, and the mechanisms of a token that come to it.

RSA signs as RFC 8017 has it (the salt of PSS is as long as the digest), ECDSA as RFC 3279, Ed25519 as RFC 8410.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS, Mechanism

try:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
except ImportError:
    # A module that needs it has said so before.
    pass

Sign = t.Callable[[Mechanism, bytes], bytes]
# DigestInfo without the digest (RFC 8017, section 9.2, note 1).
_DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
# Answers after which the next mechanism is tried: the token does not have this one, or not for this key.
_REFUSED_MECHANISM = (
    "CKR_MECHANISM_INVALID",
    "CKR_MECHANISM_PARAM_INVALID",
    "CKR_KEY_TYPE_INCONSISTENT",
    "CKR_FUNCTION_NOT_SUPPORTED",
)


class _Way(t.NamedTuple):
    """A mechanism, and what it takes of the data."""

    mechanism: Mechanism
    prepare: t.Callable[[bytes], bytes] = bytes


@dataclasses.dataclass(frozen=True)
class Scheme:
    """A way to sign; `digest` is empty where the scheme has its own."""

    name: t.Literal["pkcs1v15", "pss", "ecdsa", "eddsa"]
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.name} with {self.digest}" if self.digest else self.name

    @property
    def hash(self) -> t.Any:
        """The digest as cryptography's builders take it."""
        return getattr(hashes, self.digest.upper())() if self.digest else None

    @property
    def padding(self) -> t.Any:
        """The padding as they take it; None for any other than PSS."""
        return padding.PSS(padding.MGF1(self.hash), self.hash.digest_size) if self.name == "pss" else None

    def arguments(self) -> dict[str, t.Any]:
        """What the builders of cryptography are told; those before 42 know no padding of requests."""
        return {"algorithm": self.hash, **({"rsa_padding": self.padding} if self.padding else {})}

    def ways(self, order: int) -> list[_Way]:
        """The mechanisms, best first; `order` is the size of a curve's order in bytes."""

        def hashed(data: bytes) -> bytes:
            return hashlib.new(self.digest, data).digest()

        word = self.digest.upper()
        if self.name == "pss":
            raw = MECHANISMS["CKM_RSA_PKCS_PSS"]._replace(hash=self.digest)
            return [_Way(MECHANISMS[f"CKM_{word}_RSA_PKCS_PSS"]), _Way(raw, hashed)]
        if self.name == "pkcs1v15":
            framed = _Way(MECHANISMS["CKM_RSA_PKCS"], lambda data: _DIGEST_INFO[self.digest] + hashed(data))
            return [_Way(MECHANISMS[f"CKM_{word}_RSA_PKCS"]), framed]
        if self.name == "ecdsa":
            # A digest longer than the order is cut to it (FIPS 186-5, section 6.4.1), which not every token does.
            cut = _Way(MECHANISMS["CKM_ECDSA"], lambda data: hashed(data)[:order])
            return [cut, _Way(MECHANISMS[f"CKM_ECDSA_{word}"])]
        return [_Way(MECHANISMS["CKM_EDDSA"])]

    def allowed(self, mechanisms: t.Collection[int], order: int = 0) -> list[_Way]:
        """The mechanisms of this scheme that a key may be used with; an empty list of them allows all."""
        return [way for way in self.ways(order) if not mechanisms or way.mechanism.code in mechanisms]


def scheme_of(key: t.Any, wished: str | None, digest: str | None) -> Scheme:
    """The scheme for a public key; raises `ValueError` where the key cannot sign so, or not at all."""
    if isinstance(key, rsa.RSAPublicKey):
        return Scheme("pss" if wished == "pss" else "pkcs1v15", digest or "sha256")
    if wished:
        raise ValueError(f"{wished} is a scheme of RSA keys, and this key is none")
    if isinstance(key, ec.EllipticCurvePublicKey):
        return Scheme("ecdsa", digest or _fitting(key.key_size))
    if isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
        return Scheme("eddsa")
    raise ValueError("a key of this type signs no certificates")


def scheme_in(signed: t.Any) -> Scheme | None:
    """The scheme that a request, certificate or CRL was signed by; None for one that is not made here."""
    name = signed.signature_algorithm_oid.dotted_string
    if name in _BY_OID:
        return _BY_OID[name]
    if name != _PSS:
        return None
    try:
        used, digest = signed.signature_algorithm_parameters, signed.signature_hash_algorithm.name
    except (AttributeError, ValueError, UnsupportedAlgorithm):
        return None
    return Scheme("pss", digest) if isinstance(used, padding.PSS) and digest in _DIGEST_INFO else None


def _fitting(bits: int) -> str:
    """The smallest SHA-2 that is no weaker than the curve."""
    return "sha256" if bits <= 256 else "sha384" if bits <= 384 else "sha512"


_PSS = "1.2.840.113549.1.1.10"
_BY_OID = {
    "1.2.840.113549.1.1.11": Scheme("pkcs1v15", "sha256"),
    "1.2.840.113549.1.1.12": Scheme("pkcs1v15", "sha384"),
    "1.2.840.113549.1.1.13": Scheme("pkcs1v15", "sha512"),
    "1.2.840.10045.4.3.2": Scheme("ecdsa", "sha256"),
    "1.2.840.10045.4.3.3": Scheme("ecdsa", "sha384"),
    "1.2.840.10045.4.3.4": Scheme("ecdsa", "sha512"),
    "1.3.101.112": Scheme("eddsa"),
    "1.3.101.113": Scheme("eddsa"),
}


def signature(ways: t.Sequence[_Way], sign: Sign, data: bytes) -> bytes:
    """The signature by the first mechanism that the token takes."""
    refusal: errors.TokenError | None = None
    for way in ways:
        try:
            return sign(way.mechanism, way.prepare(data))
        except errors.TokenError as error:
            if error.ckr not in _REFUSED_MECHANISM:
                raise
            refusal = refusal or error
    raise refusal or ValueError("no mechanism is allowed")
