# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pairs of earlier times, which another program made: kept and removed, alone and in a list, never made."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken

WEAK: dict[str, t.Any] = {"type": "rsa", "label": "weak", "modulus_bits": 1024}
SMALL: dict[str, t.Any] = {"type": "ecc", "label": "small", "curve": "P-192"}


def entries(token: FaultyToken, *keypairs: dict[str, t.Any]) -> t.Any:
    return token.run("hsm_keypairs", keypairs=list(keypairs)).result


def test_legacy_pairs_in_a_list(token: FaultyToken) -> None:
    token.pkcs11_tool("--keypairgen", "--key-type", "rsa:1024", "--label", "weak", "--id", "01")
    token.pkcs11_tool("--keypairgen", "--key-type", "EC:prime192v1", "--label", "small", "--id", "02")
    keep = {"on_mismatch": "keep"}
    kept = entries(token, {**WEAK, **keep}, {**SMALL, **keep}, {"type": "ecc", "label": "new", "curve": "P-256"})
    assert [row["changed"] for row in kept["key_pairs"]] == [False, False, True]
    missing = entries(token, {**WEAK, **keep, "label": "none"}, {**SMALL, **keep})
    assert [row["failed"] for row in missing["key_pairs"]] == [True, False]
    assert "modulus_bits 1024 is refused: it must be at least 2048. There is none that could be kept." in missing["msg"]
    absent = {"state": "absent"}
    other = entries(token, {**WEAK, **absent, "modulus_bits": 2048}, {**SMALL, **absent, "curve": "P-256"})
    assert (
        "modulus_bits is 1024, wished 2048" in other["msg"] and "curve is secp192r1, wished secp256r1" in other["msg"]
    )
    assert len(token.listing()) == 6
    gone = entries(token, {**WEAK, **absent}, {**SMALL, **absent})
    assert [row["changed"] for row in gone["key_pairs"]] == [True, True]
    assert {row["label"] for row in token.listing()} == {"new"}


def test_an_aes_key_of_the_same_label_is_a_bystander(token: FaultyToken) -> None:
    token.pkcs11_tool("--keygen", "--key-type", "aes:32", "--label", "shared")
    token.ecc(label="shared", curve="P-256")
    runs = [token.run("hsm_key", label="shared", state="absent").result for dummy in range(2)]
    assert [run.get("changed") for run in runs] == [True, False], runs
    assert [row["class"] for row in token.listing()] == ["secret"]


def test_a_new_pair_that_could_not_be_proven_warns(token: FaultyToken) -> None:
    final_try = "C_GetTokenInfo^C_Login after flags 20000 0"
    run = token.faulty_ecc(final_try, label="k", private_attributes={"always_authenticate": True})
    assert run.result["changed"] is True
    assert "which is new: always_authenticate asks for the PIN" in json.dumps(run.result["warnings"])
    assert "warnings" not in token.ecc(label="k", curve="P-256").result
    refused = token.ecc(label="x", curve="P-256", usage=["decrypt"], pin="none")
    assert refused.msg == "usage 'decrypt' is refused: ECC keys encrypt nothing; choose sign or derive."
