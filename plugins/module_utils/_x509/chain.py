# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates as files hold them: one, and those of its issuers."""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import certificate, signature

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding
except ImportError:
    # A module that needs it has said so before.
    pass


def read_all(raw: bytes) -> list[x509.Certificate]:
    """All certificates in PEM, or the one in DER; raises `ValueError`."""
    try:
        found = x509.load_pem_x509_certificates(raw) if b"-----BEGIN" in raw else [x509.load_der_x509_certificate(raw)]
        for one in found:  # what is in it is read when it is asked for
            one.subject.rfc4514_string(), one.issuer.rfc4514_string(), certificate.start(one), certificate.end(one)
    except (ValueError, x509.InvalidVersion):
        raise ValueError("it is no certificate that can be read") from None
    return found


def der(found: x509.Certificate) -> bytes:
    """A certificate as a token holds it."""
    return found.public_bytes(Encoding.DER)


def validity(found: x509.Certificate) -> tuple[t.Any, ...]:
    """What is greater for the later of two certificates: that which starts later, else that which ends later."""
    return certificate.start(found), certificate.end(found)


def key_identifier(found: x509.Certificate) -> bytes:
    """The identifier of its key: as it says, else as RFC 5280 makes it (section 4.2.1.2), else of the certificate."""
    try:
        told = certificate.extension(found, x509.SubjectKeyIdentifier)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        told = None
    key = signature.key_in(found)
    if told is None and key is not None:
        told = x509.SubjectKeyIdentifier.from_public_key(key)
    return told.digest if told is not None and told.digest else hashlib.sha256(der(found)).digest()[:20]


def short_name(found: x509.Certificate) -> str:
    """The common name of its subject, else all of it."""
    names = [str(one.value) for one in found.subject.get_attributes_for_oid(x509.OID_COMMON_NAME)]
    return next(filter(None, names), found.subject.rfc4514_string())


def strangers(first: x509.Certificate, others: t.Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Those of the others that issued neither the first nor, by way of others, what issued it; names tell that."""
    left, wanted = list(others), {first.issuer}
    while joined := [one for one in left if one.subject in wanted]:
        wanted |= {one.issuer for one in joined}
        left = [one for one in left if one not in joined]
    return left
