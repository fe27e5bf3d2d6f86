# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Extensions (RFC 5280, section 4.2) from what is said of them; what is wrong raises `ValueError`."""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import usages
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.names import general_name, oid, relative

with contextlib.suppress(ImportError):  # a module that needs it has said so before
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

_HEX = re.compile(r"[0-9a-fA-F]{2}(:?[0-9a-fA-F]{2})*")
_POLICIES = {"anypolicy": "2.5.29.32.0"}
_ACCESS = {
    "ocsp": "1.3.6.1.5.5.7.48.1",
    "caissuers": "1.3.6.1.5.5.7.48.2",
    "ca_issuers": "1.3.6.1.5.5.7.48.2",
    "timestamping": "1.3.6.1.5.5.7.48.3",
    "carepository": "1.3.6.1.5.5.7.48.5",
}


def subject_alt_name(values: t.Sequence[str]) -> x509.SubjectAlternativeName:
    """Other names of the subject."""
    return x509.SubjectAlternativeName([general_name(value) for value in values])


def key_usage(values: t.Sequence[str]) -> x509.KeyUsage:
    """What the key may be used for."""
    unknown = [value for value in values if value.lower() not in usages.KEY_USAGES]
    if unknown:
        raise ValueError(f"'{unknown[0]}' is no key usage")
    given = {usages.KEY_USAGES[value.lower()] for value in values}
    if given & usages.OF_AGREEMENT and "key_agreement" not in given:
        raise ValueError("encipherOnly and decipherOnly mean nothing without keyAgreement (RFC 5280, section 4.2.1.3)")
    return x509.KeyUsage(**{name: name in given for name in usages.KEY_USAGES.values()})


def extended_key_usage(values: t.Sequence[str]) -> x509.ExtendedKeyUsage:
    """Which purposes the key has."""
    return x509.ExtendedKeyUsage([oid(value, usages.PURPOSES) for value in values])


def basic_constraints(values: t.Sequence[str]) -> x509.BasicConstraints:
    """Whether it is a CA, and how many further ones may be below it: CA:TRUE, CA:FALSE, pathlen:0."""
    said = dict(value.partition(":")[::2] for value in values)
    once = len(said) == len(values)
    length = said.pop("pathlen", None)
    ca = said.pop("CA", "FALSE")
    if said or not once or ca not in ("TRUE", "FALSE") or not re.fullmatch("[0-9]{1,4}", length or "0"):
        raise ValueError("give CA:TRUE or CA:FALSE, and pathlen:N, each once")
    if length is not None and ca == "FALSE":
        raise ValueError("pathlen is of CAs only; add CA:TRUE")
    return x509.BasicConstraints(ca == "TRUE", None if length is None else int(length))


def name_constraints(permitted: t.Sequence[str] | None, excluded: t.Sequence[str] | None) -> x509.NameConstraints:
    """Which names a CA may issue for, and which it may not."""
    both = [[general_name(value, subtree=True) for value in values or ()] or None for values in (permitted, excluded)]
    return x509.NameConstraints(*both)


def distribution_points(rows: t.Sequence[t.Mapping[str, t.Any]]) -> x509.CRLDistributionPoints:
    """Where the CRL is."""
    return x509.CRLDistributionPoints([_distribution_point(row) for row in rows])


def _distribution_point(row: t.Mapping[str, t.Any]) -> x509.DistributionPoint:
    full, issuer = ([general_name(name) for name in row.get(key) or ()] or None for key in ("full_name", "crl_issuer"))
    short = relative(row["relative_name"]) if row.get("relative_name") else None
    if not (full or short or issuer):
        raise ValueError("give full_name, relative_name or crl_issuer")
    reasons = frozenset(getattr(x509.ReasonFlags, reason) for reason in row.get("reasons") or ()) or None
    return x509.DistributionPoint(full, short, reasons, issuer)


def policies(rows: t.Sequence[t.Mapping[str, t.Any]]) -> x509.CertificatePolicies:
    """Under which policies it is issued."""
    return x509.CertificatePolicies([_policy(row) for row in rows])


def _policy(row: t.Mapping[str, t.Any]) -> x509.PolicyInformation:
    qualifiers: list[str | x509.UserNotice] = list(row.get("cps") or ())
    if row.get("user_notice"):
        qualifiers.append(x509.UserNotice(None, row["user_notice"]))
    return x509.PolicyInformation(oid(row["policy"], _POLICIES), qualifiers or None)


def authority_info_access(values: t.Sequence[str]) -> x509.AuthorityInformationAccess:
    """Where more is told of the issuer: each as OCSP;URI:… or caIssuers;URI:…"""
    return x509.AuthorityInformationAccess([_access(value) for value in values])


def _access(value: str) -> x509.AccessDescription:
    method, sign, location = value.partition(";")
    if not sign:
        raise ValueError(f"'{value}' is not like OCSP;URI:http://… or caIssuers;URI:http://…")
    return x509.AccessDescription(oid(method, _ACCESS), general_name(location))


def must_staple() -> x509.TLSFeature:
    """OCSP Must Staple (RFC 7633)."""
    return x509.TLSFeature([x509.TLSFeatureType.status_request])


def key_identifier(text: str) -> bytes:
    """An identifier in hexadecimal pairs."""
    if not _HEX.fullmatch(text):
        raise ValueError("give pairs of hexadecimal digits, with or without colons")
    return bytes.fromhex(text.replace(":", ""))


def authority_key_identifier(
    identifier: str | None, issuer: t.Sequence[str] | None, serial: int | None
) -> x509.AuthorityKeyIdentifier:
    """By which key it is to be signed."""
    names = [general_name(name) for name in issuer] if issuer else None
    return x509.AuthorityKeyIdentifier(key_identifier(identifier) if identifier else None, names, serial)


def any_other(row: t.Mapping[str, t.Any]) -> x509.UnrecognizedExtension:
    """An extension by its OID, with the DER of its value in base64."""
    try:
        value = base64.b64decode("".join(row["value"].split()), validate=True)
    except binascii.Error:
        raise ValueError("the value is no base64") from None
    if len(value) < 2:
        raise ValueError("the value is no DER")
    made = x509.UnrecognizedExtension(oid(row["oid"]), value)
    if not _is_read_again(made):
        raise ValueError("the value is no DER of this extension")
    return made


def _is_read_again(made: x509.UnrecognizedExtension) -> bool:
    """Whether cryptography, which knows more extensions than have an option, reads one as it is written."""
    builder = x509.CertificateSigningRequestBuilder(x509.Name([])).add_extension(made, False)
    try:
        (found,) = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).extensions
        return bool(found.value.public_bytes() == made.value)
    except (ValueError, TypeError, KeyError, x509.UnsupportedGeneralNameType):
        return False
