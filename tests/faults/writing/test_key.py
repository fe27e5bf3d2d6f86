# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hsm_key on tokens that misbehave, and killed at any moment: nothing is changed that was not named or is not told."""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyRun, FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.soft_token import library

SEARCH = ("C_FindObjectsInit instead", "C_FindObjects after", "C_FindObjectsFinal after")
# No part of it occurs in a message.
PIN = "T7k-4q0-Rz8-mWp"
KEYS: dict[str, tuple[str, dict[str, t.Any]]] = {
    "ecc": ("hsm_ecc_keypair", {"curve": "P-256"}),
    "rsa": ("hsm_rsa_keypair", {"modulus_bits": 2048}),
}
RENAME: dict[str, t.Any] = {"label": "k", "new_label": "new"}
BOTH: dict[str, t.Any] = {**RENAME, "new_id": "new"}
ABSENT: dict[str, t.Any] = {"label": "k", "state": "absent"}
PUBLIC = "(public ec key, on secp256r1, label 'k', id DRAWN, fingerprint FINGERPRINT)"
PRIVATE = "(private ec key, on secp256r1, label 'k', id DRAWN, fingerprint unknown)"


def key(token: FaultyToken, rules: str = "", **params: t.Any) -> FaultyRun:
    """Runs the module through the interposer."""
    return token.faulty("hsm_key", rules, **params)


def make(token: FaultyToken, family: str = "ecc", **params: t.Any) -> dict[str, t.Any]:
    """Makes a pair, labelled k."""
    module, size = KEYS[family]
    return token.run(module, **{"label": "k", **size, **params}).key_pair


def named(token: FaultyToken) -> list[tuple[str, str, str]]:
    """What pkcs11-tool sees: class, label and id."""
    return sorted((row["class"], row.get("label", ""), row.get("id", "")) for row in token.listing())


def changed(run: FaultyRun) -> bool:
    """Whether a run that had to succeed changed anything."""
    if run.result.get("failed"):
        raise AssertionError(run.msg)
    return t.cast(bool, run.result["changed"])


@pytest.mark.parametrize("moment", SEARCH)
@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("task", [RENAME, ABSENT])
def test_failed_search(token: FaultyToken, task: dict[str, str], moment: str, call: int) -> None:
    make(token)
    function, when = moment.split()
    number = 2 * call - 1 if function == "C_FindObjects" else call
    for check_mode in (False, True):
        run = key(token, f"{function}#{number} {when} return 0x30", check_mode=check_mode, **task)
        assert run.result["ckr"] == "CKR_DEVICE_ERROR"
        assert not run.writes
    assert token.halves("k") == ["private", "public"]


@pytest.mark.parametrize("task", [RENAME, ABSENT])
def test_key_that_cannot_be_read(token: FaultyToken, task: dict[str, str]) -> None:
    """It was found, so that it is not absent; which key it is nobody knows."""
    make(token)
    for answer, name in (("0x30", "CKR_DEVICE_ERROR"), ("0x82", "CKR_OBJECT_HANDLE_INVALID")):
        for check_mode in (False, True):
            run = key(token, f"C_GetAttributeValue instead return {answer}", check_mode=check_mode, **task)
            assert run.msg.startswith("Could not read the public key with handle ")
            assert f" on the token 'test token': the HSM answered {name}; " in run.msg
            assert run.result["ckr"] == name
            assert not run.writes


def test_key_that_vanishes_between_search_and_reading(token: FaultyToken) -> None:
    make(token, id_hex="01")
    gone = token.tool_command("--delete-object", "--type", "pubkey", "--id", "01")
    run = key(token, f"C_GetAttributeValue#1 before run {gone}", **ABSENT)
    assert run.result["ckr"] == "CKR_OBJECT_HANDLE_INVALID"
    assert not run.writes
    assert token.halves("k") == ["private"]


def test_vendors_own_key_type_and_mechanism(token: FaultyToken) -> None:
    """A key of a type that nobody knows can be renamed and removed."""
    make(token)
    rules = (
        "C_GetAttributeValue after value 0x100 0100008000000000\nC_GetAttributeValue after value 0x166 0500008000000000"
    )
    assert changed(key(token, rules, **RENAME))
    assert token.halves("new") == ["private", "public"]
    assert changed(key(token, rules, label="new", state="absent"))
    assert token.listing() == []


def test_label_that_is_no_text(token: FaultyToken) -> None:
    """Whoever removes keys without a label does not mean one whose label cannot be read."""
    token.pkcs11_tool("--keypairgen", "--key-type", "EC:prime256v1", "--id", "01")
    for task in ({"state": "absent", "count": 9}, {"usage": ["sign"]}):
        run = key(token, "C_GetAttributeValue after value 0x3 ff41", label="", **task)
        assert not run.writes
        assert run.result.get("changed", False) is False
    assert len(token.listing()) == 2


@pytest.mark.parametrize("call", [1, 2])
def test_refused_renaming_is_undone(token: FaultyToken, call: int) -> None:
    make(token)
    before = named(token)
    run = key(token, f"C_SetAttributeValue#{call} instead return 0x10", **BOTH)
    assert run.msg == (
        "Could not change the key chosen by label 'k' on the token 'test token': the HSM answered"
        " CKR_ATTRIBUTE_READ_ONLY; the token does not let this attribute be set. Nothing was changed."
    )
    assert named(token) == before
    assert len(run.writes) == 1


@pytest.mark.parametrize("family", KEYS)
def test_refused_renaming_that_cannot_be_undone(token: FaultyToken, family: str) -> None:
    """The message names what stays, and the next run finishes it."""
    make(token, family)
    run = key(token, "C_SetAttributeValue#2+ instead return 0x30", **BOTH)
    assert run.msg.endswith("What stays changed: private half's label, id.")
    assert token.halves("k") == ["public"]
    assert changed(key(token, **BOTH))
    assert not changed(key(token, **BOTH))
    assert named(token) == [("private", "new", b"new".hex()), ("public", "new", b"new".hex())]


def test_one_way_change_that_cannot_be_undone(token: FaultyToken) -> None:
    make(token)
    task: dict[str, t.Any] = {"label": "k", "new_label": "new", "extractable": False}
    run = key(token, "C_SetAttributeValue#3 instead return 0x30", **task)
    assert run.msg.endswith("Nothing was changed.")  # what goes one way comes last
    assert token.halves("k") == ["private", "public"]
    assert changed(key(token, **task))


@pytest.mark.parametrize("family", KEYS)
@pytest.mark.parametrize(
    "task",
    [
        RENAME,
        BOTH,
        {"label": "k", "new_id": "new"},
        {"id_hex": "01", "new_id": "new"},
        {"id_hex": "01", "new_label": "new"},
        {"uri": "pkcs11:object=k;id=%01", "new_label": "new", "new_id": "new"},
    ],
)
@pytest.mark.parametrize("moment", ["#1 after", "#2 before", "#2 after"])
def test_kill_between_the_halves_of_a_renaming(
    token: FaultyToken, family: str, task: dict[str, t.Any], moment: str
) -> None:
    made = make(token, family, id_hex="01")
    assert token.start("hsm_key", f"C_SetAttributeValue{moment} kill", **task).died()
    half_way = moment != "#2 after"
    assert len({row[1:] for row in named(token)}) == (2 if half_way else 1)
    check = key(token, check_mode=True, **task)
    assert changed(check) is half_way
    assert not check.writes
    run = key(token, **task)
    assert changed(run) is half_way
    assert run.result["key_pairs"][0]["fingerprint"] == made["fingerprint"]
    name = (task.get("new_label", "k"), b"new".hex() if "new_id" in task else "01")
    assert named(token) == [("private", *name), ("public", *name)]
    assert not changed(key(token, **task))


@pytest.mark.parametrize("family", KEYS)
def test_kill_while_a_pair_without_an_id_is_renamed(token: FaultyToken, family: str) -> None:
    kind = {"ecc": "EC:prime256v1", "rsa": "rsa:2048"}[family]
    token.pkcs11_tool("--keypairgen", "--key-type", kind, "--label", "k")
    assert token.start("hsm_key", "C_SetAttributeValue#1 after kill", **RENAME).died()
    assert changed(key(token, **RENAME))
    assert token.halves("new") == ["private", "public"]


def test_kill_beside_a_stranger_of_the_new_name(token: FaultyToken) -> None:
    """What has the new name and is not the other half is not joined to it."""
    make(token, id_hex="01")
    make(token, label="stranger", id_hex="02")
    token.pkcs11_tool("--delete-object", "--type", "privkey", "--id", "01")
    token.pkcs11_tool("--delete-object", "--type", "pubkey", "--id", "02")
    before = named(token)
    run = key(token, label="k", new_label="stranger", new_id_hex="02")
    assert run.msg.startswith(
        "Refused to touch the key chosen by label 'k' on the token 'test token': it is a public half without its private"
    )
    assert not run.writes
    assert named(token) == before


def test_kill_while_a_key_is_removed(token: FaultyToken) -> None:
    made = make(token)
    assert token.start("hsm_key", "C_DestroyObject#2 before kill", **ABSENT).died()
    assert token.halves("k") == ["public"]
    run = key(token, **ABSENT)
    assert run.msg.endswith("Name it by id or fingerprint to remove it.")
    assert changed(key(token, fingerprint=made["fingerprint"], state="absent"))
    assert not changed(key(token, fingerprint=made["fingerprint"], state="absent"))
    assert token.listing() == []


def test_what_killed_generations_left(make_token: t.Callable[..., FaultyToken], killer: Path) -> None:
    """Half-made objects without a name are listed as orphans, break nothing, and go all at once."""
    token = make_token()
    make(token)
    (folder,) = token.tokens.iterdir()
    for moment in (2, 4, 10, 13, 40, 70, 100):
        other = make_token()
        environment = {"LD_PRELOAD": str(killer), "KILL_AT": str(moment)}
        assert other.start("hsm_ecc_keypair", label="x", curve="P-256", environment=environment).died()
        for orphan in other.tokens.glob("*/*.object"):
            if orphan.name != "token.object":
                name = f"11111111-2222-3333-{len(list(folder.iterdir())):04}-{moment:012}.object"
                token.call_unfinished(Path(shutil.copy(orphan, folder / name)))
    told = token.faulty("hsm_key_info", attribute_file=True).result["key_pairs"]
    orphans = [pair for pair in told if "orphan" in pair["problems"]]
    assert [pair["problems"] for pair in told if pair["label"] == "k"] == [[]]
    assert orphans
    choice: dict[str, t.Any] = {"label": "", "id": "", "state": "absent"}
    assert f"there are {len(orphans)} halves, count is 1. " in key(token, **choice).msg
    assert changed(key(token, **choice, count=len(orphans)))
    assert not changed(key(token, **choice))
    left = token.faulty("hsm_key_info").result["key_pairs"]
    assert not [pair for pair in left if "orphan" in pair["problems"]]
    assert token.ecc(label="k", curve="P-256", verify=True).result["changed"] is False


@pytest.mark.parametrize(("call", "remains"), [(1, f"{PUBLIC} and {PRIVATE}"), (2, PUBLIC)])
def test_refused_removal(token: FaultyToken, call: int, remains: str) -> None:
    made = make(token)
    run = key(token, f"C_DestroyObject#{call} instead return 0x30", **ABSENT)
    assert token.text(run.msg) == (
        "Could not remove the key chosen by label 'k' on the token 'test token': the HSM answered CKR_DEVICE_ERROR; check"
        f" the HSM and its connection. What remains: {remains}."
    )
    assert token.halves("k") == (["private", "public"] if call == 1 else ["public"])
    assert changed(key(token, id_hex=made["id_hex"], state="absent"))


@pytest.mark.parametrize("check_mode", [False, True])
def test_write_protected_token(token: FaultyToken, check_mode: bool) -> None:
    """Refused before the attempt; what is as it is wished is no matter."""
    make(token)
    rules = "C_GetTokenInfo after flags 2 0"
    for task, verb in ((RENAME, "change"), (ABSENT, "remove")):
        run = key(token, rules, check_mode=check_mode, **task)
        assert run.msg == (
            f"Refused to {verb} the key chosen by label 'k' on the token 'test token': the token is write-protected."
        )
        assert not run.writes
    assert not changed(key(token, rules, check_mode=check_mode, label="k", usage=["sign"]))
    assert not changed(key(token, rules, check_mode=check_mode, label="none", state="absent"))


CHECKED: dict[str, tuple[dict[str, t.Any], set[str]]] = {
    "rename": (BOTH, {"C_SetAttributeValue"}),
    "usage": ({"label": "k", "usage": ["sign", "derive"], "extractable": False}, {"C_SetAttributeValue"}),
    "freeze": ({"label": "k", "private_attributes": {"modifiable": False}}, {"C_CopyObject", "C_DestroyObject"}),
    "half": ({"uri": "pkcs11:object=k;type=public", "new_label": "new"}, {"C_SetAttributeValue"}),
    "absent": (ABSENT, {"C_DestroyObject"}),
    "absent half": ({"uri": "pkcs11:object=k;type=public", "state": "absent"}, {"C_DestroyObject"}),
    "several": ({"label": "k", "count": 2, "state": "absent"}, {"C_DestroyObject"}),
}


@pytest.mark.parametrize("case", CHECKED)
def test_check_mode_calls_nothing_that_writes(token: FaultyToken, case: str) -> None:
    task, writes = CHECKED[case]
    make(token)
    before = token.objects()
    check = key(token, check_mode=True, **task)
    assert changed(check)
    assert check.writes == {}
    assert sorted(before.splitlines()) == sorted(token.objects().splitlines())
    done = key(token, **task)
    assert changed(done)
    assert set(done.writes) == writes
    told = [(run.result["outcome"], run.result["changes"], run.result["diff"]) for run in (check, done)]
    assert told[0] == told[1] and told[0][1] and told[0][2]


def test_halves_that_only_an_id_joins_are_proven(token: FaultyToken) -> None:
    """A private key under the id of another's public key does not go with it."""
    one, two = make(token, id_hex="01"), make(token, label="other", id_hex="02")
    token.pkcs11_tool("--delete-object", "--type", "privkey", "--id", "01")
    token.pkcs11_tool("--delete-object", "--type", "pubkey", "--id", "02")
    token.pkcs11_tool("--set-id", "01", "--type", "privkey", "--id", "02")
    private = {"uri": "pkcs11:id=%01;type=private", "fingerprint": one["fingerprint"]}
    for task in (
        ABSENT,
        RENAME,
        {"fingerprint": one["fingerprint"], "state": "absent"},
        {**private, "state": "absent"},
    ):
        for check_mode in (False, True):
            run = key(token, check_mode=check_mode, **task)
            assert "do not belong together" in run.msg
            assert not run.writes
    assert two["fingerprint"] != one["fingerprint"]
    provider = ("p11tool", "--provider", library(), "--login", "--set-pin", token.pin)
    token.tool(*provider, "--set-label", "k", "pkcs11:object=other;type=private")
    assert token.halves("k") == ["private", "public"]
    assert "C_Sign" not in key(token, **RENAME).calls, "both were named by one label"


def test_nothing_of_the_pin_is_said(make_token: t.Callable[..., FaultyToken]) -> None:
    token = make_token(pin=PIN)
    make(token)
    refusals = (
        "C_Login instead return 0xa0",
        "C_FindObjects instead return 0x30",
        "C_SetAttributeValue instead return 5",
    )
    for rules in (*refusals, ""):
        run = key(token, rules, **RENAME)
        assert not [start for start in range(len(PIN) - 3) if PIN[start : start + 4] in run.stdout + run.stderr]
