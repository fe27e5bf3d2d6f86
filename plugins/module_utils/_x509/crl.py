# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Revocation lists (RFC 5280, section 5): made, compared with what is wished, told."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import certificate, profile, signature, validity
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.entry import Entry, by_key, entries_in
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.scheme import Scheme, scheme_in

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding
except ImportError:
    # A module that needs it has said so before.
    pass

Format = t.Literal["pem", "der"]
# From so many on, entries that differ are counted, not named.
_MANY = 10
_NUMBER = "2.5.29.20"


def format_of(raw: bytes) -> Format:
    """How a list is written."""
    return "pem" if b"-----BEGIN" in raw else "der"


def der_in(text: bytes) -> bytes:
    """What an option holds: PEM as it is, DER out of base64."""
    if format_of(text) == "pem":
        return text
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error:
        return text


def read(raw: bytes) -> x509.CertificateRevocationList | None:
    """A list in PEM or DER; None where it is none, or has what no list may have."""
    load = x509.load_pem_x509_crl if format_of(raw) == "pem" else x509.load_der_x509_crl
    return profile.whole(load, told, raw)


def written(found: x509.CertificateRevocationList, form: Format) -> bytes:
    """A list as it is written."""
    return found.public_bytes(Encoding.PEM if form == "pem" else Encoding.DER)


def shown_content(raw: bytes) -> str:
    """A list as it is returned: PEM as it is, DER in base64."""
    return raw.decode() if format_of(raw) == "pem" else base64.b64encode(raw).decode()


def number_of(found: x509.CertificateRevocationList) -> int | None:
    """The number of a list, None where it has none."""
    number = certificate.extension(found, x509.CRLNumber)
    return number.crl_number if number else None


def last_update(found: x509.CertificateRevocationList) -> datetime.datetime:
    """When it was made; before cryptography 42 it has no time zone, and is UTC all the same."""
    known = getattr(found, "last_update_utc", None)
    return known or found.last_update.replace(tzinfo=datetime.timezone.utc)


def next_update(found: x509.CertificateRevocationList) -> datetime.datetime | None:
    """When the next one is there at the latest; None where it does not say so."""
    if hasattr(found, "next_update_utc"):
        return found.next_update_utc
    return found.next_update and found.next_update.replace(tzinfo=datetime.timezone.utc)


def entries_of(found: x509.CertificateRevocationList) -> list[Entry]:
    """The entries of a list."""
    point = certificate.extension(found, x509.IssuingDistributionPoint)
    return entries_in(found, bool(point and point.indirect_crl))


def distrusted(found: x509.CertificateRevocationList, key: t.Any) -> str | None:
    """Why neither number nor entries of a list count for the next one; `key` is the CA's public key."""
    if not signature.verifies(found, key):
        return "its issuer's signature does not hold"
    if certificate.extension(found, x509.DeltaCRLIndicator):
        return "it is a delta list"
    return None


@dataclasses.dataclass(frozen=True)
class Revocation:
    """What is to be published by a CA; `least` is the least number of a list."""

    ca: x509.Certificate
    entries: tuple[Entry, ...]
    last_update: validity.Moment
    next_update: validity.Moment
    number: int
    least: int | None = None
    renew_before: datetime.timedelta | None = None

    def onto(self, old: t.Iterable[Entry], keep_all: bool) -> Revocation:
        """The same with the dates of old entries where none is said; `keep_all`: old ones that are not said stay."""
        before, said = by_key(old), by_key(self.entries)
        others = [entry for key, entry in before.items() if keep_all and key not in said]
        entries = [*others, *(entry.onto(before.get(key)) for key, entry in said.items())]
        return dataclasses.replace(self, entries=tuple(sorted(entries, key=lambda entry: entry.issuer)))

    @property
    def extensions(self) -> list[profile.Wished]:
        """All of them; entries of other issuers make the list an indirect one (section 5.2.5)."""
        every = [profile.Wished(certificate.authority_identifier(self.ca)), profile.Wished(x509.CRLNumber(self.number))]
        if any(entry.issuer for entry in self.entries):
            point = x509.IssuingDistributionPoint(None, None, False, False, None, True, False)
            every.append(profile.Wished(point, critical=True))
        return every

    def made(self, scheme: Scheme, signer: t.Any) -> x509.CertificateRevocationList:
        """A list, signed by `signer`, and not yet checked."""
        rows = [entry.made() for entry in self.entries]
        builder = x509.CertificateRevocationListBuilder(self.ca.subject, None, None, [], rows)
        builder = builder.last_update(self.last_update.at).next_update(self.next_update.at)
        for one in self.extensions:
            builder = builder.add_extension(one.value, one.critical)
        return builder.sign(signer, **scheme.arguments())

    def why_anew(
        self, found: x509.CertificateRevocationList, scheme: Scheme | None, digest_given: bool, now: datetime.datetime
    ) -> list[str]:
        """In what a list that is trusted is not as wished, as the user reads it; without `scheme` that is not told."""
        reasons = self._differences(found) + self._differing_entries(entries_of(found))
        used = scheme_in(found)
        if scheme and (used is None or used.name != scheme.name):
            reasons.append("it was signed by another scheme")
        elif scheme and used and digest_given and used.digest != scheme.digest:
            reasons.append("it was signed with another digest")
        return reasons + self._too_late(found, now)

    def _differences(self, found: x509.CertificateRevocationList) -> list[str]:
        end, number = next_update(found), number_of(found)
        differs = {
            "its issuer differs": found.issuer.public_bytes() != self.ca.subject.public_bytes(),
            f"its number is below {self.least}": number is not None and number < (self.least or 0),
            "its last update differs": self.last_update.differs(last_update(found)),
            "it has no next update": end is None,
            "its next update differs": end is not None and self.next_update.differs(end),
        }
        wished = self if number is None else dataclasses.replace(self, number=number)  # which of them, is no difference
        names = profile.differing(wished.extensions, found.extensions)
        return [*(text for text, is_so in differs.items() if is_so), *(f"{name} differs" for name in names)]

    def _differing_entries(self, found: list[Entry]) -> list[str]:
        there, wished = by_key(found), by_key(self.entries)
        told = [f"{entry.name} is not in it" for key, entry in wished.items() if key not in there]
        told += [f"{entry.name} is no longer to be in it" for key, entry in there.items() if key not in wished]
        told += [
            f"{entry.name} differs" for key, entry in wished.items() if key in there and not entry.same(there[key])
        ]
        if len(found) > len(there):
            told.append("an entry is in it twice")
        return told if len(told) < _MANY else [f"{len(told)} entries differ"]

    def _too_late(self, found: x509.CertificateRevocationList, now: datetime.datetime) -> list[str]:
        end = next_update(found)
        if self.next_update.absolute or end is None:
            return []
        if now > end:
            return ["its next update is over"]
        if self.renew_before is not None and now > end - self.renew_before:
            return [f"its next update is at {validity.shown(end)}, which is within renew_before"]
        return []

    def foretold(self, scheme: Scheme | None) -> dict[str, t.Any]:
        """What is told of a list that would be made."""
        return _told(
            self.ca.subject,
            self.extensions,
            scheme,
            self.entries,
            number=self.number,
            last_update=validity.shown(self.last_update.at),
            next_update=validity.shown(self.next_update.at),
        )

    def in_changes(self, foretold: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """The same for what changes; what depends on the moment of the signature is not known."""
        moments = {"last_update": self.last_update, "next_update": self.next_update}
        drifting = {name: "not known" for name, moment in moments.items() if not moment.absolute}
        return {**_by_name(foretold), **drifting, **{entry.name: entry.text(foretold=True) for entry in self.entries}}


def told(found: x509.CertificateRevocationList) -> dict[str, t.Any]:
    """What is returned of a list."""
    end = next_update(found)
    return _told(
        found.issuer,
        found.extensions,
        scheme_in(found),
        entries_of(found),
        number=number_of(found),
        last_update=validity.shown(last_update(found)),
        next_update=validity.shown(end) if end else None,
    )


def _told(
    issuer: x509.Name, extensions: t.Iterable[t.Any], scheme: Scheme | None, entries: t.Iterable[Entry], **more: t.Any
) -> dict[str, t.Any]:
    told_of_all = profile.described(issuer, extensions, None, scheme)
    return {
        "issuer": told_of_all["subject"],
        **more,
        "revoked_certificates": [entry.data() for entry in entries],
        "extensions": told_of_all["extensions"],
        "signature": told_of_all["signature"],
    }


def in_changes(found: x509.CertificateRevocationList) -> dict[str, t.Any]:
    """What is told, with each extension and each entry under its own name, for what changed."""
    return {**_by_name(told(found)), **{entry.name: entry.text() for entry in entries_of(found)}}


def _by_name(told_of_all: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    plain = {name: value for name, value in told_of_all.items() if name != "revoked_certificates"}
    return {name: value for name, value in profile.by_name(plain).items() if name != _NUMBER}  # it is told as a number
