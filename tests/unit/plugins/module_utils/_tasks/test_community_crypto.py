# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What community.crypto says of the results is what was asked for.

It comes with the package ansible, which is large: one session of nox has it, and sets `COMMUNITY_CRYPTO`.
"""

from __future__ import annotations

import importlib.util
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.support.certificate_tasks import ROOT, SERVER, Certifier, request_of
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key
from ansible_collections.cryptoki.hsm.tests.support.module_call import call_module

MODULES = "ansible_collections.community.crypto.plugins.modules"


def found() -> bool:
    try:
        return importlib.util.find_spec(MODULES) is not None
    except ModuleNotFoundError:
        return False


pytestmark = pytest.mark.skipif(
    not found() and not os.environ.get("COMMUNITY_CRYPTO"), reason="community.crypto is not installed"
)


def info(module: str, **options: t.Any) -> dict[str, t.Any]:
    """What one of its modules returns."""
    result = call_module(f"{MODULES}.{module}", options).result
    assert not result.get("failed"), result
    return result


def test_what_it_says_of_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, t.Any] = {
        "country_name": "DE",
        "organization_name": "Example, Ltd",
        "common_name": "www.example.org",
        "subject_alt_name": ["DNS:www.example.org", "IP:192.0.2.1", "URI:https://example.org/"],
        "subject_alt_name_critical": True,
        "key_usage": ["digitalSignature", "nonRepudiation"],
        "key_usage_critical": True,
        "extended_key_usage": ["serverAuth", "1.2.3.4"],
        "basic_constraints": ["CA:TRUE", "pathlen:3"],
        "basic_constraints_critical": True,
        "ocsp_must_staple": True,
        "name_constraints_permitted": ["DNS:example.org", "IP:192.0.2.0/24"],
        "name_constraints_excluded": ["email:example.net"],
        "name_constraints_critical": True,
        "subject_key_identifier": "00:11:22",
        "authority_key_identifier": "33:44",
        "authority_cert_issuer": ["DNS:ca.example.org"],
        "authority_cert_serial_number": 12345,
    }
    certifier = Certifier(monkeypatch)
    request = certifier.run("hsm_csr", **asked)
    told = info("openssl_csr_info", content=request["csr"])
    assert told["signature_valid"] is True
    assert told["subject_ordered"] == [
        ["countryName", "DE"],
        ["organizationName", "Example, Ltd"],
        ["commonName", "www.example.org"],
    ]
    assert told["key_usage"] == ["Digital Signature", "Non Repudiation"]
    assert told["extended_key_usage"] == ["1.2.3.4", "TLS Web Server Authentication"]
    assert told["public_key_type"] == "ECC" and told["public_key_data"]["curve"] == "secp256r1"
    assert told["public_key_fingerprints"]["sha256"] == request["request"]["public_key_fingerprint"]
    plain = {name for name in asked if name.startswith(("subject_", "basic_", "name_", "authority_", "ocsp_"))}
    for name in plain | {"key_usage_critical"}:
        assert told[name] == asked[name], name


def test_what_it_says_of_a_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    certifier = Certifier(monkeypatch)
    root = certifier.run("hsm_certificate", **ROOT)
    result = certifier.run(
        "hsm_certificate",
        ca_content=root["certificate"],
        csr_content=request_of(private_key("2048", 4)),
        authority_info_access=["OCSP;URI:http://ocsp.example.org", "caIssuers;URI:http://ca.example.org/ca.cer"],
        not_before="20260101000000Z",
        serial_number=4711,
        **{**SERVER, "not_after": "20301231235959Z"},
    )
    told, of_root = (info("x509_certificate_info", content=one["certificate"]) for one in (result, root))
    assert told["issuer"] == of_root["subject"] == {"commonName": "Example Root CA"}
    assert told["subject"] == {"commonName": "www.example.org"}
    assert (told["serial_number"], told["version"]) == (4711, 3)
    assert (told["not_before"], told["not_after"]) == ("20260101000000Z", "20301231235959Z")
    assert told["authority_key_identifier"] == of_root["subject_key_identifier"]
    assert (told["ocsp_uri"], told["issuer_uri"]) == ("http://ocsp.example.org", "http://ca.example.org/ca.cer")
    assert told["public_key_fingerprints"]["sha256"] == result["details"]["public_key_fingerprint"]
    assert told["signature_algorithm"] == "ecdsa-with-SHA256" and told["expired"] is False
    assert of_root["basic_constraints"] == ["CA:TRUE"] and of_root["basic_constraints_critical"] is True
    assert of_root["key_usage"] == ["CRL Sign", "Certificate Sign"]


@pytest.mark.parametrize("form", ["pem", "der"])
def test_what_it_says_of_a_revocation_list(form: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certifier, path = Certifier(monkeypatch), tmp_path / "ca.crl"
    asked: list[dict[str, t.Any]] = [
        {"serial_number": 1234, "revocation_date": "20190331202428Z"},
        {
            "serial_number": 2345,
            "revocation_date": "20191013152910Z",
            "reason": "affiliation_changed",
            "invalidity_date": "20191001000000Z",
        },
        {
            "serial_number": 1234,
            "revocation_date": "20190331202428Z",
            "issuer": ["dirName:CN=Other CA"],
            "issuer_critical": True,
        },
    ]
    result = certifier.run(
        "hsm_crl",
        ca_content=certifier.run("hsm_certificate", **ROOT)["certificate"],
        path=str(path),
        format=form,
        revoked_certificates=asked,
        last_update="20260101000000Z",
        next_update="20991231235959Z",
        number=7,
        return_content=True,
    )
    for told in (info("x509_crl_info", path=str(path)), info("x509_crl_info", content=result["crl"])):
        assert told["format"] == form and told["digest"] == "ecdsa-with-SHA256"
        assert told["issuer"] == {"commonName": "Example Root CA"}
        assert (told["last_update"], told["next_update"]) == ("20260101000000Z", "20991231235959Z")
        nothing = {"issuer": None, "reason": None, "invalidity_date": None, "issuer_critical": False}
        wanted = [{"reason_critical": False, "invalidity_date_critical": False, **nothing, **row} for row in asked]
        assert told["revoked_certificates"] == wanted
