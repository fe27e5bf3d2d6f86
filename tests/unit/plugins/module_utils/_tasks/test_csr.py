# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_csr does with a key on a token in memory, and with real files."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS
from ansible_collections.cryptoki.hsm.tests.support.certificate_tasks import KINDS, Certifier
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key

WISH: dict[str, t.Any] = {
    "common_name": "www.example.org",
    "key_usage": ["digitalSignature"],
    "key_usage_critical": True,
}


def test_without_a_file_every_run_signs_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    certifier = Certifier(monkeypatch)
    for signed in (1, 2):
        result = certifier.run("hsm_csr", **WISH)
        assert result["changed"] and "filename" not in result
        assert result["reasons"] == ["neither path nor content tells of an earlier one"]
        assert certifier.signatures == signed
    foretold = certifier.run("hsm_csr", check_mode=True, **WISH)
    assert foretold["changed"] and foretold["csr"] is None and certifier.signatures == 2
    assert foretold["request"] == result["request"]


@pytest.mark.parametrize("kind", KINDS)
def test_four_ways(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certifier, path = Certifier(monkeypatch, kind), tmp_path / "www.csr"
    result = certifier.four_ways("hsm_csr", path=str(path), mode="0640", **WISH)
    request = x509.load_pem_x509_csr(path.read_bytes())
    assert request.is_signature_valid and path.read_text(encoding="utf-8") == result["csr"]
    assert request.public_key() == certifier.key.public_key()
    assert path.stat().st_mode & 0o777 == 0o640
    assert result["filename"] == str(path) and result["reasons"] == ["there is none"]
    assert [one["text"] for one in result["request"]["extensions"]] == ["digitalSignature", "DNS:www.example.org"]
    fingerprint = result["request"]["public_key_fingerprint"]
    assert result["outcome"] == "generated"
    assert {"half": None, "name": "subject", "before": None, "after": "CN=www.example.org"} in result["changes"]
    (diff,) = result["diff"]
    assert (
        diff["before_header"] == f"{path} by the private key chosen by label 'root' on memory" and diff["before"] == ""
    )
    assert (
        f"public_key_fingerprint: {fingerprint}\n" in diff["after"]
        and "key_usage: critical, digitalSignature\n" in diff["after"]
    )


def test_four_ways_by_content(monkeypatch: pytest.MonkeyPatch) -> None:
    certifier = Certifier(monkeypatch)
    first = certifier.run("hsm_csr", content="", **WISH)
    assert first["changed"] and first["reasons"] == ["there is none"]
    second = certifier.run("hsm_csr", content=first["csr"], **WISH)
    assert not second["changed"] and second["csr"] == first["csr"] and second["reasons"] == []
    assert certifier.signatures == 1


@pytest.mark.parametrize(
    ("changed", "reasons"),
    [
        ({"common_name": "other"}, ["its subject differs", "subject_alt_name differs"]),
        ({"key_usage_critical": False}, ["key_usage differs"]),
        ({"key_usage": None, "key_usage_critical": None}, ["key_usage differs"]),
        ({"ocsp_must_staple": True}, ["ocsp_must_staple differs"]),
        ({"extensions": [{"oid": "1.2.3.4", "value": "BQA="}]}, ["the extension 1.2.3.4 differs"]),
        ({"digest": "sha512"}, ["it was signed with another digest"]),
        ({"signature_scheme": "pss"}, ["it was signed by another scheme"]),
        ({"force": True}, ["force is true"]),
    ],
)
def test_what_is_made_anew(
    changed: dict[str, t.Any], reasons: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certifier, path = Certifier(monkeypatch, "2048"), tmp_path / "www.csr"
    certifier.run("hsm_csr", path=str(path), **WISH)
    before = path.read_bytes()
    for check_mode in (True, False):
        assert path.read_bytes() == before
        result = certifier.run("hsm_csr", check_mode, path=str(path), **{**WISH, **changed})
        assert result["changed"] and result["reasons"] == reasons
    assert path.read_bytes() != before or changed == {"force": True}  # PKCS#1 signs the same twice alike
    assert result["outcome"] == "replaced" and bool(result["changes"]) is ("force" not in changed)
    assert "force" in changed or result["diff"][0]["before"] != result["diff"][0]["after"]
    again = certifier.run("hsm_csr", path=str(path), **{**WISH, **changed})
    assert again["changed"] is ("force" in changed)


def test_what_others_left_in_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certifier, path = Certifier(monkeypatch), tmp_path / "www.csr"
    good = certifier.run("hsm_csr", path=str(path), **WISH)
    names = x509.load_pem_x509_csr(good["csr"].encode())
    builder = x509.CertificateSigningRequestBuilder(names.subject)
    for one in names.extensions:
        builder = builder.add_extension(one.value, one.critical)
    of_another = builder.sign(private_key("secp256r1", 7), hashes.SHA256())
    der = bytearray(names.public_bytes(Encoding.DER))
    der[-1] ^= 1
    for raw, reason in (
        (b"no request", "what is there is no certificate request"),
        (b"", "what is there is no certificate request"),
        (of_another.public_bytes(Encoding.PEM), "it is of another key"),
        (bytes(der), "its signature does not hold"),
    ):
        path.write_bytes(raw)
        result = certifier.run("hsm_csr", path=str(path), backup=True, **WISH)
        assert result["changed"] and result["reasons"] == [reason]
        assert Path(result["backup_file"]).read_bytes() == raw
        assert not certifier.run("hsm_csr", path=str(path), **WISH)["changed"]
    path.write_bytes(names.public_bytes(Encoding.DER))  # the form is no difference
    assert not certifier.run("hsm_csr", path=str(path), **WISH)["changed"]


def test_a_digest_that_is_not_said_is_not_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certifier, path = Certifier(monkeypatch), str(tmp_path / "www.csr")
    certifier.run("hsm_csr", path=path, digest="sha512", **WISH)
    assert not certifier.run("hsm_csr", path=path, **WISH)["changed"]


def test_the_mode_alone_is_a_change_without_a_signature(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certifier, path = Certifier(monkeypatch), tmp_path / "www.csr"
    certifier.run("hsm_csr", path=str(path), mode="0644", **WISH)
    result = certifier.run("hsm_csr", path=str(path), mode="0600", **WISH)
    assert result["changed"] and result["reasons"] == [] and certifier.signatures == 1
    assert result["outcome"] == "changed" and result["diff"][0]["after"] == "mode: 0600\n"
    assert result["changes"] == [{"half": None, "name": "mode", "before": "0644", "after": "0600"}]


def test_a_wrong_signature_is_never_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certifier, path = Certifier(monkeypatch), tmp_path / "www.csr"
    path.write_bytes(b"what was there")
    certifier.session.keys.of[certifier.pair.private.handle] = private_key("secp256r1", 8)
    result = certifier.run("hsm_csr", path=str(path), backup=True, **WISH)
    assert result["failed"] and result["msg"].startswith("Could not sign the certificate request with (public ec key")
    assert (
        "what the private half signed does not fit the public half. The halves do not belong together" in result["msg"]
    )
    assert os.listdir(tmp_path) == ["www.csr"] and path.read_bytes() == b"what was there"


def test_a_token_that_is_lost_leaves_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certifier, path = Certifier(monkeypatch), tmp_path / "www.csr"
    path.write_bytes(b"what was there")
    certifier.session.keys.mechanisms = ()
    result = certifier.run("hsm_csr", path=str(path), **WISH)
    assert result["failed"] and result["ckr"] == "CKR_MECHANISM_INVALID"
    assert path.read_bytes() == b"what was there"


def test_a_file_that_cannot_be_written_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certifier = Certifier(monkeypatch)
    folder = tmp_path / "folder"
    folder.mkdir()
    for path, rule in (
        (folder, "it is a directory, not a regular file"),
        (tmp_path / "none/www.csr", "its folder does not exist"),
    ):
        result = certifier.run("hsm_csr", path=str(path), **WISH)
        assert result["failed"] and result["msg"] == f"path '{path}' is refused: {rule}."
    assert certifier.signatures == 0

    def full(*dummy: t.Any) -> t.NoReturn:
        raise OSError(28, "No space left on device")

    for call in ("rename", "fdopen"):
        with monkeypatch.context() as broken:
            broken.setattr(os, call, full)
            result = certifier.run("hsm_csr", path=str(tmp_path / "www.csr"), **WISH)
        assert result["failed"] and "No space left on device" in result["msg"]
        assert not (tmp_path / "www.csr").exists()


@pytest.mark.parametrize(
    ("private", "why"),
    [
        ({"sign": False}, "it may not sign. A key that is to sign is made with sign in usage."),
        (
            {"always_authenticate": True},
            "always_authenticate asks for the PIN at each use, and this task has none to give.",
        ),
        (
            {"allowed_mechanisms": (MECHANISMS["CKM_ECDSA_SHA512"].code,)},
            "its allowed_mechanisms have none of this signature. Choose another digest or signature_scheme.",
        ),
    ],
)
def test_a_key_that_may_not_sign(private: dict[str, t.Any], why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    certifier = Certifier(monkeypatch, **private)
    certifier.session.keys.pin_pad = True
    for check_mode in (True, False):
        result = certifier.run("hsm_csr", check_mode, **WISH)
        assert result["failed"] and result["msg"].startswith("Refused to sign with (private ec key, on secp256r1")
        assert result["msg"].endswith(f"on the token 'memory': {why}")
    assert certifier.signatures == 0


def test_only_a_mechanism_that_the_key_allows_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for allowed in ("CKM_RSA_PKCS", "CKM_SHA256_RSA_PKCS"):
        certifier = Certifier(monkeypatch, "2048", allowed_mechanisms=(MECHANISMS[allowed].code,))
        assert certifier.run("hsm_csr", **WISH)["changed"] and certifier.session.keys.uses == [f"sign {allowed}"]


def test_a_missing_key_is_a_failure_and_in_check_mode_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    certifier = Certifier(monkeypatch)
    result = certifier.run("hsm_csr", label="other", **WISH)
    assert result["msg"] == (
        "Could not find the private key chosen by label 'other' on the token 'memory': there is none."
        " hsm_rsa_keypair, hsm_ecc_keypair and hsm_keypairs generate keys."
    )
    foretold = certifier.run("hsm_csr", check_mode=True, label="other", **WISH)
    assert foretold["changed"] and foretold["csr"] is None and foretold["request"]["public_key_fingerprint"] is None
    told = str(foretold["warnings"])
    assert "There is not yet the private key chosen by label 'other'; the request is known when it is there." in told


def test_two_keys_of_one_label_are_refused_and_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    certifier = Certifier(monkeypatch)
    other = pair_of(private_key("secp256r1", 9), {"sign": True}, handle=20, id=b"\x02")
    certifier.session.objects.extend(other.objects)
    msg = certifier.run("hsm_csr", **WISH)["msg"]
    assert msg.startswith(
        "Refused to sign with the private key chosen by label 'root' on the token 'memory': there are 2"
    )
    assert msg.count("\n- (") == 2
    assert certifier.run("hsm_csr", id_hex="01", **WISH)["changed"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"uri": "pkcs11:object=root;type=public"},
            "uri 'type=public' is refused: only a private key signs; leave its type out.",
        ),
        (
            {"signature_scheme": "pss"},
            "signature_scheme 'pss' is refused: pss is a scheme of RSA keys, and this key is none.",
        ),
        ({"key_usage": ["x"]}, "key_usage is refused: 'x' is no key usage."),
    ],
)
def test_what_is_refused(given: dict[str, t.Any], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    certifier = Certifier(monkeypatch)
    label = None if "uri" in given else "root"
    assert certifier.run("hsm_csr", **{**WISH, "label": label, **given})["msg"] == message
    assert certifier.signatures == 0
