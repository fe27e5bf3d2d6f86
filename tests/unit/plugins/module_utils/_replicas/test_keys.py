# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hsm_key on several tokens in memory: changed everywhere or nowhere, removed wherever that is possible."""

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import LOGIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.key_groups import KEY
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import Outcome
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.keys import bring_everywhere
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.key import task_from
from ansible_collections.cryptoki.hsm.tests.support.memory_certificates import certificate_of
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key, without
from ansible_collections.cryptoki.hsm.tests.support.memory_nodes import MemoryNode, group_of
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import ec_pair
from ansible_collections.cryptoki.hsm.tests.support.task_options import taken

PAIR = ec_pair()
RENAME: dict[str, t.Any] = {"label": "root", "new_label": "new"}
REMOVE: dict[str, t.Any] = {"label": "root", "state": "absent"}

Make = t.Callable[..., list[MemoryNode]]


@pytest.fixture
def nodes(tmp_path: Path) -> Make:
    def made(*pairs: KeyPair | None) -> list[MemoryNode]:
        return [
            MemoryNode(tmp_path / name, *filter(None, [pair]))
            for name, pair in zip(("alpha", "beta", "gamma"), pairs, strict=True)
        ]

    return made


def bring(
    nodes: list[MemoryNode], timeout: float | None = None, check_mode: bool = False, **given: t.Any
) -> list[Outcome]:
    with group_of(*nodes) as group:
        every, rows = bring_everywhere(group, task_from(taken(LOGIN + KEY, given)), timeout, check_mode)
    assert [(row.name, row.status, row.message) for row in rows] == [(node.name, "ok", "") for node in nodes]
    for outcome, on_tokens in every:
        assert outcome.changed is any(one.changed for one in on_tokens.values())
    return [outcome for outcome, dummy in every]


def labels(nodes: list[MemoryNode]) -> list[str]:
    return [",".join(sorted({str(found.label) for found in node.objects})) for node in nodes]


def test_a_change_is_made_everywhere(nodes: Make) -> None:
    three = nodes(PAIR, PAIR, PAIR)
    (foretold,) = bring(three, check_mode=True, **RENAME)
    assert foretold.changed and labels(three) == ["root"] * 3
    (done,) = bring(three, **RENAME)
    assert done.changed and labels(three) == ["new"] * 3
    assert done.after and foretold.after and done.after.private.attributes == foretold.after.private.attributes


def test_it_is_changed_where_only_a_replica_was(nodes: Make) -> None:
    three = nodes(PAIR, ec_pair(private={"sign": False}), PAIR)
    task: dict[str, t.Any] = {"label": "root", "usage": ["sign"]}
    assert [outcome.changed for outcome in bring(three, **task)] == [True]
    assert [outcome.changed for outcome in bring(three, **task)] == [False]


def test_keys_without_a_fingerprint_are_told_one_by_one(nodes: Make) -> None:
    three = nodes(None, None, None)
    halves = [
        without(ec_pair(handle=handle, private={"sign": sign, "id": bytes([handle])}).private, "public_key_info")
        for handle, sign in ((1, False), (5, True))
    ]
    assert [half.fingerprint for half in halves] == [None, None]
    for node in three:
        node.keep(halves, {}, {}, [])
    task: dict[str, t.Any] = {"uri": "pkcs11:object=root;type=private", "count": 2, "usage": ["sign"]}
    assert [outcome.changed for outcome in bring(three, **task)] == [True, False]


def test_a_token_that_is_not_reached_ends_a_change_before_it_begins(nodes: Make) -> None:
    three = nodes(PAIR, PAIR, PAIR)
    three[1].obey(open="CKR_DEVICE_REMOVED")
    message = refusal(lambda: bring(three, **RENAME))
    assert message.startswith("Could not reach all 3 tokens. Node 'beta': Could not")
    assert message.endswith("Nothing was changed.") and labels(three) == ["root"] * 3


def test_what_one_token_refuses_is_changed_nowhere(nodes: Make) -> None:
    three = nodes(PAIR, PAIR, ec_pair(private={"modifiable": False}))
    message = refusal(lambda: bring(three, **RENAME))
    assert message.startswith("Refused to") and "'gamma'" in message and labels(three) == ["root"] * 3


def test_a_change_that_ends_half_way_is_told_and_the_source_waits(nodes: Make) -> None:
    three = nodes(PAIR, PAIR, PAIR)
    three[1].obey(set_attributes="CKR_DEVICE_ERROR")
    message = refusal(lambda: bring(three, **RENAME))
    assert (
        message.startswith("Could not finish on all 3 tokens. Node 'alpha': ") and "Node 'beta': Could not" in message
    )
    assert message.endswith("; changed on: gamma. Run the task again when all are reached.")
    assert labels(three)[0] == "root" and labels(three)[2] == "new"


def test_different_keys_are_not_touched(nodes: Make) -> None:
    three = nodes(PAIR, PAIR, ec_pair(handle=5))
    for task in (RENAME, REMOVE):
        message = refusal(functools.partial(bring, three, **task))
        assert message.startswith("Refused to touch keys that differ from token to token, by fingerprint: 'alpha' has")
        assert labels(three) == ["root"] * 3


def test_a_removal_may_find_nothing_on_some(nodes: Make) -> None:
    three = nodes(None, PAIR, PAIR)
    (foretold,) = bring(three, check_mode=True, **REMOVE)
    assert foretold.changed and labels(three) == ["", "root", "root"]
    (done,) = bring(three, **REMOVE)
    assert done.changed and done.before == PAIR and labels(three) == [""] * 3
    assert bring(three, **REMOVE) == []


def test_a_removal_is_done_on_all_that_are_reached(nodes: Make) -> None:
    three = nodes(PAIR, PAIR, PAIR)
    three[2].obey(open="CKR_DEVICE_REMOVED")
    message = refusal(lambda: bring(three, **REMOVE))
    assert message.startswith("Could not finish on all 3 tokens. Node 'gamma': Could not")
    assert message.endswith("; removed from: alpha, beta. Run the task again when all are reached.")
    assert labels(three) == ["", "", "root"]


def test_who_hangs_does_not_use_up_the_time_of_a_removal(nodes: Make) -> None:
    three = nodes(PAIR, PAIR, PAIR)
    three[1].obey(open="hang")
    message = refusal(lambda: bring(three, timeout=12, **REMOVE))
    assert "nothing within the timeout" in message and labels(three) == ["", "root", ""]


@pytest.mark.parametrize("task", [{**RENAME, "new_id": "new"}, REMOVE])
def test_certificates_are_the_same_everywhere(nodes: Make, task: dict[str, t.Any]) -> None:
    three = nodes(PAIR, PAIR, PAIR)
    for node in three[1:]:
        node.certified = [certificate_of(private_key("secp256r1", 1))]
    for check_mode in (True, False):
        message = refusal(lambda: bring(three, check_mode=check_mode, **task))  # noqa: B023
        assert "subject 'CN=web', serial number 4f:6e:17" in message and labels(three) == ["root"] * 3
    assert bring(three, certificates="follow", **task)[0].changed
    left = [{one.id for one in node.certified} for node in three]
    assert left == [set(), {b"new"}, {b"new"}] if "new_id" in task else left == [set(), set(), set()]
