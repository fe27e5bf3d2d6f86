# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several tasks at once on the same three tokens, and another host that works on one of them meanwhile."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.tests.support.nodes import WHOLE, Nodes
from ansible_collections.cryptoki.hsm.tests.support.task import Task

ORDERS = (("alpha", "beta", "gamma"), ("alpha", "gamma", "beta"))


def started(nodes: Nodes, order: t.Sequence[str], **given: t.Any) -> Task:
    return nodes.start("hsm_ecc_keypair", order=order, **{"label": "k", "curve": "P-256", **given})


def test_eight_tasks_in_different_orders(nodes: Nodes) -> None:
    """One of them makes the pair, the others find it; nobody waits for somebody who waits for them."""
    tasks = [started(nodes, ORDERS[number % 2]) for number in range(8)]
    runs = [task.finish(240) for task in tasks]
    assert sorted(run.result.get("changed", run.stdout) for run in runs) == [False] * 7 + [True]
    assert len({run.key_pair["fingerprint"] for run in runs}) == 1
    nodes.assert_one_pair()


def test_eight_tasks_of_two_sources(nodes: Nodes) -> None:
    """A second label, whose source is a replica of the first: the locks are taken in the same order by all."""
    orders = {"k": ORDERS, "other": (("gamma", "beta", "alpha"), ("gamma", "alpha", "beta"))}
    tasks = [started(nodes, orders[label][number % 2], label=label) for number in range(4) for label in orders]
    runs = [task.finish(240) for task in tasks]
    assert sorted(run.result.get("changed", run.stdout) for run in runs) == [False] * 6 + [True] * 2
    assert len({run.key_pair["fingerprint"] for run in runs}) == 2
    assert nodes.assert_one_pair("k") != nodes.assert_one_pair("other")


def test_present_and_absent_at_once(nodes: Nodes) -> None:
    wishes: list[dict[str, t.Any]] = [{}, {"state": "absent"}] * 3
    runs = [
        task.finish(240) for task in [started(nodes, ORDERS[number % 2], **wish) for number, wish in enumerate(wishes)]
    ]
    assert [run.result.get("failed", False) for run in runs] == [False] * 6
    halves = list(nodes.halves().values())
    assert halves in ([[]] * 3, [WHOLE] * 3)


def test_another_host_stores_a_pair_of_its_own_on_a_replica(nodes: Nodes) -> None:
    """Between our look and our copy: nobody's pair is removed but ours, on all tokens."""
    beta = nodes.tokens["beta"]
    made = beta.tool_command("--keypairgen", "--key-type", "EC:prime256v1", "--label", "k", "--id", "01")
    # The private half is the last that is stored, after the key-encryption key and the public half.
    rules = {"beta": f"C_CreateObject#1 before run {made}\nC_UnwrapKey after run {beta.reread_command()}"}
    run = nodes.ecc(rules)
    assert run.result["failed"] is True
    assert nodes.halves() == {"alpha": [], "beta": WHOLE, "gamma": []}
    assert {row["id"] for row in beta.listing()} == {"01"}
    assert "different keys of that name" not in nodes.ecc(check_mode=True, order=["beta", "alpha", "gamma"]).stdout


def test_another_host_generates_on_the_source(nodes: Nodes) -> None:
    """Ours goes, and theirs stays; it is not extractable, because pkcs11-tool made it."""
    alpha = nodes.tokens["alpha"]
    made = alpha.tool_command("--keypairgen", "--key-type", "EC:prime256v1", "--label", "k", "--id", "01")
    rules = {"alpha": f"C_GenerateKeyPair before run {made}\nC_GenerateKeyPair after run {alpha.reread_command()}"}
    run = nodes.ecc(rules)
    assert "extractable is false" in run.msg  # theirs cannot be copied
    assert nodes.halves() == {"alpha": WHOLE, "beta": [], "gamma": []}
    assert "the private half is not extractable" in nodes.ecc().msg
    assert {row["id"] for row in alpha.listing()} == {"01"}
