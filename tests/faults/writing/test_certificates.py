# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates that another program stored beside a pair: named, kept, taken along; and a token without any."""

from __future__ import annotations

import typing as t

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.memory_certificates import der

WISH: dict[str, t.Any] = {"label": "k", "curve": "P-256", "id": "one"}
NAMED = "its id is that of (certificate, subject 'CN=web', serial number 4f:6e:17, label 'k', id 6f:6e:65)."
ACTS: dict[str, tuple[str, dict[str, t.Any], set[tuple[str, str]]]] = {
    "remove": ("hsm_ecc_keypair", {"label": "k", "id": "one", "state": "absent"}, set()),
    "replace": (
        "hsm_ecc_keypair",
        {**WISH, "curve": "P-384", "on_mismatch": "replace"},
        {("private", "6f6e65"), ("public", "6f6e65")},
    ),
    "rename": (
        "hsm_key",
        {"label": "k", "new_id": "two"},
        {("private", "74776f"), ("public", "74776f"), ("certificate", "74776f")},
    ),
}


def store_certificate(token: FaultyToken) -> dict[str, t.Any]:
    """A pair, and the certificate that pkcs11-tool stores beside it."""
    pair = token.ecc(**WISH).key_pair
    file = token.folder / "certificate.der"
    file.write_bytes(der(load_pem_public_key(pair["public_key_pem"].encode())))
    token.pkcs11_tool("--write-object", str(file), "--type", "cert", "--label", "k", "--id", "6f6e65")
    return pair


def there(token: FaultyToken) -> set[tuple[str, str]]:
    """The class and id of all objects."""
    return {(row["class"], row["id"]) for row in token.listing()}


@pytest.mark.parametrize("act", ACTS)
def test_what_becomes_of_a_certificate(token: FaultyToken, act: str) -> None:
    module, task, left = ACTS[act]
    store_certificate(token)
    before = there(token)
    assert before == {("private", "6f6e65"), ("public", "6f6e65"), ("certificate", "6f6e65")}
    for check_mode in (True, False):
        refused = token.faulty(module, check_mode=check_mode, **task)
        assert refused.msg.startswith(f"Refused to {act} the ") and NAMED in refused.msg
        assert not refused.writes and there(token) == before
    assert token.faulty(module, check_mode=True, certificates="follow", **task).result["changed"] is True
    assert there(token) == before
    done = token.faulty(module, certificates="follow", **task)
    assert done.result["changed"] is True, done.msg
    assert there(token) == left


@pytest.mark.parametrize("ckr", ["0x13", "0xd1"])
def test_a_token_that_has_no_certificates(token: FaultyToken, ckr: str) -> None:
    """It refuses to search for them, after two searches for keys."""
    token.ecc(**WISH)
    run = token.faulty("hsm_ecc_keypair", f"C_FindObjectsInit#3 instead return {ckr}", **ACTS["remove"][1])
    assert run.result["changed"] is True and there(token) == set()


def test_a_search_that_fails_is_no_absence(token: FaultyToken) -> None:
    store_certificate(token)
    run = token.faulty("hsm_ecc_keypair", "C_FindObjectsInit#3 instead return 0x30", **ACTS["remove"][1])
    assert "CKR_DEVICE_ERROR" in run.msg and not run.writes


def test_info_tells_of_certificates(token: FaultyToken) -> None:
    store_certificate(token)
    (pair,) = token.run("hsm_key_info", label="k").result["key_pairs"]
    (certificate,) = pair["certificates"]
    assert (certificate["subject"], certificate["not_after"]) == ("CN=web", "2036-01-01T00:00:00Z")
    told = {name: certificate[name] for name in ("issuer", "label", "id_hex", "serial_number", "not_before")}
    assert told == {
        "issuer": "CN=web",
        "label": "k",
        "id_hex": "6f:6e:65",
        "serial_number": "4f:6e:17",
        "not_before": "2026-01-01T00:00:00Z",
    }
    assert pair["problems"] == []
    replace = {"curve": "P-384", "on_mismatch": "replace", "certificates": "keep"}
    assert token.ecc(**{**WISH, **replace}).result["changed"] is True
    token.ecc(label="other", curve="P-256")
    pairs = token.run("hsm_key_info", attributes=["extractable"]).result["key_pairs"]
    told = {pair["label"]: (pair["problems"], len(pair["certificates"])) for pair in pairs}
    assert told == {"k": (["stale_certificate"], 1), "other": ([], 0)}
