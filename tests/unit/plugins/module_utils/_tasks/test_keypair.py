# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module of one pair, from options to its result, on tokens in memory."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import keypair as _keypair
from ansible_collections.cryptoki.hsm.tests.support.memory_module import Asked, replicas, use_nodes, use_token
from ansible_collections.cryptoki.hsm.tests.support.memory_nodes import MemoryNode
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import ec_pair, session_with


def module(check_mode: bool = False, **given: t.Any) -> Asked:
    return Asked(_keypair.OPTIONS["ecc"], check_mode, **{"label": "root", "curve": "P-256", **given})


def run(asked: Asked) -> dict[str, t.Any]:
    return _keypair._work("ecc", asked)


def test_a_pair_from_check_mode_to_removal(monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_with()
    sessions = use_token(monkeypatch, session)
    intended: list[int] = []
    monkeypatch.setattr(Pkcs11Provider, "intend", lambda _provider, wishes: intended.append(len(wishes)))
    foretold = run(module(check_mode=True))
    assert foretold["changed"] and foretold["outcome"] == "generated" and session.objects == []
    asked = module()
    done = run(asked)
    assert done["changed"] and done["key_pair"]["verified"] == "CKM_ECDSA" and len(session.objects) == 2
    print_ = done["key_pair"]["fingerprint"]
    assert done["outcome"] == "generated" and len(done["nodes"]) == 1
    assert [row["changes"][0]["after"] for row in (foretold, done)] == ["not known", print_]
    assert [one["before"] for result in (foretold, done) for one in (*result["changes"], *result["diff"])] == [
        *(None, "", None, "")
    ]
    wish, made = (result["diff"][0]["after"].splitlines() for result in (foretold, done))
    # What is drawn and made is not known before.
    new = [f"id_hex: {done['key_pair']['id_hex']}", f"fingerprint: {print_}"]
    assert [line for line in made if line not in wish] == new and set(wish) < set(made)
    assert len(wish) == 7 and "private.sign: true" in wish and "private.extractable: true" in wish
    assert len(asked.known) == 1 and asked.required == ["pkcs11"] and asked.warnings == []
    few = run(module(return_attributes=["extractable", "local"]))["key_pair"]
    told = [sorted(few[f"{half}_key"].pop("attributes")) for half in ("private", "public")]
    assert told == [["extractable", "local"], ["local"]]
    again = run(module())
    whole = [again["key_pair"][f"{half}_key"].pop("attributes") for half in ("private", "public")]
    assert all(len(attributes) > 10 for attributes in whole) and few == again["key_pair"]
    assert (again["changed"], again["outcome"], again["changes"], again["diff"]) == (False, "none", [], [])
    gone = run(module(state="absent"))
    assert gone["changed"] and gone["key_pair"] is None and gone["outcome"] == "removed" and session.objects == []
    assert gone["changes"] == [{"half": None, "name": "fingerprint", "before": print_, "after": None}]
    assert f"fingerprint: {print_}\n" in gone["diff"][0]["before"] and gone["diff"][0]["after"] == ""
    assert sessions == [(False, False), *[(True, False)] * 4] and intended == [1, 1, 1, 1, 0]


def test_a_proof_that_no_key_can_give_is_refused_before_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = use_token(monkeypatch, session_with(ec_pair()))
    given: dict[str, t.Any] = {"usage": [], "private_attributes": {"unwrap": True}, "verify": True}
    assert refusal(lambda: run(module(**given))).startswith("verify")
    assert sessions == []
    assert run(module(**given, state="absent"))["changed"]


def test_on_several_tokens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alpha, beta = nodes = MemoryNode(tmp_path / "alpha"), MemoryNode(tmp_path / "beta")
    use_nodes(monkeypatch, *nodes)
    for check_mode in (True, False):
        asked = module(check_mode, replicas=replicas(beta))
        done = run(asked)
        assert done["changed"] and [(row["name"], row["status"]) for row in done["nodes"]] == [
            ("alpha", "ok"),
            ("beta", "ok"),
        ]
        assert [(row["node"], row["name"], row["before"]) for row in done["changes"]] == [
            ("alpha", "fingerprint", None),
            ("beta", "fingerprint", None),
        ]
        assert [diff["after_header"] for diff in done["diff"]] == ["root on alpha", "root on beta"]
        assert {login.selector.label for login in asked.known} == {"alpha", "beta"} and len(alpha.objects) == len(
            beta.objects
        ) == (0 if check_mode else 2)
    beta.obey(open="CKR_DEVICE_REMOVED")
    asked = module(replicas=replicas(beta), min_servers=1)
    assert not run(asked)["changed"] and len(asked.warnings) == 1 and asked.warnings[0].startswith("The node 'beta'")
    new = run(module(label="new", replicas=replicas(beta), min_servers=1))
    assert [(row["node"], row["name"]) for row in new["changes"]] == [("alpha", "fingerprint")]
    replace = module(replicas=replicas(beta), on_mismatch="replace")
    assert "cannot be replaced at once" in refusal(lambda: run(replace))
    beta.obey()
    assert run(module(replicas=replicas(beta), on_mismatch="replace", state="absent"))["changed"]
