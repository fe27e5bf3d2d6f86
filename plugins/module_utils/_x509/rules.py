# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must not be issued, and by whom not; pure. Each function tells the first rule that is broken, or None."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import certificate, forms, signature, validity
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.usages import SHORT_NAMES

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x448, x25519
except ImportError:
    # A module that needs it has said so before.
    pass

_LEAST_RSA = 2048
_LEAST_EC = 224  # as strong (NIST SP 800-57, table 2)
# Which bits of the private half each usage needs one of.
_NEEDS = {
    "digital_signature": ("sign",),
    "content_commitment": ("sign",),
    "key_cert_sign": ("sign",),
    "crl_sign": ("sign",),
    "key_encipherment": ("decrypt", "unwrap"),
    "data_encipherment": ("decrypt",),
    "key_agreement": ("derive",),
}


def weak(key: t.Any) -> str | None:
    """Why a key is not certified."""
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA:
        return f"an RSA key of {key.key_size} bits is too short; {_LEAST_RSA} are the least"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < _LEAST_EC:
        return f"an EC key of {key.key_size} bits is too short; {_LEAST_EC} are the least"
    others = ed25519.Ed25519PublicKey, ed448.Ed448PublicKey, x25519.X25519PublicKey, x448.X448PublicKey
    if not isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, *others)):
        return "a key of this type is not certified"
    return None


def no_ca(ca: x509.Certificate, now: datetime.datetime, usage: str = "key_cert_sign") -> str | None:
    """Why a certificate is not that of a CA which may sign so now."""
    constraints, usages = certificate.extension(ca, x509.BasicConstraints), certificate.extension(ca, x509.KeyUsage)
    if constraints is None or not constraints.ca:
        return "it is no CA certificate, its basic constraints lack CA:TRUE"
    if usages is not None and not getattr(usages, usage):
        return f"its key usage lacks {'keyCertSign' if usage == 'key_cert_sign' else 'cRLSign'}"
    if now < certificate.start(ca):
        return f"it is not valid before {validity.shown(certificate.start(ca))}"
    if now > certificate.end(ca):
        return f"it ended at {validity.shown(certificate.end(ca))}"
    return None


def broken(issue: certificate.Issue) -> tuple[str, str] | None:
    """The option and the rule by which this is not issued, whoever it is for."""
    wrong = wrong_ca_profile(issue) or cut_names(issue) or unfit_for_ca(issue) or forms.wrong_form(issue.profile)
    usage = forms.wrong_usage(issue.profile, issue.key)
    return wrong or (("key_usage", usage) if usage else None)


def wrong_ca_profile(issue: certificate.Issue) -> tuple[str, str] | None:
    """The option and the rule by which a CA's profile, or one that is half a CA's, is refused (RFC 5280)."""
    profile = issue.profile
    usage = profile.value_of(x509.KeyUsage)
    signs = bool(usage and usage.key_cert_sign)
    if not profile.ca:
        if signs:
            return "key_usage", "keyCertSign is of CAs only; ask for CA:TRUE in basic_constraints"
        if profile.value_of(x509.NameConstraints):
            return "name_constraints_permitted", "name constraints are of CAs only"
        return None
    critical = {type(one.value): one.critical for one in profile.extensions}
    if not critical[x509.BasicConstraints]:
        return "basic_constraints_critical", "RFC 5280 demands it of a CA (section 4.2.1.9)"
    if not signs:
        return "key_usage", "a CA needs keyCertSign in it (RFC 5280, section 4.2.1.3)"
    if critical.get(x509.NameConstraints) is False:
        return "name_constraints_critical", "RFC 5280 demands it (section 4.2.1.10)"
    if not list(profile.subject):
        return "common_name", "a CA needs a subject (RFC 5280, section 4.1.2.6)"
    return None


def cut_names(issue: certificate.Issue) -> tuple[str, str] | None:
    """The option and the rule where a name has a control character, at which some programs cut it off."""
    told = [("subject", one.value) for one in issue.profile.subject]
    for name in issue.profile.value_of(x509.SubjectAlternativeName) or ():
        parts = name.value if isinstance(name, x509.DirectoryName) else [name]
        told += [("subject_alt_name", one.value) for one in parts]
    for option, text in told:
        if isinstance(text, str) and any(ord(sign) < 32 or ord(sign) == 127 for sign in text):
            return option, f"it has a control character, {text!r}"
    return None


def unfit_for_ca(issue: certificate.Issue) -> tuple[str, str] | None:
    """The option and the rule by which this is not issued by this CA; `ca` is None where it is self-signed."""
    if issue.not_before.at >= issue.not_after.at:
        return "not_after", "it is not after not_before"
    ca = issue.ca
    if ca is None:
        return None if list(issue.profile.subject) else ("common_name", "who issues needs a name")
    constraints = certificate.extension(ca, x509.BasicConstraints)
    if issue.profile.ca and constraints.path_length == 0:
        return "basic_constraints", "the CA has pathlen:0, and issues no CA certificates"
    if not list(issue.profile.subject) and not _named_critically(issue):
        return "subject_alt_name_critical", "RFC 5280 demands it where there is no subject (section 4.2.1.6)"
    return None


def not_now(issue: certificate.Issue, found: x509.Certificate | None, beside: bytes) -> tuple[str, str] | None:
    """The option and the rule by which nothing is issued now, although one that is there as wished is kept.

    `found`: what is there, and what is `beside` it in its file.
    """
    if issue.ca is not None and issue.not_after.at > certificate.end(issue.ca):
        end, last = validity.shown(certificate.end(issue.ca)), validity.shown(issue.not_after.at)
        return "not_after", f"{last} is after the end of the CA certificate, {end}"
    if found is not None and found.serial_number == issue.serial_number and found.issuer == issue.issuer:
        return "serial_number", "the certificate that is there has it, and who issues gives each one once; give another"
    if beside and not _goes_on(issue, beside):
        rule = "it holds something else than a certificate and behind it that of the issuer, which would be lost"
        return "path", f"{rule}; move it away"
    return None


def _goes_on(issue: certificate.Issue, beside: bytes) -> bool:
    """Whether a file goes on with the issuer's certificate, so that what is there fits a new one as well."""
    following = certificate.read(beside)
    return bool(issue.ca and following and following.subject == issue.ca.subject and _same_key(following, issue.ca))


def _same_key(one: x509.Certificate, other: x509.Certificate) -> bool:
    return signature.spki_of(signature.key_in(one)) == signature.spki_of(signature.key_in(other))


def _named_critically(issue: certificate.Issue) -> bool:
    kind = x509.SubjectAlternativeName
    return any(isinstance(one.value, kind) and one.critical for one in issue.profile.extensions)


def ruled_out(issue: certificate.Issue, forbids: t.Callable[[str], bool]) -> str | None:
    """The first key usage that the type or the attributes of its own key rule out; `forbids` tells of one bit."""
    usage = issue.profile.value_of(x509.KeyUsage)
    for name, bits in _NEEDS.items():
        if usage and getattr(usage, name) and all(map(forbids, bits)):
            return f"{SHORT_NAMES[name]} needs {' or '.join(bits)}, which the private key may not do"
    return forms.wrong_usage(issue.profile, issue.key)
