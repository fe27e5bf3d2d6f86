# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens that are slow, away or hang: the timeout ends the task, and a login is never tried twice."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.nodes import WHOLE, Nodes

TWO = {"alpha": WHOLE, "beta": [], "gamma": WHOLE}
HANG = "sleep 600"
DOWN = "C_GetSlotList instead return 0x30"
WRONG = {"beta": {"pin": "not-the-PIN-7741"}}


def test_one_down_from_the_start(nodes: Nodes) -> None:
    before = nodes.objects()
    for wish in ({}, {"timeout": 2}):
        run = nodes.ecc({"beta": DOWN}, **wish)
        assert "Could not have the ECC key pair 'k' on 3 of 3 tokens. Node 'beta': Could not " in run.msg
        assert "Nothing was changed." in run.msg
        assert run.result["ckr"] == "CKR_DEVICE_ERROR"
        assert {row["name"]: row["status"] for row in run.result["nodes"]}["beta"] == "failed"
        assert nodes.objects() == before
        assert not run.writes


@pytest.mark.parametrize("name", ["beta", "gamma"])
def test_one_down_where_two_are_enough(nodes: Nodes, name: str) -> None:
    run = nodes.ecc({name: DOWN}, min_servers=2, timeout=20)
    assert run.result["changed"] is True
    assert run.status_of == {**dict.fromkeys(nodes.tokens, "ok"), name: "failed"}
    assert nodes.halves() == {**dict.fromkeys(nodes.tokens, WHOLE), name: []}
    fingerprint = nodes.assert_one_pair(names=[other for other in nodes.tokens if other != name])
    again = nodes.ecc({name: DOWN}, min_servers=2)
    assert again.result["changed"] is False
    assert not again.writes
    assert nodes.ecc(min_servers=2).result["changed"] is True
    assert nodes.assert_one_pair() == fingerprint


def test_source_down(nodes: Nodes) -> None:
    """Whatever the replicas have, nothing is done without the source."""
    nodes.ecc(label="old")
    before = nodes.objects()
    for label in ("old", "k"):
        run = nodes.ecc({"alpha": DOWN}, label=label, min_servers=1)
        assert "Node 'alpha': Could not " in run.msg
        assert nodes.objects() == before


def test_two_down_where_two_are_needed(nodes: Nodes) -> None:
    nodes.ecc(label="old")
    before = nodes.objects()
    run = nodes.ecc({"beta": DOWN, "gamma": DOWN}, min_servers=2, timeout=2)
    assert "on 2 of 3 tokens" in run.msg
    assert "Node 'beta': " in run.msg
    assert "Node 'gamma': " in run.msg
    assert nodes.objects() == before


def test_two_lost_on_the_way_where_two_are_needed(nodes: Nodes) -> None:
    """The pair had been generated: it goes again, and the older one stays."""
    nodes.ecc(label="old")
    before = nodes.objects()
    rules = {"beta": "C_UnwrapKey after kill", "gamma": "C_CreateObject after return 0x30"}
    run = nodes.ecc(rules, min_servers=2)
    assert "on 2 of 3 tokens" in run.msg
    assert "Nothing that this run made is left on alpha, beta." in run.msg
    assert nodes.objects() == before


def test_older_pair_on_two_is_never_removed(nodes: Nodes) -> None:
    nodes.tokens["alpha"].ecc(label="k", curve="P-256")
    nodes.ecc({"gamma": DOWN}, min_servers=2)
    before = nodes.objects()
    run = nodes.ecc({"gamma": "C_UnwrapKey instead return 0x30"})
    assert "on 3 of 3 tokens" in run.msg
    assert "The pair that was there before stays on alpha, beta." in run.msg
    assert nodes.objects() == before


def test_node_that_comes_back_within_the_timeout(nodes: Nodes) -> None:
    """It answers an error until its folder is there again, a while after the task began."""
    beta = nodes.tokens["beta"]
    hidden = beta.folder / "hidden"
    beta.tokens.rename(hidden)
    task = nodes.start("hsm_ecc_keypair", label="k", curve="P-256", timeout=40)
    while "C_Initialize" not in beta.calls():
        assert not task.ended()
    hidden.rename(beta.tokens)
    assert task.finish().result["changed"] is True
    nodes.assert_one_pair()


@pytest.mark.parametrize("wish", [{}, {"timeout": 60}, {"min_servers": 2}, {"min_servers": 2, "timeout": 20}])
def test_wrong_pin_is_one_login(nodes: Nodes, wish: dict[str, t.Any]) -> None:
    before = nodes.objects()
    run = nodes.ecc(logins=WRONG, **wish)
    assert run.calls["beta"]["C_Login"] == 1
    assert WRONG["beta"]["pin"] not in run.stdout + run.stderr
    if "min_servers" in wish:
        assert run.status_of == {"alpha": "ok", "beta": "failed", "gamma": "ok"}
        assert "CKR_PIN_INCORRECT" in run.message_of["beta"]
        assert nodes.halves() == TWO
    else:
        assert "CKR_PIN_INCORRECT" in run.msg
        assert run.result["ckr"] == "CKR_PIN_INCORRECT"
        assert nodes.objects() == before


def test_wrong_pin_in_many_pairs_is_one_login(nodes: Nodes) -> None:
    pairs = [{"type": "ecc", "label": f"k{number}", "curve": "P-256"} for number in range(3)]
    run = nodes.run("hsm_keypairs", logins=WRONG, keypairs=pairs, min_servers=2)
    assert run.calls["beta"]["C_Login"] == 1
    assert [row["failed"] for row in run.result["key_pairs"]] == [False] * 3


def test_wrong_pin_is_not_waited_for(nodes: Nodes) -> None:
    """What is final does not change until the timeout, and the task ends long before."""
    task = nodes.start("hsm_ecc_keypair", logins=WRONG, label="k", curve="P-256", timeout=600)
    assert "CKR_PIN_INCORRECT" in task.finish().msg


@pytest.mark.parametrize(
    "function",
    ["C_Initialize", "C_Login", "C_FindObjectsInit", "C_GenerateKeyPair", "C_CreateObject", "C_UnwrapKey", "C_Sign"],
)
def test_replica_that_hangs(nodes: Nodes, function: str) -> None:
    """The timeout ends the task, and what was made is taken back."""
    nodes.ecc(label="old")
    before = nodes.objects()
    run = nodes.ecc({"beta": f"{function} before {HANG}"}, timeout=10)
    assert "Node 'beta': Could not " in run.msg
    assert "nothing within the timeout; its process was killed" in run.msg
    assert nodes.objects() == before
    assert run.calls["beta"].get("C_Login", 0) <= 2


@pytest.mark.parametrize("function", ["C_Initialize", "C_Login", "C_GenerateKeyPair", "C_UnwrapKey", "C_Sign"])
def test_replica_that_hangs_where_two_are_enough(nodes: Nodes, function: str) -> None:
    """A library that hangs costs its node only."""
    run = nodes.ecc({"beta": f"{function} before {HANG}"}, timeout=24, min_servers=2)
    assert run.result.get("failed", False) is False, run.stdout
    assert run.status_of["alpha"] == run.status_of["gamma"] == "ok"
    assert "nothing within the timeout" in run.message_of["beta"]
    nodes.assert_one_pair(names=("alpha", "gamma"))
    assert nodes.ecc().status_of["beta"] == "ok"
    nodes.assert_one_pair()


@pytest.mark.parametrize(
    "function", ["C_Initialize", "C_GenerateKeyPair", "C_WrapKey#2", "C_FindObjectsInit^C_WrapKey"]
)
def test_source_that_hangs(nodes: Nodes, function: str) -> None:
    nodes.ecc(label="old")
    before = nodes.objects()
    run = nodes.ecc({"alpha": f"{function} before {HANG}"}, timeout=30, min_servers=1)
    assert "within the timeout" in run.msg
    assert nodes.objects() == before


@pytest.mark.parametrize("function", ["C_CloseSession", "C_Finalize"])
def test_library_that_hangs_at_its_end(nodes: Nodes, function: str) -> None:
    """Nobody waits for it for ever, without a timeout neither."""
    run = nodes.ecc({"beta": f"{function} before {HANG}"})
    assert run.result["changed"] is True
    nodes.assert_one_pair()


def test_absent_with_one_down(nodes: Nodes) -> None:
    nodes.ecc()
    run = nodes.ecc({"beta": DOWN}, state="absent")
    assert "gone from all 3 tokens. Node 'beta': Could not" in run.msg
    assert "What remains there is not known. Removed from: alpha, gamma." in run.msg
    assert nodes.halves() == {"alpha": [], "beta": WHOLE, "gamma": []}
    run = nodes.ecc({"beta": DOWN}, state="absent", check_mode=True)
    assert "To be removed from: none." in run.msg
    assert nodes.ecc(state="absent").result["changed"] is True
    assert nodes.halves() == dict.fromkeys(nodes.tokens, [])


def test_absent_with_one_that_hangs(nodes: Nodes) -> None:
    """It uses up its own part of the time, not that of the others."""
    nodes.ecc()
    run = nodes.ecc({"beta": f"C_Login before {HANG}"}, state="absent", timeout=24)
    assert "nothing within the timeout; its process was killed" in run.msg
    assert "Removed from: alpha, gamma." in run.msg
    assert nodes.halves() == {"alpha": [], "beta": WHOLE, "gamma": []}


def test_replica_without_a_way(nodes: Nodes) -> None:
    """It has no mechanism in common with the source: a fault of the node, in check mode and for real."""
    rules = {"beta": nodes.without_mechanisms("beta", "AES-KEY-WRAP", "0X210A")}
    run = nodes.ecc(rules)
    assert "they have no AES key wrap" in run.msg
    assert nodes.halves() == dict.fromkeys(nodes.tokens, [])
    for check_mode in (True, False):
        run = nodes.ecc(rules, min_servers=2, check_mode=check_mode)
        assert run.status_of == {"alpha": "ok", "beta": "unsynchronised", "gamma": "ok"}
        assert "they have no AES key wrap" in run.message_of["beta"]
    assert nodes.halves() == TWO
