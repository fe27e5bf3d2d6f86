# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_certificate makes of requests, keys and certificates that are weak, odd or hostile."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.name import _ASN1Type

from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.certificate import end, start
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.rules import weak
from ansible_collections.cryptoki.hsm.tests.support.certificate_tasks import ROOT, SERVER, Certifier, loaded, request_of
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key

MODULE = "hsm_certificate"


@pytest.fixture(name="ca")
def made_ca(monkeypatch: pytest.MonkeyPatch) -> Certifier:
    """A token whose pair is that of a CA; its certificate is in `options`."""
    certifier = Certifier(monkeypatch)
    certifier.options = {"ca_content": certifier.run(MODULE, **ROOT)["certificate"]}
    return certifier


def test_weak_keys() -> None:
    assert weak(ec.generate_private_key(ec.SECP192R1()).public_key()) == (
        "an EC key of 192 bits is too short; 224 are the least"
    )
    assert weak(private_key("ed25519", 1).public_key()) is None
    assert weak(object()) == "a key of this type is not certified"


@pytest.mark.parametrize("salt", ["digest", "max"])
def test_a_request_that_openssl_signed_with_pss(salt: str, ca: Certifier, tmp_path: Path) -> None:
    """The longest salt is what OpenSSL 3.0 takes if nothing is said."""
    form = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    (tmp_path / "key.pem").write_bytes(private_key("2048", 4).private_bytes(*form))
    command = ["openssl", "req", "-new", "-key", "key.pem", "-subj", "/CN=a", "-out", "a.csr"]
    said = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", f"rsa_pss_saltlen:{salt}"]
    subprocess.run([*command, *said], cwd=tmp_path, check=True)
    assert loaded(ca.run(MODULE, csr_path=str(tmp_path / "a.csr"), **ca.options, **SERVER))


# By OpenSSL, which does not make them everywhere: with SHA-1 as the digest, and with SHA-1 below the padding only.
PSS_SHA1 = base64.b64decode(
    "MIIBSzCBtQIBADAMMQowCAYDVQQDDAFhMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDMiFOKQkZYjomdcUtPoTFN/nRRRPh02ALZA9t2"
    "LWTG6fhoxtnM6OARXdVo9mzmHtC81jMtHmkBp+n8u+MpEl5WlQoxB43B76Dh6mxocHi1Q+6Xth3rHic/49vFhiGAtWdRVLG981M6EHuwA1n8"
    "LWgI8qAd+fn/GEULznZ1UhfCZwIDAQABoAAwDQYJKoZIhvcNAQEKMAADgYEAR/0lWOetQvq5evL9DD5nIjeMOynQinVMYAUgvqc3hVm10loH"
    "AfZwaR8fn399NXLUW7U0llw0GjxoL5ZTj8x4EvP/3VOfx1JYth3GCENMv5nBe/36CSTFx25V9ITpU0ku2c2Gxhfu3vO93A2t2y9V5pzlXyk0"
    "DZgm4FUBs7+bAIQ="
)
PSS_MGF1_SHA1 = base64.b64decode(
    "MIIBYTCBtQIBADAMMQowCAYDVQQDDAFhMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDMiFOKQkZYjomdcUtPoTFN/nRRRPh02ALZA9t2"
    "LWTG6fhoxtnM6OARXdVo9mzmHtC81jMtHmkBp+n8u+MpEl5WlQoxB43B76Dh6mxocHi1Q+6Xth3rHic/49vFhiGAtWdRVLG981M6EHuwA1n8"
    "LWgI8qAd+fn/GEULznZ1UhfCZwIDAQABoAAwIwYJKoZIhvcNAQEKMBagDzANBglghkgBZQMEAgEFAKIDAgEgA4GBAFVG4m6BeybpOSEeHCGr"
    "gxuNmq6MoxUG+uorPu+kDezgk6aq20nsBHSFVhRQq00qh2ODMtNAnfXCll+HhlbFE6FgWH9ItZj1uD1T1t+t+3UWHeADRXvUjWxEarZ3EkdC"
    "xe6Or7mIj8Z2es5yIi4P61eEy+PXFaRbDiaXtHD27UOl"
)


@pytest.mark.parametrize("raw", [PSS_SHA1, PSS_MGF1_SHA1])
def test_pss_with_sha1_is_refused(raw: bytes, ca: Certifier, tmp_path: Path) -> None:
    (tmp_path / "a.csr").write_bytes(raw)
    msg = ca.run(MODULE, csr_path=str(tmp_path / "a.csr"), **ca.options, **SERVER)["msg"]
    assert msg.startswith("csr_path is refused: its own signature does not hold, or is by SHA-1")


def with_extension(oid: str, value: bytes, name: str = "www.example.org") -> str:
    made = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
    return request_of(private_key("secp256r1", 9), made, name=name)


def test_hostile_requests_are_refused_in_one_line(ca: Certifier) -> None:
    x400 = with_extension("2.5.29.17", bytes.fromhex("3004a3023000"))
    assert ca.run(MODULE, csr_content=x400, **ca.options, **SERVER)["msg"] == (
        "csr_content is refused: it is no certificate request."
    )
    for option, request in (
        ("subject", request_of(private_key("secp256r1", 9), name="bank.example\0.evil.example")),
        ("subject_alt_name", with_extension("2.5.29.17", b"\x30\x05\x82\x03a\0b")),
        (
            "subject_alt_name",
            with_extension("2.5.29.17", bytes.fromhex("3014a4123010310e300c06035504030c05612e620063")),  # CN=a.b\0c
        ),
    ):
        assert (
            f"{option} is refused: it has a control character"
            in (ca.run(MODULE, csr_content=request, **ca.options, **SERVER)["msg"])
        )
    none_at_all = with_extension("2.5.29.17", bytes.fromhex("3000"))
    like_an_s = request_of(private_key("secp256r1", 9), name="\u017ferver.example.org")  # an s where case is ignored
    for request, host in ((none_at_all, True), (like_an_s, False)):
        result = ca.run(MODULE, csr_content=request, **ca.options, **SERVER)
        assert ("DNS:www.example.org" in [one["text"] for one in result["details"]["extensions"]]) is host


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_a_certificate_that_cannot_be_told_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certifier, path = Certifier(monkeypatch), tmp_path / "ca.pem"
    der = loaded(certifier.run(MODULE, serial_number=0x7123, **ROOT)).public_bytes(Encoding.DER)
    path.write_bytes(der.replace(b"\x02\x02\x71\x23", b"\x02\x02\x81\x23"))  # less than zero
    assert certifier.run(MODULE, path=str(path), **ROOT)["reasons"] == ["what is there is no certificate"]


def test_the_name_of_the_ca_is_compared_to_the_byte(ca: Certifier, tmp_path: Path) -> None:
    """As some programs compare it when they look for the issuer."""
    given = {"csr_content": request_of(private_key("secp256r1", 9)), "path": str(tmp_path / "www.pem"), **SERVER}
    assert ca.run(MODULE, **given, **ca.options)["changed"]
    kind = _ASN1Type.PrintableString
    name = x509.Name([x509.NameAttribute(x509.OID_COMMON_NAME, "Example Root CA", kind)])
    old = loaded({"certificate": ca.options["ca_content"]})
    builder = x509.CertificateBuilder(
        name, name, old.public_key(), 5, not_valid_before=start(old), not_valid_after=end(old)
    )
    for one in old.extensions:
        builder = builder.add_extension(one.value, one.critical)
    again = builder.sign(ca.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    assert ca.run(MODULE, **given, ca_content=again)["reasons"] == ["its issuer differs"]
    assert not ca.run(MODULE, **given, ca_content=again)["changed"]
