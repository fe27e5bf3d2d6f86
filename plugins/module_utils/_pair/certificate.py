# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates as a token holds them. What is in one is read by cryptography, which is imported when there is one."""

from __future__ import annotations

import datetime
import functools
import hashlib
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

if t.TYPE_CHECKING:
    from cryptography.x509 import Certificate as Parsed

_VALIDITY = ("not_valid_before", "not_valid_after")


class Certificate(t.NamedTuple):
    """One CKO_CERTIFICATE; `value` is DER, empty where the token does not tell it.

    `handle`: 0 for one that is only wished. `unreadable`: what the token answered where it has an id or a value and
    does not tell it.
    """

    handle: int
    label: str | None
    id: bytes
    value: bytes
    unreadable: str = ""

    def __str__(self) -> str:
        told = describe_certificate(self)
        read = f"subject '{told['subject']}', serial number {told['serial_number']}, " if told["subject"] else ""
        label = f"label '{self.label}'" if self.label is not None else "label unreadable"
        return errors.one_line(f"(certificate, {read}{label}, id {self.id.hex(':') or 'none'})")

    def is_among(self, others: t.Iterable[Certificate]) -> bool:
        """Whether it is one of these, whatever their id is now."""
        return any(self.handle == one.handle or (self.value and self.value == one.value) for one in others)


class CertificateObjects(t.Protocol):
    """How the certificates of a token are found, made and changed. Every method raises `TokenError`."""

    def certificates(self, label: str | None, identifier: bytes | None) -> list[Certificate]:
        """Those of this label and this id, where given; none where the token has no such objects."""

    def store_certificate(self, wished: Certificate) -> Certificate:
        """Makes one, and reads it back; `unreadable` is what the token made otherwise, beside value and names.

        An error does not tell whether it was made.
        """

    def set_certificate_names(self, found: Certificate, label: str | None, identifier: bytes) -> None:
        """Gives one that was found this id, and this label if any."""

    def destroy_certificate(self, found: Certificate) -> None:
        """Removes one that was found; an error with `remains` tells that it is still there."""


def describe_certificate(found: Certificate) -> dict[str, str | None]:
    """What is returned of a certificate; None is what it does not tell."""
    certificate = parsed(found.value)
    told: dict[str, str | None] = dict.fromkeys(("subject", "issuer", "serial_number", "not_before", "not_after"))
    if certificate:
        serial = certificate.serial_number
        told = {
            "subject": certificate.subject.rfc4514_string(),
            "issuer": certificate.issuer.rfc4514_string(),
            "serial_number": serial.to_bytes(serial.bit_length() // 8 + 1, "big").lstrip(b"\0").hex(":") or "00",
            "not_before": _moment(certificate, _VALIDITY[0]),
            "not_after": _moment(certificate, _VALIDITY[1]),
        }
    digest = hashlib.sha256(found.value).digest().hex(":") if found.value else None
    return {"label": found.label, "id_hex": found.id.hex(":") or None, **told, "fingerprint": digest}


@functools.lru_cache(maxsize=64)
def parsed(value: bytes) -> Parsed | None:
    """What is in a certificate; None where it is none, or its names and times cannot be told."""
    from cryptography import x509

    try:
        certificate = x509.load_der_x509_certificate(value)
        for name in (certificate.subject, certificate.issuer):  # they are read when they are asked for
            name.rfc4514_string()
        for moment in _VALIDITY:
            _moment(certificate, moment)
    except (ValueError, x509.InvalidVersion):
        return None
    return certificate


def _moment(certificate: Parsed, name: str) -> str:
    """Start or end of validity; before cryptography 42 it has no time zone, and is UTC all the same."""
    moment: datetime.datetime = getattr(certificate, f"{name}_utc", None) or getattr(certificate, name)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
