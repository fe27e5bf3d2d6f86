# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The entries of a revocation list (RFC 5280, section 5.3): wished, read, compared, made and told."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import certificate, names, profile, validity

with contextlib.suppress(ImportError):  # a module that needs it has said so before
    from cryptography import x509

Key = tuple[bytes, int]
# Serial numbers of certificates, and numbers of lists, are below (RFC 5280, sections 4.1.2.2 and 5.2.3).
MOST = 1 << 159


@dataclasses.dataclass(frozen=True)
class Entry:
    """One revoked certificate; `invalid`: since when it was not to be trusted any more."""

    serial_number: int
    revoked: validity.Moment
    extensions: tuple[profile.Wished, ...] = ()
    invalid: validity.Moment | None = None

    @property
    def issuer(self) -> bytes:
        """DER of the names of the issuer; empty where the issuer of the list is meant."""
        found = self._value(x509.CertificateIssuer)
        return found.public_bytes() if found else b""

    @property
    def key(self) -> Key:
        """What there is one entry of."""
        return self.issuer, self.serial_number

    @property
    def name(self) -> str:
        """How messages and changes call it."""
        issuer = self._value(x509.CertificateIssuer)
        return f"revoked {certificate.serial_text(self.serial_number)}" + (f" of {_names(issuer)}" if issuer else "")

    @property
    def all_extensions(self) -> dict[str, profile.Wished]:
        """All of them by their OIDs."""
        every = list(self.extensions)
        if self.invalid:
            every.append(profile.Wished(x509.InvalidityDate(self.invalid.at.replace(tzinfo=None))))
        return {one.oid: one for one in every}

    def onto(self, old: Entry | None) -> Entry:
        """The same with the dates of the old entry, where it has them and none is said as a point in time."""
        if old is None:
            return self
        revoked = self.revoked if self.revoked.absolute else old.revoked
        invalid = old.invalid if self.invalid and old.invalid and not self.invalid.absolute else self.invalid
        return dataclasses.replace(self, revoked=revoked, invalid=invalid)

    def same(self, other: Entry) -> bool:
        """Whether two entries say the same."""
        return self._told() == other._told()

    def _told(self) -> tuple[t.Any, ...]:
        values = {oid: (one.critical, one.value.public_bytes()) for oid, one in self.all_extensions.items()}
        return self.serial_number, self.revoked.at, values

    def made(self) -> x509.RevokedCertificate:
        """The entry as the builder takes it."""
        builder = x509.RevokedCertificateBuilder(self.serial_number).revocation_date(self.revoked.at)
        for one in self.all_extensions.values():
            builder = builder.add_extension(one.value, one.critical)
        return builder.build()

    def data(self) -> dict[str, t.Any]:
        """What is returned of it."""
        issuer, reason = self._value(x509.CertificateIssuer), self._value(x509.CRLReason)
        return {
            "serial_number": certificate.serial_text(self.serial_number),
            "revocation_date": validity.shown(self.revoked.at),
            "issuer": [names.shown(one) for one in issuer] if issuer else None,
            "reason": reason.reason.name if reason else None,
            "invalidity_date": validity.shown(self.invalid.at) if self.invalid else None,
        }

    def text(self, foretold: bool = False) -> str:
        """The entry in one line; `foretold`: a date that depends on the moment of the signature is not known."""
        moments = [("", self.revoked), ("invalid since ", self.invalid)]
        parts = [
            f"{word}{'not known' if foretold and not moment.absolute else validity.shown(moment.at)}"
            for word, moment in moments
            if moment
        ]
        reason = self._value(x509.CRLReason)
        return ", ".join([*parts, *([reason.reason.name] if reason else [])])

    def _value(self, kind: type[t.Any]) -> t.Any:
        return next((one.value for one in self.extensions if isinstance(one.value, kind)), None)


def _names(issuer: x509.CertificateIssuer) -> str:
    return ", ".join(map(names.shown, issuer))


def entries_in(found: x509.CertificateRevocationList, indirect: bool) -> list[Entry]:
    """The entries of a list; in an indirect one an issuer is also that of the entries behind it (section 5.3.3).

    Raises `ValueError` for one that cannot be made again.
    """
    entries: list[Entry] = []
    for row in found:
        entry = _read(row)
        if not 0 < entry.serial_number < MOST or entry.revoked.at.year < validity.FIRST_YEAR:
            raise ValueError("no list that is made here has such an entry")
        if indirect and entries and not entry.issuer:
            before = [one for one in entries[-1].extensions if isinstance(one.value, x509.CertificateIssuer)]
            entry = dataclasses.replace(entry, extensions=(*before, *entry.extensions))
        entries.append(entry)
    return entries


def _read(row: x509.RevokedCertificate) -> Entry:
    extensions = [profile.Wished(one.value, one.critical) for one in row.extensions]
    dates = [one for one in extensions if isinstance(one.value, x509.InvalidityDate) and not one.critical]
    others = tuple(one for one in extensions if one not in dates)
    invalid = validity.Moment(_utc(dates[0].value, "invalidity_date"), True) if dates else None
    return Entry(row.serial_number, validity.Moment(_utc(row, "revocation_date"), True), others, invalid)


def _utc(holder: t.Any, name: str) -> datetime.datetime:
    """A date of cryptography's; before versions 42 and 43 they have no time zone, and are UTC all the same."""
    known = getattr(holder, f"{name}_utc", None)
    return known or t.cast("datetime.datetime", getattr(holder, name)).replace(tzinfo=datetime.timezone.utc)


def by_key(entries: t.Iterable[Entry]) -> dict[Key, Entry]:
    """The entries, the first of each certificate."""
    found: dict[Key, Entry] = {}
    for entry in entries:
        found.setdefault(entry.key, entry)
    return found
