# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SIGKILL in the middle of many pairs: the next run makes the rest, and no pair is lost, doubled or half."""

from __future__ import annotations

import re

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.remains import removed
from ansible_collections.cryptoki.hsm.tests.support.six_pairs import (
    LABELS,
    SIX,
    assert_converged,
    column,
    ecc,
    many,
    rows,
    there,
)


@pytest.mark.parametrize(
    "rule",
    [
        "C_GenerateKeyPair#1 before kill",
        "C_GenerateKeyPair#3 after kill",
        "C_Sign#1 before kill",
        "C_GenerateKeyPair#6 after kill",
        "C_FindObjectsInit^C_Sign before kill",
        "C_CloseSession before kill",
        "C_Finalize after kill",
    ],
)
def test_kill_between_calls(token: FaultyToken, rule: str) -> None:
    assert token.start("hsm_keypairs", rule, keypairs=SIX, parallel=1).died()
    assert set(map(tuple, there(token).values())) <= {("private", "public")}
    assert_converged(token)


@pytest.mark.parametrize(
    "rule", ["C_GenerateKeyPair#3 after kill", "C_GenerateKeyPair#5 after kill", "C_Sign#2 after kill"]
)
def test_kill_while_other_threads_write(token: FaultyToken, rule: str) -> None:
    """They may be in the middle of a pair: the next run makes the others, and names each half, to be removed by it."""
    assert token.start("hsm_keypairs", rule, keypairs=SIX, parallel=4).died()
    for _half in ("public", "private"):
        run = token.run("hsm_keypairs", keypairs=SIX)
        for row in rows(run):
            if row["failed"]:
                assert removed(token, "hsm_ecc_keypair", row["msg"]).result["changed"] is True
    assert_converged(token)


@pytest.mark.parametrize("moment", [1, 3])
def test_kill_while_pairs_are_removed(token: FaultyToken, moment: int) -> None:
    """Between two objects of a pair its public half stays, which the next run names."""
    many(token)
    absent = [{"type": "ecc", "label": label, "state": "absent"} for label in LABELS]
    assert token.start("hsm_keypairs", f"C_DestroyObject#{2 * moment} before kill", keypairs=absent, parallel=1).died()
    run = token.run("hsm_keypairs", keypairs=absent)
    assert column(run, "failed").count(True) == 1
    (left,) = token.listing()
    assert left["class"] == "public" and left["id"] in run.msg.replace(":", "")
    by_id = {"type": "ecc", "state": "absent", "id_hex": left["id"]}
    assert token.run("hsm_keypairs", keypairs=[by_id]).result["changed"] is True
    assert token.run("hsm_keypairs", keypairs=absent).result["changed"] is False
    assert token.listing() == []


REPLACE = [ecc(label, curve="P-384", on_mismatch="replace") for label in LABELS]


@pytest.mark.parametrize("rule", ["C_GenerateKeyPair#3 after kill", "C_DestroyObject#1 before kill"])
def test_kill_while_pairs_are_replaced(token: FaultyToken, rule: str) -> None:
    """Every old pair is still there; the new ones beside them are named, and go by the label of the message."""
    old = column(many(token), "fingerprint")
    assert token.start("hsm_keypairs", rule, keypairs=REPLACE, parallel=1).died()
    kept = token.run("hsm_keypairs", keypairs=SIX, verify=True)
    assert column(kept, "fingerprint") == old and kept.result["changed"] is False
    run = token.run("hsm_keypairs", keypairs=REPLACE)
    begun = [row["msg"] for row in rows(run) if row["failed"]]
    assert len(begun) == (3 if "#3" in rule else 6)
    left = [re.search(r"remove the new one \(state=absent, label '(replacement [0-9a-f]{16})'\)", msg) for msg in begun]
    removal = [{"type": "ecc", "state": "absent", "label": label[1]} for label in left if label]
    assert column(token.run("hsm_keypairs", keypairs=removal), "changed") == [True] * len(begun)
    assert_converged(token, keypairs=REPLACE)
