# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of a token in memory, and in files, signed by the keys that they are of."""

from __future__ import annotations

import datetime
import typing as t

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate

BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
END = datetime.datetime(2036, 1, 1, tzinfo=datetime.timezone.utc)


def der(
    key: t.Any,
    name: str = "web",
    serial: int = 0x4F6E17,
    issuer: str | None = None,
    begin: datetime.datetime = BEGIN,
    end: datetime.datetime = END,
    identifier: bytes | None = None,
) -> bytes:
    """A certificate of a private key, self-signed where no issuer is named, or of a public one; another key signs."""
    subject, issued_by = (_name(text) for text in (name, issuer or name))
    public = key.public_key() if hasattr(key, "public_key") else key
    outside = issuer is not None or public is key or not hasattr(key, "curve")
    signer = ec.generate_private_key(ec.SECP256R1()) if outside else key
    begun = x509.CertificateBuilder(issued_by, subject, public, serial, begin, end)
    if identifier is not None:
        begun = begun.add_extension(x509.SubjectKeyIdentifier(identifier), critical=False)
    return begun.sign(signer, hashes.SHA256()).public_bytes(Encoding.DER)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def pem(*values: bytes) -> str:
    """Certificates as a file has them."""
    return "".join(x509.load_der_x509_certificate(one).public_bytes(Encoding.PEM).decode() for one in values)


def certificate_of(key: t.Any, ident: bytes = b"\x01", handle: int = 50, **named: t.Any) -> Certificate:
    """The object that holds it."""
    return Certificate(handle, "web", ident, der(key, **named))
