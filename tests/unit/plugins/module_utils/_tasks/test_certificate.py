# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_certificate does with keys on a token in memory, and with real files; OpenSSL looks at the chain."""

from __future__ import annotations

import datetime
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.certificate import end
from ansible_collections.cryptoki.hsm.tests.support.certificate_tasks import (
    KINDS,
    ROOT,
    SERVER,
    SUB,
    Certifier,
    loaded,
    public_pem,
    request_of,
)
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key

MODULE = "hsm_certificate"


def openssl_verifies(folder: Path, root: str, *chain: str, leaf: str) -> bool:
    for name, content in (("root.pem", root), ("chain.pem", "".join(chain)), ("leaf.pem", leaf)):
        (folder / name).write_text(content)
    untrusted = ["-untrusted", "chain.pem"] if chain else []
    command = ["openssl", "verify", "-x509_strict", "-check_ss_sig", "-CAfile", "root.pem", *untrusted, "leaf.pem"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return True


def gnutls_verifies(folder: Path, *chain: str) -> bool:
    """What certtool says of the files of `openssl_verifies`, from the leaf on, where it is installed."""
    if not shutil.which("certtool"):
        return True
    command = ["certtool", "--verify", "--load-ca-certificate", "root.pem"]
    done = subprocess.run(command, cwd=folder, input="".join(chain), capture_output=True, text=True, check=False)
    assert "Chain verification output: Verified. The certificate is trusted." in done.stdout, done.stdout + done.stderr
    return True


@pytest.mark.parametrize(("kind", "scheme"), [*((kind, None) for kind in KINDS), ("2048", "pss")])
def test_root_intermediate_and_leaf(
    kind: str, scheme: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A chain of three, of which the token has the two CAs one after the other."""
    certifier = Certifier(monkeypatch, kind)
    root = certifier.four_ways(MODULE, path=str(tmp_path / "ca.pem"), signature_scheme=scheme, **ROOT)
    below = private_key("secp384r1", 3)
    sub = certifier.four_ways(
        MODULE,
        path=str(tmp_path / "sub.pem"),
        ca_path=str(tmp_path / "ca.pem"),
        csr_content=request_of(below),
        signature_scheme=scheme,
        **{**SUB, "basic_constraints": ["CA:TRUE", "pathlen:0"]},
    )
    certifier = Certifier(monkeypatch, "secp384r1", 3)
    leaf = certifier.four_ways(
        MODULE,
        path=str(tmp_path / "www.pem"),
        ca_content=sub["certificate"],
        csr_content=request_of(private_key("2048", 4), x509.SubjectAlternativeName([x509.DNSName("www.example.org")])),
        **SERVER,
    )
    assert openssl_verifies(tmp_path, root["certificate"], sub["certificate"], leaf=leaf["certificate"])
    assert gnutls_verifies(tmp_path, leaf["certificate"], sub["certificate"])
    assert [one["details"]["issuer"] for one in (root, sub, leaf)] == [
        "CN=Example Root CA",
        "CN=Example Root CA",
        "CN=Example Sub CA",
    ]
    certificate = loaded(leaf)
    assert certificate.subject.rfc4514_string() == "CN=www.example.org"
    known = loaded(sub).extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    wanted = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert wanted.key_identifier == known
    assert 64 < certificate.serial_number.bit_length() <= 159  # drawn (CA/Browser Forum, 7.1); RFC 5280, 4.1.2.2


@pytest.fixture(name="ca")
def made_ca(monkeypatch: pytest.MonkeyPatch) -> Certifier:
    """A token whose pair is that of a CA; its certificate is in `options`."""
    certifier = Certifier(monkeypatch)
    certifier.options = {"ca_content": certifier.run(MODULE, **ROOT)["certificate"]}
    return certifier


def test_for_a_bare_public_key_the_task_says_all(ca: Certifier) -> None:
    key = private_key("ed25519", 5)
    result = ca.run(MODULE, public_key_content=public_pem(key), common_name="tsa.example.org", **ca.options, **SERVER)
    certificate = loaded(result)
    assert certificate.public_key() == key.public_key()
    assert [one["text"] for one in result["details"]["extensions"]][:2] == ["digitalSignature", "DNS:tsa.example.org"]


def test_cross_signing_keeps_name_and_identifier(ca: Certifier, monkeypatch: pytest.MonkeyPatch) -> None:
    options, other = ca.options, Certifier(monkeypatch, "secp384r1", 6)
    foreign = loaded(other.run(MODULE, **{**ROOT, "common_name": "Other Root"}, subject_key_identifier="01:02:03"))
    again = Certifier(monkeypatch)
    crossed = {
        **SUB,
        "common_name": None,
        "certificate_content": foreign.public_bytes(Encoding.PEM).decode(),
        **options,
    }
    certificate = loaded(again.run(MODULE, **crossed))
    assert certificate.subject == foreign.subject and certificate.public_key() == foreign.public_key()
    assert certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest == b"\x01\x02\x03"
    assert certificate.issuer.rfc4514_string() == "CN=Example Root CA"


def test_only_what_is_named_is_taken_over(ca: Certifier) -> None:
    asked = request_of(
        private_key("secp256r1", 7),
        x509.SubjectAlternativeName([x509.DNSName("a.example.org")]),
        x509.ExtendedKeyUsage([x509.OID_CODE_SIGNING]),
        x509.BasicConstraints(True, None),
    )
    given = {"csr_content": asked, **ca.options, **SERVER}
    names = [one["name"] for one in ca.run(MODULE, **given)["details"]["extensions"]]
    assert names == ["key_usage", "subject_alt_name", "subject_key_identifier", "authority_key_identifier"]
    both = ca.run(MODULE, copy_extensions=["extended_key_usage"], subject_alt_name=["DNS:b.example.org"], **given)
    assert [one["text"] for one in both["details"]["extensions"]][:3] == [
        "digitalSignature",
        "DNS:b.example.org",
        "codeSigning",
    ]
    refused = ca.run(MODULE, copy_extensions=["basic_constraints"], **given)
    assert refused["msg"] == ("copy_extensions is refused: CA:TRUE is not taken over; ask for it in basic_constraints.")


@pytest.mark.parametrize(
    ("changed", "reasons"),
    [
        ({"common_name": "Other CA"}, ["its subject differs", "its issuer differs"]),
        ({"key_usage": ["keyCertSign"]}, ["key_usage differs"]),
        ({"serial_number": 7}, ["its serial number differs"]),
        ({"not_after": "20401231235959Z"}, ["its end differs"]),
        ({"not_before": "2020-01-01"}, ["its start differs"]),
        ({"subject_key_identifier": "01:02"}, ["subject_key_identifier differs"]),
        ({"digest": "sha384"}, ["it was signed with another digest"]),
        ({"force": True}, ["force is true"]),
    ],
)
def test_what_is_issued_anew(
    changed: dict[str, t.Any], reasons: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certifier, path = Certifier(monkeypatch), str(tmp_path / "ca.pem")
    assert certifier.run(MODULE, path=path, **ROOT)["outcome"] == "generated"
    before = Path(path).read_bytes()
    foretold = certifier.run(MODULE, True, path=path, **{**ROOT, **changed})
    assert foretold["changed"] and foretold["reasons"] == reasons and Path(path).read_bytes() == before
    done = certifier.run(MODULE, path=path, **{**ROOT, **changed})
    assert done["reasons"] == reasons and foretold["outcome"] == done["outcome"] == "replaced"
    assert certifier.run(MODULE, path=path, **{**ROOT, **changed})["changed"] is ("force" in changed)


def test_renewal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certifier, path = Certifier(monkeypatch), tmp_path / "ca.pem"
    wish = {**ROOT, "path": str(path), "not_before": "-80d", "not_after": "+10d"}
    first = certifier.run(MODULE, **wish)
    lasting = {**wish, "not_before": "-1d", "not_after": "+90d"}
    assert not certifier.run(MODULE, **lasting)["changed"]
    assert not certifier.run(MODULE, renew_before="9d", **lasting)["changed"]
    due = certifier.four_ways(MODULE, renew_before="30d", **lasting)
    assert due["reasons"] == [f"it ends at {first['details']['not_after']}, which is within renew_before"]
    path.write_text(first["certificate"])
    past = certifier.run(MODULE, path=str(path), force=True, **{**ROOT, "not_before": "-9d", "not_after": "-1d"})
    assert datetime.datetime.now(datetime.timezone.utc) > end(loaded(past))
    assert certifier.run(MODULE, **lasting)["reasons"] == ["it has expired"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"renew_before": "soon"}, "renew_before 'soon' is refused: give a duration as 30d, 12h or 1w2d3h4m5s."),
        (
            {"renew_before": "7301d"},
            "renew_before '7301d' is refused: it must be shorter than the lifetime, or every run would issue anew.",
        ),
        (
            {"renew_before": "30d", "not_after": "2040-01-01"},
            "renew_before '30d' is refused: not_after is absolute, so that a new certificate would end at the same"
            " time; give a relative one.",
        ),
        (
            {"renew_before": "20d", "not_before": "-80d", "not_after": "+10d"},
            "renew_before '20d' is refused: it must be shorter than the lifetime, or every run would issue anew.",
        ),
        ({"not_before": "1949-12-31"}, "not_before '1949-12-31' is refused: certificates know no time before 1950."),
        ({"not_before": "-40000d"}, "not_before '-40000d' is refused: certificates know no time before 1950."),
        (
            {"not_after": "203012312399Z"},
            "not_after '203012312399Z' is refused: give a time in UTC as 20301231235959Z or 2030-12-31, or one"
            " relative to now as +90d.",
        ),
        (
            {"basic_constraints": ["CA:FALSE", "CA:TRUE"]},
            "basic_constraints is refused: give CA:TRUE or CA:FALSE, and pathlen:N, each once.",
        ),
        (
            {"basic_constraints": ["CA:TRUE", "pathlen:99999999999999999999"]},
            "basic_constraints is refused: give CA:TRUE or CA:FALSE, and pathlen:N, each once.",
        ),
        (
            {"authority_cert_issuer": ["DNS:ca"], "authority_cert_serial_number": -1},
            "authority_cert_issuer is refused: Negative integers are not supported.",
        ),
        (
            {"extensions": [{"oid": "2.5.29.18", "value": "AAAA"}]},
            "extensions is refused: the value is no DER of this extension.",
        ),
        (
            {"email_address": "jürgen@example.org"},
            "email_address is refused: emailAddress takes ASCII only.",
        ),
        (
            {"subject_alt_name": ["DNS:a b"]},
            "subject_alt_name is refused: 'DNS:a b' cannot be read: it has a blank or a control character.",
        ),
        (
            {"subject": {"serialNumber": "1_2"}},
            "subject is refused: serialNumber takes letters, digits, blanks and '()+,-./:=? only.",
        ),
        ({"not_after": "-1d"}, "not_after is refused: it is not after not_before."),
        (
            {"not_after": "tomorrow"},
            "not_after 'tomorrow' is refused: give a time in UTC as 20301231235959Z or 2030-12-31, or one relative to"
            " now as +90d.",
        ),
        ({"not_after": "+9999999999999d"}, "not_after '+9999999999999d' is refused: no calendar reaches that far."),
        (
            {"serial_number": 0},
            "serial_number 0 is refused: it must be from 1 to 2^159 - 1 (RFC 5280, section 4.1.2.2).",
        ),
        (
            {"basic_constraints_critical": False},
            "basic_constraints_critical is refused: RFC 5280 demands it of a CA (section 4.2.1.9).",
        ),
        (
            {"key_usage": ["cRLSign"]},
            "key_usage is refused: a CA needs keyCertSign in it (RFC 5280, section 4.2.1.3).",
        ),
        (
            {"basic_constraints": None, "basic_constraints_critical": None},
            "key_usage is refused: keyCertSign is of CAs only; ask for CA:TRUE in basic_constraints.",
        ),
        (
            {"name_constraints_permitted": ["DNS:example.org"]},
            "name_constraints_critical is refused: RFC 5280 demands it (section 4.2.1.10).",
        ),
        ({"common_name": None}, "common_name is refused: a CA needs a subject (RFC 5280, section 4.1.2.6)."),
        (
            {"extensions": [{"oid": "2.5.29.19", "value": "MAMBAf8="}]},
            "extensions '2.5.29.19' is refused: an option of its own says this extension.",
        ),
        (
            {"key_usage": ["keyCertSign", "keyEncipherment"]},
            "key_usage is refused: keyEncipherment needs decrypt or unwrap, which the private key may not do.",
        ),
        (
            {"public_key_content": public_pem(private_key("secp256r1", 8))},
            "public_key_content is refused: another's key needs a CA to certify it; give ca_path or ca_content.",
        ),
        ({"csr_content": "x"}, "csr_content is refused: it is no certificate request."),
        (
            {"public_key_content": "x"},
            "public_key_content is refused: it is no public key that is known here.",
        ),
        ({"certificate_content": "x"}, "certificate_content is refused: it is no certificate that can be read."),
    ],
)
def test_what_is_refused_of_a_root(given: dict[str, t.Any], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    certifier = Certifier(monkeypatch)
    for check_mode in (True, False):
        assert certifier.run(MODULE, check_mode, **{**ROOT, **given})["msg"] == message
    assert certifier.signatures == 0


def test_a_request_that_is_not_of_its_key(ca: Certifier) -> None:
    der = bytearray(x509.load_pem_x509_csr(request_of(private_key("secp256r1", 9)).encode()).public_bytes(Encoding.DER))
    der[-1] ^= 1
    broken = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM).decode()
    signed = ca.signatures
    assert ca.run(MODULE, csr_content=broken, **ca.options, **SERVER)["msg"].startswith(
        "csr_content is refused: its own signature does not hold"
    )
    own = ca.run(MODULE, csr_content=request_of(private_key("secp256r1", 9)), **SERVER)
    assert own["msg"].startswith("csr_content is refused: it is of another key than (private ec key")
    weak = ca.run(MODULE, csr_content=request_of(private_key("1024", 1)), **ca.options, **SERVER)
    assert weak["msg"] == "csr_content is refused: an RSA key of 1024 bits is too short; 2048 are the least."
    alone = ca.run(MODULE, **ca.options, **SERVER)
    assert alone["msg"].startswith("ca_content is refused: say for whom it issues")
    assert ca.signatures == signed


def test_forms_of_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    certifier = Certifier(monkeypatch)
    for text, shown in (
        ("203012312359Z", "2030-12-31T23:59:00Z"),
        ("20301231235958Z", "2030-12-31T23:59:58Z"),
        ("2030-12-31", "2030-12-31T00:00:00Z"),
        ("2030-12-31 23:59:58", "2030-12-31T23:59:58Z"),
        ("2030-12-31T23:59:58", "2030-12-31T23:59:58Z"),
        ("2030-12-31T23:59:58Z", "2030-12-31T23:59:58Z"),
        ("2030-12-31T23:59:58+00:00", "2030-12-31T23:59:58Z"),
    ):
        assert certifier.run(MODULE, **{**ROOT, "not_after": text})["details"]["not_after"] == shown
    assert "is refused" in certifier.run(MODULE, **{**ROOT, "not_after": "2030-12-31T23:59:58+02:00"})["msg"]


@pytest.mark.parametrize("what", ["csr", "ca"])
def test_a_file_that_it_reads_is_not_written(what: str, ca: Certifier, tmp_path: Path) -> None:
    given = {"csr": request_of(private_key("secp256r1", 9)), "ca": ca.options["ca_content"]}
    path = tmp_path / "one.pem"
    path.write_text(given[what])
    (tmp_path / "link.pem").symlink_to(path)
    options = {f"{name}_content": content for name, content in given.items() if name != what}
    options |= {f"{what}_path": str(tmp_path / "link.pem"), "path": str(path)}
    assert ca.run(MODULE, **options, **SERVER)["msg"].endswith(
        f"link.pem' is refused: it is the file of {what}_path, which would be lost."
    )
    assert path.read_text() == given[what]


def test_a_certificate_that_is_no_ca_or_of_another_key(ca: Certifier, monkeypatch: pytest.MonkeyPatch) -> None:
    request = request_of(private_key("secp256r1", 9))

    def told(**wish: t.Any) -> str:
        """What is said of a CA with this certificate, for a server."""
        content = ca.run(MODULE, **wish)["certificate"]
        result = ca.run(MODULE, csr_content=request, ca_content=content, **SERVER)
        return t.cast(str, result.get("msg") or result["certificate"])

    assert told(common_name="x").endswith("it is no CA certificate, its basic constraints lack CA:TRUE.")
    assert " it ended at " in told(**{**ROOT, "not_before": "-9d", "not_after": "-1d"})
    assert " it is not valid before " in told(**{**ROOT, "not_before": "+1d"})
    assert "is after the end of the CA certificate" in told(**{**ROOT, "not_after": "+89d"})
    assert told(**ROOT).startswith("-----BEGIN CERTIFICATE")
    short = ca.run(MODULE, **{**ROOT, "basic_constraints": ["CA:TRUE", "pathlen:0"]})["certificate"]
    below = ca.run(MODULE, csr_content=request, ca_content=short, **SUB)
    assert below["msg"] == "basic_constraints is refused: the CA has pathlen:0, and issues no CA certificates."
    other = Certifier(monkeypatch, "secp256r1", 11)
    msg = other.run(MODULE, csr_content=request, **ca.options, **SERVER)["msg"]
    assert msg.startswith("ca_content is refused: it is the certificate of another key than (private ec key")


def test_a_wrong_signature_is_never_written(ca: Certifier, tmp_path: Path) -> None:
    path = tmp_path / "www.pem"
    path.write_text("what was there")
    ca.session.keys.of[ca.pair.private.handle] = private_key("secp256r1", 12)
    request = request_of(private_key("secp256r1", 9))
    result = ca.run(MODULE, path=str(path), csr_content=request, **ca.options, **SERVER)
    assert result["msg"].startswith("Could not sign the certificate with (public ec key")
    assert path.read_text() == "what was there"


def test_what_is_not_there_yet_in_check_mode(ca: Certifier, tmp_path: Path) -> None:
    missing = str(tmp_path / "www.csr")
    for option, given in (("csr_path", ca.options), ("ca_path", {"csr_content": request_of(private_key("2048", 4))})):
        foretold = ca.run(MODULE, True, **{**given, option: missing}, **SERVER)
        assert foretold["changed"] and foretold["certificate"] is None and foretold["details"] is None
        assert f"There is not yet {missing} ({option}); the certificate is known" in str(foretold["warnings"])
        assert foretold["outcome"] == "generated"
        failed = ca.run(MODULE, **{**given, option: missing}, **SERVER)
        assert failed["msg"].startswith(f"{option} '{missing}' is refused: it cannot be read")
    for wrong in ({"key_usage": ["x"]}, {"not_after": "soon"}):
        assert " is refused: " in ca.run(MODULE, True, csr_path=missing, **ca.options, **{**SERVER, **wrong})["msg"]
    (tmp_path / "there.pem").write_text("something")
    there = ca.run(MODULE, True, path=str(tmp_path / "there.pem"), csr_path=missing, **ca.options, **SERVER)
    assert there["outcome"] == "replaced"
    foretold = ca.run(MODULE, True, csr_content="", **ca.options, **SERVER)
    assert "There is not yet what csr_content is to hold" in str(foretold["warnings"])
    foretold = ca.run(MODULE, True, label="other", **ROOT)
    assert (
        foretold["changed"]
        and foretold["details"]["public_key_fingerprint"] is None
        and foretold["details"]["signature"] is None
    )


LATER = "known after generation"


def foretold_in(result: dict[str, t.Any]) -> dict[str, str]:
    """What a diff tells of a certificate that would be signed."""
    (diff,) = result["diff"]
    assert diff["before"] == ""
    return dict(line.split(": ", 1) for line in diff["after"].splitlines())


def test_a_diff_tells_a_certificate_whose_key_is_not_there_yet(ca: Certifier) -> None:
    result = ca.run(MODULE, True, label="other", **ROOT)
    told = foretold_in(result)
    chosen = "by the private key chosen by label 'other' on memory"
    assert result["diff"][0]["after_header"] == f"certificate {chosen}"
    to_file = ca.run(MODULE, True, label="other", path="/none/ca.pem", **ROOT)
    assert to_file["diff"][0]["after_header"] == f"/none/ca.pem {chosen}"
    names = ("public_key_fingerprint", "signature", "serial_number", "subject_key_identifier")
    assert {name: told[name] for name in names} == dict.fromkeys(names, LATER)
    assert told["subject"] == told["issuer"] == "CN=Example Root CA" and told["key_usage"].startswith("critical, ")
    assert told["not_after"].endswith("Z if it is signed now")
    assert {row["after"] for row in result["changes"] if row["name"].startswith("not_")} == {"not known"}


def test_a_diff_tells_a_certificate_whose_ca_is_not_there_yet(ca: Certifier, tmp_path: Path) -> None:
    request = request_of(private_key("2048", 4))
    result = ca.run(MODULE, True, csr_content=request, ca_path=str(tmp_path / "ca.pem"), **SUB)
    told = foretold_in(result)
    names = ("issuer", "serial_number", "authority_key_identifier", "signature")
    assert {name: told[name] for name in names} == dict.fromkeys(names, LATER)
    assert told["subject"] == "CN=Example Sub CA" and "CA:TRUE" in told["basic_constraints"]
    assert result["changes"] == [] and result["details"] is None
