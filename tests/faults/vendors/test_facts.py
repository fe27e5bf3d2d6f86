# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens that differ from the standard as some vendors' do, and the facts by which they are used all the same."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyRun, FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.pins import assert_unseen
from ansible_collections.cryptoki.hsm.tests.support.six_pairs import SIX, WHOLE, column, many, there

EACH: dict[str, t.Any] = {"login_each_session": True}
# A token of which each session has to log in; SoftHSM is logged in with the first.
LOGIN_EACH = """C_Login#2+ instead return 0x0
C_GenerateKeyPair~C_Login instead return 0x101
C_FindObjectsInit~C_Login instead return 0x101"""
# CKA_DERIVE, which nobody asked for.
WEAKER = "C_GenerateKeyPair before set private 0x10c 01"


# A token whose halves are one object: with the private half the public one is gone.
TOGETHER = """C_DestroyObject#1 after also k
C_DestroyObject#2 instead return 0x60"""


def test_each_session_logs_in(token: FaultyToken) -> None:
    run = many(token, LOGIN_EACH, parallel=4, vendor_facts=EACH)
    assert column(run, "changed") == [True] * 6
    assert run.calls["C_Login"] == run.calls["C_OpenSession"] > 1
    assert there(token) == WHOLE


def test_a_further_login_that_is_refused_is_the_last(token: FaultyToken) -> None:
    run = many(token, "C_Login#2+ instead return 0xa0", parallel=4, vendor_facts=EACH)
    assert "open another session with the token" in run.msg and "CKR_PIN_INCORRECT" in run.msg
    assert run.calls["C_Login"] == 2
    assert_unseen(token.pin, run.stdout, run.stderr)
    # What had a session was made; nothing is half made.
    assert all(halves == ["private", "public"] for halves in there(token).values())


def test_a_login_that_holds_for_all_sessions_after_all(token: FaultyToken) -> None:
    """SoftHSM answers a second login by CKR_USER_ALREADY_LOGGED_IN."""
    run = many(token, parallel=4, vendor_facts=EACH)
    assert column(run, "changed") == [True] * len(SIX) and run.calls["C_Login"] > 1


def limited(token: FaultyToken, module: str, rules: str = "", **params: t.Any) -> FaultyRun:
    return token.faulty(module, rules, user_type="limited_user", label="k", **params)


def test_a_limited_user(token: FaultyToken) -> None:
    made = token.ecc(label="k", curve="P-256").key_pair
    # SoftHSM has none, which shows as whom the login was.
    run = limited(token, "hsm_key_info")
    assert token.text(run.msg).startswith("Could not log in as limited user to the token 'test token'")
    assert "user type invalid" in run.msg.lower().replace("_", " ") and run.calls["C_Login"] == 1
    # As a token that has one.
    known = "C_Login before pass 1 1"
    info = limited(token, "hsm_key_info", known)
    assert [pair["fingerprint"] for pair in info.result["key_pairs"]] == [made["fingerprint"]]
    looked = limited(token, "hsm_ecc_keypair", known, curve="P-256", check_mode=True)
    assert looked.result["changed"] is False and looked.key_pair["fingerprint"] == made["fingerprint"]
    for module, params in (
        ("hsm_ecc_keypair", {"curve": "P-256"}),
        ("hsm_ecc_keypair", {"state": "absent"}),
        ("hsm_key", {"new_label": "l"}),
        ("hsm_key", {"state": "absent", "replicas": [{"name": "second", **token.login()}]}),
    ):
        refused = limited(token, module, **params)
        assert refused.msg == (
            "user_type 'limited_user' is refused: it uses keys, and neither generates, changes nor removes any; run the"
            " task in check mode to look."
        )
        assert not refused.calls  # not even C_Initialize


def test_halves_that_go_together(token: FaultyToken, interposers: dict[str, Path]) -> None:
    token.ecc(label="k", curve="P-256")
    other = interposers["one"]  # of SoftHSM each error tells that a file may be left
    uri = "pkcs11:object=k;type=public"
    one = token.faulty("hsm_key", uri=uri, state="absent", vendor_facts={"halves_are_one": True})
    assert one.msg.startswith("Refused to remove the key chosen by ") and "both halves are one object" in one.msg
    assert token.halves("k") == ["private", "public"] and not one.writes
    run = token.faulty_ecc(TOGETHER, label="k", state="absent", interposer=other)
    assert run.result.get("changed") is True and run.writes == {"C_DestroyObject": 2}, run.stdout
    # In taking back, too.
    back = token.faulty_ecc(f"{WEAKER}\n{TOGETHER}", label="k", interposer=other)
    assert "private half's derive is true, wished false" in back.msg
    assert back.msg.endswith("The new pair was removed again.") and back.writes["C_DestroyObject"] == 2
    assert token.listing() == []


def test_one_name_for_a_key(token: FaultyToken) -> None:
    facts: dict[str, t.Any] = {"vendor_facts": {"label_is_id": True, "id_length": 0}}
    made, again = (token.ecc(label="k", curve="P-256", **facts).key_pair for _dummy in range(2))
    assert (made["id"], made["fingerprint"]) == ("k", again["fingerprint"])
    other = token.faulty_ecc(label="l", id="m", **facts)
    assert "has one name for a key, its label and its id" in other.msg and not other.writes
    # The name tells that a pair is this task's, as nobody else can have made one of it.
    back = token.faulty_ecc(WEAKER, label="l", **facts)
    assert back.msg.endswith("The new pair was removed again.") and token.halves("l") == []


def test_searches_that_do_not_go_by_everything(token: FaultyToken) -> None:
    other = token.ecc(label="other", curve="P-256").key_pair
    facts: dict[str, t.Any] = {"vendor_facts": {"not_searched": ["label", "key_type"]}}
    blind = "C_FindObjectsInit before ignore 0x3"
    made = token.faulty_ecc(blind, label="k", **facts)
    assert made.result["changed"] is True and made.key_pair["fingerprint"] != other["fingerprint"]
    again = token.faulty_ecc(blind, label="k", **facts)
    assert again.result["changed"] is False and again.key_pair["fingerprint"] == made.key_pair["fingerprint"]


@pytest.mark.parametrize(
    ("code", "name", "named"),
    [("0x3", "label", {"label": "l"}), ("0x102", "id", {"id": "l"}), ("0x100", "key_type", {"label": "k"})],
)
def test_a_token_that_passes_over_what_it_is_asked(
    token: FaultyToken, code: str, name: str, named: dict[str, t.Any]
) -> None:
    """Nobody knows it of the token: the only other pair is not the one to remove or to change."""
    token.ecc(label="k", curve="P-256", id="k")
    module = "hsm_rsa_keypair" if name == "key_type" else "hsm_ecc_keypair"
    wish = {"modulus_bits": 2048} if name == "key_type" else {"curve": "P-256"}
    before = token.listing()
    for wished in ({"state": "absent"}, {"label": "l", **wish}):
        run = token.faulty(module, f"C_FindObjectsInit before ignore {code}", **{**wished, **named})
        assert not run.writes and f"say 'not_searched: [{name}]' in vendor_facts" in run.msg, run.stdout
    assert token.listing() == before
    # Where it is said, the key stays, too, and what was asked for is done.
    facts = {"vendor_facts": {"not_searched": [name]}}
    gone = token.faulty(module, f"C_FindObjectsInit before ignore {code}", state="absent", **named, **facts)
    assert gone.result["changed"] is False and token.listing() == before


def test_a_value_that_no_key_can_have(token: FaultyToken) -> None:
    """A token that refuses to search for it has other keys to look at."""
    token.ecc(label="k", curve="P-256", id="k")
    facts: dict[str, t.Any] = {"vendor_facts": {"not_searched": ["token"]}}
    run = token.faulty_ecc("C_FindObjectsInit#1 instead return 0x13", label="k", id="k", **facts)
    assert run.result["changed"] is False and run.calls["C_FindObjectsInit"] > 2
    unknown = token.faulty_ecc("C_FindObjectsInit#1 instead return 0x13", label="k", id="k")
    assert unknown.result["ckr"] == "CKR_ATTRIBUTE_VALUE_INVALID"


def test_a_use_that_no_key_has_is_refused_before_the_login(token: FaultyToken) -> None:
    wish: dict[str, t.Any] = {"label": "k", "usage": ["sign", "wrap"], "vendor": "yubihsm"}
    run = token.faulty_rsa(**wish)
    assert token.text(run.msg) == (
        "Refused to generate the RSA key pair 'k' on the token 'test token' (serial SERIAL, slot N): no public key of"
        " yubihsm may wrap; leave that out of usage, or usage itself."
    )
    entry = {"type": "rsa", "modulus_bits": 2048, "label": "k", "usage": ["sign", "wrap"]}
    listed = token.faulty("hsm_keypairs", keypairs=[entry], vendor="yubihsm")
    assert "no public key of yubihsm may wrap" in listed.msg
    assert "C_Login" not in run.calls and "C_Login" not in listed.calls
