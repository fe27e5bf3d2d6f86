# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token is lost at each step of a copy: too few are none at all, enough are enough, and the next run repairs."""

from __future__ import annotations

import pytest

from ansible_collections.cryptoki.hsm.tests.support.nodes import NAMES, WHOLE, Nodes

# What a replica does, in the order in which it does it.
REPLICA_STEPS = (
    "C_Initialize before",
    "C_GetSlotList before",
    "C_GetTokenInfo after",
    "C_OpenSession after",
    "C_Login before",
    "C_Login after",
    "C_FindObjectsInit before",
    "C_FindObjects after",
    "C_GenerateKeyPair before",
    "C_GenerateKeyPair after",
    "C_DeriveKey before",
    "C_DeriveKey after",
    "C_CreateObject before",
    "C_CreateObject after",
    "C_UnwrapKey before",
    "C_UnwrapKey after",
    "C_GetAttributeValue^C_UnwrapKey before",
    "C_SignInit before",
    "C_Sign before",
    "C_Sign after",
    "C_FindObjectsInit^C_Sign before",
)
SOURCE_STEPS = (
    "C_Login after",
    "C_FindObjectsInit before",
    "C_GenerateKeyPair before",
    "C_GenerateKeyPair after",
    "C_Sign after",
    "C_GenerateKeyPair#2 before",
    "C_GenerateKeyPair#3 after",
    "C_DeriveKey#1 after",
    "C_DeriveKey#2 after",
    "C_WrapKey#1 before",
    "C_WrapKey#1 after",
    "C_WrapKey#2 after",
    "C_FindObjectsInit^C_WrapKey before",
)
# The copy is whole then: whatever happens afterwards does not matter to it.
LATE = ("C_CloseSession before", "C_CloseSession after", "C_Finalize before", "C_Finalize after")
TWO = {"alpha": WHOLE, "beta": [], "gamma": WHOLE}
DEVICE_ERROR = "return 0x30"


def repaired(nodes: Nodes) -> None:
    """The next run without faults: one and the same pair on each."""
    run = nodes.ecc()
    assert run.result.get("failed", False) is False, run.stdout
    assert set(run.status_of.values()) == {"ok"}
    nodes.assert_one_pair()
    assert nodes.ecc().result["changed"] is False


@pytest.mark.parametrize("step", REPLICA_STEPS)
def test_replica_killed(nodes: Nodes, step: str) -> None:
    """All are needed: nothing of the run is left on any token, and an older pair is as it was."""
    nodes.ecc(label="old")
    before = nodes.objects()
    run = nodes.ecc({"beta": f"{step} kill"})
    assert "Node 'beta': Could not " in run.msg
    assert "'beta': the HSM answered nothing: its process died by SIGKILL" in run.msg
    assert nodes.objects() == before
    assert run.calls["beta"].get("C_Login", 0) <= 2
    repaired(nodes)


@pytest.mark.parametrize("step", REPLICA_STEPS)
def test_replica_killed_where_two_are_enough(nodes: Nodes, step: str) -> None:
    """What the killed process stored of the copy stays, as a public half or a whole pair, and the next run goes on."""
    run = nodes.ecc({"beta": f"{step} kill"}, min_servers=2)
    assert run.result["changed"] is True
    assert run.status_of["alpha"] == run.status_of["gamma"] == "ok"
    assert run.status_of["beta"] in ("failed", "unsynchronised")
    assert "its process died by SIGKILL" in run.message_of["beta"]
    (warning,) = run.result["warnings"]
    assert "The node 'beta' does not have the ECC key pair 'k': Could not" in str(warning)
    halves = nodes.halves()
    assert halves in (TWO, {**TWO, "beta": ["public"]}, {**TWO, "beta": WHOLE})
    fingerprint = nodes.assert_one_pair(names=("alpha", "gamma"))
    repaired(nodes)
    assert nodes.assert_one_pair() == fingerprint


@pytest.mark.parametrize("step", LATE)
def test_replica_killed_at_the_end(nodes: Nodes, step: str) -> None:
    run = nodes.ecc({"beta": f"{step} kill"})
    assert run.result["changed"] is True
    assert set(run.status_of.values()) == {"ok"}
    nodes.assert_one_pair()


@pytest.mark.parametrize(
    ("step", "enough"), [*((step, 3) for step in SOURCE_STEPS), *((step, 1) for step in SOURCE_STEPS[2:5])]
)
def test_source_killed(nodes: Nodes, step: str, enough: int) -> None:
    """Nothing counts without the source, however few are enough."""
    nodes.ecc(label="old")
    before = nodes.objects()
    run = nodes.start(
        "hsm_ecc_keypair", {"alpha": f"{step} kill"}, label="k", curve="P-256", min_servers=enough
    ).finish()
    if run.result.get("failed"):
        assert "'alpha': the HSM answered nothing: its process died by SIGKILL" in run.msg
        assert nodes.objects() == before
    else:
        assert "C_WrapKey" in step
    repaired(nodes)


@pytest.mark.parametrize("step", [step for step in REPLICA_STEPS if "C_GetAttributeValue" not in step])
def test_replica_answers_an_error(nodes: Nodes, step: str) -> None:
    """The call is made or not, and the answer is CKR_DEVICE_ERROR."""
    nodes.ecc(label="old")
    before = nodes.objects()
    run = nodes.ecc({"beta": f"{step.replace('before', 'instead')} {DEVICE_ERROR}"})
    assert "Node 'beta': " in run.msg
    assert nodes.objects() == before
    repaired(nodes)


@pytest.mark.parametrize("step", ["C_CreateObject after", "C_UnwrapKey instead", "C_UnwrapKey after"])
def test_replica_answers_an_error_where_two_are_enough(nodes: Nodes, step: str) -> None:
    """The process is still there and cleans up: nothing is left on the token, whatever the answer was worth."""
    run = nodes.ecc({"beta": f"{step} {DEVICE_ERROR}"}, min_servers=2)
    assert run.status_of == {"alpha": "ok", "beta": "unsynchronised", "gamma": "ok"}
    assert nodes.halves() == TWO
    repaired(nodes)


@pytest.mark.parametrize("step", [step for step in SOURCE_STEPS if "WrapKey" in step])
def test_source_answers_an_error(nodes: Nodes, step: str) -> None:
    before = nodes.objects()
    run = nodes.start("hsm_ecc_keypair", {"alpha": f"{step} {DEVICE_ERROR}"}, label="k", curve="P-256").finish()
    if run.result.get("failed"):
        assert nodes.objects() == before
    repaired(nodes)


@pytest.mark.parametrize("step", ["C_GenerateKeyPair#4 after", "C_Sign#4 after"])
def test_source_lost_among_many(nodes: Nodes, step: str) -> None:
    """Some pairs are just made, some wait for their copies: each message tells what is there, and the next run goes on."""
    pairs = [{"type": "ecc", "label": f"k{number}", "curve": "P-256"} for number in range(6)]
    run = nodes.run("hsm_keypairs", {"alpha": f"{step} kill"}, keypairs=pairs, parallel=4)
    failed = [row for row in run.result["key_pairs"] if row["failed"]]
    assert failed
    for row in failed:
        end = ("Nothing that this run made is left on alpha.", "Nothing was changed.")
        assert row["msg"].endswith(end) and "remain" not in row["msg"], row["msg"]
        assert nodes.halves(row["label"]) == dict.fromkeys(NAMES, [])
    again = nodes.run("hsm_keypairs", keypairs=pairs)
    assert again.result["counts"]["generated"] == len(failed) and not again.result.get("failed")


def test_how_a_process_ended_is_known_where_children_are_ignored(nodes: Nodes) -> None:
    """Some programs that start Ansible ignore SIGCHLD, which their children inherit."""
    ignored = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
    run = nodes.ecc({"beta": "C_Sign before kill"}, before=ignored)
    assert "'beta': the HSM answered nothing: its process died by SIGKILL" in run.msg
    assert nodes.ecc(before=ignored).result["changed"] is True
    nodes.assert_one_pair()


def test_library_that_crashes(nodes: Nodes) -> None:
    """SIGSEGV in a vendor's library costs its node, and no other."""
    crash = "run kill -SEGV $PPID"
    run = nodes.ecc({"beta": f"C_GetMechanismList before {crash}"}, min_servers=2)
    assert "its process died by SIGSEGV" in run.message_of["beta"]
    assert nodes.halves() == TWO
    run = nodes.ecc({"beta": f"C_Initialize before {crash}"})
    assert "Node 'beta': Could not reach the token on the node 'beta'" in run.msg
    assert run.result["nodes"][1]["status"] == "failed"
    assert nodes.halves() == TWO
    repaired(nodes)


def test_library_that_prints(nodes: Nodes) -> None:
    """What a library says goes nowhere, and the answer stays JSON."""
    rules = {name: "C_Initialize before print noise of a vendor\nC_Finalize after print more" for name in NAMES}
    run = nodes.ecc(rules)
    assert run.result["changed"] is True
    assert "noise" not in run.stdout + run.stderr


def test_source_killed_while_it_makes_a_pair_of_a_given_id(nodes: Nodes) -> None:
    """Only an id that was drawn tells that a pair is this run's: what has a given one is named, and stays."""
    before = nodes.objects()
    run = nodes.ecc({"alpha": "C_GenerateKeyPair before kill"}, id="one")
    assert "cannot be told" not in run.msg
    assert nodes.objects() == before
    run = nodes.ecc({"alpha": "C_GenerateKeyPair after kill"}, id="one")
    assert "What this run left on the token 'alpha' cannot be told from others' keys: (p" in run.msg
    assert nodes.halves() == {"alpha": WHOLE, "beta": [], "gamma": []}
    assert nodes.ecc(id="one").result["changed"] is True
    nodes.assert_one_pair()


@pytest.mark.parametrize(
    ("kind", "method"),
    [("Transfer", "receive"), ("Pkcs11Session", "generate"), ("Transfer", "settle"), ("Pkcs11Session", "prove")],
)
def test_bug_of_ours(nodes: Nodes, kind: str, method: str) -> None:
    """It is reported as one, and what was stored before is gone."""
    nodes.ecc(label="old")
    before = nodes.objects()
    broken = f"""
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.session import Pkcs11Session
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.transfer import Transfer
own = {kind}.{method}
def broken(self, *arguments):
    own(self, *arguments)
    raise ZeroDivisionError
{kind}.{method} = broken
"""
    run = nodes.ecc(before=broken)
    assert "this is a bug of cryptoki.hsm" in run.msg
    assert nodes.objects() == before
