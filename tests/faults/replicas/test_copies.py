# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One pair on three tokens, where all goes well: each copy is the same key, and nothing but the copies is left."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.nodes import NAMES, Nodes, NodesRun

OK = dict.fromkeys(NAMES, "ok")
ABSENT: dict[str, list[str]] = {name: [] for name in NAMES}
PAIR = [("private", "k"), ("public", "k")]


def only_the_pair(nodes: Nodes, label: str = "k") -> None:
    """Each token holds the two halves and nothing else: no helper, no provisional object."""
    for name, objects in nodes.everything().items():
        assert [row[:2] for row in objects] == [("private", label), ("public", label)], name


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_rsa_on_all(nodes: Nodes, bits: int) -> None:
    run = nodes.rsa(modulus_bits=bits)
    assert run.result["changed"] is True
    assert run.key_pair["modulus_bits"] == bits
    assert run.status_of == OK
    nodes.assert_one_pair()
    only_the_pair(nodes)
    again = nodes.rsa(modulus_bits=bits)
    assert again.result["changed"] is False
    assert not again.writes


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521", "secp256k1"])
def test_ecc_on_all(nodes: Nodes, curve: str) -> None:
    run = nodes.ecc(curve=curve)
    assert run.result["changed"] is True
    assert run.status_of == OK
    assert "local" in run.message_of["beta"]
    assert run.message_of["alpha"] == ""
    nodes.assert_one_pair()
    only_the_pair(nodes)
    again = nodes.ecc(curve=curve)
    assert again.result["changed"] is False
    assert not again.writes


def test_a_replica_that_does_not_derive(nodes: Nodes) -> None:
    """It gets the key by a transport pair of RSA."""
    run = nodes.ecc({"beta": nodes.without_mechanisms("beta", "ECDH1-DERIVE")})
    assert run.status_of == OK
    assert run.calls["beta"]["C_UnwrapKey"] == 2 and "C_DeriveKey" not in run.calls["beta"]
    assert run.calls["gamma"]["C_UnwrapKey"] == 1 and run.calls["gamma"]["C_DeriveKey"] == 1
    assert run.calls["alpha"]["C_WrapKey"] == 3
    nodes.assert_one_pair()
    only_the_pair(nodes)


def test_helpers_are_of_the_session_and_single_purpose(nodes: Nodes) -> None:
    """While the private key is about to be unwrapped, another process sees no key of the transfer on any token."""
    seen = {name: nodes.tokens[name].folder / "seen" for name in NAMES}
    look = {
        name: nodes.tokens[name].tool_command("--list-objects").replace("/dev/null", str(seen[name]), 1)
        for name in NAMES
    }
    rules = {
        "alpha": f"C_WrapKey after run {look['alpha']}",
        "beta": f"C_UnwrapKey before run {look['beta']}",
        "gamma": f"C_UnwrapKey after run {look['gamma']}",
    }
    assert nodes.ecc(rules).result["changed"] is True
    for name in NAMES:
        text = seen[name].read_text()
        assert "label:      k" in text
        assert "RSA" not in text
        assert "Secret" not in text
        assert text.count("Key Object") <= 2
    only_the_pair(nodes)


def test_each_is_logged_in_to_once(nodes: Nodes) -> None:
    run = nodes.ecc()
    assert {name: calls["C_Login"] for name, calls in run.calls.items()} == dict.fromkeys(NAMES, 1)
    assert {name: calls["C_Initialize"] for name, calls in run.calls.items()} == dict.fromkeys(NAMES, 1)
    assert run.calls["alpha"]["C_GenerateKeyPair"] == 3  # the pair, and one for the transport to each replica


@pytest.mark.parametrize("module", ["hsm_ecc_keypair", "hsm_rsa_keypair"])
def test_check_mode_makes_no_object(nodes: Nodes, module: str) -> None:
    """Not even one of a session; and says what would happen."""
    wish: dict[str, t.Any] = {"label": "k", **({"curve": "P-256"} if "ecc" in module else {"modulus_bits": 2048})}
    before = nodes.objects()
    run = nodes.run(module, check_mode=True, **wish)
    assert run.result["changed"] is True
    assert run.status_of == OK
    assert not run.writes
    assert nodes.objects() == before
    nodes.run(module, **wish)
    there = nodes.objects()
    for state in ("present", "absent"):
        run = nodes.run(module, check_mode=True, **wish, state=state)
        assert run.result["changed"] is (state == "absent")
        assert not run.writes
    assert nodes.objects() == there
    nodes.tokens["gamma"].run(module, **wish, state="absent")
    run = nodes.run(module, check_mode=True, **wish)
    assert run.result["changed"] is True
    assert not run.writes
    copied = {"half": None, "name": "fingerprint", "before": None, "after": run.key_pair["fingerprint"]}
    assert run.result["outcome"] == "repaired" and run.result["changes"] == [{**copied, "node": "gamma"}]


def test_not_extractable(nodes: Nodes) -> None:
    run = nodes.ecc(extractable=False)
    assert run.status_of == OK
    nodes.assert_one_pair()
    only_the_pair(nodes)
    for name in NAMES:
        pair = nodes.tokens[name].ecc(label="k", curve="P-256").key_pair
        assert pair["private_key"]["attributes"]["extractable"] is False, name
        assert pair["private_key"]["attributes"]["sensitive"] is True, name
    assert nodes.ecc(extractable=False).result["changed"] is False


def test_attributes_of_the_copies(nodes: Nodes) -> None:
    """What was wished is on every node, and so is what was not said: usage as of the source."""
    wish: dict[str, t.Any] = {
        "usage": ["sign", "derive"],
        "id": "one",
        "extractable": False,
        "private_attributes": {"destroyable": False, "modifiable": False},
    }
    assert nodes.ecc(**wish).result["changed"] is True
    own = ("local", "always_sensitive", "never_extractable", "key_gen_mechanism")
    told = []
    for name in NAMES:
        pair = nodes.tokens[name].ecc(label="k", curve="P-256", id="one").key_pair
        halves = [pair[half]["attributes"] for half in ("private_key", "public_key")]
        told.append([{key: value for key, value in half.items() if key not in own} for half in halves])
        assert halves[0]["modifiable"] is False, name
    assert told[0] == told[1] == told[2]
    assert nodes.ecc(**wish).result["changed"] is False


def test_absent(nodes: Nodes) -> None:
    nodes.ecc(label="other")
    other = nodes.objects()
    nodes.ecc()
    run = nodes.ecc(state="absent")
    assert run.result["changed"] is True
    assert run.status_of == OK
    assert nodes.objects() == other
    assert nodes.ecc(state="absent").result["changed"] is False


def test_absent_where_only_a_replica_has_it(nodes: Nodes) -> None:
    nodes.tokens["gamma"].ecc(label="k", curve="P-256")
    assert nodes.ecc(state="absent").result["changed"] is True
    assert nodes.halves() == ABSENT


def refused(nodes: Nodes, run: NodesRun, before: t.Mapping[str, str]) -> str:
    """The message of a failure that changed nothing on any token."""
    assert nodes.objects() == before
    assert not run.writes
    return run.msg


def test_different_pairs_of_one_name(nodes: Nodes) -> None:
    for name in ("alpha", "gamma"):
        nodes.tokens[name].ecc(label="k", curve="P-256")
    before = nodes.objects()
    for wish in ({}, {"state": "absent"}, {"min_servers": 1}):
        msg = refused(nodes, nodes.ecc(**wish), before)
        assert "the tokens have different keys of that name, 'alpha' has (public" in msg
        assert "'gamma' has (public" in msg
        assert "'beta' has" not in msg


def test_pair_only_on_a_replica(nodes: Nodes) -> None:
    pair = nodes.tokens["gamma"].ecc(label="k", curve="P-256").key_pair
    before = nodes.objects()
    assert "it is only on replicas, 'gamma' has (public" in refused(nodes, nodes.ecc(), before)
    assert "name it by its fingerprint" in refused(nodes, nodes.ecc(check_mode=True), before)
    run = nodes.ecc(fingerprint=pair["fingerprint"])
    assert run.result["changed"] is True
    assert run.key_pair["fingerprint"] == pair["fingerprint"]
    nodes.assert_one_pair()
    only_the_pair(nodes)


def test_pair_that_cannot_be_copied(nodes: Nodes) -> None:
    """Made before there were replicas, and not extractable: the message says what can be done."""
    nodes.tokens["alpha"].ecc(label="k", curve="P-256", extractable=False)
    before = nodes.objects()
    run = nodes.ecc()
    msg = refused(nodes, run, before)
    assert "the private half is not extractable" in msg
    assert "vendor's own cloning" in msg
    assert "Nothing was changed." in msg
    run = nodes.ecc(min_servers=1)
    assert run.result["changed"] is False
    assert run.status_of == {"alpha": "ok", "beta": "unsynchronised", "gamma": "unsynchronised"}
    assert nodes.objects() == before


def test_one_token_under_two_names(nodes: Nodes) -> None:
    before = nodes.objects()
    again = nodes.login("alpha")
    run = nodes.run("hsm_ecc_keypair", order=["alpha", "beta"], logins={"beta": again}, label="k", curve="P-256")
    assert "they are the same token" in refused(nodes, run, before)


def test_two_tokens_in_one_folder(nodes: Nodes) -> None:
    """SoftHSM's own way of having two tokens: they share a library, a configuration and a lock."""
    alpha = nodes.tokens["alpha"]
    alpha.initialise("second")
    run = alpha.ecc(label="k", curve="P-256", replicas=[{"name": "second", **alpha.login(), "token_label": "second"}])
    assert run.result["changed"] is True
    assert [row["status"] for row in run.result["nodes"]] == ["ok", "ok"]
    alone = [
        alpha.ecc(label="k", curve="P-256", token_label=label).key_pair["fingerprint"] for label in ("alpha", "second")
    ]
    assert alone[0] == alone[1]
