# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is refused of the wished subject and extensions, before any login; and which names a common name becomes."""

from __future__ import annotations

import typing as t

import pytest
from cryptography import x509

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.certificate_groups import CSR
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import LOGIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.profile import check_scheme, profile_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import versions
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.profile import Profile
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.task_options import refused, taken


def wished(**given: t.Any) -> Profile:
    return profile_from(taken(LOGIN + CSR, {"label": "root", **given}))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"subject_alt_name": ["www.example.org"]},
            "subject_alt_name is refused: 'www.example.org' does not say what it is, for instance DNS:www.example.org.",
        ),
        (
            {"subject_alt_name": ["dns:a"]},
            "subject_alt_name is refused: 'dns:a' begins with none of DNS:, email:, URI:, IP:, RID:, dirName:,"
            " otherName:.",
        ),
        (
            {"subject_alt_name": ["DNS:bücher.example"]},
            "subject_alt_name is refused: 'DNS:bücher.example' cannot be read: names of the DNS are ASCII; give the"
            " form that begins with xn--.",
        ),
        (
            {"subject_alt_name": ["IP:192.0.2.0/24"]},
            "subject_alt_name is refused: '192.0.2.0/24' does not appear to be an IPv4 or IPv6 address.",
        ),
        (
            {"name_constraints_permitted": ["IP:192.0.2.1/24"]},
            "name_constraints_permitted is refused: 192.0.2.1/24 has host bits set.",
        ),
        (
            {"subject_alt_name": ["otherName:1.2.3;IA5:x"]},
            "subject_alt_name is refused: 'otherName:1.2.3;IA5:x' cannot be read: give the OID, a semicolon, and"
            " UTF8:text or the DER as hexadecimal pairs with colons.",
        ),
        ({"key_usage": ["digitalSigning"]}, "key_usage is refused: 'digitalSigning' is no key usage."),
        (
            {"key_usage": ["encipherOnly"]},
            "key_usage is refused: encipherOnly and decipherOnly mean nothing without keyAgreement (RFC 5280, section"
            " 4.2.1.3).",
        ),
        (
            {"extended_key_usage": ["webServer"]},
            "extended_key_usage is refused: 'webServer' is neither a name that is known here nor an OID with dots.",
        ),
        (
            {"basic_constraints": ["CA:yes"]},
            "basic_constraints is refused: give CA:TRUE or CA:FALSE, and pathlen:N, each once.",
        ),
        (
            {"basic_constraints": ["CA:TRUE", "pathlen:-1"]},
            "basic_constraints is refused: give CA:TRUE or CA:FALSE, and pathlen:N, each once.",
        ),
        (
            {"basic_constraints": ["pathlen:0"]},
            "basic_constraints is refused: pathlen is of CAs only; add CA:TRUE.",
        ),
        ({"country_name": "Germany"}, "country_name is refused: a country is said by two letters."),
        (
            {"subject": {"shoeSize": "42"}},
            "subject is refused: 'shoeSize' is neither a name that is known here nor an OID with dots.",
        ),
        (
            {"subject": {"O": True}},
            "subject True is refused: each value is a text that is not empty, or a list of them.",
        ),
        (
            {"subject_ordered": [{"O": "a", "CN": "b"}]},
            "subject_ordered {'O': 'a', 'CN': 'b'} is refused: each entry has exactly one key and its value.",
        ),
        (
            {"authority_info_access": ["http://ocsp.example.org"]},
            "authority_info_access is refused: 'http://ocsp.example.org' is not like OCSP;URI:http://… or"
            " caIssuers;URI:http://….",
        ),
        (
            {"certificate_policies": [{"policy": "everything"}]},
            "certificate_policies is refused: 'everything' is neither a name that is known here nor an OID with dots.",
        ),
        (
            {"subject_key_identifier": "0x12"},
            "subject_key_identifier is refused: give pairs of hexadecimal digits, with or without colons.",
        ),
        ({"extensions": [{"oid": "1.2.3", "value": "!"}]}, "extensions is refused: the value is no base64."),
        ({"extensions": [{"oid": "1.2.3", "value": "AA=="}]}, "extensions is refused: the value is no DER."),
        (
            {"extensions": [{"oid": "2.5.29.19", "value": "MAMBAf8="}]},
            "extensions '2.5.29.19' is refused: an option of its own says this extension.",
        ),
        (
            {"extensions": [{"oid": "1.2.3", "value": "BQA="}, {"oid": "1.2.3", "value": "BQA="}]},
            "extensions ['1.2.3', '1.2.3'] is refused: one OID is there twice.",
        ),
    ],
)
def test_what_is_refused(given: dict[str, t.Any], message: str) -> None:
    assert refusal(lambda: wished(**given)) == message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"authority_cert_issuer": ["DNS:a"]}, "missing parameter(s) required by 'authority_cert_issuer'"),
        ({"subject_ordered": [{"CN": "a"}], "common_name": "a"}, "parameters are mutually exclusive"),
        ({"path": "/x", "content": "x"}, "parameters are mutually exclusive: path|content"),
        ({"digest": "sha1"}, "value of digest must be one of: sha256, sha384, sha512, got: sha1"),
    ],
)
def test_what_ansible_refuses(given: dict[str, t.Any], message: str) -> None:
    assert any(text.startswith(message) for text in refused(LOGIN + CSR, {"label": "root", **given}))


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"common_name": "www.example.org"}, ["www.example.org"]),
        ({"common_name": "*.example.org"}, ["*.example.org"]),
        ({"common_name": "localhost"}, ["localhost"]),
        ({"common_name": "192.0.2.1"}, None),
        ({"common_name": "Example CA"}, None),
        ({"common_name": "a@example.org"}, None),
        ({"common_name": "a..example.org"}, None),
        ({"common_name": "a.example.org", "use_common_name_for_san": False}, None),
        ({"common_name": "a.example.org", "basic_constraints": ["CA:TRUE"]}, None),
        ({"common_name": "a.example.org", "basic_constraints": ["CA:FALSE"]}, ["a.example.org"]),
        ({"common_name": "a.example.org", "subject_alt_name": ["DNS:b.example.org"]}, ["b.example.org"]),
        ({"subject_ordered": [{"CN": "a.example.org"}, {"CN": "b.example.org"}]}, ["a.example.org", "b.example.org"]),
    ],
)
def test_a_common_name_is_a_host(given: dict[str, t.Any], names: list[str] | None) -> None:
    value = wished(**given).value_of(x509.SubjectAlternativeName)
    assert (value and value.get_values_for_type(x509.DNSName)) == names


def test_an_identifier_that_is_said_wins_over_one_that_is_made() -> None:
    profile = wished(subject_key_identifier="12:34", create_subject_key_identifier=True)
    assert profile.value_of(x509.SubjectKeyIdentifier).digest == b"\x124" and not profile.identify_subject


def test_pss_needs_a_cryptography_that_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    params = taken(LOGIN + CSR, {"label": "root", "signature_scheme": "pss"})
    monkeypatch.setattr(versions, "found_version", lambda name: "41.0.7")
    assert refusal(lambda: check_scheme(params)) == (
        "signature_scheme 'pss' is refused: requests with it need cryptography 42 or later, found 41.0.7."
    )
    check_scheme({**params, "signature_scheme": "pkcs1v15"})
    monkeypatch.setattr(versions, "found_version", lambda name: "42.0.0")
    check_scheme(params)
