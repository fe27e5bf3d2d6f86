# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Option groups of requests, certificates and revocation lists; the names are those of community.crypto."""

from __future__ import annotations

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import groups, key_groups

_CHOICE = ("label", "id", "id_hex", "fingerprint", "uri", "key_type", "handle")
# The extensions of a request that can be taken over.
COPYABLE = (
    *("subject_alt_name", "key_usage", "extended_key_usage", "basic_constraints", "name_constraints"),
    *("crl_distribution_points", "certificate_policies", "authority_info_access", "ocsp_must_staple"),
)
_REASONS = (
    *("key_compromise", "ca_compromise", "affiliation_changed", "superseded", "cessation_of_operation"),
    *("certificate_hold", "privilege_withdrawn", "aa_compromise"),
)


def _texts(*aliases: str) -> dict[str, object]:
    return {"type": "list", "elements": "str", "no_log": False, "aliases": list(aliases)}


def _also(name: str, *others: str) -> list[str]:
    """What community.crypto's providers call an option."""
    return [f"selfsigned_{name}", f"ownca_{name}", *(f"selfsigned_{other}" for other in others)]


def _critical(*aliases: str) -> dict[str, object]:
    return {"type": "bool", "default": False, "no_log": False, "aliases": list(aliases)}


_SUBJECT: groups.Spec = {
    "subject": {"type": "dict"},
    "subject_ordered": {"type": "list", "elements": "dict"},
    "country_name": {"type": "str", "aliases": ["C", "countryName"]},
    "state_or_province_name": {"type": "str", "aliases": ["ST", "stateOrProvinceName"]},
    "locality_name": {"type": "str", "aliases": ["L", "localityName"]},
    "organization_name": {"type": "str", "aliases": ["O", "organizationName"]},
    "organizational_unit_name": {"type": "str", "aliases": ["OU", "organizationalUnitName"]},
    "common_name": {"type": "str", "aliases": ["CN", "commonName"]},
    "email_address": {"type": "str", "aliases": ["E", "emailAddress"]},
}
# The single fields, in the order in which they stand in a subject.
SUBJECT_FIELDS = tuple(name for name in _SUBJECT if name not in ("subject", "subject_ordered"))

_EXTENSIONS: groups.Spec = {
    "subject_alt_name": _texts("subjectAltName"),
    "subject_alt_name_critical": _critical("subjectAltName_critical"),
    "use_common_name_for_san": {"type": "bool", "default": True, "aliases": ["useCommonNameForSAN"]},
    "key_usage": _texts("keyUsage"),
    "key_usage_critical": _critical("keyUsage_critical"),
    "extended_key_usage": _texts("extKeyUsage", "extendedKeyUsage"),
    "extended_key_usage_critical": _critical("extKeyUsage_critical", "extendedKeyUsage_critical"),
    "basic_constraints": _texts("basicConstraints"),
    "basic_constraints_critical": _critical("basicConstraints_critical"),
    "ocsp_must_staple": {"type": "bool", "default": False, "aliases": ["ocspMustStaple"]},
    "ocsp_must_staple_critical": _critical("ocspMustStaple_critical"),
    "name_constraints_permitted": _texts(),
    "name_constraints_excluded": _texts(),
    "name_constraints_critical": _critical(),
    "crl_distribution_points": {
        "type": "list",
        "elements": "dict",
        "options": {
            **{name: _texts() for name in ("full_name", "relative_name", "crl_issuer")},
            "reasons": {"type": "list", "elements": "str", "choices": list(_REASONS)},
        },
        "mutually_exclusive": [("full_name", "relative_name")],
        "required_one_of": [("full_name", "relative_name", "crl_issuer")],
    },
    "certificate_policies": {
        "type": "list",
        "elements": "dict",
        "options": {
            "policy": {"type": "str", "required": True},
            "cps": _texts(),
            "user_notice": {"type": "str"},
        },
    },
    "certificate_policies_critical": _critical(),
    "authority_info_access": _texts(),
    "create_subject_key_identifier": {"type": "bool", "default": False, "no_log": False},
    "subject_key_identifier": {"type": "str", "no_log": False},
    "authority_key_identifier": {"type": "str", "no_log": False},
    "authority_cert_issuer": _texts(),
    "authority_cert_serial_number": {"type": "int"},
    "extensions": {
        "type": "list",
        "elements": "dict",
        "options": {
            "oid": {"type": "str", "required": True},
            "critical": {"type": "bool", "default": False},
            "value": {"type": "str", "required": True},
        },
    },
}

PROFILE = groups.OptionGroup(
    spec={**_SUBJECT, **_EXTENSIONS},
    mutually_exclusive=tuple(("subject_ordered", name) for name in ("subject", *SUBJECT_FIELDS)),
    required_by={
        "authority_cert_issuer": ("authority_cert_serial_number",),
        "authority_cert_serial_number": ("authority_cert_issuer",),
    },
)

# The private key that signs, and how.
SIGNING_KEY = groups.OptionGroup(
    spec={
        **{name: key_groups.KEY_INFO.spec[name] for name in _CHOICE},
        "digest": {"type": "str", "choices": ["sha256", "sha384", "sha512"]},
        "signature_scheme": {"type": "str", "choices": ["pkcs1v15", "pss"]},
    },
    mutually_exclusive=key_groups.KEY_INFO.mutually_exclusive,
    required_one_of=(tuple(name for name in _CHOICE if name != "key_type"),),
)

# What Ansible's own functions for files read (FILE_COMMON_ARGUMENTS), as far as a group can say it.
_COMMON: groups.Spec = {
    "mode": {"type": "raw"},
    **groups.each("str", ("owner", "group", "seuser", "serole", "selevel", "setype")),
    "attributes": {"type": "str", "aliases": ["attr"]},
    "unsafe_writes": {"type": "bool", "default": False},
}

# Where the result is, or goes to.
FILE = groups.OptionGroup(
    spec={
        "path": {"type": "path"},
        "content": {"type": "str", "no_log": False},
        "force": {"type": "bool", "default": False},
        "backup": {"type": "bool", "default": False},
        **_COMMON,
    },
    mutually_exclusive=(("path", "content"),),
)

CSR = SIGNING_KEY + FILE + PROFILE

# What is issued: for whom, by whom, for how long.
_ISSUE = groups.OptionGroup(
    spec={
        "csr_path": {"type": "path"},
        "csr_content": {"type": "str"},
        "public_key_path": {"type": "path", "no_log": False},
        "public_key_content": {"type": "str", "no_log": False},
        "certificate_path": {"type": "path"},
        "certificate_content": {"type": "str"},
        "ca_path": {"type": "path", "aliases": ["ownca_path"]},
        "ca_content": {"type": "str", "aliases": ["ownca_content"]},
        "copy_extensions": {
            "type": "list",
            "elements": "str",
            "default": ["subject_alt_name"],
            "choices": [*COPYABLE],
        },
        "not_before": {"type": "str", "default": "+0s", "aliases": _also("not_before", "notBefore")},
        "not_after": {"type": "str", "default": "+3650d", "aliases": _also("not_after", "notAfter")},
        "renew_before": {"type": "str"},
        "serial_number": {"type": "int"},
    },
    mutually_exclusive=(
        tuple(f"{what}_{how}" for what in ("csr", "public_key", "certificate") for how in ("path", "content")),
        ("ca_path", "ca_content"),
    ),
)
# The identifier of the key is made unless that is not wished.
_IDENTIFIED = groups.OptionGroup(
    spec={"create_subject_key_identifier": {"type": "bool", "default": True, "no_log": False}}
)

_DIGEST = groups.OptionGroup(spec={"digest": {**SIGNING_KEY.spec["digest"], "aliases": _also("digest")}})

CERTIFICATE = SIGNING_KEY + FILE + PROFILE + _IDENTIFIED + _DIGEST + _ISSUE

# A certificate that is revoked.
_REVOKED: groups.Spec = {
    "path": {"type": "path"},
    "content": {"type": "str", "no_log": False},
    "serial_number": {"type": "raw"},
    "revocation_date": {"type": "str", "default": "+0s"},
    "issuer": _texts(),
    "issuer_critical": _critical(),
    "reason": {"type": "str", "choices": ["unspecified", *_REASONS, "remove_from_crl"]},
    "reason_critical": _critical(),
    "invalidity_date": {"type": "str"},
    "invalidity_date_critical": _critical(),
}
# What is revoked, by whom, and when it is looked at again.
_REVOCATION = groups.OptionGroup(
    spec={
        "ca_path": {"type": "path"},
        "ca_content": {"type": "str"},
        "revoked_certificates": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": _REVOKED,
            "mutually_exclusive": [("path", "content", "serial_number")],
            "required_one_of": [("path", "content", "serial_number")],
        },
        "crl_mode": {"type": "str", "default": "generate", "choices": ["generate", "update"]},
        "serial_numbers": {"type": "str", "default": "integer", "choices": ["integer", "hex-octets"]},
        "last_update": {"type": "str", "default": "+0s"},
        "next_update": {"type": "str", "required": True},
        "renew_before": {"type": "str"},
        "number": {"type": "int"},
        "format": {"type": "str", "default": "pem", "choices": ["pem", "der"]},
        "return_content": {"type": "bool", "default": False},
    },
    mutually_exclusive=(("ca_path", "ca_content"),),
    required_one_of=(("ca_path", "ca_content"),),
)

CRL = SIGNING_KEY + FILE + _REVOCATION
