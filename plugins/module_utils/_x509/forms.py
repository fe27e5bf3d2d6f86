# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a certificate must not hold whoever issues it, by its form (RFC 5280); pure. What pkilint calls an error.

Each function tells the option and the first rule that is broken, or None.
"""

from __future__ import annotations

import contextlib
import re
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import usages
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.names import is_host_name, shown
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.profile import Profile

with contextlib.suppress(ImportError):  # a module that needs it has said so before
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x448, x25519

# How many characters an attribute of a name may have (appendix A.1), as far as cryptography does not know it.
_LONGEST = {
    **dict.fromkeys(("2.5.4.5", "2.5.4.10", "2.5.4.11", "2.5.4.12"), 64),
    **dict.fromkeys(("2.5.4.7", "2.5.4.8", "2.5.4.65"), 128),
    "1.2.840.113549.1.9.1": 255,
}
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_LONGEST_NOTICE = 200
_SIGNING = frozenset({"digital_signature", "content_commitment", "key_cert_sign", "crl_sign"})
_AGREEMENT = frozenset({"key_agreement", "encipher_only", "decipher_only"})
_ENCIPHERMENT = frozenset({"key_encipherment", "data_encipherment"})


def wrong_form(profile: Profile) -> tuple[str, str] | None:
    """What is wrong of a subject or an extension."""
    of_names = _wrong_subject(profile) or _wrong_names(profile) or _wrong_constraints(profile)
    return of_names or _wrong_policies(profile) or _wrong_identifiers(profile)


def _wrong_subject(profile: Profile) -> tuple[str, str] | None:
    for one in profile.subject:
        oid, text = one.oid.dotted_string, str(one.value)
        if len(text) > _LONGEST.get(oid, len(text)):
            return "subject", f"{one.rfc4514_attribute_name} has more than {_LONGEST[oid]} characters"
        if oid == x509.OID_EMAIL_ADDRESS.dotted_string and not _EMAIL.fullmatch(text):
            return "email_address", f"'{text}' is no address"
    return None


def _wrong_names(profile: Profile) -> tuple[str, str] | None:
    """A name that is none, wherever names are (section 4.2.1.6)."""
    for option, one in _names_in(profile):
        if _is_wrong(one):
            return option, f"{shown(one)} is none, by its form"
    return None


def _names_in(profile: Profile) -> t.Iterator[tuple[str, x509.GeneralName]]:
    """Each name, and the option that says it."""
    yield from (("subject_alt_name", one) for one in profile.value_of(x509.SubjectAlternativeName) or ())
    for access in profile.value_of(x509.AuthorityInformationAccess) or ():
        yield "authority_info_access", access.access_location
    for point in profile.value_of(x509.CRLDistributionPoints) or ():
        yield from (("crl_distribution_points", one) for one in point.full_name or ())


def _wrong_constraints(profile: Profile) -> tuple[str, str] | None:
    """The dot in front that some programs want, and others do not understand."""
    constraints = profile.value_of(x509.NameConstraints)
    for option in ("permitted", "excluded") if constraints else ():
        for one in getattr(constraints, f"{option}_subtrees") or ():
            if isinstance(one, x509.DNSName) and one.value.startswith("."):
                rule = f"{shown(one)} begins with a dot; the names below one are meant without (section 4.2.1.10)"
                return f"name_constraints_{option}", rule
    return None


def _is_wrong(name: x509.GeneralName) -> bool:
    if isinstance(name, x509.DNSName):
        return not is_host_name(name.value) or name.value.endswith(".")
    if isinstance(name, x509.RFC822Name):
        return not _EMAIL.fullmatch(name.value)
    return isinstance(name, x509.UniformResourceIdentifier) and not _URI.fullmatch(name.value)


def _wrong_policies(profile: Profile) -> tuple[str, str] | None:
    option, rows = "certificate_policies", list(profile.value_of(x509.CertificatePolicies) or ())
    oids = [row.policy_identifier.dotted_string for row in rows]
    twice = next((oid for oid in oids if oids.count(oid) > 1), None)
    if twice:
        return option, f"{twice} is there twice (RFC 5280, section 4.2.1.4)"
    wrong = next(filter(None, (_wrong_qualifier(one) for row in rows for one in row.policy_qualifiers or ())), None)
    return (option, wrong) if wrong else None


def _wrong_qualifier(one: str | x509.UserNotice) -> str | None:
    if isinstance(one, str):
        return None if _URI.fullmatch(one) else f"cps '{one}' is no URI"
    if len(one.explicit_text or "") > _LONGEST_NOTICE:
        return f"a user_notice has at most {_LONGEST_NOTICE} characters (RFC 5280, section 4.2.1.4)"
    return None


def _wrong_identifiers(profile: Profile) -> tuple[str, str] | None:
    """Identifiers of keys, and a purpose that has to be critical."""
    if profile.ca and not profile.identify_subject and not profile.value_of(x509.SubjectKeyIdentifier):
        return "create_subject_key_identifier", "a CA needs the identifier of its key (RFC 5280, section 4.2.1.2)"
    authority = profile.value_of(x509.AuthorityKeyIdentifier)
    if authority and authority.key_identifier is None:
        return "authority_key_identifier", "give it beside authority_cert_issuer (RFC 5280, section 4.2.1.1)"
    purposes = profile.value_of(x509.ExtendedKeyUsage) or ()
    critical = any(one.critical for one in profile.extensions if one.value is purposes)
    if x509.ExtendedKeyUsageOID.TIME_STAMPING in purposes and not critical:
        return "extended_key_usage_critical", "time stamping needs it (RFC 3161, section 2.3)"
    return None


def wrong_usage(profile: Profile, key: t.Any) -> str | None:
    """The first key usage that no key of this type has (RFC 3279, 8813, 8410); without a key none is told."""
    usage = profile.value_of(x509.KeyUsage)
    wrong = next((names for kinds, names in _never() if isinstance(key, kinds)), frozenset())
    for name, short in usages.SHORT_NAMES.items():
        of_agreement = name in ("encipher_only", "decipher_only") and not (usage and usage.key_agreement)
        if usage and name in wrong and not of_agreement and getattr(usage, name):
            return f"{short} is no usage of a key of this type"
    return None


def _never() -> tuple[tuple[t.Any, frozenset[str]], ...]:
    """Each type of key, and the usages that it never has."""
    return (
        (rsa.RSAPublicKey, _AGREEMENT),
        (ec.EllipticCurvePublicKey, _ENCIPHERMENT),
        ((ed25519.Ed25519PublicKey, ed448.Ed448PublicKey), _ENCIPHERMENT | _AGREEMENT),
        ((x25519.X25519PublicKey, x448.X448PublicKey), _ENCIPHERMENT | _SIGNING),
    )
