# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From one entry of revoked_certificates to what a revocation list says of it; it needs cryptography."""

from __future__ import annotations

import contextlib
import datetime
import re
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import entry, profile, validity
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.names import general_name

with contextlib.suppress(ImportError):  # a module that needs it has said so before
    from cryptography import x509

Row = t.Mapping[str, t.Any]
_OCTETS = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2})*")
# What RFC 5280, section 5.3, says of whether an extension of an entry is critical.
_CRITICAL = {
    "reason_critical": (False, "RFC 5280 has it not critical (section 5.3.1)"),
    "invalidity_date_critical": (False, "RFC 5280 has it not critical (section 5.3.2)"),
    "issuer_critical": (True, "RFC 5280 demands it where issuer is given (section 5.3.3)"),
}


def entry_from(
    row: Row, certified: int | None, style: str, ca: x509.Name | None, now: datetime.datetime
) -> entry.Entry:
    """What is wished of one certificate; raises `InputError`.

    `certified`: the serial number in the certificate itself, where that is given; `style`: how others are written.
    """
    for option, (wanted, rule) in _CRITICAL.items():
        if row[option.removesuffix("_critical")] is not None and row[option] is not wanted:
            raise errors.InputError(option, rule, row[option])
    number = serial_number(row["serial_number"], style) if certified is None else certified
    extensions = [*_issuer(row["issuer"], ca), *_reason(row["reason"])]
    revoked = _moment(row, "revocation_date", now)
    invalid = _moment(row, "invalidity_date", now) if row["invalidity_date"] is not None else None
    return entry.Entry(number, revoked, tuple(extensions), invalid)


def serial_number(given: t.Any, style: str) -> int:
    """A serial number as an integer, or as octets in hexadecimal; raises `InputError`."""
    if style == "hex-octets":
        if not isinstance(given, str) or not _OCTETS.fullmatch(given):
            rule = "serial_numbers is hex-octets, so give it in quotation marks and with colons, as '01:02:AF'"
            raise errors.InputError("serial_number", rule, given)
        number = int(given.replace(":", ""), 16)
    elif isinstance(given, bool) or not re.fullmatch("[0-9]{1,60}", str(given), re.ASCII):
        raise errors.InputError("serial_number", "serial_numbers is integer, so give it in digits", given)
    else:
        number = int(given)
    if not 0 < number < entry.MOST:
        raise errors.InputError("serial_number", "it must be from 1 to 2^159 - 1 (RFC 5280, section 4.1.2.2)", given)
    return number


def _issuer(given: list[str] | None, ca: x509.Name | None) -> list[profile.Wished]:
    """The issuer where it is another one than that of the list."""
    if not given:
        return []
    try:
        names = [general_name(name) for name in given]
    except ValueError as error:
        raise errors.InputError("issuer", str(error), given) from None
    said = [name.value for name in names if isinstance(name, x509.DirectoryName)]
    if len(said) < len(names):
        rule = "say it by the name in its certificate, as dirName:CN=name,O=organization (RFC 5280, section 5.3.3)"
        raise errors.InputError("issuer", rule, given)
    return [] if said == [ca] else [profile.Wished(x509.CertificateIssuer(names), critical=True)]


def _reason(given: str | None) -> list[profile.Wished]:
    if given == "remove_from_crl":
        rule = "it is of delta lists only; leave the certificate out of revoked_certificates"
        raise errors.InputError("reason", rule, given)
    if given in (None, "unspecified"):  # which is said by no reason at all (RFC 5280, section 5.3.1)
        return []
    return [profile.Wished(x509.CRLReason(getattr(x509.ReasonFlags, given)))]


def _moment(row: Row, option: str, now: datetime.datetime) -> validity.Moment:
    try:
        return validity.moment(row[option], now)
    except ValueError as error:
        raise errors.InputError(option, str(error), row[option]) from None
