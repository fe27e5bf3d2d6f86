# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates as a token holds them. What is in one is read by cryptography, which is imported when there is one."""

from __future__ import annotations

import datetime
import functools
import hashlib
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import one_line

if t.TYPE_CHECKING:
    from cryptography.x509 import Certificate as Parsed


class Certificate(t.NamedTuple):
    """One CKO_CERTIFICATE; `value` is DER, empty where the token does not tell it."""

    handle: int
    label: str | None
    id: bytes
    value: bytes

    def __str__(self) -> str:
        told = describe_certificate(self)
        read = f"subject '{told['subject']}', serial number {told['serial_number']}, " if told["subject"] else ""
        label = f"label '{self.label}'" if self.label is not None else "label unreadable"
        return one_line(f"(certificate, {read}{label}, id {self.id.hex(':') or 'none'})")

    def is_among(self, others: t.Iterable[Certificate]) -> bool:
        """Whether it is one of these, whatever their id is now."""
        return any(self.handle == one.handle or (self.value and self.value == one.value) for one in others)


def describe_certificate(found: Certificate) -> dict[str, str | None]:
    """What is returned of a certificate; None is what it does not tell."""
    parsed = _parsed(found.value)
    told: dict[str, str | None] = dict.fromkeys(("subject", "serial_number", "not_after"))
    if parsed:
        serial = parsed.serial_number
        told = {
            "subject": parsed.subject.rfc4514_string(),
            "serial_number": serial.to_bytes(serial.bit_length() // 8 + 1, "big").lstrip(b"\0").hex(":") or "00",
            "not_after": _end(parsed).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    digest = hashlib.sha256(found.value).digest().hex(":") if found.value else None
    return {"label": found.label, **told, "fingerprint": digest}


def is_stale(found: Certificate, spki: bytes | None) -> bool:
    """Whether it is of another key than that with this SubjectPublicKeyInfo, as far as both are known."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    parsed = _parsed(found.value)
    if parsed is None or spki is None:
        return False
    try:
        return parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != spki
    except (ValueError, UnsupportedAlgorithm):
        return False


@functools.lru_cache(maxsize=64)
def _parsed(value: bytes) -> Parsed | None:
    from cryptography import x509

    try:
        parsed = x509.load_der_x509_certificate(value)
        parsed.subject.rfc4514_string(), _end(parsed)  # they are read when they are asked for
    except (ValueError, x509.InvalidVersion):
        return None
    return parsed


def _end(parsed: Parsed) -> datetime.datetime:
    """The end of validity; before cryptography 42 it has no time zone, and is UTC all the same."""
    return t.cast(datetime.datetime, getattr(parsed, "not_valid_after_utc", None) or parsed.not_valid_after)
