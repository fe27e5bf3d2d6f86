# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module of many pairs, from options to its result, on tokens in memory."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import LOGIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.key_groups import KEYPAIRS
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.outcome import WORDS
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import many
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.many import reconcile_many
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas import many as _replicas_many
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import keypairs as _keypairs
from ansible_collections.cryptoki.hsm.tests.support.memory_module import Asked, replicas, use_nodes, use_token
from ansible_collections.cryptoki.hsm.tests.support.memory_nodes import MemoryNode
from ansible_collections.cryptoki.hsm.tests.support.memory_token import SharedSession
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import ec_pair, session_with

EC = {"type": "ecc", "curve": "P-256"}
OTHER_CURVE = {"type": "ecc", "curve": "P-384"}


def module(*keypairs: dict[str, t.Any], check_mode: bool = False, **given: t.Any) -> Asked:
    return Asked(LOGIN + KEYPAIRS, check_mode, keypairs=list(keypairs), **given)


def run(asked: Asked) -> dict[str, t.Any]:
    return _keypairs._work(asked)


def test_each_pair_has_its_row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    session = session_with(ec_pair(), ec_pair(label="old", id=b"\x02", handle=5))
    sessions = use_token(monkeypatch, session)
    intended: list[list[str | None]] = []
    monkeypatch.setattr(Pkcs11Provider, "intend", lambda _one, wishes: intended.append([wish.label for wish in wishes]))
    given = (
        {**EC, "label": "root"},
        {**EC, "label": "new", "id_hex": "0a0b"},
        {**EC, "label": "old", "state": "absent"},
        {**EC, "label": "none", "id_hex": "0c", "state": "absent"},
    )
    file = tmp_path / "progress"
    foretold = run(module(*given, check_mode=True, progress_file=str(file)))
    assert not file.exists() and len(session.objects) == 4
    asked = module(*given, progress_file=str(file), return_attributes=["sign"])
    done = run(asked)
    for result in (foretold, done):
        assert result["changed"] and [row["changed"] for row in result["key_pairs"]] == [False, True, True, False]
        assert [(row["failed"], row["msg"]) for row in result["key_pairs"]] == [(False, "")] * 4
        assert [row["label"] for row in result["key_pairs"]] == ["root", "new", "old", "none"]
        assert [row["id_hex"] for row in result["key_pairs"]] == ["01", "0a:0b", None, "0c"]
        assert [row["outcome"] for row in result["key_pairs"]] == ["none", "generated", "removed", "none"]
        rows = [row["private_key"] for row in result["key_pairs"] if row.get("private_key")]
        assert [list(half["attributes"]) == ["sign"] for half in rows] == [result is done] * 2
        assert [len(row["changes"]) for row in result["key_pairs"]] == [0, 1, 1, 0]
        assert result["msg"] == "generated: 1, removed: 1, none: 2"
        assert result["counts"] == {
            **dict.fromkeys(("changed", "replaced", "repaired", "failed"), 0),
            **{"generated": 1, "removed": 1, "none": 2},
        }
        assert [diff["before_header"] for diff in result["diff"]] == ["new on memory", "old on memory"]
        assert [("fingerprint" in row, "nodes" in row) for row in result["key_pairs"]][0] == (True, False)
    assert len(file.read_text().splitlines()) == 4 and sorted(found.label for found in session.objects) == [
        *("new", "new", "root", "root")
    ]
    assert (
        asked.warnings == []
        and len(asked.known) == 1
        and [writable for writable, _threads in sessions] == [False, True]
    )
    assert intended == [["root", "new"]] * 2
    again = run(module(*given))
    assert not again["changed"] and again["diff"] == [] and again["msg"] == "none: 4"


def test_threads_are_for_who_allows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int] = []

    def counted(*given: t.Any) -> t.Any:
        used.append(given[3])
        return reconcile_many(*given)

    monkeypatch.setattr(many, "reconcile_many", counted)
    two = ({**EC, "label": "a"}, {**EC, "label": "b"})
    for kind, asked, warned in ((SharedSession, module(*two, parallel=2), 0), (None, module(*two, parallel=2), 1)):
        sessions = use_token(monkeypatch, kind() if kind else session_with())
        run(asked)
        assert sessions == [(True, True)] and len(asked.warnings) == warned
    assert used == [2, 1]
    sessions = use_token(monkeypatch, session_with())
    for quiet in (
        module(*two),
        module(*two, parallel=1),
        module(two[0], parallel=2),
        module(*two, parallel=2, check_mode=True),
    ):
        run(quiet)
        assert quiet.warnings == []
    assert [threads for _writable, threads in sessions][1:] == [False, False, False]


@pytest.mark.parametrize(("given", "parallel"), [(1, 1), (64, 64), (None, min(2 * len(os.sched_getaffinity(0)), 64))])
def test_how_many_at_once(given: int | None, parallel: int) -> None:
    assert _keypairs._parallel({"parallel": given}) == parallel


@pytest.mark.parametrize("given", [0, 65])
def test_too_many_at_once(given: int) -> None:
    told = f"parallel {given} is refused: it must be from 1 to 64."
    assert refusal(lambda: run(module({**EC, "label": "a"}, parallel=given))) == told


def test_failures_are_told_and_all_else_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_with(*(ec_pair(label=f"k{n}", id=bytes([n]), handle=2 * n) for n in range(1, 6)))
    use_token(monkeypatch, session)
    given = [{**OTHER_CURVE, "label": f"k{n}"} for n in range(1, 6)]
    with pytest.raises(HsmError) as caught:
        run(module(*given, {**EC, "label": "new"}, parallel=1))
    assert caught.value.msg.startswith("Could not do 5 of 6 key pairs on the token 'memory'. keypairs[0]: ")
    assert caught.value.msg.endswith(
        " Failed as well, see key_pairs: keypairs[3] (the ECC key pair 'k4'), keypairs[4] (the ECC key pair 'k5')."
    )
    rows = caught.value.data["key_pairs"]
    assert [row["failed"] for row in rows] == [True] * 5 + [False] and caught.value.data["changed"]
    assert [row["outcome"] for row in rows] == ["none"] * 5 + ["generated"]
    assert (caught.value.data["counts"]["failed"], caught.value.data["counts"]["generated"]) == (5, 1)
    assert rows[0]["msg"] and rows[0]["type"] == "ecc" and len(session.objects) == 12
    with pytest.raises(HsmError) as caught:
        run(module(*given[:3], parallel=1))
    assert "Failed as well" not in caught.value.msg and not caught.value.data["changed"]


def test_on_several_tokens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alpha, beta = nodes = MemoryNode(tmp_path / "alpha"), MemoryNode(tmp_path / "beta")
    use_nodes(monkeypatch, *nodes)
    two = ({**EC, "label": "a"}, {**EC, "label": "b"})
    asked = module(*two, replicas=replicas(beta))
    done = run(asked)
    assert done["changed"] and [row["changed"] for row in done["key_pairs"]] == [True, True]
    assert [row["status"] for row in done["nodes"]] == ["ok", "ok"] and {
        login.selector.label for login in asked.known
    } == {"alpha", "beta"}
    assert [row["name"] for row in done["key_pairs"][0]["nodes"]] == ["alpha", "beta"]
    assert [[row["node"] for row in one["changes"]] for one in done["key_pairs"]] == [["alpha", "beta"]] * 2
    assert [diff["after_header"] for diff in done["diff"]] == ["a on alpha", "a on beta", "b on alpha", "b on beta"]
    assert len(alpha.objects) == len(beta.objects) == 4 and asked.warnings == []
    beta.obey(receive="once CKR_DEVICE_ERROR")
    four = (*two, {**EC, "label": "c"}, {**EC, "label": "d"})
    asked = module(*four, replicas=replicas(beta), min_servers=1, parallel=1)  # or it may be d that fails
    done = run(asked)
    assert [(row["name"], row["status"]) for row in done["nodes"]] == [("alpha", "ok"), ("beta", "unsynchronised")]
    assert len(asked.warnings) == 1 and len(alpha.objects) == 8 and len(beta.objects) == 6
    assert [[row["node"] for row in one["changes"]] for one in done["key_pairs"]] == [
        [],
        [],
        ["alpha"],
        ["alpha", "beta"],
    ]
    with pytest.raises(HsmError) as caught:
        run(module({**OTHER_CURVE, "label": "a"}, {**EC, "label": "b"}, replicas=replicas(beta)))
    assert caught.value.msg.startswith("Could not do 1 of 2 key pairs on the tokens alpha, beta. keypairs[0]: ")
    beta.obey(open="CKR_DEVICE_REMOVED")
    with pytest.raises(HsmError) as caught:
        run(module(*two, replicas=replicas(beta)))
    assert [row["status"] for row in caught.value.data["nodes"]] == ["ok", "failed"]


@pytest.mark.parametrize(
    ("given", "check_mode", "at_once", "one_look"),
    [
        ({}, False, 3, False),
        ({"parallel": 2}, False, 2, False),
        ({"timeout": 60}, False, 1, False),
        ({}, True, 1, True),
        ({"timeout": 60}, True, 1, False),
    ],
    ids=["no more than there are", "as wished", "with a timeout", "in check mode", "in check mode with a timeout"],
)
def test_how_many_are_worked_on_at_once_with_replicas(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    given: dict[str, t.Any],
    check_mode: bool,
    at_once: int,
    one_look: bool,
) -> None:
    """Who waits for others would use up the time of a timeout, as one look without an end would."""
    alpha, beta = (MemoryNode(tmp_path / name) for name in ("alpha", "beta"))
    use_nodes(monkeypatch, alpha, beta)
    bring, seen = _replicas_many.replicate_many, []

    def watched(group: t.Any, entries: t.Any, brought: t.Any, parallel: int, report: t.Any, one_look: bool) -> t.Any:
        seen.append((parallel, one_look))
        return bring(group, entries, brought, parallel, report, one_look)

    monkeypatch.setattr(_replicas_many, "replicate_many", watched)
    three = ({**EC, "label": label} for label in "abc")
    run(module(*three, replicas=replicas(beta), check_mode=check_mode, **{"parallel": 4, **given}))
    assert seen == [(at_once, one_look)]


def test_what_replicas_refuse_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    beta = MemoryNode(tmp_path / "beta")
    use_nodes(monkeypatch, MemoryNode(tmp_path / "alpha"), beta)
    entry = {**EC, "label": "a"}
    told = refusal(
        lambda: run(module(entry, {**entry, "label": "b", "on_mismatch": "replace"}, replicas=replicas(beta)))
    )
    assert told.startswith("keypairs[1].on_mismatch 'replace' is refused: ")
    told = refusal(lambda: run(module({**entry, "extractable": False}, replicas=replicas(beta), min_servers=1)))
    assert told.startswith("min_servers 1 is refused: ")
    run(module({**entry, "on_mismatch": "replace", "state": "absent"}, replicas=replicas(beta)))


def test_counts() -> None:
    counts = _keypairs.counted(["none", "failed", "none", "generated"])
    assert sum(counts.values()) == 4 and set(counts) == {*WORDS.values(), "failed"}
    assert (
        _keypairs.in_words(counts) == "generated: 1, none: 2, failed: 1"
        and _keypairs.in_words(_keypairs.counted([])) == "none: 0"
    )
