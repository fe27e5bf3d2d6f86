# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What pkilint, a linter of certificates, says: no error of what is made, but for those in `TOLERATED`.

What else it calls an error is refused before the HSM signs.
"""

from __future__ import annotations

import re
import types
import typing as t
from pathlib import Path

import pytest
from pkilint.bin import lint_crl, lint_pkix_cert

from ansible_collections.cryptoki.hsm.tests.support.certificate_tasks import (
    KINDS,
    ROOT,
    SERVER,
    SUB,
    Certifier,
    public_pem,
)
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key

MODULE = "hsm_certificate"
LEAF: dict[str, t.Any] = {
    **SERVER,
    "common_name": "www.example.org",
    "extended_key_usage": ["serverAuth", "clientAuth"],
}
FULL_SUB: dict[str, t.Any] = {
    **SUB,
    "basic_constraints": ["CA:TRUE", "pathlen:0"],
    "name_constraints_permitted": ["DNS:example.org", "email:example.org", "IP:192.0.2.0/24", "dirName:C=DE"],
    "name_constraints_excluded": ["URI:.example.net"],
    "name_constraints_critical": True,
    "certificate_policies": [{"policy": "1.2.3.4", "cps": ["http://example.org/cps"], "user_notice": "no warranty"}],
    "authority_info_access": ["OCSP;URI:http://ocsp.example.org", "caIssuers;URI:http://ca.example.org/ca.cer"],
    "crl_distribution_points": [{"full_name": ["URI:http://ca.example.org/ca.crl"], "reasons": ["key_compromise"]}],
}
FULL_LEAF: dict[str, t.Any] = {
    **LEAF,
    "subject_alt_name": [
        *(
            "DNS:www.example.org",
            "email:a@example.org",
            "URI:https://example.org/?a=b",
            "IP:192.0.2.1",
            "IP:2001:db8::1",
        ),
        *("RID:1.2.3.4", "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:user@example.org", "dirName:CN=a,O=b,C=DE"),
    ],
    "subject": {"C": "DE", "O": "Example, Ltd", "serialNumber": "7", "DC": ["example", "org"], "E": "a@example.org"},
    "basic_constraints": ["CA:FALSE"],
    "ocsp_must_staple": True,
    "extensions": [{"oid": "1.2.3.4", "critical": True, "value": "BQA="}],
}
STAMPS = {**LEAF, "extended_key_usage": ["timeStamping"], "extended_key_usage_critical": True}


def errors(
    lint: types.ModuleType, content: str, path: Path, capsys: pytest.CaptureFixture[str], *said: str
) -> set[str]:
    """What it calls an error, by its codes."""
    path.write_text(content, encoding="utf-8")
    capsys.readouterr()
    count = lint.main(["lint", "-s", "ERROR", *said, str(path)])
    told = set(re.findall(r"([a-z0-9_.]+) \((?:ERROR|FATAL)\)", capsys.readouterr().out))
    assert bool(count) is bool(told)
    return told


class Linted:
    """Tasks of a CA, and what pkilint says of their results."""

    def __init__(self, ca: Certifier, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._ca, self._path, self._capsys = ca, path, capsys
        self.root = ca.run(MODULE, **ROOT)["certificate"]

    def issued(self, kind: str = "secp384r1", **task: t.Any) -> dict[str, t.Any]:
        """The result of a task for another key."""
        return self._ca.run(MODULE, ca_content=self.root, public_key_content=public_pem(private_key(kind, 3)), **task)

    def errors(self, content: str) -> set[str]:
        return errors(lint_pkix_cert, content, self._path, self._capsys)

    def errors_of_list(self, **task: t.Any) -> set[str]:
        told = self._ca.run("hsm_crl", ca_content=self.root, number=1, **{"next_update": "+7d", **task})
        return errors(lint_crl, told["crl"], self._path, self._capsys, "-t", "CRL", "-p", "PKIX")


@pytest.fixture(name="made")
def linted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Linted:
    return Linted(Certifier(monkeypatch), tmp_path / "linted.pem", capsys)


@pytest.mark.parametrize("kind", KINDS)
def test_no_error_in_a_chain_and_its_lists(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Linted(Certifier(monkeypatch, kind), tmp_path / "linted.pem", capsys)
    assert made.errors(made.root) == set()
    for task in (SUB, FULL_SUB, LEAF, FULL_LEAF, STAMPS):
        assert made.errors(made.issued(kind, **task)["certificate"]) == set()
    if kind == "2048":
        assert made.errors(made.issued(kind, signature_scheme="pss", **LEAF)["certificate"]) == set()
    rows = [
        {"serial_number": 5},
        {"serial_number": 6, "reason": "unspecified", "invalidity_date": "-3d"},
        {"serial_number": 7, "reason": "key_compromise", "revocation_date": "2026-01-01"},
        {"serial_number": 5, "issuer": ["dirName:CN=Other CA"], "issuer_critical": True},
    ]
    for number in range(len(rows) + 1):
        assert made.errors_of_list(revoked_certificates=rows[:number]) == set()


# What pkilint calls an error, and why it is made all the same.
TOLERATED: dict[str, tuple[dict[str, t.Any], str]] = {
    "servers have wildcards (RFC 9525), which RFC 5280 leaves to others": (
        {"subject_alt_name": ["DNS:*.example.org"]},
        "pkix.invalid_domain_name_syntax",
    ),
    "a host in a network of its own has one label (RFC 1034, section 3.5)": (
        {"subject_alt_name": ["DNS:localhost"]},
        "pkix.invalid_domain_name_syntax",
    ),
    "names with underscores are in use": (
        {"subject_alt_name": ["DNS:_sip.example.org"]},
        "pkix.invalid_domain_name_syntax",
    ),
    "RFC 8141 defines such URIs, and RFC 5280 does not demand a host": (
        {"subject_alt_name": ["URI:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"]},
        "pkix.invalid_uri_syntax",
    ),
    "an address in the subject is for old programs, which do not look elsewhere": (
        {"email_address": "a@example.org"},
        "pkix.subject_email_address_not_in_san",
    ),
    "what extensions say is the user's own word": (
        {"extensions": [{"oid": "2.5.29.54", "critical": True, "value": "AgEA"}]},
        "pkix.end_entity_inhibit_anypolicy_extension_present",
    ),
}


@pytest.mark.parametrize("why", TOLERATED)
def test_what_is_made_all_the_same(why: str, made: Linted) -> None:
    task, code = TOLERATED[why]
    assert made.errors(made.issued(**{**LEAF, **task})["certificate"]) == {code}


POLICY = "certificate_policies is refused: "


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({**SUB, "create_subject_key_identifier": False}, "create_subject_key_identifier is refused: a CA needs the"),
        (
            {**LEAF, "authority_cert_issuer": ["dirName:CN=a"], "authority_cert_serial_number": 5},
            "authority_key_identifier is refused: give it beside authority_cert_issuer",
        ),
        ({**STAMPS, "extended_key_usage_critical": False}, "extended_key_usage_critical is refused: time stamping"),
        ({**LEAF, "subject_alt_name": ["DNS:a..b"]}, "subject_alt_name is refused: DNS:a..b is none, by its form."),
        ({**LEAF, "subject_alt_name": ["DNS:"]}, "subject_alt_name is refused: DNS: is none, by its form."),
        ({**LEAF, "subject_alt_name": ["DNS:-a.example"]}, "subject_alt_name is refused: DNS:-a.example is none"),
        ({**LEAF, "subject_alt_name": ["DNS:a.example."]}, "subject_alt_name is refused: DNS:a.example. is none"),
        ({**LEAF, "subject_alt_name": ["email:nobody"]}, "subject_alt_name is refused: email:nobody is none"),
        ({**LEAF, "subject_alt_name": ["URI:/a"]}, "subject_alt_name is refused: URI:/a is none, by its form."),
        ({**LEAF, "authority_info_access": ["caIssuers;URI:a"]}, "authority_info_access is refused: URI:a is none"),
        (
            {**LEAF, "crl_distribution_points": [{"full_name": ["URI:a"]}]},
            "crl_distribution_points is refused: URI:a is none, by its form.",
        ),
        (
            {**SUB, "name_constraints_excluded": ["DNS:.example.org"], "name_constraints_critical": True},
            "name_constraints_excluded is refused: DNS:.example.org begins with a dot",
        ),
        ({**LEAF, "certificate_policies": [{"policy": "1.2.3"}] * 2}, f"{POLICY}1.2.3 is there twice"),
        ({**LEAF, "certificate_policies": [{"policy": "1.2.3", "cps": ["a b"]}]}, f"{POLICY}cps 'a b' is no URI."),
        (
            {**LEAF, "certificate_policies": [{"policy": "1.2.3", "user_notice": "x" * 201}]},
            f"{POLICY}a user_notice has at most 200 characters",
        ),
        ({**LEAF, "organization_name": "x" * 65}, "subject is refused: O has more than 64 characters."),
        ({**LEAF, "email_address": "a"}, "email_address is refused: 'a' is no address."),
        ({**LEAF, "key_usage": ["keyEncipherment"]}, "key_usage is refused: keyEncipherment is no usage of a key of"),
    ],
)
def test_what_it_calls_an_error_is_refused(task: dict[str, t.Any], message: str, made: Linted) -> None:
    assert made.issued(**task)["msg"].startswith(message)


@pytest.mark.parametrize(
    ("kind", "usages", "wrong"),
    [
        ("2048", ["digitalSignature", "keyEncipherment"], ""),
        ("2048", ["keyAgreement"], "keyAgreement"),
        ("secp384r1", ["digitalSignature", "keyAgreement", "encipherOnly"], ""),
        ("secp384r1", ["dataEncipherment"], "dataEncipherment"),
        ("ed25519", ["digitalSignature", "nonRepudiation"], ""),
        ("ed25519", ["keyAgreement"], "keyAgreement"),
    ],
)
def test_usages_of_each_type_of_key(kind: str, usages: list[str], wrong: str, made: Linted) -> None:
    told = made.issued(kind, **{**LEAF, "key_usage": usages})
    if wrong:
        assert told["msg"] == f"key_usage is refused: {wrong} is no usage of a key of this type."
    else:
        assert made.errors(told["certificate"]) == set()
