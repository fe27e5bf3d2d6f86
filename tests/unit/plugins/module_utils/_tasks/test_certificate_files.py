# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_certificate does with the file that is there, and with options that are given without a value."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.cryptoki.hsm.tests.support.certificate_tasks import (
    ROOT,
    SERVER,
    Certifier,
    loaded,
    public_pem,
    request_of,
)
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key
from ansible_collections.cryptoki.hsm.tests.support.module_call import call_module

MODULE = "hsm_certificate"


@pytest.fixture(name="ca")
def made_ca(monkeypatch: pytest.MonkeyPatch) -> Certifier:
    """A token whose pair is that of a CA; its certificate, and for whom it issues, is in `options`."""
    certifier = Certifier(monkeypatch)
    root = certifier.run(MODULE, **{**ROOT, "not_after": "+100d"})["certificate"]
    key = public_pem(private_key("secp256r1", 21))
    certifier.options = {"ca_content": root, "public_key_content": key, "common_name": "www.example.org", **SERVER}
    return certifier


@pytest.mark.parametrize(
    ("option", "content"),
    [
        *((f"{name}_content", content) for name in ("ca", "ownca", "csr", "certificate") for content in (None, "")),
        *((f"{name}_path", None) for name in ("ca", "ownca", "csr", "public_key")),
    ],
)
def test_what_is_given_without_a_value_is_not_taken_for_not_given(
    option: str, content: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task of a CA would sign for itself: an earlier task returns null in check mode, or never had its turn."""
    certifier = Certifier(monkeypatch)
    login = {"module_path": "/lib.so", "token_label": "memory", "pin": "93-user-7415", "label": "root"}
    given = {**login, "common_name": "www.example.org", option: content}
    name = option.replace("ownca", "ca")
    assert call_module(MODULE, given).result["msg"] == (
        f"{name} is refused: it is given and empty; leave it out, or give it what it is to hold."
    )
    foretold = call_module(MODULE, {**given, "_ansible_check_mode": True}).result
    assert foretold["changed"] and f"There is not yet what {name} is to hold" in str(foretold["warnings"])
    assert certifier.signatures == 0


def test_a_file_says_what_an_empty_content_does_not(ca: Certifier, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(ca.options["ca_content"])
    given = {**ca.options, "ca_path": str(tmp_path / "ca.pem")}
    del given["ca_content"]
    assert ca.run(MODULE, **given)["details"]["issuer"] == "CN=Example Root CA"


def test_an_end_after_that_of_the_ca_is_refused_where_something_is_to_be_issued(ca: Certifier, tmp_path: Path) -> None:
    wish = {**ca.options, "path": str(tmp_path / "www.pem")}
    late = {**wish, "not_after": "+101d"}
    assert "is after the end of the CA certificate" in ca.run(MODULE, **late)["msg"]
    ca.run(MODULE, **wish)
    signed = ca.signatures
    assert ca.run(MODULE, **late)["changed"] is False
    for check_mode in (True, False):
        assert "is after the end of the CA certificate" in ca.run(MODULE, check_mode, **late, force=True)["msg"]
    assert ca.signatures == signed


def test_a_serial_number_is_given_once(ca: Certifier, tmp_path: Path) -> None:
    wish = {**ca.options, "path": str(tmp_path / "www.pem"), "serial_number": 4711}
    ca.four_ways(MODULE, **wish)
    assert ca.run(MODULE, **{**wish, "common_name": "other"})["msg"] == (
        "serial_number is refused: the certificate that is there has it, and who issues gives each one once; give"
        " another."
    )
    assert ca.run(MODULE, **{**wish, "common_name": "other", "serial_number": 4712})["changed"]
    assert ca.run(MODULE, **wish, renew_before="30d")["msg"] == (
        "serial_number 4711 is refused: a renewal would give it a second time; leave it or renew_before out."
    )


def test_names_of_community_crypto(monkeypatch: pytest.MonkeyPatch) -> None:
    certifier = Certifier(monkeypatch)
    for digest in ("selfsigned_digest", "ownca_digest"):
        given: dict[str, t.Any] = {
            digest: "sha512",
            "selfsigned_notBefore": "20260101000000Z",
            "selfsigned_notAfter": "20360101000000Z",
        }
        details = certifier.run(MODULE, common_name="a", **given)["details"]
        assert details["signature"] == "ecdsa with sha512"
        assert (details["not_before"], details["not_after"]) == ("2026-01-01T00:00:00Z", "2036-01-01T00:00:00Z")


def test_what_was_written_before_a_failure_is_told(ca: Certifier, tmp_path: Path) -> None:
    path = tmp_path / "www.pem"
    result = ca.run(MODULE, path=str(path), owner="no such user", **ca.options)
    assert result["failed"] and result["msg"].endswith(f" The new content of {path} was written before.")
    assert result["changed"] is True and path.read_bytes().startswith(b"-----BEGIN")
    again = ca.run(MODULE, path=str(path), owner="no such user", **ca.options)
    assert again["failed"] and "written" not in again["msg"] and "changed" not in again


def test_the_old_file_is_kept_where_there_is_one_and_that_is_wished(ca: Certifier, tmp_path: Path) -> None:
    given = {"path": str(tmp_path / "ca.pem"), "force": True, **ca.options}
    for backup, files in ((True, 1), (False, 1), (True, 2)):
        result = ca.run(MODULE, backup=backup, **given)
        assert (
            result["changed"] and len(list(tmp_path.iterdir())) == files and ("backup_file" in result) is (files == 2)
        )


def test_a_link_is_followed(ca: Certifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, link = tmp_path / "www-2026.pem", tmp_path / "www.pem"
    link.symlink_to(target.name)
    for mode in ("0640", "0600"):
        result = ca.run(MODULE, path=str(link), mode=mode, backup=True, **ca.options)
        assert result["changed"] and result["filename"] == str(link), result
        assert link.is_symlink() and target.stat().st_mode & 0o777 == int(mode, 8)
    target.write_text("something else")
    result = ca.run(MODULE, path=str(link), backup=True, **ca.options)
    assert Path(result["backup_file"]).read_text() == "something else" and link.is_symlink()
    assert ca.run(MODULE, path=str(link), **ca.options)["changed"] is False
    # As the kernel does in folders that everybody may write to.
    if os.geteuid() == 0:
        os.lchown(link, 65534, 65534)
        assert ca.run(MODULE, path=str(link), force=True, **ca.options)["msg"] == (
            f"path '{link}' is refused: it is a link that another user has put there."
        )


def test_a_chain_behind_the_certificate_stays(ca: Certifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, root = tmp_path / "www.pem", ca.options["ca_content"]
    first = ca.run(MODULE, path=str(path), **ca.options)["certificate"]
    path.write_text(first + root)
    assert ca.run(MODULE, path=str(path), **ca.options)["changed"] is False
    renewed = ca.run(MODULE, path=str(path), renew_before="89d", not_before="-1h", **ca.options)
    assert renewed["changed"] is False
    forced = ca.run(MODULE, path=str(path), force=True, **ca.options)
    assert forced["certificate"] != first and path.read_text() == forced["certificate"] + root
    foretold = ca.run(MODULE, check_mode=True, path=str(path), force=True, _ansible_diff=True, **ca.options)
    assert "if it is signed now" in str(foretold["diff"]), "the chain is no reason to tell less"
    # What does not belong behind a new one is not lost, and not left there.
    signed = ca.signatures
    for rest in (first, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        path.write_text(first + rest)
        for check_mode in (True, False):
            assert ca.run(MODULE, check_mode, path=str(path), force=True, **ca.options)["msg"] == (
                "path is refused: it holds something else than a certificate and behind it that of the issuer, which"
                " would be lost; move it away."
            )
        assert path.read_text() == first + rest and ca.signatures == signed


KEY = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("module", [MODULE, "hsm_csr"])
@pytest.mark.parametrize("with_its_own", [True, False])
def test_a_private_key_in_the_file_is_not_lost(module: str, with_its_own: bool, ca: Certifier, tmp_path: Path) -> None:
    """A wrong path, or a file with the key that is to be followed by one in the HSM, in front of its certificate."""
    path, given = tmp_path / "www.pem", ca.options
    if module == "hsm_csr":
        given = {"common_name": "www.example.org"}
    path.write_text(before := KEY + (ca.run(module, **given)[module.removeprefix("hsm_")] if with_its_own else ""))
    signed = ca.signatures
    for check_mode in (True, False):
        refused = ca.run(module, check_mode, path=str(path), force=True, **given)
        assert "which would be lost; move it away" in refused["msg"], refused
    assert path.read_text() == before and ca.signatures == signed


@pytest.mark.parametrize("text", ["Certificate:\n    Data:\n", "", "X509 "])
def test_text_in_front_of_a_certificate_is_no_obstacle(text: str, ca: Certifier, tmp_path: Path) -> None:
    path, first = tmp_path / "www.pem", ca.run(MODULE, **ca.options)["certificate"]
    path.write_text(first.replace(" CERT", " X509 CERT") if text == "X509 " else text + first)
    assert ca.run(MODULE, path=str(path), force=True, **ca.options)["certificate"] == path.read_text()


def test_what_is_taken_over_is_critical_where_the_task_says_so(ca: Certifier) -> None:
    asked = request_of(
        private_key("secp256r1", 22),
        x509.SubjectAlternativeName([x509.DNSName("www.example.org")]),
        x509.ExtendedKeyUsage([x509.OID_CODE_SIGNING]),
    )
    given = {**ca.options, "public_key_content": None, "csr_content": asked}
    both: dict[str, t.Any] = {
        "copy_extensions": ["subject_alt_name", "extended_key_usage"],
        "extended_key_usage_critical": True,
    }
    extensions = {one["name"]: one["critical"] for one in ca.run(MODULE, **given, **both)["details"]["extensions"]}
    assert extensions["extended_key_usage"] is True and extensions["subject_alt_name"] is False


def remade(certifier: Certifier, result: dict[str, t.Any]) -> str:
    """The same certificate with the subject's parts, the names and the purposes in another order."""
    found = loaded(result)
    subject = x509.Name([*reversed(list(found.subject))])
    builder = x509.CertificateBuilder(subject, subject, found.public_key(), found.serial_number)
    builder = builder.not_valid_before(found.not_valid_before_utc).not_valid_after(found.not_valid_after_utc)
    for one in found.extensions:
        value: t.Any = one.value
        if isinstance(value, (x509.SubjectAlternativeName, x509.ExtendedKeyUsage, x509.CertificatePolicies)):
            value = type(value)(reversed(list(value)))
        builder = builder.add_extension(value, one.critical)
    return builder.sign(certifier.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def test_an_order_without_a_meaning_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    certifier = Certifier(monkeypatch)
    wish: dict[str, t.Any] = {
        "common_name": "a",
        "organization_name": "b",
        "subject_alt_name": ["DNS:a.example.org", "DNS:b.example.org"],
        "extended_key_usage": ["serverAuth", "clientAuth"],
        "certificate_policies": [{"policy": "1.2.3"}, {"policy": "1.2.4", "cps": ["http://a.example.org"]}],
    }
    other = remade(certifier, certifier.run(MODULE, **wish))
    assert certifier.run(MODULE, content=other, **wish)["reasons"] == []
    fewer = {**wish, "extended_key_usage": ["serverAuth"]}
    assert certifier.run(MODULE, content=other, **fewer)["reasons"] == ["extended_key_usage differs"]
    names = {name: wish.pop(name) for name in ("common_name", "organization_name")}
    ordered = [{"O": names["organization_name"]}, {"CN": names["common_name"]}]
    assert certifier.run(MODULE, content=other, subject_ordered=ordered, **wish)["reasons"] == [
        "its subject differs",
        "its issuer differs",
    ]
