# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_key does with keys on a token in memory: changes, renaming, refusals before the login."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import LOGIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.key_groups import KEY
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import key as _key
from ansible_collections.cryptoki.hsm.tests.support.key_tasks import CHANGES, NEW, changed_half, rsa_pair, run
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key
from ansible_collections.cryptoki.hsm.tests.support.memory_module import Asked, replicas, use_nodes, use_token
from ansible_collections.cryptoki.hsm.tests.support.memory_nodes import MemoryNode
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import ec_pair, session_with
from ansible_collections.cryptoki.hsm.tests.support.task_options import refused


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"count": 0}, "count 0 is refused: it must be at least 1."),
        ({"count": 2, "new_id": "x"}, "new_id is refused: several keys cannot have the same id; leave count out."),
        (
            {"count": 2, "new_label": "x"},
            "new_label is refused: several keys of one label could not be told apart; leave count out.",
        ),
        ({"new_label": ""}, "new_label is refused: it is empty."),
        (
            {"new_label": 7},
            "new_label 7 is refused: it came as a number;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        ({"new_id": ""}, "new_id is refused: it is empty."),
        (
            {"new_id_hex": "xy"},
            "new_id_hex 'xy' is refused: give pairs of hexadecimal digits, with or without colons.",
        ),
        (
            {"extractable": True},
            "extractable 'true' is refused: a key that may not leave the HSM cannot be made extractable again.",
        ),
        (
            {"state": "absent", "usage": ["sign"]},
            "usage ['sign'] is refused: state=absent changes nothing, it removes the key.",
        ),
        ({"share_with": ["a", "A"]}, "share_with ['a', 'A'] is refused: it names a user twice."),
        ({"share_mode": "add"}, "share_mode 'add' is refused: it needs share_with."),
    ],
)
def test_what_is_refused_before_the_login(given: dict[str, t.Any], message: str) -> None:
    assert refusal(lambda: run(MemorySession(), label="root", **given)) == message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"uri": "pkcs11:object=root;type=secret-key"},
            "uri 'type=secret-key' is refused: this module changes and removes the keys of pairs only.",
        ),
        (
            {"uri": "pkcs11:object=root;type=public", "extractable": False},
            "extractable is refused: the uri chooses the public half alone, which it does not concern.",
        ),
        (
            {"uri": "pkcs11:object=root;type=public", "private_attributes": {"sign": True}},
            "private_attributes is refused: the uri chooses the public half alone, which it does not concern.",
        ),
        (
            {"uri": "pkcs11:object=root;type=private", "public_attributes": {"verify": True}},
            "public_attributes is refused: the uri chooses the private half alone, which it does not concern.",
        ),
    ],
)
def test_what_a_uri_refuses_before_the_login(given: dict[str, t.Any], message: str) -> None:
    assert refusal(lambda: run(MemorySession(), **given)) == message


def test_a_handle_alone_chooses_nothing_that_is_to_go() -> None:
    session = session_with(ec_pair())
    assert not run(session, handle=2)[0].changed
    assert refusal(lambda: run(session, handle=2, state="absent")) == (
        "handle 2 is refused: with state=absent give label, id or fingerprint beside it, because handles can change"
        " with a restore."
    )
    assert run(session, handle=2, label="root", state="absent")[0].changed


def test_a_choice_is_needed() -> None:
    assert refused(LOGIN + KEY, {"key_type": "ec", "state": "absent"}) == [
        "one of the following is required: label, id, id_hex, fingerprint, uri, handle"
    ]


TASKS: dict[str, dict[str, t.Any]] = {
    "label": {"label": "root", "new_label": "new"},
    "id": {"id_hex": "01", "new_id": "new"},
    "both": {"label": "root", **NEW},
    "fingerprint": {"fingerprint": ec_pair().fingerprint, "new_label": "new", "usage": ["derive"]},
    "uri": {"uri": "pkcs11:token=memory;object=root;id=%01", "extractable": False},
    "usage": {"label": "root", "usage": ["sign", "derive"]},
    "attributes": {"id_hex": "01", "private_attributes": {"derive": True}, "public_attributes": {"modifiable": False}},
    "one half": {"uri": "pkcs11:object=root;type=public", "new_label": "new"},
    "absent": {"label": "root", "state": "absent"},
    "absent half": {"uri": "pkcs11:object=root;type=private", "state": "absent"},
    "nothing": {"label": "root"},
}
OTHER = ec_pair(handle=11, label="other", id=b"\x02")


@pytest.mark.parametrize("name", TASKS)
def test_twice_is_once_and_check_mode_foretells(name: str) -> None:
    session, task = session_with(ec_pair(), OTHER), TASKS[name]
    before = list(session.objects)
    (foretold,) = run(session, check_mode=True, **task)
    assert not CHANGES & set(session.calls) and session.objects == before
    (done,) = run(session, **task)
    assert foretold.changed is done.changed is (name != "nothing")
    assert foretold.before == done.before
    if foretold.after and done.after and name != "attributes":  # a copy has a handle of its own
        assert [found.attributes for found in foretold.after.objects] == [
            found.attributes for found in done.after.objects
        ]
    session.calls.clear()
    again = [] if name == "one half" else run(session, **task)
    assert not any(outcome.changed for outcome in again) and not CHANGES & set(session.calls)
    assert [found for found in session.objects if found.handle > 10][:2] == list(OTHER.objects)


def test_new_names_that_another_key_has() -> None:
    session = session_with(ec_pair(), OTHER)
    cases: list[tuple[dict[str, t.Any], str]] = [({"new_label": "other"}, "label"), ({"new_id_hex": "02"}, "id")]
    for task, name in cases:
        assert refusal(lambda: run(session, label="root", **task)) == (  # noqa: B023
            "Refused to rename the key chosen by label 'root' on the token 'memory': the new"
            f" {name} belongs to {OTHER.public}, {OTHER.private}. Choose another {name}."
        )
    assert not CHANGES & set(session.calls)
    rsa = session_with(ec_pair(), rsa_pair(handle=11, label="other", id=b"\x02"))
    assert run(rsa, label="root", new_label="other")[0].changed, "a label may be that of another type"


@pytest.mark.parametrize("make", [ec_pair, rsa_pair])
@pytest.mark.parametrize("task", ["label", "id", "both"])
@pytest.mark.parametrize("renamed", [PRIVATE, PUBLIC])
def test_a_renaming_that_was_broken_off_is_finished(make: t.Callable[..., KeyPair], task: str, renamed: str) -> None:
    pair, given = make(), TASKS[task]
    values = {key[4:]: value for key, value in given.items() if key.startswith("new_")}
    values = {key: value.encode() if key == "id" else value for key, value in values.items()}
    publics, privates = (
        tuple(changed_half(found, **values) if found.half == renamed else found for found in half)
        for half in (pair.publics, pair.privates)
    )
    for choice in (given, {**given, "label": None, "id_hex": None, "fingerprint": pair.fingerprint}):
        session = session_with(KeyPair(publics, privates))
        session.keys.of[2] = private_key("secp256r1" if make is ec_pair else "2048", 1)
        given_now = {key: value for key, value in choice.items() if value is not None}
        if renamed == PUBLIC and "fingerprint" in given_now and make is ec_pair and task != "label":
            continue  # the half that tells the fingerprint has the new name, and nothing leads to the other
        assert [outcome.changed for outcome in run(session, check_mode=True, **given_now)] == [True]
        assert [outcome.changed for outcome in run(session, **given_now)] == [True]
        assert [outcome.changed for outcome in run(session, **given_now)] == [False]
        assert {(found.label, found.id) for found in session.objects} == {
            (values.get("label", "root"), values.get("id", b"\x01"))
        }


def test_a_stranger_is_not_taken_for_the_renamed_half() -> None:
    stranger = ec_pair(handle=11, label="new", id=b"new").private
    session = session_with(KeyPair(ec_pair().publics), KeyPair((), (stranger,)))
    session.keys.of[11 + 1] = private_key("secp256r1", 99)
    message = refusal(lambda: run(session, label="root", **NEW))
    assert message.startswith(
        "Refused to touch the key chosen by label 'root' on the token 'memory': it is a public half"
    )
    assert not CHANGES & set(session.calls)


def test_what_cannot_be_changed_is_said_without_options_that_this_module_lacks() -> None:
    session = session_with(ec_pair(private={"wrap_with_trusted": True}))
    message = refusal(lambda: run(session, label="root", private_attributes={"wrap_with_trusted": False}))
    assert message == (
        "Refused to change the key chosen by label 'root' on the token 'memory': private half's wrap_with_trusted is"
        " true, wished false. That cannot be changed in place; leave out what the token does not let be changed."
    )
    assert refusal(lambda: run(session_with(rsa_pair()), label="root", usage=["derive"])) == (
        "usage 'derive' is refused: RSA keys derive nothing; choose sign, decrypt or wrap."
    )


CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "label": st.sampled_from(["root", "other", "new", ""]),
        "id_hex": st.sampled_from(["01", "02", ""]),
        "fingerprint": st.sampled_from([ec_pair().fingerprint, OTHER.fingerprint]),
    },
).filter(bool)
TODO = st.fixed_dictionaries(
    {},
    optional={
        "new_label": st.sampled_from(["new", "root"]),
        "new_id_hex": st.sampled_from(["01", "03"]),
        "usage": st.sampled_from([["sign"], ["derive"]]),
        "extractable": st.just(False),
    },
) | st.fixed_dictionaries({"state": st.just("absent"), "count": st.integers(1, 3)})
ON_TOKEN = st.lists(
    st.builds(
        lambda handle, label, id_: ec_pair(handle=handle, label=label, id=id_),
        st.sampled_from([1, 11, 21]),
        st.sampled_from(["root", "other", ""]),
        st.sampled_from([b"", b"\x01", b"\x02"]),
    ),
    max_size=3,
    unique_by=lambda pair: pair.public.handle,
)


@given(ON_TOKEN, st.lists(st.integers(0, 5), max_size=2), CHOICES, TODO)
def test_the_second_run_changes_nothing_and_strangers_stay(
    pairs: list[KeyPair], lost: list[int], choice: dict[str, t.Any], todo: dict[str, t.Any]
) -> None:
    session = session_with(*pairs)
    session.objects = [found for index, found in enumerate(session.objects) if index not in lost]
    before = {found.handle: found for found in session.objects}
    try:
        foretold = run(session, check_mode=True, **choice, **todo)
    except HsmError:
        foretold = None
    assert not CHANGES & set(session.calls)
    try:
        done = run(session, **choice, **todo)
    except HsmError:
        assert {found.handle: found for found in session.objects} == before, "a refusal changes nothing"
        return
    assert foretold is not None and [one.changed for one in foretold] == [one.changed for one in done]
    touched = {found.handle for one in done if one.before for found in one.before.objects}
    after = {found.handle: found for found in session.objects}
    assert all(after.get(handle) == found for handle, found in before.items() if handle not in touched)
    assert not any(one.changed for one in run(session, **choice, **todo))


def test_the_module_from_options_to_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_with(ec_pair(), OTHER)
    sessions = use_token(monkeypatch, session)
    foretold = _key._work(Asked(LOGIN + KEY, check_mode=True, label="root", new_label="new"))
    done = _key._work(Asked(LOGIN + KEY, label="root", new_label="new"))
    for result in (foretold, done):
        assert result["changed"] and [row["label"] for row in result["key_pairs"]] == ["new"]
        renamed = {"half": None, "name": "label", "before": "root", "after": "new"}
        assert (result["outcome"], result["changes"]) == ("changed", [renamed]) and len(result["nodes"]) == 1
        assert [(row["outcome"], row["changes"]) for row in result["key_pairs"]] == [("changed", [renamed])]
        headers = dict.fromkeys(("before_header", "after_header"), "root on memory")
        assert result["diff"] == [{**headers, "before": "label: root\n", "after": "label: new\n"}]
    same = _key._work(Asked(LOGIN + KEY, label="new", return_attributes=["sign"]))
    assert list(same["key_pairs"][0]["private_key"]["attributes"]) == ["sign"]
    assert not same["changed"] and len(same["key_pairs"]) == 1
    assert (same["outcome"], same["changes"], same["diff"]) == ("none", [], [])
    gone = _key._work(Asked(LOGIN + KEY, label="new", state="absent"))
    assert gone["changed"] and gone["key_pairs"] == [] and gone["outcome"] == "removed"
    (change,), (diff,) = gone["changes"], gone["diff"]
    assert change == {"half": None, "name": "fingerprint", "before": same["key_pairs"][0]["fingerprint"], "after": None}
    assert (
        diff["before"].startswith("label: new\n")
        and diff["after"] == ""
        and sessions == [(False, False), *[(True, False)] * 3]
    )


def test_the_module_on_several_tokens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alpha, beta = nodes = MemoryNode(tmp_path / "alpha", ec_pair()), MemoryNode(tmp_path / "beta", ec_pair())
    use_nodes(monkeypatch, *nodes)
    asked = Asked(LOGIN + KEY, label="root", new_label="new", replicas=replicas(beta))
    done = _key._work(asked)
    assert (
        done["changed"]
        and [row["name"] for row in done["nodes"]] == ["alpha", "beta"]
        and {login.selector.label for login in asked.known} == {"alpha", "beta"}
    )
    assert {found.label for node in (alpha, beta) for found in node.objects} == {"new"}
    renamed = {"half": None, "name": "label", "before": "root", "after": "new"}
    assert done["changes"] == [{**renamed, "node": "alpha"}, {**renamed, "node": "beta"}]
    assert [diff["before_header"] for diff in done["diff"]] == ["root on alpha", "root on beta"]
    alpha.keep([], {}, {}, [])
    gone = _key._work(Asked(LOGIN + KEY, label="new", state="absent", replicas=replicas(beta)))
    assert gone["outcome"] == "removed" and [row["node"] for row in gone["changes"]] == ["beta"]
