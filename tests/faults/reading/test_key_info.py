# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hsm_key_info on tokens that misbehave: a failed search is a failure, and what cannot be read is listed."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyRun, FaultyToken

# No part of it occurs in a message.
PIN = "T7k-4q0-Rz8-mWp"
READ = "C_GetAttributeValue"
LABEL, KEY_TYPE, SIGN, MECHANISM = "0x3", "0x100", "0x108", "0x166"


def info(token: FaultyToken, rules: str = "", **params: t.Any) -> FaultyRun:
    """Runs the module, which never writes."""
    run = token.faulty("hsm_key_info", rules, **params)
    assert not run.writes
    return run


def pairs(run: FaultyRun) -> list[tuple[str | None, list[str]]]:
    """Labels and marks."""
    if run.result.get("failed"):
        raise AssertionError(run.msg)
    return [(pair["label"], pair["problems"]) for pair in run.result["key_pairs"]]


@pytest.mark.parametrize("moment", ["C_FindObjectsInit instead", "C_FindObjects after", "C_FindObjectsFinal after"])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_failed_search(token: FaultyToken, moment: str, call: int) -> None:
    """Of the public, the private and the secret keys: one class less is not the answer."""
    token.ecc(label="k", curve="P-256")
    function, when = moment.split()
    # C_FindObjects is called once more than it finds objects.
    number = f"#{call}" if function != "C_FindObjects" else f"#{2 * call - 1}"
    run = info(token, f"{function}{number} {when} return 0x30")
    assert run.result["ckr"] == "CKR_DEVICE_ERROR"
    assert run.msg.startswith("Could not find ")
    assert "objects" not in run.result


def test_failed_search_for_the_other_half(token: FaultyToken) -> None:
    """A half is not called one because the search for its other failed."""
    token.ecc(label="k", curve="P-256", id="k")
    assert token.run("hsm_key", uri="pkcs11:object=k;type=public", new_label="other").result["changed"] is True
    assert pairs(info(token, label="k")) == [("k", [])]
    assert info(token, "C_FindObjectsInit#4 instead return 0x30", label="k").result["ckr"] == "CKR_DEVICE_ERROR"


def test_object_that_vanishes_between_search_and_reading(token: FaultyToken) -> None:
    token.ecc(label="k", curve="P-256", id_hex="01")
    run = info(token, f"{READ}#1 before run {token.tool_command('--delete-object', '--type', 'pubkey', '--id', '01')}")
    assert pairs(run) == [("k", ["half"])]
    unread = [found for found in run.result["objects"] if found["unreadable"]]
    assert [(found["class"], found["unreadable"], found["uri"][-12:]) for found in unread] == [
        ("public_key", ["class"], ";type=public")
    ]
    assert len(run.result["objects"]) == 2


@pytest.mark.parametrize("answer", ["0x30", "0x5", "0x12", "0x82"])
@pytest.mark.parametrize("filters", [{}, {"label": "k"}, {"fingerprint": "ab" * 32}])
def test_object_that_cannot_be_read(token: FaultyToken, answer: str, filters: dict[str, str]) -> None:
    token.ecc(label="k", curve="P-256")
    run = info(token, f"{READ} instead return {answer}", attribute_file=True, **filters)
    assert [(found["class"], found["unreadable"]) for found in run.result["objects"]] == [
        ("public_key", ["class"]),
        ("private_key", ["class"]),
    ]
    assert all(found["attribute_file"] is None for found in run.result["objects"])
    assert run.result["key_pairs"] == []


def test_vendors_own_key_type(token: FaultyToken) -> None:
    token.ecc(label="k", curve="P-256")
    run = info(token, f"{READ} after value {KEY_TYPE} 0100008000000000", attribute_file=True)
    assert {found["attributes"]["key_type"] for found in run.result["objects"]} == {"0x80000001"}
    assert "OBJ_ATTR_KEY_TYPE\n0x80000001\n" in run.result["objects"][0]["attribute_file"]
    assert [pair["key_type"] for pair in run.result["key_pairs"]] == ["0x80000001"]
    assert (
        len(info(token, f"{READ} after value {KEY_TYPE} 0100008000000000", key_type="0x80000001").result["objects"])
        == 2
    )


def test_vendors_own_mechanism(token: FaultyToken) -> None:
    token.ecc(label="k", curve="P-256")
    run = info(token, f"{READ} after value {MECHANISM} 0500008000000000")
    assert {found["attributes"]["key_gen_mechanism"] for found in run.result["objects"]} == {"0x80000005"}
    imported = info(token, f"{READ} after value {MECHANISM} ffffffffffffffff")  # CK_UNAVAILABLE_INFORMATION
    assert all("key_gen_mechanism" not in found["attributes"] for found in imported.result["objects"])


def test_label_that_is_no_text(token: FaultyToken) -> None:
    """It is neither shown nor taken for none: the key is no orphan."""
    token.pkcs11_tool("--keypairgen", "--key-type", "EC:prime256v1")
    assert pairs(info(token)) == [("", ["half", "orphan"])] * 2
    run = info(token, f"{READ} after value {LABEL} ff41", attribute_file=True)
    assert pairs(run) == [(None, ["half", "unreadable"])] * 2
    assert all(found["unreadable"] == ["label"] for found in run.result["objects"])
    assert "OBJ_ATTR_LABEL" not in run.result["objects"][0]["attribute_file"]
    assert info(token, f"{READ} after value {LABEL} ff41", label_regex=".*").result["objects"] == []


@pytest.mark.parametrize("value", ["0101", "ffff"])
def test_value_that_is_none(token: FaultyToken, value: str) -> None:
    token.ecc(label="k", curve="P-256")
    run = info(token, f"{READ} after value {SIGN} {value}", object_class="private_key")
    (found,) = run.result["objects"]
    assert found["unreadable"] == ["sign"]
    assert "sign" not in found["attributes"]
    assert found["attributes"]["derive"] is False


def test_public_key_that_is_none(token: FaultyToken) -> None:
    token.ecc(label="k", curve="P-256")
    run = info(token, f"{READ} after value 0x181 0400", attribute_file=True)
    assert [pair["public_key_pem"] for pair in run.result["key_pairs"]] == [None]
    assert "kcv" not in run.result["objects"][0]["attributes"]


def test_few_attributes_are_few_reads(token: FaultyToken) -> None:
    """One search a class and one reading an object, whatever is asked for; nothing else is returned."""
    token.ecc(label="k", curve="P-256")
    run = info(token, attributes=["extractable", "kcv"])
    kcv = {found["attributes"]["kcv"] for found in run.result["objects"]}
    assert [sorted(found["attributes"]) for found in run.result["objects"]] == [["kcv"], ["extractable", "kcv"]]
    assert len(kcv) == 1
    assert run.calls["C_FindObjectsInit"] == 4, "one a class of keys, and one for certificates"
    assert run.calls[READ] == 2


def test_nothing_of_the_pin_is_returned(make_token: t.Callable[..., FaultyToken]) -> None:
    token = make_token(pin=PIN)
    token.ecc(label="k", curve="P-256")
    for rules in ("", "C_FindObjects instead return 0x30", "C_Login instead return 0xa0"):
        run = info(token, rules, attribute_file=True)
        assert not [start for start in range(len(PIN) - 3) if PIN[start : start + 4] in run.stdout + run.stderr]


def test_check_mode_is_the_same(token: FaultyToken) -> None:
    token.ecc(label="k", curve="P-256")
    run, check = (info(token, check_mode=mode) for mode in (False, True))
    assert run.calls == check.calls
    assert {**run.result, "invocation": 0} == {**check.result, "invocation": 0}
