# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of certificates: distinguished names and general names (RFC 5280, sections 4.1.2.4 and 4.2.1.6), from texts.

The texts are those that community.crypto takes, and OpenSSL's configuration. What is wrong raises `ValueError`.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import typing as t

with contextlib.suppress(ImportError):  # a module that needs it has said so before
    from cryptography import x509

# What may stand for an attribute type, less its capitals: OpenSSL's short and long names, and those of RFC 4519.
_TYPES = {
    "2.5.4.3": ("CN", "commonName"),
    "2.5.4.4": ("SN", "surname"),
    "2.5.4.5": ("serialNumber",),
    "2.5.4.6": ("C", "countryName"),
    "2.5.4.7": ("L", "localityName"),
    "2.5.4.8": ("ST", "S", "stateOrProvinceName"),
    "2.5.4.9": ("street", "streetAddress"),
    "2.5.4.10": ("O", "organizationName"),
    "2.5.4.11": ("OU", "organizationalUnitName"),
    "2.5.4.12": ("title", "T"),
    "2.5.4.13": ("description",),
    "2.5.4.15": ("businessCategory",),
    "2.5.4.17": ("postalCode",),
    "2.5.4.41": ("name",),
    "2.5.4.42": ("GN", "givenName"),
    "2.5.4.43": ("initials",),
    "2.5.4.44": ("generationQualifier",),
    "2.5.4.45": ("x500UniqueIdentifier",),
    "2.5.4.46": ("dnQualifier",),
    "2.5.4.65": ("pseudonym",),
    "2.5.4.97": ("organizationIdentifier",),
    "0.9.2342.19200300.100.1.1": ("UID", "userId"),
    "0.9.2342.19200300.100.1.25": ("DC", "domainComponent"),
    "1.2.840.113549.1.9.1": ("E", "emailAddress"),
    "1.2.840.113549.1.9.2": ("unstructuredName",),
    "1.3.6.1.4.1.311.60.2.1.1": ("jurisdictionL", "jurisdictionLocalityName"),
    "1.3.6.1.4.1.311.60.2.1.2": ("jurisdictionST", "jurisdictionStateOrProvinceName"),
    "1.3.6.1.4.1.311.60.2.1.3": ("jurisdictionC", "jurisdictionCountryName"),
}
_OIDS = {name.lower(): oid for oid, names in _TYPES.items() for name in names}
_COUNTRIES = (_OIDS["c"], _OIDS["jurisdictionc"])
# Those that are no UTF8String (RFC 5280, appendix A.1), and what may stand in them.
_PRINTABLE = (*_COUNTRIES, _OIDS["serialnumber"], _OIDS["dnqualifier"])
_ASCII = (_OIDS["e"], _OIDS["dc"])
_PRINTABLE_TEXT = re.compile(r"[A-Za-z0-9 '()+,./:=?-]+")
_DOTTED = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
# Letters, digits and hyphens (RFC 1123, section 2.1), with a wildcard in front; the last label is not a number alone.
_HOST = re.compile(
    r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?![0-9]+$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.?",
    re.IGNORECASE | re.ASCII,
)
_OTHER_NAME = re.compile(r"([0-9.]+);(?:(UTF8|UTF8String):(.*)|([0-9a-fA-F]{2}(?::[0-9a-fA-F]{2})*))", re.DOTALL)
_STRING_ENDS = re.compile(r"(?<!\\)\s*([,+])\s*")
_TYPE_ENDS = re.compile(r"(^|[,+])([A-Za-z0-9.]+)\s*=\s*")


def oid(text: str, known: t.Mapping[str, str] | None = None) -> x509.ObjectIdentifier:
    """An object identifier, dotted or by one of the names in `known` (in lower case)."""
    dotted = (known or {}).get(text.lower(), text)
    if not _DOTTED.fullmatch(dotted):
        raise ValueError(f"'{text}' is neither a name that is known here nor an OID with dots")
    return x509.ObjectIdentifier(dotted)


def attribute(kind: str, value: str) -> x509.NameAttribute:
    """One attribute of a distinguished name."""
    identifier = oid(kind, _OIDS)
    if identifier.dotted_string in _COUNTRIES and len(value) != 2:
        raise ValueError("a country is said by two letters")
    if identifier.dotted_string in _PRINTABLE and not _PRINTABLE_TEXT.fullmatch(value):
        raise ValueError(f"{kind} takes letters, digits, blanks and '()+,-./:=? only")
    if identifier.dotted_string in _ASCII and not value.isascii():
        raise ValueError(f"{kind} takes ASCII only")
    return x509.NameAttribute(identifier, value)


def distinguished(text: str) -> x509.Name:
    """A distinguished name as a text, the most specific part first (RFC 4514), with blanks around its signs or not."""
    tight = _TYPE_ENDS.sub(r"\1\2=", _STRING_ENDS.sub(r"\1", text.strip()))
    names = {name: x509.ObjectIdentifier(dotted) for dotted, names in _TYPES.items() for name in names}
    given = {match[2]: oid(match[2], _OIDS) for match in _TYPE_ENDS.finditer(tight)}
    return x509.Name.from_rfc4514_string(tight, {**names, **given})


def relative(parts: t.Iterable[str]) -> x509.RelativeDistinguishedName:
    """A relative distinguished name, each part as CN=value."""
    pairs = [part.partition("=") for part in parts]
    return x509.RelativeDistinguishedName(attribute(kind.strip(), value.strip()) for kind, _sign, value in pairs)


def is_host_name(text: str) -> bool:
    """Whether a text can be a host name, which an IP address, a sentence or a person is not."""
    return len(text) <= 253 and bool(_HOST.fullmatch(text))


def general_name(text: str, subtree: bool = False) -> x509.GeneralName:
    """A general name as DNS:, email:, URI:, IP:, RID:, dirName: or otherName:.

    `subtree`: of name constraints, where an address is a network.
    """
    kind, colon, value = text.partition(":")
    make = _MAKERS.get(kind)
    if not colon:
        raise ValueError(f"'{text}' does not say what it is, for instance DNS:{text}")
    if make is None:
        raise ValueError(f"'{text}' begins with none of {', '.join(f'{name}:' for name in _MAKERS)}")
    if kind == "IP":
        return x509.IPAddress(ipaddress.ip_network(value) if subtree else ipaddress.ip_address(value))
    try:
        return make(value)
    except ValueError as error:
        raise ValueError(f"'{text}' cannot be read: {error}") from None


def _ascii(value: str) -> str:
    if not value.isascii():
        raise ValueError("names of the DNS are ASCII; give the form that begins with xn--")
    if re.search(r"[\x00-\x20\x7f]", value):
        raise ValueError("it has a blank or a control character")
    return value


def _other_name(value: str) -> x509.OtherName:
    match = _OTHER_NAME.fullmatch(value)
    if not match:
        raise ValueError("give the OID, a semicolon, and UTF8:text or the DER as hexadecimal pairs with colons")
    der = _utf8_string(match[3]) if match[2] else bytes.fromhex(match[4].replace(":", ""))
    return x509.OtherName(oid(match[1]), der)


def _utf8_string(text: str) -> bytes:
    """DER of a UTF8String."""
    raw = text.encode()
    size = len(raw).to_bytes((len(raw).bit_length() + 7) // 8 or 1, "big")
    return b"\x0c" + (size if len(raw) < 0x80 else bytes([0x80 | len(size)]) + size) + raw


_MAKERS: dict[str, t.Callable[[str], x509.GeneralName]] = {
    "DNS": lambda value: x509.DNSName(_ascii(value)),
    "email": lambda value: x509.RFC822Name(_ascii(value)),
    "URI": lambda value: x509.UniformResourceIdentifier(_ascii(value)),
    "IP": lambda value: x509.IPAddress(ipaddress.ip_address(value)),
    "RID": lambda value: x509.RegisteredID(oid(value)),
    "dirName": lambda value: x509.DirectoryName(distinguished(value)),
    "otherName": _other_name,
}


def shown(name: x509.GeneralName) -> str:
    """A general name as it is given."""
    if isinstance(name, x509.OtherName):
        return f"otherName:{name.type_id.dotted_string};{name.value.hex(':')}"
    if isinstance(name, x509.DirectoryName):
        return f"dirName:{name.value.rfc4514_string()}"
    if isinstance(name, x509.RegisteredID):
        return f"RID:{name.value.dotted_string}"
    kind = {x509.DNSName: "DNS", x509.RFC822Name: "email", x509.UniformResourceIdentifier: "URI", x509.IPAddress: "IP"}
    return f"{kind[type(name)]}:{name.value}"
