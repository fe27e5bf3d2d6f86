# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One pair on several tokens in memory, each with a process of its own: copies, what fails, and what is taken back."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Action
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import Outcome
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import Work
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas import copies, on_token
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.replicate import Replicated, Terms, replicate
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.tests.support.memory_certificates import certificate_of
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key
from ansible_collections.cryptoki.hsm.tests.support.memory_nodes import MemoryNode, group_of
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import FREEZE, WISH, ec_pair

NAMES = ("alpha", "beta", "gamma")
COPY = "a copy, in which local, always_sensitive cannot be as in the original"
PAIR = ec_pair()
MOVING = {"generate", "set_attributes", "freeze", "destroy", "offer", "answer", "settle", "wrap", "receive"}


class Nodes:
    """Tokens of a test, the source first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.all: dict[str, MemoryNode] = {}

    def have(
        self, alpha: t.Any = (), beta: t.Any = (), gamma: t.Any = (), vendor: str = "generic", **rules: t.Any
    ) -> None:
        for name, pairs in zip(NAMES, (alpha, beta, gamma), strict=True):
            self.all[name] = MemoryNode(self.folder / name, *pairs, vendor=vendor)

    def run(
        self,
        wish: Wish = WISH,
        state: str = "present",
        min_servers: int = 3,
        timeout: float | None = None,
        check_mode: bool = False,
    ) -> Replicated:
        with group_of(*self.all.values()) as group:
            return replicate(group, wish, state, Terms(min_servers, timeout), check_mode)

    def refusal(self, *arguments: t.Any, **given: t.Any) -> str:
        told = refusal(lambda: self.run(*arguments, **given))
        told = re.sub(r"[0-9a-f]{2}(:[0-9a-f]{2}){31}", "FINGERPRINT", told)
        return re.sub(r"[0-9a-f]{2}(:[0-9a-f]{2}){15}", "DRAWN", told)

    def halves(self) -> dict[str, list[str]]:
        return {name: sorted(found.half for found in node.objects) for name, node in self.all.items()}

    def moved(self) -> set[str]:
        return {call for node in self.all.values() for call in node.calls} & MOVING


@pytest.fixture
def nodes(tmp_path: Path) -> Nodes:
    made = Nodes(tmp_path)
    made.have()
    return made


WHOLE = [PRIVATE, PUBLIC]
EVERYWHERE = dict.fromkeys(NAMES, WHOLE)
NOWHERE: dict[str, list[str]] = {name: [] for name in NAMES}


def rows(done: Replicated) -> dict[str, tuple[str, str]]:
    return {row.name: (row.status, row.message) for row in done.nodes}


def before(done: Replicated) -> dict[str, str | None]:
    """What each token had, by its fingerprint."""
    return prints({name: outcome.before for name, outcome in done.on_tokens.items()})


def after(done: Replicated) -> dict[str, str | None]:
    """What each token has."""
    return prints({name: outcome.after for name, outcome in done.on_tokens.items()})


def prints(pairs: dict[str, KeyPair | None]) -> dict[str, str | None]:
    return {name: (pair.fingerprint or "not known") if pair else None for name in NAMES for pair in [pairs.get(name)]}


def actions(done: Replicated) -> list[Action]:
    """What was done to the pair, and on each token."""
    return [done.outcome.action, *(outcome.action for outcome in done.on_tokens.values())]


@pytest.mark.parametrize("check_mode", [True, False])
def test_what_may_be_meant_on_a_token_that_gets_a_copy_is_told(nodes: Nodes, check_mode: bool) -> None:
    nodes.have(alpha=[PAIR], beta=[ec_pair(handle=11, id=b"01")])
    done = nodes.run(dataclasses.replace(WISH, id=b"\x01"), check_mode=check_mode)
    (told,) = done.outcome.warnings
    assert told.startswith("Beside the new pair there is a key on the token 'beta' that may be meant instead of")
    assert done.outcome.changed and nodes.run(dataclasses.replace(WISH, id=b"\x01"), "absent").outcome.changed


def test_a_pair_is_generated_and_copied(nodes: Nodes) -> None:
    foretold = nodes.run(check_mode=True)
    assert foretold.outcome.changed and nodes.halves() == NOWHERE and not nodes.moved()
    assert after(foretold) == dict.fromkeys(NAMES, "not known") and actions(foretold) == [Action.GENERATE] * 4
    done = nodes.run()
    assert done.outcome.changed and done.outcome.before is None and done.outcome.warnings == ()
    assert done.outcome.proof.method == "CKM_ECDSA" and nodes.halves() == EVERYWHERE
    assert rows(done) == {"alpha": ("ok", ""), "beta": ("ok", COPY), "gamma": ("ok", COPY)}
    assert before(done) == dict.fromkeys(NAMES) and actions(done) == [Action.GENERATE] * 4
    (print_,) = set(after(done).values())
    assert print_ and len(print_) == 64
    ids = {found.id for node in nodes.all.values() for found in node.objects}
    assert len(ids) == 1 and len(ids.pop()) == 16
    for node in nodes.all.values():
        private = next(found for found in node.objects if found.half == PRIVATE)
        assert private.attributes["extractable"] is True and private.attributes["sign"] is True
        assert node.calls.count("open") == 2  # once a run


def test_the_second_run_changes_nothing(nodes: Nodes) -> None:
    nodes.run()
    for node in nodes.all.values():
        node.obey()
    again = nodes.run()
    assert not again.outcome.changed and not nodes.moved() and before(again) == after(again)
    assert [node.calls.count("prove") for node in nodes.all.values()] == [1, 1, 1]  # only an id joins the halves
    assert set(after(again).values()) != {None} and again.outcome.before == again.outcome.after
    assert {status for status, _told in rows(again).values()} == {"ok"}


def test_a_proof_that_is_wished_is_made_of_a_pair_that_is_there(nodes: Nodes) -> None:
    nodes.have([PAIR], [PAIR], [PAIR])
    done = nodes.run(dataclasses.replace(WISH, verify=True))
    assert not done.outcome.changed and not nodes.moved() and done.outcome.proof.method == "CKM_ECDSA"


def test_a_replica_that_lacks_it_gets_it_from_the_source(nodes: Nodes) -> None:
    nodes.have([PAIR], [PAIR])
    foretold = nodes.run(check_mode=True)
    assert foretold.outcome.changed and not nodes.moved()
    assert before(foretold)["gamma"] is None and after(foretold)["gamma"] == before(foretold)["alpha"]
    done = nodes.run()
    assert done.outcome.changed and done.outcome.before == PAIR and nodes.halves() == EVERYWHERE
    assert (before(done), after(done)) == (before(foretold), after(foretold))
    assert actions(done) == actions(foretold) == [Action.REPAIR, Action.NOTHING, Action.NOTHING, Action.REPAIR]
    assert "generate" not in nodes.moved() and "receive" not in nodes.all["beta"].calls


def test_the_source_gets_it_back_by_its_fingerprint(nodes: Nodes) -> None:
    nodes.have([], [PAIR], [PAIR])
    message = nodes.refusal()
    assert message.startswith("Refused to touch the ECC key pair 'root': it is only on replicas, 'beta' has")
    assert message.endswith("and not on 'alpha'. To copy it back, name it by its fingerprint.")
    done = nodes.run(dataclasses.replace(WISH, fingerprint=PAIR.fingerprint))
    assert done.outcome.changed and done.outcome.before is None and nodes.halves() == EVERYWHERE
    assert "wrap" in nodes.all["beta"].calls and "wrap" not in nodes.all["gamma"].calls


def test_a_public_half_that_a_broken_copy_left_is_completed(nodes: Nodes) -> None:
    nodes.have([PAIR], [PAIR], [PAIR])
    gamma = nodes.all["gamma"]
    gamma.keep([PAIR.public], {}, {}, [])
    assert nodes.run().outcome.action is Action.REPAIR and nodes.halves() == EVERYWHERE
    assert [found.handle for found in gamma.objects if found.half == PUBLIC] == [PAIR.public.handle]


def test_different_keys_are_refused(nodes: Nodes) -> None:
    nodes.have([PAIR], [ec_pair(handle=5)], [PAIR])
    for state in ("present", "absent"):
        message = nodes.refusal(state=state)
        assert message.startswith(
            "Refused to touch the ECC key pair 'root': the tokens have different keys of that name"
        )
        assert nodes.halves() == EVERYWHERE and not nodes.moved()


def test_what_cannot_leave_its_token_is_not_copied(nodes: Nodes) -> None:
    nodes.have([ec_pair(private={"extractable": False})])
    message = nodes.refusal()
    assert (
        "Refused to copy the ECC key pair 'root' to it: the private half is not extractable, which cannot be undone"
        in message
    )
    assert message.endswith("Nothing was changed.") and not nodes.moved()


@pytest.mark.parametrize(
    ("method", "rule"),
    [
        ("settle", "die"),
        ("receive", "CKR_DEVICE_ERROR"),
        ("receive", "done, then CKR_DEVICE_ERROR"),
        ("receive", "done, then die"),
        ("prove", "CKR_DEVICE_ERROR"),
        ("prove", "die"),
    ],
)
def test_what_was_made_is_taken_back_where_all_are_needed(nodes: Nodes, method: str, rule: str) -> None:
    nodes.all["gamma"].obey(**{method: rule})
    message = nodes.refusal()
    left = "alpha, beta, gamma" if "die" in rule and method != "settle" else "alpha, beta"
    assert "Node 'gamma': Could not" in message
    assert message.endswith(f"Nothing that this run made is left on {left}.")
    assert ("The copy was removed again." in message) is ((method, rule) == ("prove", "CKR_DEVICE_ERROR"))
    assert nodes.halves() == NOWHERE


@pytest.mark.parametrize("rule", ["done, then CKR_DEVICE_ERROR", "die"])
def test_a_replica_that_fails_is_told_where_others_are_enough(nodes: Nodes, rule: str) -> None:
    nodes.all["gamma"].obey(receive=rule)
    done = nodes.run(min_servers=2)
    status, told = rows(done)["gamma"]
    assert status == "unsynchronised" and told.startswith(("Could not store the copy", "Could not receive"))
    assert rows(done)["beta"] == ("ok", COPY) and after(done)["gamma"] is None and done.outcome.changed
    assert done.outcome.warnings == (f"The node 'gamma' does not have the ECC key pair 'root': {told}",)
    assert nodes.halves()["alpha"] == nodes.halves()["beta"] == WHOLE


def test_a_copy_that_is_not_found_again_is_none(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes.have([PAIR], [PAIR])
    find = Work.find
    monkeypatch.setattr(Work, "find", lambda self: [] if self.session.token_name == "gamma" else find(self))
    done = nodes.run(min_servers=2)
    status, told = rows(done)["gamma"]
    assert status == "unsynchronised" and "find the copy of the ECC key pair 'root' on the token 'gamma' again" in told
    assert nodes.halves()["gamma"] == []


def test_a_pair_of_another_key_is_no_copy(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another host's, which alone is found in its place."""
    nodes.have([PAIR], [PAIR])
    find, stranger = Work.find, ec_pair(handle=31)

    def other(work: Work) -> list[KeyPair]:
        there = find(work)
        return [stranger] if there and work.session.token_name == "gamma" else there

    monkeypatch.setattr(Work, "find", other)
    monkeypatch.setattr(copies.time, "sleep", lambda seconds: None)
    done = nodes.run(min_servers=2)
    assert rows(done)["gamma"][0] == "unsynchronised" and nodes.halves()["gamma"] == []


def test_a_copy_on_a_replica_that_fails_afterwards_is_told(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes.have([PAIR], [PAIR])

    bring = on_token.bring

    def failing(session: t.Any, *arguments: t.Any, **named: t.Any) -> Outcome:
        if session.token_name == "gamma":
            raise TokenError("finish it", "CKR_DEVICE_ERROR")
        return bring(session, *arguments, **named)

    monkeypatch.setattr(on_token, "bring", failing)
    done = nodes.run(min_servers=2)
    assert rows(done)["gamma"][0] == "unsynchronised" and nodes.halves() == EVERYWHERE
    assert actions(done) == [Action.REPAIR, Action.NOTHING, Action.NOTHING, Action.REPAIR]
    assert before(done)["gamma"] is None and after(done)["gamma"] == PAIR.fingerprint


@pytest.mark.parametrize("rule", ["once done, then die", "once CKR_DEVICE_ERROR"])
def test_within_a_timeout_a_copy_is_tried_again(nodes: Nodes, rule: str) -> None:
    nodes.all["gamma"].obey(receive=rule)
    done = nodes.run(timeout=20)
    assert nodes.halves() == EVERYWHERE and done.outcome.warnings == ()
    assert nodes.all["gamma"].calls.count("receive") == 2


def test_who_cannot_be_reached_is_told(nodes: Nodes) -> None:
    nodes.have([PAIR], [PAIR], [PAIR])
    nodes.all["gamma"].obey(open="CKR_DEVICE_REMOVED")
    done = nodes.run(min_servers=2)
    assert not done.outcome.changed and rows(done)["gamma"][0] == "failed" and after(done)["gamma"] is None
    assert "CKR_DEVICE_REMOVED" in rows(done)["gamma"][1]
    message = nodes.refusal()
    assert "Node 'gamma': Could not" in message and message.endswith("Nothing was changed.")
    assert not nodes.moved()


def test_of_many_pairs_only_the_first_waits_for_a_token(nodes: Nodes) -> None:
    gamma = nodes.all["gamma"]
    gamma.obey(open="CKR_DEVICE_REMOVED")
    with group_of(*nodes.all.values()) as group:
        for _pair in range(2):
            told = refusal(lambda: replicate(group, WISH, "present", Terms(3, None), check_mode=False))
            assert "Node 'gamma': Could not" in told and told.count("Node ") == 1
    assert gamma.calls == ["open"]


def test_without_its_source_nothing_is_made(nodes: Nodes) -> None:
    nodes.all["alpha"].obey(open="CKR_DEVICE_REMOVED")
    message = nodes.refusal(min_servers=1)
    assert "Node 'alpha': Could not" in message and message.endswith("Nothing was changed.") and not nodes.moved()


@pytest.mark.parametrize("rule", ["CKR_DEVICE_ERROR", "die", "done, then die"])
def test_a_source_that_fails_leaves_nothing(nodes: Nodes, rule: str) -> None:
    nodes.all["alpha"].obey(generate=rule)
    message = nodes.refusal()
    assert message.startswith("Could not generate") and ("Nothing that this run made is left on alpha." in message) is (
        "die" in rule
    )
    assert nodes.halves() == NOWHERE and not nodes.moved() & {"wrap", "receive"}


def test_a_source_lost_after_it_made_the_pair(nodes: Nodes) -> None:
    """What it could not take back itself is looked for afterwards, and only the end of that is told."""
    nodes.all["alpha"].obey(prove="die")
    message = nodes.refusal()
    assert message.startswith("Could not prove the ECC key pair 'root' on the node 'alpha'")
    assert message.endswith("Nothing that this run made is left on alpha.") and "remains" not in message
    assert nodes.halves() == NOWHERE


@pytest.mark.parametrize("rule", ["once die", "die"])
def test_a_token_lost_while_it_takes_back_a_copy(nodes: Nodes, rule: str) -> None:
    """It is reached again; where it is lost again, nobody knows what is left."""
    nodes.all["gamma"].obey(prove="CKR_DEVICE_ERROR", destroy=rule)
    message = nodes.refusal()
    assert "The copy was removed again" not in message and "remains" not in message
    if rule == "die":
        assert "What is left of it on the node 'gamma' is not known: Could not remove (private ec key" in message
        assert message.endswith("Nothing that this run made is left on alpha, beta.")
    else:
        assert message.endswith("Nothing that this run made is left on alpha, beta, gamma.")
    assert nodes.halves() == (NOWHERE if "once" in rule else {**NOWHERE, "gamma": WHOLE})


def test_a_token_lost_while_it_removes_the_pair(nodes: Nodes) -> None:
    nodes.have([PAIR], [PAIR], [PAIR])
    nodes.all["beta"].obey(destroy="done, then die")
    message = nodes.refusal(state="absent")
    assert "What may remain: (public ec key" in message and "What remains: " not in message


def test_a_bug_leaves_nothing(nodes: Nodes) -> None:
    nodes.all["beta"].obey(prove="bug")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        nodes.run()
    assert nodes.halves() == NOWHERE


def test_what_cannot_be_removed_is_named(nodes: Nodes) -> None:
    nodes.all["beta"].obey(destroy="CKR_ACTION_PROHIBITED")
    nodes.all["gamma"].obey(receive="CKR_DEVICE_ERROR")
    message = nodes.refusal()
    assert "What remains on the token 'beta': " in message and message.count("CKR_ACTION_PROHIBITED") == 2
    assert message.endswith("Nothing that this run made is left on alpha.")
    assert nodes.halves() == {**NOWHERE, "beta": WHOLE}


def test_a_copy_that_cannot_be_proven_counts_only_without_a_proof(nodes: Nodes) -> None:
    wish = dataclasses.replace(WISH, usage=("derive",), private_attributes={"derive": False})
    message = nodes.refusal(wish)
    assert "Could not" in message and nodes.halves() == NOWHERE
    done = nodes.run(dataclasses.replace(wish, verify=False))
    assert nodes.halves() == EVERYWHERE and done.outcome.proof.method is None


def test_what_ends_all_copying_comes_last(nodes: Nodes) -> None:
    wish = dataclasses.replace(WISH, extractable=False, private_attributes=FREEZE, public_attributes=FREEZE)
    done = nodes.run(wish)
    assert done.outcome.changed and nodes.halves() == EVERYWHERE
    for node in nodes.all.values():
        for found in node.objects:
            assert found.attributes["destroyable"] is False and found.attributes["modifiable"] is False
            assert found.attributes.get("extractable", False) is False
        # What is frozen is a copy on the same token, which is proven before its original goes.
        last = node.calls[node.calls.index("freeze") :]
        assert not {"receive", "wrap"} & set(last)
        assert last == ["freeze", "prove", "destroy", "freeze", "destroy"]
    assert not nodes.run(wish).outcome.changed


def test_what_is_set_last_and_fails_is_named_and_the_pair_stays(nodes: Nodes) -> None:
    wish = dataclasses.replace(WISH, private_attributes=FREEZE)
    nodes.all["gamma"].obey(freeze="CKR_DEVICE_ERROR")
    message = nodes.refusal(wish)
    assert message.startswith(
        "Could not finish the ECC key pair 'root': what is set last is not set everywhere. Node 'gamma': Could not"
    )
    assert message.endswith("The pair is on beta, gamma, alpha; run the task again.") and nodes.halves() == EVERYWHERE
    assert "freeze" not in nodes.all["alpha"].calls  # the source last
    nodes.all["gamma"].obey()
    assert nodes.run(wish).outcome.changed


def test_a_token_that_cannot_copy_an_object_cannot_freeze_it(nodes: Nodes) -> None:
    nodes.have(vendor="cloudhsm")
    message = nodes.refusal(dataclasses.replace(WISH, private_attributes=FREEZE))
    assert message == (
        "Refused to generate the ECC key pair 'root' on several tokens: 'alpha' cannot copy an object, which"
        " destroyable=false and modifiable=false need there after all else is done."
    )
    assert not nodes.moved()


def test_all_are_brought_to_the_wish(nodes: Nodes) -> None:
    nodes.have([PAIR], [ec_pair(private={"sign": False})], [PAIR])
    done = nodes.run()
    assert not done.outcome.changed
    wish = dataclasses.replace(WISH, usage=("sign",))
    assert nodes.run(wish, check_mode=True).outcome.changed and not nodes.moved()
    assert nodes.run(wish).outcome.changed
    assert "set_attributes" in nodes.all["beta"].calls and "set_attributes" not in nodes.all["alpha"].calls


def test_what_one_refuses_is_done_nowhere(nodes: Nodes) -> None:
    nodes.have([PAIR], [ec_pair(private={"sign": False, "modifiable": False})], [PAIR])
    message = nodes.refusal(dataclasses.replace(WISH, usage=("sign",)), min_servers=2)
    assert message.startswith("Refused to") and "'beta'" in message and not nodes.moved()


def test_a_replica_that_takes_no_change_fails_it_before_the_source(nodes: Nodes) -> None:
    nodes.have([ec_pair(private={"sign": False})], [ec_pair(private={"sign": False})], [PAIR])
    nodes.all["beta"].obey(set_attributes="CKR_DEVICE_ERROR")
    message = nodes.refusal(dataclasses.replace(WISH, usage=("sign",)))
    assert "Node 'beta': Could not" in message and "set_attributes" not in nodes.all["alpha"].calls


def test_it_is_removed_everywhere(nodes: Nodes) -> None:
    nodes.have([PAIR], [PAIR], [])
    foretold = nodes.run(state="absent", check_mode=True)
    assert foretold.outcome.changed and not nodes.moved() and after(foretold) == dict.fromkeys(NAMES)
    done = nodes.run(state="absent")
    assert done.outcome.changed and nodes.halves() == NOWHERE and done.outcome.before == PAIR
    assert before(done)["alpha"] and before(done)["alpha"] == before(done)["beta"]
    assert before(done)["gamma"] is None
    assert actions(done) == actions(foretold) == [Action.REMOVE, Action.REMOVE, Action.REMOVE, Action.NOTHING]
    assert after(done) == dict.fromkeys(NAMES) and {status for status, _told in rows(done).values()} == {"ok"}
    assert not nodes.run(state="absent").outcome.changed


def test_a_removal_that_misses_one_is_a_failure_after_all_others(nodes: Nodes) -> None:
    nodes.have([PAIR], [PAIR], [PAIR])
    nodes.all["beta"].obey(open="CKR_DEVICE_REMOVED")
    foretold = nodes.refusal(state="absent", check_mode=True)
    assert foretold.endswith("What remains there is not known. To be removed from: alpha, gamma.")
    message = nodes.refusal(state="absent")
    assert message.startswith(
        "Could not make sure that the ECC key pair 'root' is gone from all 3 tokens. Node 'beta': Could not"
    )
    assert message.endswith("What remains there is not known. Removed from: alpha, gamma.")
    assert nodes.halves() == {**NOWHERE, "beta": WHOLE}
    assert nodes.refusal(state="absent").endswith("Removed from: none.")


def test_who_hangs_is_given_up_at_the_timeout(nodes: Nodes) -> None:
    """Which leaves those that are there some time."""
    nodes.have([PAIR], [PAIR], [PAIR])
    nodes.all["beta"].obey(find="hang")
    nodes.all["gamma"].obey(destroy="once slow")
    message = nodes.refusal(state="absent", timeout=6)
    assert "nothing within the timeout" in message and message.endswith("Removed from: alpha, gamma.")


def test_a_token_named_twice_is_refused(nodes: Nodes) -> None:
    nodes.all["gamma"] = nodes.all["beta"]
    message = nodes.refusal()
    assert message == (
        "Refused to use the node 'beta' and the node 'beta': they are the same token 'beta'. Name each token once."
    )


@pytest.mark.parametrize(("rule", "unwrap"), [("generous", False), ("sparing", None)])
def test_a_copy_that_the_token_made_otherwise_is_mended(nodes: Nodes, rule: str, unwrap: bool | None) -> None:
    nodes.all["beta"].obey(store=rule)
    assert nodes.run().outcome.changed
    (private,) = (found for found in nodes.all["beta"].objects if found.half == PRIVATE)
    assert private.attributes.get("unwrap") is unwrap
    assert nodes.all["beta"].calls.count("set_attributes") == (1 if rule == "generous" else 0)


def test_a_copy_that_cannot_be_mended_is_removed(nodes: Nodes) -> None:
    nodes.have(vendor="cloudhsm")
    nodes.all["beta"].obey(store="generous")
    message = nodes.refusal()
    assert "on the token 'beta': the token stored it otherwise, private half's unwrap is true, wished false" in message
    assert nodes.halves() == NOWHERE


def test_who_hangs_uses_up_a_part_of_the_time_where_others_are_enough(nodes: Nodes) -> None:
    nodes.all["gamma"].obey(find="hang")
    done = nodes.run(min_servers=2, timeout=12)
    assert nodes.halves() == {**EVERYWHERE, "gamma": []} and rows(done)["gamma"][0] == "failed"
    assert "nothing within the timeout" in rows(done)["gamma"][1]


def test_what_has_a_given_id_may_be_anothers_and_stays(nodes: Nodes) -> None:
    nodes.all["alpha"].obey(generate="done, then die")
    message = nodes.refusal(dataclasses.replace(WISH, id=b"mine"))
    assert "What this run left on the token 'alpha' cannot be told from others' keys: (public ec key" in message
    assert nodes.halves() == {**NOWHERE, "alpha": WHOLE}


def test_a_certificate_on_one_token_keeps_the_pair_on_all(nodes: Nodes) -> None:
    nodes.have([PAIR], [PAIR], [PAIR])
    nodes.all["gamma"].certified = [certificate_of(private_key("secp256r1", 1))]
    for check_mode in (True, False):
        message = nodes.refusal(state="absent", check_mode=check_mode)
        assert message.startswith("Refused to remove the ECC key pair 'root' on the token 'gamma': its id is that of")
    assert nodes.halves() == dict.fromkeys(NAMES, [PRIVATE, PUBLIC])
    assert nodes.run(dataclasses.replace(WISH, certificates="follow"), state="absent").outcome.changed
    assert nodes.halves() == dict.fromkeys(NAMES, []) and nodes.all["gamma"].certified == []
