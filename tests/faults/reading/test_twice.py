# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One handle twice in an answer is one object, and no pair of another host's."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken

TWICE = "C_FindObjects after twice"


def test_a_pair_is_generated_and_found(token: FaultyToken) -> None:
    run = token.faulty_ecc(TWICE, label="k")
    assert run.result["changed"] is True
    again = token.faulty_ecc(TWICE, label="k")
    assert again.result["changed"] is False
    assert again.key_pair["fingerprint"] == run.key_pair["fingerprint"]
    assert token.halves("k") == ["private", "public"]


def test_a_pair_is_listed_and_counted_once(token: FaultyToken) -> None:
    token.ecc(label="k", curve="P-256")
    run = token.faulty("hsm_key_info", TWICE)
    assert [row["class"] for row in run.result["objects"]] == ["public_key", "private_key"]
    assert [row["problems"] for row in run.result["key_pairs"]] == [[]]
    run = token.faulty("hsm_key", TWICE, label="k", new_label="l")
    assert run.result["changed"] is True
    assert token.halves("l") == ["private", "public"]


def test_a_pair_is_removed(token: FaultyToken) -> None:
    token.ecc(label="k", curve="P-256")
    token.ecc(label="other", curve="P-256")
    assert token.faulty_ecc(TWICE, label="k", curve=None, state="absent").result["changed"] is True
    assert sorted(row["label"] for row in token.listing()) == ["other", "other"]


def test_many_pairs(token: FaultyToken) -> None:
    wished: list[dict[str, t.Any]] = [{"label": f"k{number}", "type": "ecc", "curve": "P-256"} for number in range(2)]
    assert token.faulty("hsm_keypairs", TWICE, keypairs=wished).result["changed"] is True
    assert token.faulty("hsm_keypairs", TWICE, keypairs=wished).result["changed"] is False
    assert len(token.listing()) == 4
