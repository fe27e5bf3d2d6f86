# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a signature holds, checked outside of the HSM."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.scheme import Scheme, scheme_in

try:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, padding
except ImportError:
    # A module that needs it has said so before.
    pass


def public_key(spki: bytes | None) -> t.Any:
    """The public key of a SubjectPublicKeyInfo in DER; raises `ValueError` where it is none that is known here."""
    if spki is None:
        raise ValueError("the token does not tell its public key")
    try:
        return serialization.load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("cryptography on this host does not know its public key") from None


def public_key_in(raw: bytes) -> t.Any:
    """A public key in PEM or DER; raises `ValueError` where it is none that is known here."""
    load = serialization.load_pem_public_key if b"-----BEGIN" in raw else serialization.load_der_public_key
    try:
        return load(raw)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("it is no public key that is known here") from None


def key_in(holder: t.Any) -> t.Any:
    """The public key in a request or a certificate; None where it is none that is known here."""
    try:
        return holder.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def spki_of(key: t.Any) -> bytes:
    """DER of the SubjectPublicKeyInfo, empty where there is no key."""
    if key is None:
        return b""
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return t.cast(bytes, key.public_bytes(*form))


def verifies(signed: t.Any, key: t.Any, scheme: Scheme | None = None) -> bool:
    """Whether a request, certificate or revocation list was signed by `key`, and by `scheme` if one is said.

    If none is said, PSS may have any salt that is as long as it says of itself, as OpenSSL's longest is.
    """
    used = scheme_in(signed)
    if used is None or scheme not in (None, used):
        return False
    ways = [_arguments(used)]
    if scheme is None and used.name == "pss":
        any_salt = padding.PSS(padding.MGF1(used.hash), padding.PSS.AUTO)
        ways = [(any_salt, used.hash), (signed.signature_algorithm_parameters, used.hash)]
    try:
        for way in ways:
            key.verify(signed.signature, _signed_part(signed), *way)
    except (InvalidSignature, TypeError, AttributeError, ValueError, UnsupportedAlgorithm):
        return False
    return True


def _signed_part(signed: t.Any) -> bytes:
    names = ("tbs_certrequest_bytes", "tbs_certificate_bytes", "tbs_certlist_bytes")
    return next(getattr(signed, name) for name in names if hasattr(signed, name))


def _arguments(scheme: Scheme) -> tuple[t.Any, ...]:
    if scheme.name == "eddsa":
        return ()
    if scheme.name == "ecdsa":
        return (ec.ECDSA(scheme.hash),)
    return (scheme.padding or padding.PKCS1v15(), scheme.hash)
