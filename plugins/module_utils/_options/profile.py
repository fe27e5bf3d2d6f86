# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From options to the profile of a request or certificate, before any login; it needs cryptography."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import certificate_groups
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors, versions
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import extensions
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.names import attribute, is_host_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.profile import Profile, Wished, has_option, name_of

with contextlib.suppress(ImportError):  # a module that needs it has said so before
    from cryptography import x509

Params = t.Mapping[str, t.Any]
T = t.TypeVar("T")
# The fields of a subject under the names that attribute types have.
_FIELD_TYPES = {
    **{name: name.title().replace("_", "") for name in certificate_groups.SUBJECT_FIELDS},
    "email_address": "emailAddress",
}
# The options that make an extension by themselves, each with what makes it.
_SIMPLE: dict[str, t.Callable[[t.Any], x509.ExtensionType]] = {
    "key_usage": extensions.key_usage,
    "extended_key_usage": extensions.extended_key_usage,
    "basic_constraints": extensions.basic_constraints,
    "subject_alt_name": extensions.subject_alt_name,
    "crl_distribution_points": extensions.distribution_points,
    "certificate_policies": extensions.policies,
    "authority_info_access": extensions.authority_info_access,
}


def profile_from(params: Params, subject: x509.Name | None = None, copied: t.Iterable[Wished] = ()) -> Profile:
    """The wished subject and extensions; raises `InputError`.

    `subject`, `copied`: those of a request, for what the options do not say.
    """
    own = tuple(_wished(params))
    said = {one.oid for one in own}
    added = tuple(_as_critical(one, params) for one in copied if one.oid not in said)
    named = _subject(params)
    told = x509.SubjectKeyIdentifier.oid.dotted_string in {*said, *(one.oid for one in added)}
    identify = params["create_subject_key_identifier"] and not told
    taken_over = subject is not None and not list(named)
    ordered = taken_over or bool(params["subject_ordered"])
    profile = Profile(subject if subject and taken_over else named, own, identify, ordered)
    return _with_common_name(dataclasses.replace(profile, extensions=own + added), params)


def _as_critical(one: Wished, params: Params) -> Wished:
    """What is taken over, made critical where the task says so."""
    return Wished(one.value, one.critical or bool(params.get(f"{name_of(one.oid)}_critical")))


def check_scheme(params: Params, what: str = "requests") -> None:
    """Refuses a scheme that the installed cryptography makes no requests, or no lists, with."""
    version = versions.found_version("cryptography")
    if params["signature_scheme"] == "pss" and version and versions.is_below(version, "42"):
        raise errors.InputError(
            "signature_scheme", f"{what} with it need cryptography 42 or later, found {version}", "pss"
        )


def _made(option: str, make: t.Callable[[t.Any], T], value: t.Any) -> T:
    try:
        made = make(value)
        if isinstance(made, x509.ExtensionType):
            made.public_bytes()  # some of what is wrong is only seen when it is written
        return made
    except (ValueError, TypeError, OverflowError) as error:
        raise errors.InputError(option, str(error)) from None


def _subject(params: Params) -> x509.Name:
    """The subject: the single fields in their order, then `subject`; or `subject_ordered` as it is."""
    fields = [(name, _FIELD_TYPES[name], params[name]) for name in certificate_groups.SUBJECT_FIELDS if params[name]]
    fields += [("subject", str(kind), value) for kind, value in (params["subject"] or {}).items()]
    for row in params["subject_ordered"] or ():
        if len(row) != 1:
            raise errors.InputError("subject_ordered", "each entry has exactly one key and its value", row)
        fields += [("subject_ordered", str(kind), value) for kind, value in row.items()]
    return x509.Name(
        [
            _made(option, lambda pair: attribute(*pair), (kind, one))
            for option, kind, value in fields
            for one in _texts(option, value)
        ]
    )


def _texts(option: str, value: t.Any) -> list[str]:
    """One text or several; a number that YAML made of one is taken as it is written."""
    values = value if isinstance(value, list) else [value]
    for one in values:
        if isinstance(one, bool) or not isinstance(one, (str, int)) or one == "":
            raise errors.InputError(option, "each value is a text that is not empty, or a list of them", one)
    return [str(one) for one in values]


def _wished(params: Params) -> t.Iterator[Wished]:
    """All extensions that options say."""
    for option, make in _SIMPLE.items():
        if params[option]:
            yield Wished(_made(option, make, params[option]), params.get(f"{option}_critical", False))
    names = params["name_constraints_permitted"], params["name_constraints_excluded"]
    if any(names):
        option = "name_constraints_permitted" if names[0] else "name_constraints_excluded"
        made = _made(option, lambda both: extensions.name_constraints(*both), names)
        yield Wished(made, params["name_constraints_critical"])
    if params["ocsp_must_staple"]:
        yield Wished(extensions.must_staple(), params["ocsp_must_staple_critical"])
    yield from _identifiers(params)
    oids = [row["oid"] for row in params["extensions"] or ()]
    if len(oids) > len({*oids}):
        raise errors.InputError("extensions", "one OID is there twice", oids)
    for row in params["extensions"] or ():
        other = Wished(_made("extensions", extensions.any_other, row), row["critical"])
        if has_option(other.oid):
            raise errors.InputError("extensions", "an option of its own says this extension", other.oid)
        yield other


def _identifiers(params: Params) -> t.Iterator[Wished]:
    """The identifiers of the key and of its issuer's, where options say them."""
    if params["subject_key_identifier"]:
        digest = _made("subject_key_identifier", extensions.key_identifier, params["subject_key_identifier"])
        yield Wished(x509.SubjectKeyIdentifier(digest))
    authority = [params[f"authority_{name}"] for name in ("key_identifier", "cert_issuer", "cert_serial_number")]
    if any(value is not None for value in authority):
        option = "authority_key_identifier" if authority[0] else "authority_cert_issuer"
        yield Wished(_made(option, lambda parts: extensions.authority_key_identifier(*parts), authority))


def _with_common_name(profile: Profile, params: Params) -> Profile:
    """A host name as common name is an alternative name, too, where none is given; a CA's is not."""
    names = [str(one.value) for one in profile.subject.get_attributes_for_oid(x509.ObjectIdentifier("2.5.4.3"))]
    hosts = [name for name in names if is_host_name(name)]
    if not params["use_common_name_for_san"] or profile.ca or not hosts:
        return profile
    if profile.value_of(x509.SubjectAlternativeName):
        return profile
    added = Wished(extensions.subject_alt_name([f"DNS:{name}" for name in hosts]), params["subject_alt_name_critical"])
    return dataclasses.replace(profile, extensions=(*profile.extensions, added))
