# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates (RFC 5280): made, compared with what is wished, told."""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import text
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import signature, validity
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.profile import (
    Profile,
    Wished,
    described,
    differing,
    whole,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.scheme import Scheme, scheme_in

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding
except ImportError:
    # A module that needs it has said so before.
    pass

_FIRST = re.compile(rb"-----BEGIN ((?:X509 )?)CERTIFICATE-----.*?(?:-----END \1CERTIFICATE-----|\Z)", re.DOTALL)


def read(raw: bytes) -> x509.Certificate | None:
    """A certificate in PEM or DER; None where it is none."""
    return whole(x509.load_pem_x509_certificate if b"-----BEGIN" in raw else x509.load_der_x509_certificate, told, raw)


def start(found: x509.Certificate) -> datetime.datetime:
    """The start of validity; before cryptography 42 it has no time zone, and is UTC all the same."""
    known = getattr(found, "not_valid_before_utc", None)
    return known or found.not_valid_before.replace(tzinfo=datetime.timezone.utc)


def end(found: x509.Certificate) -> datetime.datetime:
    """The end of validity."""
    known = getattr(found, "not_valid_after_utc", None)
    return known or found.not_valid_after.replace(tzinfo=datetime.timezone.utc)


def extension(found: x509.Certificate | x509.CertificateRevocationList, kind: type[t.Any]) -> t.Any:
    """The value of one extension, None where it is not there."""
    try:
        return found.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def authority_identifier(ca: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """The identifier of a CA's key, as what it signs names it."""
    known, make = extension(ca, x509.SubjectKeyIdentifier), x509.AuthorityKeyIdentifier
    return (
        make.from_issuer_subject_key_identifier(known) if known else make.from_issuer_public_key(signature.key_in(ca))
    )


@dataclasses.dataclass(frozen=True)
class Issue:
    """What is to be issued: `key` is the subject's, `ca` the issuer's certificate, None for itself."""

    profile: Profile
    key: t.Any
    ca: x509.Certificate | None
    not_before: validity.Moment
    not_after: validity.Moment
    serial_number: int | None = None
    renew_before: datetime.timedelta | None = None

    @property
    def issuer(self) -> x509.Name:
        """The name of who issues."""
        return self.profile.subject if self.ca is None else self.ca.subject

    @property
    def extensions(self) -> list[Wished]:
        """All of them, with the identifiers of both keys."""
        own = list(self.profile.of(self.key) if self.key is not None else self.profile.extensions)
        if self.ca is None or self.profile.value_of(x509.AuthorityKeyIdentifier):
            return own
        return [*own, Wished(authority_identifier(self.ca))]

    def made(self, scheme: Scheme, signer: t.Any) -> x509.Certificate:
        """A certificate, signed by `signer`, and not yet checked."""
        serial = x509.random_serial_number() if self.serial_number is None else self.serial_number
        builder = x509.CertificateBuilder(self.issuer, self.profile.subject, self.key, serial)
        builder = builder.not_valid_before(self.not_before.at).not_valid_after(self.not_after.at)
        for one in self.extensions:
            builder = builder.add_extension(one.value, one.critical)
        return builder.sign(signer, **scheme.arguments())

    def why_anew(
        self, found: x509.Certificate, issuing: t.Any, scheme: Scheme, digest_given: bool, now: datetime.datetime
    ) -> list[str]:
        """In what a certificate is not as wished, as the user reads it; `issuing` is the issuer's public key."""
        if signature.spki_of(signature.key_in(found)) != signature.spki_of(self.key):
            return ["it is of another key"]
        if not signature.verifies(found, issuing):
            return ["its issuer's signature does not hold"]
        reasons = [*self._differences(found), *differing_names(self, found)]
        used = scheme_in(found)
        if used is None or used.name != scheme.name:
            reasons.append("it was signed by another scheme")
        elif digest_given and used.digest != scheme.digest:
            reasons.append("it was signed with another digest")
        return reasons + self._too_late(found, now)

    def _differences(self, found: x509.Certificate) -> list[str]:
        told = {
            "its subject": not self.profile.is_subject(found.subject),
            "its issuer": not self._is_issuer(found),
            "its serial number": self.serial_number not in (None, found.serial_number),
            "its start": self.not_before.differs(start(found)),
            "its end": self.not_after.differs(end(found)),
        }
        return [f"{what} differs" for what, differs in told.items() if differs]

    def _is_issuer(self, found: x509.Certificate) -> bool:
        """Whether the issuer is the wished one, to the byte, since not every program compares letters."""
        if self.ca is None:
            return self.profile.is_subject(found.issuer) and found.issuer.public_bytes() == found.subject.public_bytes()
        return found.issuer == self.issuer and found.issuer.public_bytes() == self.issuer.public_bytes()

    def _too_late(self, found: x509.Certificate, now: datetime.datetime) -> list[str]:
        if self.not_after.absolute:
            return []  # another one would end at the same time
        if now > end(found):
            return ["it has expired"]
        if self.renew_before is not None and now > end(found) - self.renew_before:
            return [f"it ends at {validity.shown(end(found))}, which is within renew_before"]
        return []

    def foretold(self, scheme: Scheme | None) -> dict[str, t.Any]:
        """What is told of a certificate that would be made; None is what is not known yet."""
        return {
            **described(self.profile.subject, self.extensions, self.key, scheme),
            "issuer": self.issuer.rfc4514_string(),
            "serial_number": None if self.serial_number is None else serial_text(self.serial_number),
            "not_before": validity.shown(self.not_before.at),
            "not_after": validity.shown(self.not_after.at),
        }

    def identifiers(self) -> dict[str, str]:
        """The identifiers of keys that are not known before the keys are."""
        if self.key is not None or not self.profile.identify_subject:
            return {}
        return {"subject_key_identifier": "known after generation"}

    def drifting(self) -> dict[str, t.Any]:
        """What of it depends on the moment of the signature, so that it is not known before."""
        moments = {"not_before": self.not_before, "not_after": self.not_after}
        return {name: "not known" for name, moment in moments.items() if not moment.absolute}


def differing_names(wished: Issue, found: x509.Certificate) -> list[str]:
    """Which extensions differ."""
    return [f"{name} differs" for name in differing(wished.extensions, found.extensions)]


def told(found: x509.Certificate) -> dict[str, t.Any]:
    """What is returned of a certificate."""
    return {
        **described(found.subject, found.extensions, signature.key_in(found), scheme_in(found)),
        "issuer": found.issuer.rfc4514_string(),
        "serial_number": serial_text(found.serial_number),
        "not_before": validity.shown(start(found)),
        "not_after": validity.shown(end(found)),
    }


def serial_text(number: int) -> str:
    """A serial number as certificates show it; long digits may hold a PIN, which would be masked."""
    return text.colon_hex(number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big"))


def pem(found: x509.Certificate) -> bytes:
    """A certificate as it is written."""
    return found.public_bytes(Encoding.PEM)


def beside(raw: bytes) -> bytes:
    """What a file has beside its first certificate: in most cases nothing, in others the chain behind it, or a key."""
    found = _FIRST.search(raw)
    before, after = (raw[: found.start()], raw[found.end() :]) if found else (raw, b"")
    return b"".join(before.partition(b"-----BEGIN")[1:]) + after.lstrip()  # text in front only describes it
