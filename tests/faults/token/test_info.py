# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hsm_token_info on slots that do not answer, on answers that nobody wrote, and on PINs that are about to lock."""

from __future__ import annotations

import os
import re
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.lock import host_locks
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.softhsm import lock_key
from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.folder import give_to_nobody
from ansible_collections.cryptoki.hsm.tests.support.module_run import Run
from ansible_collections.cryptoki.hsm.tests.support.soft_token import PIN, SO_PIN

ROOT = os.geteuid() == 0
ALL_SLOTS: dict[str, t.Any] = {"token_label": None, "pin": None}
WRONG = "Qz8-4wr-0ng-Vx3"
# SoftHSM 2.6.1 adds flags of these mechanisms to what is in the caller's memory (trap T12).
ADDS = ["AES_CBC_PAD", "AES_CTR", "AES_ECB", "AES_GCM", "DES3_CBC_PAD", "DES3_ECB"]


def info(token: FaultyToken, rules: str = "", **params: t.Any) -> Run:
    """Runs hsm_token_info through the interposer; it changes nothing, whatever happens."""
    run = token.faulty("hsm_token_info", rules, **{"mechanisms": True, **params})
    assert not run.writes
    assert not run.result.get("changed")
    return run


def slots(token: FaultyToken, rules: str = "", **params: t.Any) -> list[dict[str, t.Any]]:
    """What it shows of the slots."""
    run = info(token, rules, **params)
    assert not run.result.get("failed"), run.result
    return t.cast("list[dict[str, t.Any]]", run.result["slots"])


def mechanisms(slot: t.Mapping[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """The mechanisms of a slot by name."""
    return {row["name"]: row for row in slot["token"]["mechanisms"]}


def test_every_run_says_the_same(token: FaultyToken) -> None:
    first = token.run("hsm_token_info", **ALL_SLOTS)
    assert [slot["token"]["label"] for slot in first.result["slots"]] in (["", token.label], [token.label, ""])
    for check_mode in (False, True, False):
        assert token.run("hsm_token_info", check_mode=check_mode, **ALL_SLOTS).result == first.result


def test_no_call_of_a_login_is_made_without_one(token: FaultyToken) -> None:
    """Although the PIN is given; nor is a file with it read."""
    for params in ({}, ALL_SLOTS, {"pin": None, "pin_file": "/nonexistent/pin"}):
        run = token.faulty("hsm_token_info", **params)
        assert run.result["session"] is None
        assert not {"C_Login", "C_OpenSession"} & set(run.calls)


def test_mechanisms_are_those_that_pkcs11_tool_lists(token: FaultyToken) -> None:
    """Flags and sizes, too; it has a name of its own for a few, and does not know what else a flag may be called."""
    (slot,) = slots(token)
    listed = {}
    for line in token.pkcs11_tool("--list-mechanisms").splitlines():
        row = re.fullmatch(r"  (\S+?)(?:, keySize=\{(\d+),(\d+)\})?, ((?:[a-z_]+(?:, )?)+)(?:EC .*)?", line)
        if row:
            sizes = (int(row[2]), int(row[3])) if row[2] else (None, None)
            listed[row[1]] = (*sizes, row[4].strip(", ").split(", "))
    ours = {
        name.removeprefix("CKM_").replace("_", "-"): (
            row["min_key_size"],
            row["max_key_size"],
            [flag for flag in row["flags"] if not flag.startswith("ec_")],
        )
        for name, row in mechanisms(slot).items()
    }
    both = set(ours) & set(listed)
    assert len(both) > 60
    assert {name: ours[name] for name in both} == {name: listed[name] for name in both}
    assert {name.replace("_", "-") for name in ADDS} <= both


def test_mechanisms_that_nobody_asked_for_are_not_asked_for(token: FaultyToken) -> None:
    run = token.faulty("hsm_token_info")
    assert not run.writes and not {"C_GetMechanismList", "C_GetMechanismInfo"} & set(run.calls)
    (slot,) = run.result["slots"]
    told = slots(token)[0]["token"]
    assert told == {**slot["token"], "mechanisms": told["mechanisms"]} and "mechanisms" not in slot["token"]


def test_flags_that_nobody_wrote(token: FaultyToken) -> None:
    """What lies in the caller's memory and is no flag is not told, wherever the library leaves it."""
    clean = mechanisms(slots(token)[0])
    dirty = mechanisms(slots(token, "C_GetMechanismInfo before poke 2 16 7f75f9e81000")[0])
    assert sorted(name for name in clean if dirty[name] != clean[name]) == [f"CKM_{name}" for name in ADDS]
    for name in ADDS:
        assert clean[f"CKM_{name}"]["flags"] == ["encrypt", "decrypt"]
        assert dirty[f"CKM_{name}"] == {**clean[f"CKM_{name}"], "flags": None}


def test_sizes_that_nobody_wrote(token: FaultyToken) -> None:
    rules = "C_GetMechanismInfo#1 after poke 2 8 7f75f9e81000\nC_GetMechanismInfo#2 after poke 2 0 ffffffffffffffff"
    rows = list(mechanisms(slots(token, rules)[0]).values())
    assert [row["name"] for row in rows[:2]] == ["CKM_RSA_PKCS_KEY_PAIR_GEN", "CKM_RSA_PKCS"]
    assert [(row["min_key_size"], row["max_key_size"]) for row in rows[:3]] == [
        (None, None),
        (None, None),
        (512, 16384),
    ]


@pytest.mark.parametrize(
    ("call", "known"),
    [
        ("C_GetSlotInfo", {"description": None, "manufacturer": None, "flags": None}),
        ("C_GetTokenInfo", {"token": None}),
        ("C_GetMechanismList", {}),
        ("C_GetMechanismInfo", {}),
    ],
)
def test_dead_slot(token: FaultyToken, call: str, known: dict[str, t.Any]) -> None:
    (own, free) = token.slot_ids()
    before = {slot["slot_id"]: slot for slot in slots(token, **ALL_SLOTS)}
    after = {slot["slot_id"]: slot for slot in slots(token, f"{call}@{free} instead return 0x30", **ALL_SLOTS)}
    assert set(after) == {own, free}
    assert after[own] == before[own]
    assert after[own]["errors"] == []
    assert after[free]["errors"] == [{"call": call, "ckr": "CKR_DEVICE_ERROR"}]
    assert {name: after[free][name] for name in known} == known
    if call == "C_GetMechanismList":
        assert after[free]["token"] == {**before[free]["token"], "mechanisms": []}
    if call == "C_GetMechanismInfo":
        unknown = {"min_key_size": None, "max_key_size": None, "flags": None}
        names = [row["name"] for row in before[free]["token"]["mechanisms"]]
        assert after[free]["token"]["mechanisms"] == [{"name": name, **unknown} for name in names]


def test_a_dead_slot_is_asked_once(token: FaultyToken) -> None:
    """Each call to it may wait for its time-out."""
    run = token.faulty("hsm_token_info", "C_GetMechanismInfo instead return 0x30", mechanisms=True)
    assert run.calls["C_GetMechanismInfo"] == 1
    run = token.faulty("hsm_token_info", "C_GetMechanismInfo#1 instead return 0x70", mechanisms=True)
    assert run.calls["C_GetMechanismInfo"] > 60
    assert run.result["slots"][0]["errors"] == [{"call": "C_GetMechanismInfo", "ckr": "CKR_MECHANISM_INVALID"}]
    assert [row["flags"] is None for row in run.result["slots"][0]["token"]["mechanisms"]].count(True) == 1


def test_empty_slot_is_no_error(token: FaultyToken) -> None:
    (_own, free) = token.slot_ids()
    shown = slots(token, f"C_GetTokenInfo@{free} instead return 0xe0", **ALL_SLOTS)
    assert [(slot["token"], slot["errors"]) for slot in shown if slot["slot_id"] == free] == [(None, [])]


def test_dead_slot_of_the_chosen_token(token: FaultyToken) -> None:
    """The same error as of every other module."""
    (own, _free) = token.slot_ids()
    rules = f"C_GetTokenInfo@{own} instead return 0x30"
    assert info(token, rules).msg == token.faulty_ecc(rules, label="k").msg


@pytest.mark.parametrize("call", ["C_GetSlotList", "C_GetInfo"])
def test_library_that_tells_nothing(token: FaultyToken, call: str) -> None:
    """Without its slots there is nothing to show."""
    assert info(token, f"{call} instead return 0x30", **ALL_SLOTS).result["ckr"] == "CKR_DEVICE_ERROR"


@pytest.mark.parametrize(
    ("flags", "user", "officer"),
    [
        ("0 0", "ok", "ok"),
        ("10000 0", "count_low", "ok"),
        ("30000 0", "final_try", "ok"),
        ("70000 0", "locked", "ok"),
        ("80000 0", "to_be_changed", "ok"),
        ("0 8", "not_set", "ok"),
        ("100000 0", "ok", "count_low"),
        ("300000 0", "ok", "final_try"),
        ("f00000 0", "ok", "locked"),
        ("800000 0", "ok", "to_be_changed"),
    ],
)
def test_state_of_the_pins(token: FaultyToken, flags: str, user: str, officer: str) -> None:
    (slot,) = slots(token, f"C_GetTokenInfo after flags {flags}")
    assert (slot["token"]["user_pin"], slot["token"]["so_pin"]) == (user, officer)


def test_counts(token: FaultyToken) -> None:
    """Told, not told (SoftHSM), and without a limit (SoftHSM)."""
    (slot,) = slots(token)
    assert slot["token"]["sessions"] == {"open": None, "open_rw": None, "max": "unlimited", "max_rw": "unlimited"}
    assert set(slot["token"]["memory"].values()) == {None}
    # Places in CK_TOKEN_INFO behind its texts (96 bytes) and flags, two PIN lengths in between.
    places = [104, 112, 120, 128, 152, 160, 168, 176]
    (slot,) = slots(token, "\n".join(f"C_GetTokenInfo after poke 1 {place} {place:x}" for place in places))
    assert slot["token"]["sessions"] == {"max": 104, "open": 112, "max_rw": 120, "open_rw": 128}
    assert slot["token"]["memory"] == {
        "public_total": 152,
        "public_free": 160,
        "private_total": 168,
        "private_free": 176,
    }
    (slot,) = slots(token, "C_GetTokenInfo after poke 1 104 ffffffffffffffff")
    assert slot["token"]["sessions"]["max"] is None


def test_login(token: FaultyToken) -> None:
    empty = info(token, login=True).result["session"]
    assert empty == {"state": "ro_user", "objects": {"public_key": 0, "private_key": 0, "secret_key": 0}}
    token.ecc(label="one", curve="P-256")
    token.ecc(label="two", curve="P-256")
    token.pkcs11_tool("--keygen", "--key-type", "AES:32", "--label", "three")
    run = token.faulty("hsm_token_info", login=True)
    assert run.result["session"]["objects"] == {"public_key": 2, "private_key": 2, "secret_key": 1}
    assert (run.calls["C_Login"], run.calls["C_FindObjectsInit"]) == (1, 3)
    assert "C_GetAttributeValue" not in run.calls


def test_wrong_pin(token: FaultyToken) -> None:
    run = token.faulty("hsm_token_info", login=True, pin=WRONG)
    assert run.result["ckr"] == "CKR_PIN_INCORRECT"
    assert run.calls["C_Login"] == 1
    assert WRONG not in run.stdout + run.stderr
    (slot,) = slots(token)
    assert slot["token"]["user_pin"] == "count_low"


@pytest.mark.parametrize("flag", ["20000", "40000"])
def test_pin_about_to_lock(token: FaultyToken, flag: str) -> None:
    """The same refusal as of every other module, before the login."""
    rules = f"C_GetTokenInfo after flags {flag} 0"
    run = token.faulty("hsm_token_info", rules, login=True)
    assert run.msg == token.faulty_ecc(rules, label="k").msg
    assert "C_Login" not in run.calls


def test_login_that_breaks_later(token: FaultyToken) -> None:
    assert token.text(info(token, "C_GetSessionInfo^C_Login instead return 0x30", login=True).msg) == (
        "Could not read the session with the token 'test token' (serial SERIAL, slot N): the HSM answered"
        " CKR_DEVICE_ERROR; check the HSM and its connection."
    )
    assert token.text(info(token, "C_FindObjects instead return 0x30", login=True).msg) == (
        "Could not find public keys by class on the token 'test token' (serial SERIAL, slot N): the HSM"
        " answered CKR_DEVICE_ERROR; check the HSM and its connection."
    )


def test_what_is_to_be_expected_is_what_the_option_takes(token: FaultyToken) -> None:
    for shown in slots(token, **ALL_SLOTS):
        expected, label = shown["token"]["expect_token"], shown["token"]["label"]
        if label:
            assert token.faulty_ecc(label="k", expect_token=expected, check_mode=True).result["changed"] is True
            assert slots(token, expect_token=expected) == [shown]
            other = {**expected, "serial": "0" * 16}
            assert "its serial is" in info(token, expect_token=other).msg
            assert "its library_sha256 is" in token.run("hsm_token_info", expect_token=expected).msg
        else:
            assert "serial" not in expected
            new = {"token_label": "new", "so_pin": SO_PIN, "pin": PIN, "expect_token": expected}
            assert token.faulty("hsm_token", check_mode=True, **new).result["changed"] is True


def test_token_that_this_user_cannot_see(token: FaultyToken) -> None:
    if ROOT:
        give_to_nobody(token.folder)
    (folder,) = token.tokens.iterdir()
    folder.chmod(0)
    run = token.faulty("hsm_token_info", as_nobody=ROOT, **ALL_SLOTS)
    folder.chmod(0o700)
    assert [slot["token"]["initialized"] for slot in run.result["slots"]] == [False]
    (warning,) = run.result["warnings"]  # since ansible-core 2.19 its text is in a structure
    assert f"This user cannot read {folder}, so that a token there stays unseen." in str(warning)


def test_the_lock_of_the_host_is_waited_for(token: FaultyToken) -> None:
    with host_locks([lock_key(str(token.tokens))], 1):
        run = token.run("hsm_token_info", lock_timeout=1, **ALL_SLOTS)
    assert re.sub(r"process \d+", "process N", run.msg) == (
        f"Could not use the token in any slot within 1 seconds: process N holds the lock {token.lock_file()}. Wait for"
        " it, or raise lock_timeout."
    )
