# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificate requests (RFC 2986): made, checked, compared with what is wished, told."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import signature
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.profile import Profile, described, differing, whole
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.scheme import Scheme, scheme_in

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding
except ImportError:
    # A module that needs it has said so before.
    pass


def made(profile: Profile, key: t.Any, scheme: Scheme, signer: t.Any) -> x509.CertificateSigningRequest:
    """A request, signed by `signer` (a private key or what stands for one), and not yet checked."""
    builder = x509.CertificateSigningRequestBuilder(profile.subject)
    for one in profile.of(key):
        builder = builder.add_extension(one.value, one.critical)
    return builder.sign(signer, **scheme.arguments())


def read(raw: bytes) -> x509.CertificateSigningRequest | None:
    """A request in PEM or DER; None where it is none."""
    return whole(x509.load_pem_x509_csr if b"-----BEGIN" in raw else x509.load_der_x509_csr, told, raw)


def why_anew(
    found: x509.CertificateSigningRequest, profile: Profile, key: t.Any, wished: Scheme, digest_given: bool
) -> list[str]:
    """In what a request is not as wished, as the user reads it; `digest_given`: its digest is compared, too."""
    if signature.spki_of(signature.key_in(found)) != signature.spki_of(key):
        return ["it is of another key"]
    if not signature.verifies(found, key):
        return ["its signature does not hold"]
    scheme = scheme_in(found)
    reasons = []
    if not profile.is_subject(found.subject):
        reasons.append("its subject differs")
    reasons += [f"{name} differs" for name in differing(profile.of(key), found.extensions)]
    if scheme is None or scheme.name != wished.name:
        reasons.append("it was signed by another scheme")
    elif digest_given and scheme.digest != wished.digest:
        reasons.append("it was signed with another digest")
    return reasons


def told(request: x509.CertificateSigningRequest) -> dict[str, t.Any]:
    """What is returned of a request."""
    return described(request.subject, request.extensions, signature.key_in(request), scheme_in(request))


def foretold(profile: Profile, key: t.Any, scheme: Scheme | None) -> dict[str, t.Any]:
    """The same of one that would be made; without the key, what is known."""
    return described(profile.subject, profile.extensions if key is None else profile.of(key), key, scheme)


def pem(request: x509.CertificateSigningRequest) -> bytes:
    """A request as it is written."""
    return request.public_bytes(Encoding.PEM)
