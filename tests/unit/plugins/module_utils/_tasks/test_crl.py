# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_crl does with keys on a token in memory, and with real files; OpenSSL looks at the lists."""

from __future__ import annotations

import base64
import datetime
import os
import re
import subprocess
import typing as t
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.certificate import authority_identifier, end, start
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.crl import last_update, next_update, number_of, read
from ansible_collections.cryptoki.hsm.tests.support.certificate_tasks import (
    KINDS,
    ROOT,
    SERVER,
    Certifier,
    loaded,
    request_of,
)
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key

MODULE = "hsm_crl"
LIST: dict[str, t.Any] = {"revoked_certificates": [], "next_update": "+7d", "number": 1}
SEVEN = {"serial_number": 7}
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
OTHER = {"issuer": ["dirName:CN=Other CA"], "issuer_critical": True}


def ca_of(monkeypatch: pytest.MonkeyPatch, kind: str = "secp256r1", number: int = 0, **changed: t.Any) -> Certifier:
    """A token whose pair is that of a CA; its certificate is in `options`."""
    certifier = Certifier(monkeypatch, kind, number)
    certifier.options = {"ca_content": certifier.run("hsm_certificate", **{**ROOT, **changed})["certificate"]}
    certifier.session.keys.uses.clear()
    return certifier


@pytest.fixture(name="ca")
def made_ca(monkeypatch: pytest.MonkeyPatch) -> Certifier:
    return ca_of(monkeypatch)


def crl_at(path: Path) -> x509.CertificateRevocationList:
    found = read(path.read_bytes())
    assert found is not None
    return found


def said(*command: str, folder: Path, code: int = 0) -> str:
    """What a program says."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(("kind", "scheme"), [*((kind, None) for kind in KINDS), ("2048", "pss")])
def test_other_programs_take_the_list(
    kind: str, scheme: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ca = ca_of(monkeypatch, kind)
    leaf = ca.run("hsm_certificate", csr_content=request_of(private_key("secp256r1", 4)), **ca.options, **SERVER)
    (tmp_path / "ca.pem").write_text(ca.options["ca_content"])
    (tmp_path / "leaf.pem").write_text(leaf["certificate"])
    given = {"path": str(tmp_path / "ca.crl"), "signature_scheme": scheme, **ca.options, **LIST}
    verify = ["openssl", "verify", "-crl_check", "-CAfile", "ca.pem", "-CRLfile", "ca.crl", "leaf.pem"]
    ca.four_ways(MODULE, **given)
    assert said(*verify, folder=tmp_path) == "leaf.pem: OK\n"
    revoked = {"path": str(tmp_path / "leaf.pem"), "reason": "key_compromise", "invalidity_date": "-1d"}
    result = ca.four_ways(MODULE, **{**given, "revoked_certificates": [revoked]})
    assert "certificate revoked" in said(*verify, folder=tmp_path, code=2)
    told = said("openssl", "crl", "-in", "ca.crl", "-CAfile", "ca.pem", "-noout", "-text", folder=tmp_path)
    assert "verify OK" in told and "X509v3 Authority Key Identifier" in told
    assert re.search(r"X509v3 CRL Number: *\n *2\n", told) and "X509v3 CRL Reason Code: \n" in told
    assert scheme is None or result["details"]["signature"] == "pss with sha256"
    assert result["details"]["revoked_certificates"][0]["serial_number"] == leaf["details"]["serial_number"]
    assert result["reasons"] == [f"revoked {leaf['details']['serial_number']} is not in it"]


@pytest.mark.parametrize("form", ["pem", "der"])
def test_by_content(form: str, ca: Certifier) -> None:
    given = {"format": form, **ca.options, **LIST}
    none = ca.run(MODULE, content="", **given)
    assert none["changed"] and none["reasons"] == ["there is none"] and none["format"] == form
    assert read(none["crl"].encode() if form == "pem" else base64.b64decode(none["crl"])) is not None
    again = ca.run(MODULE, content=none["crl"], **given)
    assert not again["changed"] and again["crl"] == none["crl"] and ca.signatures == 1
    always = ca.run(MODULE, **given)
    assert always["changed"] and always["reasons"] == ["neither path nor content tells of an earlier one"]
    foretold = ca.run(MODULE, check_mode=True, **given)
    assert foretold["changed"] and foretold["crl"] is None and ca.signatures == 2


def test_the_content_is_returned_if_that_is_wished(ca: Certifier, tmp_path: Path) -> None:
    given = {"path": str(tmp_path / "ca.crl"), **ca.options, **LIST}
    assert "crl" not in ca.run(MODULE, **given)
    returned = ca.run(MODULE, return_content=True, **given)
    assert not returned["changed"] and returned["crl"] == (tmp_path / "ca.crl").read_text()


def test_another_format_is_converted_and_not_signed(ca: Certifier, tmp_path: Path) -> None:
    path = tmp_path / "ca.crl"
    given = {"path": str(path), **ca.options, **LIST}
    ca.run(MODULE, **given)
    before = crl_at(path)
    result = ca.four_ways(MODULE, format="der", **given)
    assert path.read_bytes() == before.public_bytes(Encoding.DER) and ca.signatures == 1
    assert result["reasons"] == ["its format differs"] and result["outcome"] == "replaced"
    assert result["changes"] == [{"half": None, "name": "format", "before": "pem", "after": "der"}]
    assert ca.run(MODULE, **given)["changed"] and crl_at(path) == before and ca.signatures == 1


@pytest.mark.parametrize(
    ("changed", "reasons"),
    [
        ({"revoked_certificates": []}, ["revoked 07 is no longer to be in it"]),
        ({"revoked_certificates": [SEVEN, {"serial_number": "258"}]}, ["revoked 01:02 is not in it"]),
        ({"revoked_certificates": [{**SEVEN, "reason": "superseded"}]}, ["revoked 07 differs"]),
        ({"revoked_certificates": [{**SEVEN, "invalidity_date": "-1d"}]}, ["revoked 07 differs"]),
        ({"revoked_certificates": [{**SEVEN, "revocation_date": "2026-01-01"}]}, ["revoked 07 differs"]),
        ({"revoked_certificates": [{"serial_number": one} for one in range(20, 30)]}, ["11 entries differ"]),
        (
            {"revoked_certificates": [SEVEN, {**SEVEN, **OTHER}]},
            ["issuing_distribution_point differs", "revoked 07 of dirName:CN=Other CA is not in it"],
        ),
        ({"next_update": "20991231235959Z"}, ["its next update differs"]),
        ({"last_update": "20260101000000Z"}, ["its last update differs"]),
        ({"number": 17}, ["its number is below 17"]),
        ({"digest": "sha512"}, ["it was signed with another digest"]),
        ({"signature_scheme": "pss"}, ["it was signed by another scheme"]),
        ({"force": True}, ["force is true"]),
    ],
)
def test_what_is_signed_anew(
    changed: dict[str, t.Any], reasons: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ca, path = ca_of(monkeypatch, "2048"), tmp_path / "ca.crl"
    given = {"path": str(path), **ca.options, **LIST, "revoked_certificates": [SEVEN]}
    ca.run(MODULE, **given)
    for check_mode in (True, False):
        result = ca.run(MODULE, check_mode, **{**given, **changed})
        assert result["changed"] and result["reasons"] == reasons
        assert result["details"]["number"] == {17: 17}.get(changed.get("number", 0), 2)
    assert number_of(crl_at(path)) == result["details"]["number"]
    assert ca.run(MODULE, **{**given, **changed})["changed"] is ("force" in changed)


def test_only_what_depends_on_the_moment_of_the_signature_is_not_foretold(ca: Certifier, tmp_path: Path) -> None:
    given = {"path": str(tmp_path / "ca.crl"), **ca.options, **LIST, "next_update": "20991231235959Z"}
    result = ca.run(MODULE, True, **given)
    told = result["changes"]
    assert result["diff"][0]["after_header"].startswith(f"{tmp_path}/ca.crl by the private key chosen by label 'root'")
    after = {row["name"]: row["after"] for row in told if row["name"].endswith("_update")}
    assert after == {"last_update": "not known", "next_update": "2099-12-31T23:59:59Z"}


def test_numbers_go_up_by_one_and_never_begin_again_by_themselves(ca: Certifier, tmp_path: Path) -> None:
    path = tmp_path / "ca.crl"
    given = {"path": str(path), **ca.options, **LIST}
    ca.run(MODULE, **{**given, "number": 41})
    for serial in (1, 2):
        ca.run(MODULE, **{**given, "revoked_certificates": [{"serial_number": serial}], "number": None})
    assert number_of(crl_at(path)) == 43
    assert not ca.run(MODULE, **{**given, "revoked_certificates": [{"serial_number": 2}], "number": 1})["changed"]
    path.unlink()
    for check_mode in (True, False):
        assert ca.run(MODULE, check_mode, **{**given, "number": None})["msg"] == (
            "number is refused: there is no list, so that it cannot be one more than the last; give 1 where the CA"
            " never had one, else more than the number of its last."
        )
    most = (1 << 159) - 1
    assert ca.run(MODULE, **{**given, "number": most})["details"]["number"] == most
    assert "has the highest that there is" in ca.run(MODULE, **given, force=True)["msg"]


def test_an_old_entry_keeps_its_date(ca: Certifier, tmp_path: Path) -> None:
    path = tmp_path / "ca.crl"
    given = {"path": str(path), **ca.options, **LIST}
    old = {"serial_number": 5, "revocation_date": "2026-01-01", "invalidity_date": "2025-12-31"}
    ca.run(MODULE, **{**given, "revoked_certificates": [old]})
    kept = {"serial_number": 5, "revocation_date": "-1h", "invalidity_date": "-2h"}
    assert not ca.run(MODULE, **{**given, "revoked_certificates": [kept]})["changed"]
    result = ca.run(MODULE, **{**given, "revoked_certificates": [{**kept, "reason": "superseded"}, SEVEN]})
    first, second = result["details"]["revoked_certificates"]
    assert first["revocation_date"] == "2026-01-01T00:00:00Z" and first["invalidity_date"] == "2025-12-31T00:00:00Z"
    assert first["reason"] == "superseded" and second["revocation_date"] >= f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    moved = {**old, "reason": "superseded", "revocation_date": "2026-02-01"}
    row = ca.run(MODULE, **{**given, "revoked_certificates": [moved, SEVEN]})["changes"][-1]
    assert row["name"] == "revoked 05" and row["after"] == (
        "2026-02-01T00:00:00Z, invalid since 2025-12-31T00:00:00Z, superseded"
    )


def test_update_keeps_the_entries_that_are_there(ca: Certifier, tmp_path: Path) -> None:
    given = {"path": str(tmp_path / "ca.crl"), "crl_mode": "update", **ca.options, **LIST}
    ca.run(MODULE, **{**given, "revoked_certificates": [{**SEVEN, "reason": "ca_compromise"}, {**SEVEN, **OTHER}]})
    result = ca.four_ways(MODULE, **{**given, "revoked_certificates": [{"serial_number": 8}]})
    told = [(row["serial_number"], row["reason"], row["issuer"]) for row in result["details"]["revoked_certificates"]]
    assert told == [("07", "ca_compromise", None), ("08", None, None), ("07", None, ["dirName:CN=Other CA"])]
    assert not ca.run(MODULE, **given)["changed"]


def test_unspecified_is_no_reason_and_the_own_name_no_issuer(ca: Certifier, tmp_path: Path) -> None:
    path = tmp_path / "ca.crl"
    row = {**SEVEN, "reason": "unspecified", "issuer": ["dirName:CN=Example Root CA"], "issuer_critical": True}
    ca.run(MODULE, path=str(path), **ca.options, **{**LIST, "revoked_certificates": [row]})
    assert [list(entry.extensions) for entry in crl_at(path)] == [[]] and len(crl_at(path).extensions) == 2


def test_renewal(ca: Certifier, tmp_path: Path) -> None:
    path = tmp_path / "ca.crl"
    given = {"path": str(path), **ca.options, **LIST}
    ca.run(MODULE, **{**given, "last_update": "-5d", "next_update": "+3d"})
    assert not ca.run(MODULE, renew_before="2d", **given)["changed"]
    renewed = ca.run(MODULE, renew_before="4d", **given)
    assert renewed["reasons"][0].startswith("its next update is at ") and number_of(crl_at(path)) == 2
    assert renewed["reasons"][0].endswith(", which is within renew_before")
    assert last_update(crl_at(path)) >= NOW and (next_update(crl_at(path)) or NOW) >= NOW + datetime.timedelta(days=7)
    assert {row["name"] for row in renewed["changes"]} == {"number", "last_update", "next_update"}
    assert not ca.run(MODULE, renew_before="4d", **given)["changed"]


def others_list(ca: Certifier, key: t.Any = None, **changed: t.Any) -> x509.CertificateRevocationList:
    """A list of another program, over by a day if nothing is said."""
    name, day = loaded({"certificate": ca.options["ca_content"]}).subject, datetime.timedelta(days=1)
    made: dict[str, t.Any] = {"name": name, "until": NOW - day, "extensions": (), "serials": (7,), **changed}
    rows = [x509.RevokedCertificateBuilder(one, NOW - day).build() for one in made["serials"]]
    builder = x509.CertificateRevocationListBuilder(made["name"], NOW - 9 * day, made["until"], [], rows)
    for one in made["extensions"]:
        builder = builder.add_extension(one, critical=False)
    return builder.sign(key or ca.key, made.get("digest", hashes.SHA256()))


def test_what_others_left_in_the_file(ca: Certifier, tmp_path: Path) -> None:
    path = tmp_path / "ca.crl"
    given = {"path": str(path), **ca.options, **LIST, "revoked_certificates": [SEVEN]}
    authority = authority_identifier(loaded({"certificate": ca.options["ca_content"]}))
    other_name = x509.Name([x509.NameAttribute(x509.OID_COMMON_NAME, "EXAMPLE Root CA")])
    both, over = (authority, x509.CRLNumber(9)), "its next update is over"
    for found, reasons, number in (
        (others_list(ca), ["crl_number differs", "authority_key_identifier differs", over], 1),
        (others_list(ca, extensions=both), [over], 10),
        (others_list(ca, extensions=both, until=NOW + datetime.timedelta(days=1)), [], 9),
        (others_list(ca, extensions=both, name=other_name), ["its issuer differs", over], 10),
        (others_list(ca, extensions=both, serials=(7, 7)), ["an entry is in it twice", over], 10),
        (others_list(ca, extensions=(*both, x509.DeltaCRLIndicator(8))), ["it is a delta list"], 1),
        (others_list(ca, private_key("secp256r1", 7)), ["its issuer's signature does not hold"], 1),
    ):
        path.write_bytes(found.public_bytes(Encoding.PEM))
        result = ca.run(MODULE, backup=True, **given)
        assert (result["reasons"], result["details"]["number"]) == (reasons, number)
        assert not ca.run(MODULE, **given)["changed"]
    path.write_bytes(b"no list")
    assert ca.run(MODULE, **given)["reasons"] == ["what is there is no revocation list"]


@pytest.mark.parametrize(
    ("lacking", "why"),
    [
        ("a list", "what is there is no revocation list"),
        ("the signature", "its issuer's signature does not hold"),
        ("the number", "the list that is there has none"),
    ],
)
def test_what_does_not_hold_tells_neither_number_nor_entries(
    lacking: str, why: str, ca: Certifier, tmp_path: Path
) -> None:
    path = tmp_path / "ca.crl"
    numbered = (x509.CRLNumber(9),)
    raw = {
        "a list": b"no list",
        "the signature": others_list(ca, private_key("secp256r1", 7), extensions=numbered).public_bytes(Encoding.DER),
        "the number": others_list(ca).public_bytes(Encoding.DER),
    }[lacking]
    path.write_bytes(raw)
    given = {"path": str(path), **ca.options, **LIST}
    assert ca.run(MODULE, **{**given, "number": None})["msg"].startswith(f"number is refused: {why}, so that")
    if lacking == "the number":
        assert ca.run(MODULE, crl_mode="update", **given)["changed"]
        return
    assert ca.run(MODULE, crl_mode="update", **given)["msg"] == (
        f"crl_mode 'update' is refused: {why}, so that its entries cannot be taken over; say all of them by generate."
    )
    assert path.read_bytes() == raw and ca.signatures == 0


def revoking(**row: t.Any) -> dict[str, t.Any]:
    return {"revoked_certificates": [{"serial_number": 3, **row}]}


ENTRY = "revoked_certificates[0]."


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ca_content": "x"}, "ca_content is refused: it is no certificate that can be read."),
        ({"next_update": "-1h"}, "next_update '-1h' is refused: it is not after last_update."),
        (
            {"next_update": "2026-01-01", "last_update": "2025-01-01"},
            "next_update '2026-01-01' is refused: it is over.",
        ),
        ({"next_update": "soon"}, "next_update 'soon' is refused: give a time in UTC as 20301231235959Z or"),
        (
            {"renew_before": "7d"},
            "renew_before '7d' is refused: it must be shorter than the time until next_update, or every run would sign",
        ),
        (
            {"renew_before": "7d", "next_update": "20991231235959Z"},
            "renew_before '7d' is refused: next_update is absolute, so that a new list would end at the same time",
        ),
        ({"number": -1}, "number -1 is refused: it must be from 0 to 2^159 - 1"),
        ({"number": 1 << 159}, f"number {1 << 159} is refused: it must be from 0 to 2^159 - 1"),
        ({"number": None}, "number is refused: there is no list, so that it cannot be one more than the last"),
        (
            {"revoked_certificates": [{"serial_number": 6}, SEVEN, {"serial_number": "7"}]},
            "revoked_certificates is refused: 07 is in it twice",
        ),
        (revoking(serial_number=0), f"{ENTRY}serial_number 0 is refused: it must be from 1 to 2^159 - 1"),
        (
            revoking(serial_number="0a"),
            f"{ENTRY}serial_number '0a' is refused: serial_numbers is integer, so give it in",
        ),
        (
            revoking(serial_number=True),
            f"{ENTRY}serial_number True is refused: serial_numbers is integer, so give it in",
        ),
        (
            {**revoking(serial_number=37230), "serial_numbers": "hex-octets"},
            f"{ENTRY}serial_number 37230 is refused: serial_numbers is hex-octets, so give it in quotation marks",
        ),
        (revoking(revocation_date="x"), f"{ENTRY}revocation_date 'x' is refused: give a time in UTC"),
        (revoking(invalidity_date="x"), f"{ENTRY}invalidity_date 'x' is refused: give a time in UTC"),
        (revoking(reason="remove_from_crl"), f"{ENTRY}reason 'remove_from_crl' is refused: it is of delta lists only"),
        (
            revoking(reason="superseded", reason_critical=True),
            f"{ENTRY}reason_critical True is refused: RFC 5280 has it not critical (section 5.3.1)",
        ),
        (
            revoking(invalidity_date="-1d", invalidity_date_critical=True),
            f"{ENTRY}invalidity_date_critical True is refused: RFC 5280 has it not critical (section 5.3.2)",
        ),
        (
            revoking(issuer=["dirName:CN=Other CA"]),
            f"{ENTRY}issuer_critical False is refused: RFC 5280 demands it where issuer is given (section 5.3.3)",
        ),
        (
            revoking(issuer=["DNS:ca.example.org"], issuer_critical=True),
            f"{ENTRY}issuer ['DNS:ca.example.org'] is refused: say it by the name in its certificate, as dirName:",
        ),
        (
            revoking(serial_number=None, content="x"),
            f"{ENTRY}content is refused: it is no certificate that can be read.",
        ),
    ],
)
def test_what_is_refused(given: dict[str, t.Any], message: str, ca: Certifier) -> None:
    task = {**ca.options, **LIST, **given}
    rows = task["revoked_certificates"]
    task["revoked_certificates"] = [{name: value for name, value in row.items() if value is not None} for row in rows]
    assert ca.run(MODULE, **task)["msg"].startswith(message)
    assert ca.run(MODULE, check_mode=True, **task)["msg"].startswith(message) and ca.signatures == 0


def test_a_ca_that_may_sign_no_lists(ca: Certifier, monkeypatch: pytest.MonkeyPatch) -> None:
    for changed, rule in (
        ({"key_usage": ["keyCertSign"]}, "its key usage lacks cRLSign"),
        ({"basic_constraints": None, "key_usage": ["cRLSign"]}, "it is no CA certificate"),
        ({"not_before": "2020-01-01", "not_after": "2021-01-01"}, "it ended at 2021-01-01T00:00:00Z"),
        ({"not_before": "+1d"}, "it is not valid before"),
    ):
        made = ca.run("hsm_certificate", **{**ROOT, **changed})["certificate"]
        assert ca.run(MODULE, ca_content=made, **LIST)["msg"].startswith(f"ca_content is refused: {rule}")
    old = loaded({"certificate": ca.options["ca_content"]})
    builder = x509.CertificateBuilder(old.subject, old.subject, old.public_key(), 5)
    builder = builder.not_valid_before(start(old)).not_valid_after(end(old))
    without = builder.add_extension(x509.BasicConstraints(True, None), critical=True).sign(ca.key, hashes.SHA256())
    assert ca.run(MODULE, ca_content=without.public_bytes(Encoding.PEM).decode(), **LIST)["changed"]
    other = ca_of(monkeypatch, "secp256r1", 5)
    assert other.run(MODULE, **ca.options, **LIST)["msg"].startswith(
        "ca_content is refused: it is the certificate of another key than (private ec key"
    )


def test_only_own_certificates_are_revoked_by_themselves(ca: Certifier, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = ca_of(monkeypatch, "secp256r1", 5, common_name="Other CA").options["ca_content"]
    ca = Certifier(monkeypatch)
    ca.options = {"ca_content": ca.run("hsm_certificate", **ROOT)["certificate"]}
    rows = [{"content": foreign}]
    assert ca.run(MODULE, **ca.options, **{**LIST, "revoked_certificates": rows})["msg"] == (
        "revoked_certificates[0].content is refused: it was not issued by this CA; say whose it is by issuer, if this"
        " list is to revoke it."
    )
    told = ca.run(MODULE, **ca.options, **{**LIST, "revoked_certificates": [{**rows[0], **OTHER}]})
    assert told["details"]["revoked_certificates"][0]["issuer"] == ["dirName:CN=Other CA"]


def test_what_goes_wrong_leaves_the_file(ca: Certifier, tmp_path: Path) -> None:
    path = tmp_path / "ca.crl"
    given = {"path": str(path), **ca.options, **LIST}
    ca.run(MODULE, **given)
    before = path.read_bytes()
    ca.session.keys.of[ca.pair.private.handle] = private_key("secp256r1", 8)
    result = ca.run(MODULE, force=True, backup=True, **given)
    assert result["msg"].startswith("Could not sign the revocation list with (public ec key")
    assert os.listdir(tmp_path) == ["ca.crl"] and path.read_bytes() == before
    ca.session.keys.mechanisms = ()
    assert ca.run(MODULE, force=True, **given)["ckr"] == "CKR_MECHANISM_INVALID"
    assert path.read_bytes() == before


def test_what_is_not_there_yet_in_check_mode(ca: Certifier, tmp_path: Path) -> None:
    given = {"path": str(tmp_path / "ca.crl"), "ca_path": str(tmp_path / "ca.pem"), **LIST}
    foretold = ca.run(MODULE, check_mode=True, return_content=True, **given)
    assert foretold["changed"] and foretold["crl"] is None and foretold["details"] is None
    assert "There is not yet" in str(foretold["warnings"]) and foretold["outcome"] == "generated"
    assert ca.run(MODULE, **given)["msg"].startswith(f"ca_path '{given['ca_path']}' is refused: it cannot be read")
    for wrong, rule in (
        (revoking(reason="remove_from_crl"), "revoked_certificates[0].reason 'remove_from_crl' is refused"),
        ({"number": None}, "number is refused: there is no list"),
        ({"next_update": "-1d"}, "next_update '-1d' is refused"),
    ):
        assert ca.run(MODULE, check_mode=True, **{**given, **wrong})["msg"].startswith(rule)
    (tmp_path / "ca.pem").write_text(ca.options["ca_content"])
    of_a_pair = ca.run(MODULE, check_mode=True, label="later", **given)
    assert of_a_pair["changed"] and of_a_pair["details"]["signature"] is None
    assert "the revocation list is known when it is there" in str(of_a_pair["warnings"])


def test_lists_of_other_cas_in_the_file_are_not_lost(ca: Certifier, tmp_path: Path) -> None:
    path = tmp_path / "all.crl"
    given = {"path": str(path), **ca.options, **LIST}
    ca.run(MODULE, **given)
    path.write_text(both := path.read_text() * 2)
    assert ca.run(MODULE, **given)["changed"] is False
    for option, value in (("force", True), ("format", "der")):
        for check_mode in (True, False):
            msg = ca.run(MODULE, check_mode, **{**given, option: value})["msg"]
            assert msg.endswith("it holds more than what is to be replaced, which would be lost; move it away.")
    assert path.read_text() == both and ca.signatures == 1


@pytest.mark.parametrize("option", ["serial_number", "content", "path"])
def test_a_certificate_that_an_earlier_task_is_to_issue(option: str, ca: Certifier) -> None:
    """In check mode hsm_certificate returns null for what is not known before it is signed."""
    given = {**ca.options, **LIST, "revoked_certificates": [SEVEN, {option: None}]}
    foretold = ca.run(MODULE, check_mode=True, **given)
    assert foretold["changed"] and foretold["reasons"] == ["There is not yet what revoked_certificates[1] is to hold"]
    assert ca.run(MODULE, **given)["msg"] == (
        "revoked_certificates[1].serial_number is refused: neither it nor path nor content has a value."
    )
    assert ca.signatures == 0


def test_the_file_of_the_ca_is_not_written(ca: Certifier, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text(ca.options["ca_content"])
    for given in ({"ca_path": str(path)}, {**ca.options, "revoked_certificates": [{"path": str(path)}]}):
        msg = ca.run(MODULE, path=str(path), **{**LIST, **given})["msg"]
        assert "which would be lost" in msg and path.read_text() == ca.options["ca_content"]


def test_pss_needs_a_newer_cryptography(ca: Certifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible_collections.cryptoki.hsm.plugins.module_utils._standard.versions.found_version", lambda dummy: "41.0.7"
    )
    assert ca.run(MODULE, signature_scheme="pss", **ca.options, **LIST)["msg"] == (
        "signature_scheme 'pss' is refused: revocation lists with it need cryptography 42 or later, found 41.0.7."
    )
