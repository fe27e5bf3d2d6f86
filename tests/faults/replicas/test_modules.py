# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option replicas of the modules that change keys and of the one for many pairs."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.tests.support.nodes import NAMES, WHOLE, Nodes

DOWN = "C_GetSlotList instead return 0x30"
NONE: dict[str, list[str]] = {name: [] for name in NAMES}
EVERYWHERE = dict.fromkeys(NAMES, WHOLE)


def attributes(nodes: Nodes, **choice: t.Any) -> dict[str, dict[str, t.Any]]:
    """The private half's attributes on each token, read alone."""
    told = {}
    for name, token in nodes.tokens.items():
        objects = token.run("hsm_key_info", **choice).result["objects"]
        (told[name],) = (found["attributes"] for found in objects if found["class"] == "private_key")
    return told


def test_key_is_renamed_everywhere(nodes: Nodes) -> None:
    nodes.ecc()
    before = nodes.objects()
    wish: dict[str, t.Any] = {"label": "k", "new_label": "renamed"}
    run = nodes.run("hsm_key", check_mode=True, **wish)
    assert run.result["changed"] is True
    assert not run.writes
    assert nodes.objects() == before
    run = nodes.run("hsm_key", **wish)
    assert run.result["changed"] is True
    assert run.status_of == dict.fromkeys(NAMES, "ok")
    assert nodes.halves() == NONE
    assert nodes.halves("renamed") == EVERYWHERE
    nodes.assert_one_pair("renamed")


def test_key_that_is_renamed_in_part(nodes: Nodes) -> None:
    """What a broken run left is finished by one that names the keys by what they have in common."""
    nodes.ecc(id="one")
    run = nodes.run("hsm_key", {"alpha": "C_SetAttributeValue before kill"}, id="one", new_label="renamed")
    assert "Node 'alpha': " in run.msg
    assert "changed on: beta, gamma." in run.msg
    assert nodes.halves("renamed") == {"alpha": [], "beta": WHOLE, "gamma": WHOLE}
    assert nodes.run("hsm_key", id="one", new_label="renamed").result["changed"] is True
    assert nodes.halves("renamed") == EVERYWHERE
    assert nodes.run("hsm_key", id="one", new_label="renamed").result["changed"] is False


def test_key_is_made_unextractable_everywhere(nodes: Nodes) -> None:
    nodes.ecc()
    wish: dict[str, t.Any] = {"label": "k", "extractable": False}
    before = nodes.objects()
    run = nodes.run("hsm_key", {"gamma": DOWN}, **wish)
    assert "Could not reach all 3 tokens. Node 'gamma': " in run.msg
    assert "Nothing was changed." in run.msg
    assert nodes.objects() == before
    assert nodes.run("hsm_key", **wish).result["changed"] is True
    assert {name: values["extractable"] for name, values in attributes(nodes, label="k").items()} == dict.fromkeys(
        NAMES, False
    )
    assert nodes.run("hsm_key", **wish).result["changed"] is False


def test_key_is_removed_everywhere(nodes: Nodes) -> None:
    nodes.ecc(label="other")
    other = nodes.objects()
    nodes.ecc()
    run = nodes.run("hsm_key", {"beta": DOWN}, label="k", state="absent")
    assert "Could not finish on all 3 tokens. Node 'beta': " in run.msg
    assert "removed from: alpha, gamma." in run.msg
    assert nodes.halves() == {"alpha": [], "beta": WHOLE, "gamma": []}
    assert nodes.run("hsm_key", label="k", state="absent").result["changed"] is True
    assert nodes.objects() == other
    assert nodes.run("hsm_key", label="k", state="absent").result["changed"] is False


def test_key_removed_where_one_hangs(nodes: Nodes) -> None:
    nodes.ecc()
    run = nodes.run("hsm_key", {"beta": "C_Login before sleep 600"}, label="k", state="absent", timeout=24)
    assert "nothing within the timeout" in run.msg
    assert nodes.halves() == {"alpha": [], "beta": WHOLE, "gamma": []}


def test_different_keys_of_one_name_are_not_touched(nodes: Nodes) -> None:
    for token in nodes.tokens.values():
        token.ecc(label="k", curve="P-256")
    before = nodes.objects()
    wishes: tuple[dict[str, t.Any], ...] = ({"state": "absent"}, {"new_label": "renamed"})
    for wish in wishes:
        run = nodes.run("hsm_key", label="k", **wish)
        assert "Refused to touch keys that differ from token to token, by fingerprint: 'alpha' has " in run.msg
        assert not run.writes
    assert nodes.objects() == before


PAIRS: list[dict[str, t.Any]] = [
    {"type": "rsa", "label": "signing", "modulus_bits": 2048, "extractable": False},
    {"type": "ecc", "label": "ocsp", "curve": "P-384"},
    {"type": "ecc", "label": "old", "state": "absent"},
    {"type": "ecc", "label": "there", "curve": "P-256"},
]


def test_many(nodes: Nodes) -> None:
    """One login a token, whatever the number of pairs."""
    for label in ("old", "there"):
        nodes.ecc(label=label)
    check = nodes.run("hsm_keypairs", check_mode=True, keypairs=PAIRS)
    assert not check.writes
    run = nodes.run("hsm_keypairs", keypairs=PAIRS)
    for told in (check, run):
        assert [row["changed"] for row in told.result["key_pairs"]] == [True, True, True, False]
        assert [row["failed"] for row in told.result["key_pairs"]] == [False] * 4
        assert told.status_of == dict.fromkeys(NAMES, "ok")
    assert {calls["C_Login"] for calls in run.calls.values()} == {1}
    for label in ("signing", "ocsp", "there"):
        nodes.assert_one_pair(label)
    assert nodes.halves("old") == NONE
    again = nodes.run("hsm_keypairs", keypairs=PAIRS)
    assert again.result["changed"] is False
    assert not again.writes


def test_many_with_one_that_fails(nodes: Nodes) -> None:
    """The others are done, and the failed one leaves nothing."""
    for name in ("alpha", "gamma"):
        nodes.tokens[name].ecc(label="there", curve="P-256")
    run = nodes.run("hsm_keypairs", keypairs=PAIRS)
    assert "Could not do 1 of 4 key pairs on the tokens alpha, beta, gamma. keypairs[3]: " in run.msg
    assert "different keys of that name" in run.msg
    assert [row["failed"] for row in run.result["key_pairs"]] == [False, False, False, True]
    for label in ("signing", "ocsp"):
        nodes.assert_one_pair(label)
    assert nodes.halves("there") == {"alpha": WHOLE, "beta": [], "gamma": WHOLE}


def test_many_with_one_token_lost_on_the_way(nodes: Nodes) -> None:
    """The pair at which it is lost and all later ones have their copies elsewhere; the next run repairs."""
    pairs = [{"type": "ecc", "label": f"k{number}", "curve": "P-256"} for number in range(3)]
    run = nodes.run("hsm_keypairs", {"beta": "C_UnwrapKey#2 before kill"}, keypairs=pairs, min_servers=2)
    assert [row["failed"] for row in run.result["key_pairs"]] == [False] * 3
    assert run.status_of["beta"] != "ok"
    for pair in pairs:
        nodes.assert_one_pair(pair["label"], ["alpha", "gamma"])
    nodes.assert_one_pair("k0")
    assert nodes.run("hsm_keypairs", keypairs=pairs).result["changed"] is True
    for pair in pairs:
        nodes.assert_one_pair(pair["label"])


def test_entry_that_replicas_refuse(nodes: Nodes) -> None:
    pairs = [*PAIRS, {"type": "ecc", "label": "x", "curve": "P-256", "on_mismatch": "replace"}]
    run = nodes.run("hsm_keypairs", keypairs=pairs)
    assert run.msg.startswith("keypairs[4].on_mismatch 'replace' is refused: ")
    assert not any(run.calls.values())
