# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys that ask for the PIN at each use: given once a use, and never again after the token refused it."""

from __future__ import annotations

import json
import typing as t

from cryptography import x509

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken

ASKING: dict[str, t.Any] = {"private_attributes": {"always_authenticate": True}}
REFUSED = "C_Login#2 instead return 0xA0"  # CKR_PIN_INCORRECT
FINAL_TRY = "C_GetTokenInfo^C_Login after flags 20000 0"


def test_it_is_proven_and_signs(token: FaultyToken) -> None:
    made = token.faulty_ecc(label="k", **ASKING)
    assert (made.key_pair["verified"], made.calls["C_Login"], made.calls["C_Sign"]) == ("CKM_ECDSA", 2, 1)
    assert "always authenticate" in token.objects()
    run = token.faulty("hsm_csr", label="k", common_name="www.example.org")
    assert (run.calls["C_Login"], run.calls["C_SignInit"], run.calls["C_Sign"]) == (2, 1, 1)
    assert x509.load_pem_x509_csr(run.result["csr"].encode()).is_signature_valid
    # SoftHSM does not sign without the second login, or the counts above would say nothing.
    refused = token.faulty("hsm_csr", "C_Login#2 instead return 0", label="k", common_name="www.example.org")
    assert refused.result["ckr"] == "CKR_USER_NOT_LOGGED_IN"
    # Decryption is another door to the same room.
    keys = token.faulty_rsa(label="r", usage=["decrypt"], **ASKING)
    assert (keys.key_pair["verified"], keys.calls["C_Login"]) == ("CKM_RSA_PKCS_OAEP", 2)


def test_a_copy_of_it_is_proven(token: FaultyToken) -> None:
    frozen: dict[str, t.Any] = {"private_attributes": {"always_authenticate": True, "modifiable": False}}
    made = token.faulty_ecc(label="k", **frozen)
    assert made.key_pair["verified"] == "CKM_ECDSA" and made.calls["C_CopyObject"] == 1
    # Once to log in, for the proof of the new pair, of its original, and of the copy.
    assert made.calls["C_Login"] == 1 + made.calls["C_Sign"] == 4


def test_a_refused_pin_is_never_tried_again(token: FaultyToken) -> None:
    run = token.faulty_ecc(REFUSED, label="k", **ASKING)
    assert token.text(run.msg).startswith(
        "Could not log in for one use of the private key 'k' on the token 'test token' (serial SERIAL, slot N): the HSM"
        " answered CKR_PIN_INCORRECT; check the PIN; the login was tried once and is never repeated"
    )
    assert run.calls["C_Login"] == 2 and token.listing() == []
    pairs = [{"type": "ecc", "label": name, "curve": "P-256", **ASKING} for name in ("a", "b", "c")]
    many = token.faulty("hsm_keypairs", REFUSED, keypairs=pairs)
    assert many.calls["C_Login"] == 2
    # Those that were at work when it was refused fail with it, and those that came later are not proven.
    assert all("CKR_PIN_INCORRECT" in json.dumps(row) for row in many.result["key_pairs"])


def test_a_pin_that_would_lock_is_not_given(token: FaultyToken) -> None:
    made = token.faulty_ecc(FINAL_TRY, label="k", **ASKING)
    assert made.key_pair["verified"] is None and made.calls["C_Login"] == 1
    assert "a wrong one would lock it now (CKF_USER_PIN_FINAL_TRY)" in made.key_pair["unverified_reason"]
    run = token.faulty("hsm_csr", FINAL_TRY, label="k", common_name="www.example.org")
    assert run.calls["C_Login"] == 1 and "C_SignInit" not in run.calls
    assert token.text(run.msg).endswith(
        "on the token 'test token': always_authenticate asks for the PIN at each use, and a wrong one would lock it now"
        " (CKF_USER_PIN_FINAL_TRY)."
    )
