# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Little room on the host or on a token: fewer pairs at once, or one line of what is missing; nothing half-made."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.nodes import NAMES, Nodes

# More descriptors than the limit for `parallel` lines to each token.
FEW_FILES = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (96, 96))"
NO_PROCESS = """
import errno, os
own, forks = os.fork, []
def fork():
    forks.append(1)
    if len(forks) >= {0}:
        raise OSError(errno.{1}, "never shown")
    return own()
os.fork = fork
"""
TOLD = (
    "Could not begin with the node 'gamma': the HSM answered nothing, for this host has no room for its process"
    " ({}); raise this user's limits of open files and processes."
)


def ecc(count: int) -> list[dict[str, t.Any]]:
    return [{"type": "ecc", "label": f"k{number}", "curve": "P-256"} for number in range(count)]


def test_fewer_at_once_where_few_files_may_be_open(nodes: Nodes) -> None:
    """Without the limit each token would have 40."""
    run = nodes.run("hsm_keypairs", before=FEW_FILES, keypairs=ecc(40), parallel=40)
    assert not run.result.get("failed"), run.msg
    assert run.result["counts"]["generated"] == 40
    assert run.warning == "parallel is 7 on 3 tokens, the limit of open files (ulimit -n) allows no more."
    assert all(1 < calls["C_OpenSession"] <= 7 for calls in run.calls.values())
    nodes.assert_one_pair("k39")


def test_no_library_is_blamed_for_few_files(nodes: Nodes) -> None:
    run = nodes.run("hsm_keypairs", before=FEW_FILES.replace("96", "72"), keypairs=ecc(2), parallel=2)
    assert run.result["counts"]["generated"] == 2
    assert run.warning == "parallel is 1 on 3 tokens, the limit of open files (ulimit -n) allows no more."


@pytest.mark.parametrize(("error", "text"), [("EMFILE", "Too many open files"), ("EAGAIN", "Resource temporarily")])
def test_no_room_for_a_process(nodes: Nodes, error: str, text: str) -> None:
    before = nodes.objects()
    run = nodes.start("hsm_ecc_keypair", before=NO_PROCESS.format(3, error), label="k", curve="P-256").finish()
    assert (
        f"Could not have the ECC key pair 'k' on 3 of 3 tokens. Node 'gamma': {TOLD.split('(', maxsplit=1)[0]}"
        in run.msg
    )
    assert text in run.msg and run.msg.endswith("Nothing was changed.") and "\n" not in run.msg
    assert nodes.objects() == before


def test_no_room_for_a_process_where_two_are_enough(nodes: Nodes) -> None:
    broken = NO_PROCESS.format(3, "EMFILE")
    run = nodes.run("hsm_keypairs", before=broken, keypairs=ecc(4), parallel=4, min_servers=2)
    assert [row["outcome"] for row in run.result["key_pairs"]] == ["generated"] * 4
    assert run.message_of["gamma"] == TOLD.format("Too many open files")
    nodes.assert_one_pair("k3", NAMES[:2])


def test_no_room_for_another_process_of_a_lost_one(nodes: Nodes) -> None:
    """What was made for the pair that lost it is taken back on the others, and named there."""
    lost = {"gamma": "C_UnwrapKey#2 before kill"}
    run = nodes.run("hsm_keypairs", lost, before=NO_PROCESS.format(4, "EMFILE"), keypairs=ecc(4), parallel=1)
    assert [row["failed"] for row in run.result["key_pairs"]] == [False, True, True, True]
    assert run.result["key_pairs"][2]["msg"].endswith(
        f"Node 'gamma': {TOLD.format('Too many open files')} Nothing was changed."
    )
    assert run.status_of["gamma"] == "failed"
    nodes.assert_one_pair("k0")
    assert nodes.halves("k1")["alpha"] == nodes.halves("k1")["beta"] == []
    assert (
        "What is left of it on the node 'gamma' is not known: Could not begin with" in run.result["key_pairs"][1]["msg"]
    )
    again = nodes.run("hsm_keypairs", keypairs=ecc(4))
    assert [row["failed"] for row in again.result["key_pairs"]] == [False, True, False, False]
    assert "what the node 'gamma' has of it is no pair, (public ec key" in again.msg
    assert "Remove it there by state=absent with its id or fingerprint." in again.msg
    identifier = again.msg.partition(", id ")[2].partition(",")[0]
    nodes.tokens["gamma"].ecc(id_hex=identifier, state="absent")
    assert nodes.run("hsm_keypairs", keypairs=ecc(4)).result["counts"]["generated"] == 1
    nodes.assert_one_pair("k1")


@pytest.mark.parametrize("given", [{"parallel": 4}, {}, {"parallel": 4, "check_mode": True}])
def test_a_library_without_threads_is_told_where_a_number_is_given(nodes: Nodes, given: dict[str, t.Any]) -> None:
    logins = {"beta": {"vendor_facts": {"threads": False}}}
    run = nodes.run("hsm_keypairs", logins=logins, keypairs=ecc(4), **given)
    assert run.result["changed"] is True
    told = "parallel is 1 on the token 'beta', its library does not allow threads."
    assert [told in str(warning) for warning in run.result.get("warnings", [])] == [True] * (given == {"parallel": 4})
    assert run.calls["beta"]["C_OpenSession"] == 1


def test_check_mode_looks_once(nodes: Nodes) -> None:
    nodes.run("hsm_keypairs", keypairs=ecc(12))
    run = nodes.run("hsm_keypairs", check_mode=True, keypairs=ecc(13), parallel=4)
    assert [row["changed"] for row in run.result["key_pairs"]] == [False] * 12 + [True]
    for calls in run.calls.values():
        assert calls["C_OpenSession"] == 1 and calls["C_FindObjectsInit"] < 13


def test_who_has_nothing_to_do_opens_no_further_session(nodes: Nodes) -> None:
    pairs = [{"type": "rsa", "label": f"k{number}", "modulus_bits": 2048} for number in range(6)]
    nodes.run("hsm_keypairs", keypairs=pairs, parallel=6)
    again = nodes.run("hsm_keypairs", keypairs=pairs, parallel=6)
    assert again.result["changed"] is False
    assert [calls["C_OpenSession"] for calls in again.calls.values()] == [1] * 3
