# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wished of a request or certificate, and how one that is there differs from it; pure, never by their bytes."""

from __future__ import annotations

import base64
import collections
import contextlib
import dataclasses
import hashlib
import typing as t

with contextlib.suppress(ImportError):  # a module that needs it has said so before
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.text import colon_hex
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import signature, usages
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.names import shown
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.scheme import Scheme

T = t.TypeVar("T")
# What messages and results call an extension.
_NAMES = {
    "2.5.29.14": "subject_key_identifier",
    "2.5.29.15": "key_usage",
    "2.5.29.17": "subject_alt_name",
    "2.5.29.19": "basic_constraints",
    "2.5.29.30": "name_constraints",
    "2.5.29.31": "crl_distribution_points",
    "2.5.29.32": "certificate_policies",
    "2.5.29.35": "authority_key_identifier",
    "2.5.29.37": "extended_key_usage",
    "1.3.6.1.5.5.7.1.1": "authority_info_access",
    "1.3.6.1.5.5.7.1.24": "ocsp_must_staple",
}
# Access methods (RFC 5280, section 4.2.2.1).
_ACCESS = {"1.3.6.1.5.5.7.48.1": "OCSP", "1.3.6.1.5.5.7.48.2": "caIssuers"}
# Those of revocation lists, which no option of a request says.
_OF_LISTS = {"2.5.29.20": "crl_number", "2.5.29.28": "issuing_distribution_point"}


class Wished(t.NamedTuple):
    """One extension."""

    value: x509.ExtensionType
    critical: bool = False

    @property
    def oid(self) -> str:
        """Its object identifier, dotted."""
        return self.value.oid.dotted_string


@dataclasses.dataclass(frozen=True)
class Profile:
    """The subject and the extensions; `identify_subject`: one more of them is the identifier of the key.

    `ordered`: another order of the subject's parts is another subject.
    """

    subject: x509.Name
    extensions: tuple[Wished, ...] = ()
    identify_subject: bool = False
    ordered: bool = True

    def is_subject(self, name: x509.Name) -> bool:
        """Whether a name is the wished one."""
        if self.ordered:
            return name == self.subject
        return collections.Counter(name.rdns) == collections.Counter(self.subject.rdns)

    def value_of(self, kind: type[t.Any]) -> t.Any:
        """The value of the extension of one class, None where it is not wished."""
        return next((one.value for one in self.extensions if isinstance(one.value, kind)), None)

    @property
    def ca(self) -> bool:
        """Whether the subject is to be a CA."""
        constraints = self.value_of(x509.BasicConstraints)
        return bool(constraints and constraints.ca)

    def of(self, key: t.Any) -> tuple[Wished, ...]:
        """All extensions, now that the public key is known."""
        if not self.identify_subject:
            return self.extensions
        return (*self.extensions, Wished(x509.SubjectKeyIdentifier.from_public_key(key)))


def differing(wished: t.Iterable[Wished], found: t.Iterable[x509.Extension[t.Any]]) -> list[str]:
    """The names of the extensions that differ in their value, are critical or not, are missing or too many."""
    there = {one.oid.dotted_string: (one.critical, _content(one.value)) for one in found}
    wish = {one.oid: (one.critical, _content(one.value)) for one in wished}
    return [name_of(oid) for oid in sorted(there.keys() | wish.keys()) if there.get(oid) != wish.get(oid)]


def _content(value: t.Any) -> frozenset[bytes]:
    """What an extension says; the order of names, purposes and policies says nothing."""
    kind = type(value)
    if kind in (x509.SubjectAlternativeName, x509.ExtendedKeyUsage, x509.CertificatePolicies):
        return frozenset(kind([one]).public_bytes() for one in value)
    if kind is x509.NameConstraints:
        permitted = {kind([one], None).public_bytes() for one in value.permitted_subtrees or ()}
        return frozenset(permitted | {kind(None, [one]).public_bytes() for one in value.excluded_subtrees or ()})
    return frozenset({value.public_bytes()})


def copied(found: t.Iterable[x509.Extension[t.Any]], names: t.Collection[str]) -> list[Wished]:
    """The extensions with these names; alternative names that are none at all say nothing."""
    named = (one for one in found if _NAMES.get(one.oid.dotted_string) in names)
    empty = x509.SubjectAlternativeName([])
    return [Wished(one.value, one.critical) for one in named if one.value != empty]


def has_option(oid: str) -> bool:
    """Whether an extension is said by an option of its own."""
    return oid in _NAMES


def name_of(oid: str) -> str:
    """What an extension is called."""
    return {**_NAMES, **_OF_LISTS}.get(oid, f"the extension {oid}")


def described(subject: x509.Name, extensions: t.Iterable[t.Any], key: t.Any, scheme: Scheme | None) -> dict[str, t.Any]:
    """What is returned of a request or a certificate; None is what is not known yet."""
    return {
        "subject": subject.rfc4514_string(),
        "extensions": [_described(one.value, one.critical) for one in extensions],
        "public_key_fingerprint": colon_hex(hashlib.sha256(signature.spki_of(key)).digest()) if key else None,
        "signature": str(scheme) if scheme else None,
    }


def by_name(told: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What `described` tells, with each extension under its own name, for what changed."""
    named = {name: value for name, value in told.items() if name != "extensions"}
    for row in told.get("extensions", ()):
        text = row["text"] or row["value"]
        named[row["name"] or row["oid"]] = f"critical, {text}" if row["critical"] else text
    return named


def whole(load: t.Callable[[bytes], T], told: t.Callable[[T], t.Any], raw: bytes) -> T | None:
    """What `load` reads, if all of it can be told; None otherwise. Most is read only when it is asked for."""
    try:
        found = load(raw)
        told(found)
    except (ValueError, TypeError, KeyError, OverflowError, UnsupportedAlgorithm):
        return None
    except (x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType):
        return None
    return found


def _described(value: t.Any, critical: bool) -> dict[str, t.Any]:
    oid = value.oid.dotted_string
    row = {"oid": oid, "name": _NAMES.get(oid), "critical": critical}
    return {**row, "value": base64.b64encode(value.public_bytes()).decode(), "text": _text(value)}


def _text(value: t.Any) -> str | None:
    """An extension as people read it; None where it has no short form."""
    if isinstance(value, x509.SubjectAlternativeName):
        return ", ".join(map(shown, value))
    if isinstance(value, x509.KeyUsage):
        return ", ".join(short for name, short in usages.SHORT_NAMES.items() if _has(value, name))
    if isinstance(value, x509.ExtendedKeyUsage):
        return ", ".join(usages.PURPOSE_NAMES.get(one.dotted_string, one.dotted_string) for one in value)
    if isinstance(value, x509.BasicConstraints):
        length = f", pathlen:{value.path_length}" if value.path_length is not None else ""
        return f"CA:{str(value.ca).upper()}{length}"
    if isinstance(value, x509.SubjectKeyIdentifier):
        return value.digest.hex(":")
    if isinstance(value, x509.AuthorityKeyIdentifier) and value.key_identifier:
        return value.key_identifier.hex(":")
    return _text_of_lists(value)


def _text_of_lists(value: t.Any) -> str | None:
    """As `_text`, for extensions that say where something is, or for what names."""
    if isinstance(value, x509.CRLDistributionPoints):
        return _points(value)
    if isinstance(value, x509.AuthorityInformationAccess):
        rows = [(one.access_method.dotted_string, shown(one.access_location)) for one in value]
        return ", ".join(f"{_ACCESS.get(method, method)} {location}" for method, location in rows)
    if isinstance(value, x509.CertificatePolicies):
        plain = not any(policy.policy_qualifiers for policy in value)
        return ", ".join(policy.policy_identifier.dotted_string for policy in value) if plain else None
    if isinstance(value, x509.NameConstraints):
        return _trees(value)
    return str(value.crl_number) if isinstance(value, x509.CRLNumber) else None


def _points(value: x509.CRLDistributionPoints) -> str | None:
    """Where the lists are; None where some are for certain reasons only, by others, or below the issuer's name."""
    if any(point.full_name is None or point.reasons or point.crl_issuer for point in value):
        return None
    return ", ".join(shown(name) for point in value for name in point.full_name or ())


def _trees(value: x509.NameConstraints) -> str:
    trees = (("permitted", value.permitted_subtrees), ("excluded", value.excluded_subtrees))
    return ", ".join(f"{kind} {shown(name)}" for kind, names in trees for name in names or ())


def _has(usage: x509.KeyUsage, name: str) -> bool:
    if name in ("encipher_only", "decipher_only") and not usage.key_agreement:
        return False
    return bool(getattr(usage, name))
