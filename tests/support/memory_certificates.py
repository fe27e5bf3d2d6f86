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


def der(key: t.Any, name: str = "web", serial: int = 0x4F6E17) -> bytes:
    """A self-signed certificate of a private key, or of a public one that another key signs."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    public = key.public_key() if hasattr(key, "public_key") else key
    signer = key if public is not key else ec.generate_private_key(ec.SECP256R1())
    begun = x509.CertificateBuilder(subject, subject, public, serial, BEGIN, END)
    return begun.sign(signer, hashes.SHA256()).public_bytes(Encoding.DER)


def certificate_of(key: t.Any, ident: bytes = b"\x01", handle: int = 50, **named: t.Any) -> Certificate:
    """The object that holds it."""
    return Certificate(handle, "web", ident, der(key, **named))
