# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as it is written, read, and verified; one changed byte in any file is told."""

from __future__ import annotations

import hashlib
import html
import re
import typing as t
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony import folder as folder_module
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.folder import Folder, derived, records_in
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.other_programs import shows_document, shows_key
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.page import page
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.signing import signer_of
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.verification import verify
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key

EVIL = "<script>alert('x')</script>\u202e&amp;"
FINGERPRINT = ":".join(["0a"] * 32)
Record = dict[str, t.Any]
START: Record = {
    "record": "start",
    "at": "2026-11-27T02:26:34.816+00:00",
    "title": f"Root {EVIL}",
    "participants": ["Witness <Bob>"],
    "playbook": "/srv/ceremony.yml",
    "versions": {"cryptoki.hsm": "0.1.0"},
    "command": {"limit": "one"},
}
SOURCES: Record = {
    "record": "sources",
    "of": "playbook",
    "files": [{"path": "playbook/ceremony.yml", "sha256": "f" * 64}],
}
END: Record = {"record": "end", "at": "2026-11-27T02:27:00.000+00:00", "status": "complete", "hosts": {}}


def step(**more: t.Any) -> Record:
    frame = {"record": "task", "name": "Have it", "module": "cryptoki.hsm.hsm_ecc_keypair", "host": "here"}
    return {**frame, "status": "changed", "seconds": 1.0, **more}


def pair(key: t.Any = None, **more: t.Any) -> Record:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode() if key else "PEM"
    told = {"label": "root", "id_hex": "0a:0b", "key_type": "ec", "curve": "secp256r1", "fingerprint": FINGERPRINT}
    uri = "pkcs11:token=the%20root;serial=17;object=root"
    return {**told, "uri": uri, "public_key_pem": pem, "private_key": {"sign": True, "extractable": False}, **more}


def made(key: t.Any = None, **more: t.Any) -> Record:
    options = {"module_path": "/lib/p11.so", "token_label": "the root", "expect_token": {"serial": "17"}}
    return step(outcome="generated", options=options, key_pairs=[pair(key, **more)])


def written(folder: Path, *records: Record) -> Path:
    report = Folder(str(folder), "report")
    for record in (START, SOURCES, *records, END):
        report.append(record)
    anchor = report.finish()
    assert anchor == hashlib.sha256((report.path / "report.jsonl").read_bytes()).hexdigest()
    return report.path


def shown(*records: Record) -> str:
    """The text of a page."""
    return html.unescape(re.sub("<[^>]+>", "", page(records, "ab" * 32).partition("<body>")[2]))


def test_the_page_escapes_everything_and_loads_nothing() -> None:
    rows = {"name": EVIL, "message": EVIL, "host": EVIL, "options": {"label": EVIL, EVIL: [EVIL]}}
    text = page(
        [START, {**SOURCES, "files": [{"path": EVIL, "sha256": EVIL}]}, step(**rows), made(label=EVIL), END], EVIL
    )
    assert "<script" not in text and "\u202e" not in text
    assert "alert('x')" in html.unescape(text)
    assert not re.search(r"(?i)\bsrc=|\bhref=|url\(|@import|<link", text)


def test_the_page_shows_numbers_in_groups_and_what_other_programs_show() -> None:
    text = shown(START, made(), END)
    assert " ".join(["0a0a"] * 16) in text and " ".join(["abab"] * 16) in text
    assert "p11tool --provider /lib/p11.so --export 'pkcs11:token=the%20root;serial=17;object=root;type=public'" in text
    assert "Witness <Bob>" in text and "Limited to" in text and "The key pair was made." in text
    assert "Complete" in text and "SHA-256 of the public key" in text and "Compared before each step with" in text


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ({}, {**END, "status": "failed"}, "Failed: this is what happened until then"),
        ({"rehearsal": True}, END, "Rehearsal: nothing was made or changed"),
        ({"rehearsal": True}, {**END, "status": "failed"}, "Rehearsal. Failed: this is what happened until then"),
        ({}, None, "Broken off: this is what happened until then"),
    ],
)
def test_the_page_tells_how_the_run_ended(start: Record, end: Record | None, words: str) -> None:
    text = shown({**START, **start}, step(check_mode=bool(start)), *([end] if end else []))
    assert words in text and "Complete" not in text
    assert ("logged in to the tokens" in text) is bool(start)


def test_a_rehearsal_with_steps_that_were_done_in_earnest_says_so() -> None:
    rehearsed = step(check_mode=True)
    text = shown({**START, "rehearsal": True}, rehearsed, step(), step(status="ok"), step(status="begun"), END)
    assert "Rehearsal, but 2 of its steps changed something" in text and "nothing was made" not in text
    assert "nothing was made" in shown({**START, "rehearsal": True}, rehearsed, step(status="ok"), END)


def test_of_many_pairs_those_that_failed_or_were_removed_are_none() -> None:
    gone = {"label": "gone", "outcome": "removed"}
    bad = {"label": "bad", "outcome": "none", "failed": True, "msg": "Could not make it: CKR_DEVICE_MEMORY"}
    many = [pair(label=f"of {number}", fingerprint=f"{number:02x}" * 32) for number in range(9)]
    text = shown(START, step(status="failed", key_pairs=[*many, gone, bad]), END)
    assert text.count("Public key of ") == 9 and "Public key gone" not in text and "Public key bad" not in text
    assert "Could not make it: CKR_DEVICE_MEMORY" in text and "was removed" in text and "and 1 more, below" in text
    assert "known after generation" not in text


def test_a_pair_that_was_removed_or_replaced_later_is_none() -> None:
    gone = {"name": "fingerprint", "before": FINGERPRINT, "after": None}
    for last in (step(outcome="removed", changes=[gone]), step(key_pairs=[{"outcome": "removed", "changes": [gone]}])):
        assert "Public key root" not in shown(START, made(), last, END)
        assert "Public key root" in shown(START, made(), {**last, "check_mode": True}, END)
    renewed = step(module="cryptoki.hsm.hsm_certificate", outcome="replaced", changes=[{**gone, "after": "0b" * 32}])
    assert "Public key root" in shown(START, made(), renewed, END)
    replaced = made(fingerprint="0b" * 32) | {"changes": [{**gone, "after": "0b" * 32}]}
    text = shown(START, made(), replaced, END)
    assert text.count("Public key root") == 1 and "To be compared by eye" in text and "0b0b" in text


def test_what_a_step_does_not_return_is_not_known_later() -> None:
    revoked = {"kind": "revocation list", "issuer": "CN=Root", "file": "/root.crl", "next_update": "soon"}
    text = shown(START, step(documents=[revoked]), END)
    assert text.count("not told by its step") == 3 and "known after" not in text
    text = shown(START, step(documents=[revoked], check_mode=True), END)
    assert text.count("known after generation") == 3 and "not told" not in text


@pytest.mark.parametrize("options", [{"token_label": "the root"}, {"slot_id": 3}])
def test_a_token_that_was_not_always_pinned(options: dict[str, t.Any]) -> None:
    pinned = "Compared before each step with"
    assert pinned in shown(START, made(), step(status="failed"), step(options={"token_label": "other"}), END)
    pairs = [] if "token_label" in options else [pair()]
    text = shown(START, made(), step(options=options, key_pairs=pairs), END)
    assert pinned not in text and "Compared before some of the steps with" in text


def test_the_page_tells_what_was_not_done() -> None:
    judged = step(judged=True, status="ok", message="Refused")
    assert "itself judged this" in shown(START, judged, END) and "Refused" in shown(START, judged, END)
    hidden, no_host = step(hidden=True, status="ok"), {"record": "no_hosts", "play": "Play"}
    steps = [step(status=status) for status in ("skipped", "ignored", "ignored", "rescued", "begun", "unreachable")]
    text = shown(START, *steps, hidden, no_host, END)
    assert "1 left out, 2 failed and ignored, 1 failed and provided for" in text
    assert "1 not reached, 1 begun in the background" in text
    assert "The playbook hides what it was." in text and "No computer was meant" in text
    assert "Begun in the background" in text and "was not reached" in text


def test_that_a_pair_was_proven_stays_told_and_what_it_may_do_now_is_told() -> None:
    later = pair(unverified_reason="it was there already", private_key={"sign": False, "extractable": False})
    text = shown(START, made(verified="CKM_ECDSA"), step(outcome="none", key_pairs=[later]), END)
    assert text.count("Public key root") == 1 and "Proven withCKM_ECDSA" in text and "Not proven" not in text
    assert "The private key maynothing" in text


def test_a_rehearsal_shows_what_is_known_later() -> None:
    foretold = {"kind": "certificate", "subject": "CN=Root", "file": "/root.pem", "not_after": "2030-01-01T00:00:00Z"}
    record = step(check_mode=True, outcome="generated", documents=[foretold], key_pairs=[pair(fingerprint=None)])
    foreign = step(module="ansible.builtin.file", check_mode=True)
    text = shown({**START, "rehearsal": True}, record, foreign, END)
    assert "It would be done." in text and "Done." not in text
    assert text.count("known after generation") >= 4 and "would be made" in text and "pkcs11-tool" not in text


def test_the_key_that_signs() -> None:
    assert signer_of([START, step(), made(private_key={"sign": False})]) is None
    other = made(label="report", id_hex=None, key_type="rsa")
    first = signer_of([START, made(), other])
    assert (
        first and first.label == "root" and "--id 0a0b --mechanism ECDSA --signature-format openssl" in first.sign()[1]
    )
    named = signer_of([{**START, "signing_key": "report"}, made(), other])
    assert named and named.sign() == [
        "pkcs11-tool --module /lib/p11.so --token-label 'the root' --login --sign --label report"
        " --mechanism SHA256-RSA-PKCS --input-file SHA256SUMS --output-file SHA256SUMS.sig"
    ]
    assert signer_of([{**START, "signing_key": "none"}, made()]) is None


def test_lines_that_cannot_be_told() -> None:
    assert shows_key(pair()) is None and shows_document({"kind": "request", "file": None}) is None
    assert shows_document({"kind": "request", "file": "/a b", "sha256": "x"}) == (
        "openssl req -in '/a b' -outform DER | sha256sum"
    )


def signed(folder: Path, key: t.Any) -> bytes:
    content = (folder / "SHA256SUMS").read_bytes()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        signature: bytes = key.sign(content, ec.ECDSA(hashes.SHA256()))
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        signature = key.sign(content)
    else:
        signature = key.sign(content, padding.PKCS1v15(), hashes.SHA256())
    (folder / "SHA256SUMS.sig").write_bytes(signature)
    return signature


@pytest.mark.parametrize("kind", ["secp256r1", "2048", "ed25519"])
def test_one_changed_byte_is_told(kind: str, tmp_path: Path) -> None:
    key = private_key(kind, 1)
    folder = written(tmp_path, made(key))
    signed(folder, key)
    verdict = verify(folder, "0.1.0")
    assert verdict["holds"] and verdict["playbook_sha256"] == "f" * 64 and verdict["collection_version"] == "0.1.0"
    assert len(verdict["unproven"]) == 2 and verdict["state"] == "complete" and not verdict["rehearsal"]
    names = sorted(file.name for file in folder.iterdir())
    assert names == sorted(
        ["report.jsonl", "report.html", "sources.sha256", "signer.pem", "SHA256SUMS", "SHA256SUMS.sig"]
    )
    for name in names:
        content = (folder / name).read_bytes()
        for at in (0, len(content) // 2, len(content) - 1):
            (folder / name).write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            assert not verify(folder, "0.1.0")["holds"], (name, at)
        (folder / name).write_bytes(content)
    assert verify(folder, "0.1.0")["holds"]


def test_a_report_that_was_made_anew_is_told_by_the_number_or_the_key(tmp_path: Path) -> None:
    folder = written(tmp_path, made(private_key("secp256r1", 1)))
    number = " ".join(re.findall("....", verify(folder, "0.1.0")["sha256"]))
    signed(folder, private_key("secp256r1", 1))
    known = tmp_path / "known.pem"
    known.write_bytes((folder / "signer.pem").read_bytes())
    assert verify(folder, "0.1.0", number, known) | {"unproven": []} == verify(folder, "0.1.0") | {"unproven": []}
    assert verify(folder, "0.1.0", number, known)["unproven"] == []
    other = written(tmp_path, made(private_key("secp256r1", 2)))
    assert other != folder
    signed(other, private_key("secp256r1", 2))
    assert verify(other, "0.1.0")["holds"]
    problems = verify(other, "0.1.0", number, known)["problems"]
    assert len(problems) == 2 and "signature" in problems[0] and "written down" in problems[1]
    (other / "SHA256SUMS.sig").unlink()
    assert "there is no signature by the given key" in verify(other, "0.1.0", None, known)["problems"]


def test_a_page_that_says_something_else_than_the_records(tmp_path: Path) -> None:
    """The sums are made anew, as somebody would do it."""
    folder = written(tmp_path, step())
    (folder / "report.html").write_text("<p>All is well.")
    sums = (folder / "SHA256SUMS").read_text().splitlines()
    new = hashlib.sha256(b"<p>All is well.").hexdigest()
    (folder / "SHA256SUMS").write_text("".join(f"{new if 'html' in s else s[:64]}{s[64:]}\n" for s in sums))
    problems = verify(folder, "0.1.0")["problems"]
    assert "report.html tells something else than report.jsonl" in problems
    later = verify(folder, "0.2.0")  # whose own page may be another one
    assert later["holds"] and "that report.html tells what is in report.jsonl" in later["unproven"][0]
    (folder / "report.html").write_text("<p>All is well!")
    problems = verify(folder, "0.2.0")["problems"]
    assert "report.html was changed" in problems[0] and "SHA256SUMS is not what follows" in problems[1]


def test_a_later_version_with_another_page_finds_an_old_report_to_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path, made(private_key("secp256r1", 1)))
    signed(folder, private_key("secp256r1", 1))
    monkeypatch.setattr(folder_module, "page", lambda records, anchor: "<p>A nicer page.")
    later = verify(folder, "0.2.0")
    assert later["problems"] == [] and "version 0.1.0 made it" in later["unproven"][0]
    assert "report.html tells something else than report.jsonl" in verify(folder, "0.1.0")["problems"]
    (folder / "signer.pem").unlink()
    assert verify(folder, "0.2.0")["problems"][0] == "signer.pem is missing"


def test_the_digest_that_was_signed_and_a_key_that_signs_nothing(tmp_path: Path) -> None:
    folder = written(tmp_path, made(private_key("secp256r1", 1)))
    digest = folder / "SHA256SUMS.digest"
    digest.write_bytes(hashlib.sha256((folder / "SHA256SUMS").read_bytes()).digest())
    assert verify(folder, "0.1.0")["holds"]
    digest.write_bytes(b"All is well.")
    assert verify(folder, "0.1.0")["problems"] == ["SHA256SUMS.digest is not the digest of SHA256SUMS"]
    digest.unlink()
    signed(folder, private_key("secp256r1", 1))
    known = tmp_path / "known.pem"
    exchange = x25519.X25519PrivateKey.generate().public_key()
    known.write_bytes(exchange.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert verify(folder, "0.1.0", None, known)["problems"] == ["the signature over SHA256SUMS does not hold"]


def test_what_is_missing_or_too_much(tmp_path: Path) -> None:
    folder = written(tmp_path, step())
    (folder / "note.txt").write_text("x")
    assert verify(folder, "0.1.0")["problems"] == ["note.txt is not covered by SHA256SUMS"]
    (folder / "note.txt").unlink()
    (folder / "report.html").unlink()
    assert verify(folder, "0.1.0")["problems"] == ["report.html is missing"]
    assert not verify(tmp_path / "none", "0.1.0")["holds"]


def test_a_killed_run_leaves_its_records(tmp_path: Path) -> None:
    report = Folder(str(tmp_path), "report")
    report.append(START)
    with (report.path / "report.jsonl").open("a") as file:
        file.write('{"record": "ta')
    verdict = verify(report.path, "0.1.0")
    assert verdict["state"] == "broken off" and "there is no SHA256SUMS" in verdict["problems"][0]
    assert Folder(str(tmp_path), "report").path.name == "report-2"
    with pytest.raises(ValueError, match="no records"):
        records_in(b"{}\n")


def test_all_files_follow_from_the_records(tmp_path: Path) -> None:
    folder = written(tmp_path, made(private_key("secp256r1", 1)))
    files = derived((folder / "report.jsonl").read_bytes())
    assert {name: (folder / name).read_text() for name in files} == files
