# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A library whose answers no token can mean: one line, soon, and nothing new on the token."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken

# Each rule, and how the message ends.
RULES = {
    "C_GetMechanismList after poke 2 0 1000000000000000": "the HSM answered C_GetMechanismList with 1152921504606846976"
    " entries; the library or its connection is broken.",
    "C_GetSlotList after poke 2 0 1000000000000000": "the HSM answered C_GetSlotList with 1152921504606846976 entries;"
    " the library or its connection is broken.",
    # 1 GiB of numbers, which fit into memory.
    "C_GetSlotList after poke 2 0 8000000": "the HSM answered C_GetSlotList with 134217728 entries; the library or its"
    " connection is broken.",
    "C_FindObjects after poke 3 0 1": "C_FindObjects without an end: 1 different handles so far; the library or its"
    " connection is broken.",
    "C_FindObjects after poke 3 0 1000": "C_FindObjects with 4096 handles where 64 were asked for; the library or its"
    " connection is broken.",
}


@pytest.mark.parametrize("rule", RULES)
def test_counts_and_searches(token: FaultyToken, rule: str) -> None:
    start = time.monotonic()
    run = token.faulty_ecc(rule, label="k", curve="P-256")
    assert run.msg.endswith(RULES[rule]), run.msg
    assert not run.writes
    assert time.monotonic() - start < 60


@pytest.mark.parametrize(
    "value",
    [
        "0 0400000000000000",  # CKA_CLASS: a secret key
        "162 01000000",  # CKA_EXTRACTABLE of 4 bytes
        "102 " + "ab" * 2000,  # CKA_ID
        "180 " + "06" * 2000,  # CKA_EC_PARAMS
        "181 00",  # CKA_EC_POINT
        "100 ff",  # CKA_KEY_TYPE
        "3 ff",  # CKA_LABEL, no UTF-8
    ],
)
@pytest.mark.parametrize("module", ["hsm_ecc_keypair", "hsm_key_info", "hsm_key"])
def test_values_that_are_none(token: FaultyToken, module: str, value: str) -> None:
    token.ecc(label="k", curve="P-256")
    options = {"hsm_ecc_keypair": {"curve": "P-256"}, "hsm_key": {"state": "absent"}}.get(module, {})
    run = token.faulty(module, f"C_GetAttributeValue after value {value}", label="k", check_mode=True, **options)
    assert "Unexpected" not in run.stdout and "Traceback" not in run.stdout + run.stderr
    assert not run.writes


def test_an_exponent_that_no_number_is_made_of(token: FaultyToken) -> None:
    """Anyone can store such a public key without a PIN."""
    token.rsa(label="k", modulus_bits=2048)
    run = token.faulty("hsm_key_info", f"C_GetAttributeValue after value 122 {'ff' * 2000}", label="k")
    assert run.result["changed"] is False and not run.stderr
    (public,) = (found for found in run.result["objects"] if found["class"] == "public_key")
    assert "public_exponent" in public["unreadable"]
    assert run.result["key_pairs"][public["key_pair"]]["public_key"] == {"handle": public["handle"]}


@pytest.mark.parametrize(
    "value",
    ["0 0400000000000000", "162 01000000", "102 " + "ab" * 2000, "181 00", "100 ff", "3 ff", "122 " + "ff" * 2000],
)
@pytest.mark.parametrize("kind", ["ecc", "rsa"])
def test_a_new_pair_that_cannot_be_read_leaves_nothing(token: FaultyToken, kind: str, value: str) -> None:
    kinds: dict[str, dict[str, t.Any]] = {"ecc": {"curve": "P-256"}, "rsa": {"modulus_bits": 2048}}
    rule = f"C_GetAttributeValue^C_GenerateKeyPair after value {value}"
    run = token.faulty(f"hsm_{kind}_keypair", rule, label="k", **kinds[kind])
    assert "Unexpected" not in run.stdout and "Traceback" not in run.stdout + run.stderr
    if run.result.get("failed"):
        assert "\n" not in run.msg and "test token" in run.msg
        assert token.halves("k") == []
