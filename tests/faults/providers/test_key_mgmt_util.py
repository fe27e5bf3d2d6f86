# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The provider key_mgmt_util on a simulated cluster: the examples of its commands, and what it can and cannot do."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.simulators.cluster.util_dump import ALL, dump
from ansible_collections.cryptoki.hsm.tests.support.cluster import OWNER
from ansible_collections.cryptoki.hsm.tests.support.key_mgmt_util_runs import BOB, BOBS_PASSWORD, Kmu

BOTH = ["private-key", "public-key"]
# The names of the 26 attributes in the dump of genRSAKeyPair's documentation.
DUMPED = (
    *("class", "key_type", "token", "private", "encrypt", "decrypt", "wrap", "unwrap", "sign", "verify", "local"),
    *("sensitive", "extractable", "label", "id", "value_len", "kcv", "modulus", "modulus_bits", "public_exponent"),
    *("trusted", "wrap_with_trusted", "destroyable", "derive", "always_sensitive", "never_extractable"),
)
FIRST_DUMPED = 20  # in the older dumps, for instance that of genECCKeyPair's documentation


def test_the_example_of_an_rsa_pair(spelled: Kmu) -> None:
    """genRSAKeyPair -m 2048 -e 65537 -l rsa_test: two nodes, the handles, and all 26 attributes of the dump."""
    spelled.cluster.next_handles(2100177, 2100426)
    example = {"m": 2048, "e": 65537, "l": "rsa_test"}
    checked = spelled.rsa(check_mode=True, **example)
    assert checked.result["changed"] and not spelled.wrote()
    run = spelled.rsa(**example)
    public, private = run.key_pair["public_key"], run.key_pair["private_key"]
    assert run.result["changed"] is True
    assert (public["handle"], private["handle"]) == (2100177, 2100426)
    dumped = DUMPED[: FIRST_DUMPED if spelled.spelling == "aws" else None]
    assert set(public["attributes"]) == {*dumped, "id_hex"} == set(private["attributes"])
    told = {
        name: value for name, value in public["attributes"].items() if name not in ("id", "id_hex", "modulus", "kcv")
    }
    bits = {"token", "private", "encrypt", "wrap", "verify", "local", "extractable", "destroyable"}
    if spelled.spelling == "aws":  # the public half in the example of the older builds
        bits -= {"private", "wrap"}
    assert told == {
        **{name: name in bits for name in dumped if name in told},
        **{"class": "public_key", "key_type": "rsa", "label": "rsa_test", "value_len": 512, "modulus_bits": 2048},
        "public_exponent": 65537,
    }
    assert run.key_pair["public_key_pem"] == spelled.cluster.public_key("rsa_test")
    assert (run.key_pair["verified"], run.key_pair["pairing"]) == ("CKM_SHA256_RSA_PKCS", "material")
    assert (run.key_pair["owner"], run.key_pair["shared_with"], run.key_pair["quorum"]) == (OWNER, [], 0)
    assert run.result["nodes"] == [{"name": f"node {number}", "status": "ok", "message": ""} for number in (0, 1)]
    for check_mode in (True, False):
        again = spelled.rsa(check_mode=check_mode, **example)
        assert again.result["changed"] is False and not spelled.wrote()
        assert again.key_pair["fingerprint"] == run.key_pair["fingerprint"]


def test_the_example_of_a_shared_pair(spelled: Kmu) -> None:
    """genRSAKeyPair -m 2048 -e 65537 -l rsa_mofn -id rsa_mv2 -u 4 -m_value 2; the user by number, then by name."""
    spelled.cluster.next_handles(27, 28)
    example = {"m": 2048, "e": 65537, "l": "rsa_mofn", "id": "rsa_mv2", "m_value": 2}
    run = spelled.rsa(u=[4], **example)
    assert (run.key_pair["public_key"]["handle"], run.key_pair["private_key"]["handle"]) == (27, 28)
    assert (run.key_pair["id"], run.key_pair["shared_with"], run.key_pair["quorum"]) == ("rsa_mv2", [BOB], 2)
    assert run.key_pair["unverified_reason"] == "each use of the key needs the approval of 2 users"
    again = spelled.rsa(u=["Bob"], **example)
    assert again.result["changed"] is False and not spelled.wrote()
    spelled.cluster.add_user("eve", "27-eve-1180")
    more = spelled.rsa(u="4, 5", **{**example, "m_value": 3})
    assert more.msg.startswith("Refused to change the RSA key pair 'rsa_mofn', id 72:73:61:5f:6d:76:32 on the token")
    assert "quorum is 2, wished 3" in more.msg


def test_what_the_dumps_of_a_build_do_not_show_is_as_the_tool_makes_it(spelled: Kmu) -> None:
    """That of an older build has no derive and no destroyable, and no build tells modifiable."""
    example: dict[str, t.Any] = {"l": "k", "i": 2, "usage": ["sign"]}
    attributes = {"private_attributes": {"destroyable": True, "modifiable": True, "derive": False}}
    for task in (example, {**example, **attributes}):
        first = task is example
        assert spelled.ecc(check_mode=True, **task).result["changed"] is first
        assert spelled.ecc(**task).result["changed"] is first
    other = spelled.ecc(**{**example, "usage": ["sign", "derive"]})
    assert "private half's derive is " in other.msg and "wished true" in other.msg
    assert spelled.halves("k") == BOTH


def test_an_attribute_that_a_build_does_not_have_is_refused_before_the_generation(kmu: Kmu) -> None:
    for check_mode in (True, False):
        run = kmu.ecc(l="k", i=2, private_attributes={"wrap_with_trusted": True}, check_mode=check_mode)
        assert "its commands have no option for wrap_with_trusted, which is false for the private half" in run.msg
        assert not kmu.wrote()


def test_the_example_of_an_ecc_pair(tmp_path: Path) -> None:
    """genECCKeyPair -i 14 -l ecc14: three nodes, listed downwards, the private handle the lower one."""
    kmu = Kmu(tmp_path / "cluster", nodes=3, CLUSTER_SIMULATOR_NODE_ORDER="descending")
    kmu.cluster.next_handles(262179, 262177)
    run = kmu.ecc(i=14, l="ecc14")
    assert (run.key_pair["public_key"]["handle"], run.key_pair["private_key"]["handle"]) == (262179, 262177)
    assert (run.key_pair["curve"], run.key_pair["verified"]) == ("secp384r1", "CKM_ECDSA_SHA384")
    assert [node["name"] for node in run.result["nodes"]] == ["node 0", "node 1", "node 2"]
    attributes = run.key_pair["private_key"]["attributes"]
    assert {name for name in ("encrypt", "decrypt", "wrap", "unwrap", "sign", "verify") if attributes[name]} == {"sign"}
    assert (attributes["token"], attributes["extractable"]) == (True, True)
    assert run.key_pair["public_key_pem"] == kmu.cluster.public_key("ecc14")


def test_the_attribute_file_is_the_commands_own(spelled: Kmu) -> None:
    """Line by line: the number of the curve, and nothing that the build does not write."""
    spelled.cluster.next_handles(262179, 262177)
    spelled.ecc(i=2, l="ecc2")
    (told,) = spelled.run("hsm_key_info", handle=262177, attribute_file=True).result["objects"]
    lines = told["attribute_file"].splitlines()
    assert lines[lines.index("OBJ_ATTR_MODULUS_BITS") + 1] == "0x0000019f"
    count = sum(line.startswith("OBJ_ATTR_") for line in lines)
    assert count == (19 if spelled.spelling == "aws" else 25)
    key = next(key for key in spelled.cluster.held("ecc2") if key.handle == 262177)
    assert told["attribute_file"].encode() == dump(key, ALL, spelled.spelling != "aws")[0]


def test_the_example_of_a_refused_curve(kmu: Kmu) -> None:
    """genECCKeyPair -i 1 -l ecc1 is refused here already, with the command's code; any other 0xb3 comes from there."""
    run = kmu.ecc(i=1, l="ecc1")
    assert "the HSM command answers it with 0xb3" in run.msg and not kmu.cluster.calls()
    text = "HSM Error: This operation violates the current configured/FIPS policies"
    kmu.cluster.set_fault("error", "genECCKeyPair", code=0xB3, text=text)
    run = kmu.ecc(i=16, l="ecc16", id="ecc16")
    assert run.msg == (
        "Could not generate the ECC key pair 'ecc16', id 65:63:63:31:36 on the token 'key_mgmt_util': the HSM answered"
        " 0xb3 (This operation violates the current configured/FIPS policies); it is a refusal by policy (this curve,"
        " size or exponent in FIPS mode), not an outage, also where a server is called unavailable; choose what the policy"
        " allows. Nothing of it is left on the token."
    )
    assert kmu.halves("ecc16") == []


@pytest.mark.parametrize("prompt", ["hpswd", "without_p", "none"])
def test_each_way_to_give_the_password(tmp_path: Path, prompt: str) -> None:
    kmu = Kmu(tmp_path / "cluster", CLUSTER_SIMULATOR_PASSWORD_PROMPT=prompt)
    assert kmu.ecc(l="k", i=2).result["changed"]
    assert kmu.cluster.user(OWNER).failures == 0
    wrong = kmu.ecc(l="k", i=2, pin="wrong-secret-77")
    assert "0xa3 (RET_USER_LOGIN_FAILURE); check crypto_user and the password; it was tried once" in wrong.msg
    assert kmu.cluster.user(OWNER).failures == 1
    assert "wrong-secret-77" not in wrong.stdout + wrong.stderr


def test_a_session_pair_is_proven_and_gone(kmu: Kmu) -> None:
    run = kmu.ecc(l="s", i=2, session=True)
    assert (run.result["changed"], run.key_pair["verified"]) == (True, "CKM_ECDSA_SHA256")
    assert run.key_pair["private_key"]["attributes"]["token"] is False
    assert kmu.halves("s") == []


@pytest.mark.parametrize("curve", ["P-224", "P-256", "P-521", "secp256k1"])
def test_the_other_curves(kmu: Kmu, curve: str) -> None:
    run = kmu.ecc(l="k", curve=curve, extractable=False)
    assert run.key_pair["private_key"]["attributes"]["extractable"] is False
    assert run.key_pair["public_key_pem"] == kmu.cluster.public_key("k")
    assert kmu.ecc(l="k", curve=curve, extractable=False).result["changed"] is False


def test_absent_removes_both_halves(kmu: Kmu) -> None:
    kmu.rsa(l="k", m=2048)
    assert kmu.halves("k") == BOTH
    assert kmu.rsa(l="k", state="absent", check_mode=True).result["changed"] and kmu.halves("k") == BOTH
    assert kmu.rsa(l="k", state="absent").result["changed"] and kmu.halves("k") == []
    assert not kmu.rsa(l="k", state="absent").result["changed"]


def test_the_attestation_is_judged_by_its_line(kmu: Kmu) -> None:
    assert kmu.ecc(l="k", i=2, attest=True).result["changed"]
    kmu.cluster.set(attestation=False)
    run = kmu.ecc(l="other", i=2, attest=True)
    assert "the HSM answered no 'Attestation Check : [PASS]'" in run.msg
    assert run.msg.endswith("Nothing of it is left on the token.") and kmu.halves("other") == []


def test_enough_servers_in_time(kmu: Kmu) -> None:
    kmu.cluster.set(sync_delay=1.5)
    run = kmu.ecc(l="k", i=2, min_srv=2, timeout=60)
    assert run.result["changed"] and {node["status"] for node in run.result["nodes"]} == {"ok"}
    again = kmu.ecc(l="k", i=2, min_srv=2, timeout=60)
    assert not again.result["changed"] and not kmu.wrote()


@pytest.mark.parametrize("rollback_fails", [False, True])
def test_too_few_servers_leave_no_pair(kmu: Kmu, rollback_fails: bool) -> None:
    """The tool takes its pair back; what it leaves behind, which it may, is removed."""
    kmu.cluster.set(sync_fails=True, rollback_fails=rollback_fails)
    run = kmu.ecc(l="k", i=2, min_srv=2, timeout=1)
    assert "the HSM answered that it is not on 2 HSMs within 1 seconds (node 0: ok, node 1: 0x" in run.msg, run.msg
    assert run.msg.endswith("Nothing of it is left on the token.") and kmu.halves("k") == []


def test_more_servers_than_there_are_are_refused(kmu: Kmu) -> None:
    """The command itself keeps such a pair and answers 0x00."""
    for check_mode in (True, False):
        run = kmu.ecc(l="k", i=2, min_srv=3, timeout=1, check_mode=check_mode)
        assert run.msg.startswith("Refused to generate the ECC key pair 'k' on the token 'key_mgmt_util'")
        assert run.msg.endswith("min_servers is 3 and the cluster has 2 HSMs.") and not kmu.wrote()


def test_a_pair_that_lags_is_waited_for_where_the_task_says_how_long(kmu: Kmu) -> None:
    kmu.cluster.set(sync_fails=True)
    assert kmu.ecc(l="k", i=2).result["changed"]
    once = kmu.ecc(l="k", i=2, min_srv=2)
    assert once.msg.endswith("). It was looked at once, because timeout is not given."), once.msg
    check = kmu.ecc(l="k", i=2, min_srv=2, timeout=60, check_mode=True)
    assert check.msg.endswith("because check mode does not wait."), check.msg
    kmu.cluster.set(sync_delay=2)
    kmu.cluster.start_node(1)  # from now on it gets what it lacks
    waited = kmu.ecc(l="k", i=2, min_srv=2, timeout=60)
    assert waited.result["changed"] is False and {row["status"] for row in waited.result["nodes"]} == {"ok"}


def test_an_existing_pair_on_too_few_servers_is_kept(kmu: Kmu) -> None:
    kmu.ecc(l="k", i=2)
    kmu.cluster.stop_node(1)
    run = kmu.ecc(l="k", i=2, min_srv=2)
    assert "it is on 1 (node 0: ok, node 1: 0x30000085 (Server in cluster is unavailable))" in run.msg
    assert kmu.halves("k") == BOTH and not kmu.wrote()


def test_a_pair_of_which_the_tool_looked_at_one_half_only(kmu: Kmu) -> None:
    """The tool calls it a success: the private half is everywhere, and the public one is not."""
    kmu.cluster.set(sync_fails="public-key")
    run = kmu.ecc(l="k", i=2, min_srv=2, timeout=1)
    assert run.msg.startswith("Could not find the ECC key pair 'k' on 2 HSMs") and "node 1: 0xa8" in run.msg, run.msg
    assert run.msg.endswith("The new pair was removed again.") and kmu.halves("k") == []


def test_an_hsm_that_is_off_is_told_and_does_not_hinder(kmu: Kmu) -> None:
    """What the cluster makes good later, it makes good; a removal leaves no half."""
    kmu.cluster.stop_node(1)
    run = kmu.ecc(l="k", i=2, min_srv=1)
    assert run.result["changed"] and [node["status"] for node in run.result["nodes"]] == ["ok", "failed"]
    run = kmu.ecc(l="k", i=2, state="absent")
    assert run.result["changed"] and kmu.halves("k") == []
    assert [node["status"] for node in run.result["nodes"]] == ["ok", "failed"]


def test_sharing_later_where_the_build_can(tmp_path: Path) -> None:
    kmu = Kmu(tmp_path / "cluster", "azure")
    assert kmu.ecc(l="k", i=2).key_pair["shared_with"] == []
    shared = kmu.ecc(l="k", i=2, u=[BOB])
    assert (shared.result["changed"], shared.key_pair["shared_with"]) == (True, [BOB])
    assert kmu.ecc(l="k", i=2, u=[BOB]).result["changed"] is False
    alone = kmu.ecc(l="k", i=2, u=[])
    assert (alone.result["changed"], alone.key_pair["shared_with"]) == (True, [])


def test_sharing_later_where_the_build_cannot(kmu: Kmu) -> None:
    kmu.ecc(l="k", i=2)
    run = kmu.ecc(l="k", i=2, u=[BOB])
    assert run.msg.endswith(
        "shared_with is [], wished [bob]. That cannot be changed in place; share it by shareKey of the vendor's management"
        " tool (cloudhsm_mgmt_util), or set on_mismatch=keep to leave the pair as it is."
    )
    assert not kmu.wrote()


def test_what_the_tool_cannot_do_is_not_advised(kmu: Kmu) -> None:
    """A replacement needs a key to be renamed."""
    kmu.ecc(l="k", i=2)
    run = kmu.ecc(l="k", i=14)
    assert run.msg.endswith("; set on_mismatch=keep to leave the pair as it is."), run.msg
    assert "key_mgmt_util cannot rename a key" in kmu.ecc(l="k", i=14, on_mismatch="replace").msg


@pytest.mark.parametrize(
    ("users", "said"), [(["nobody"], "no crypto user"), ([1], "no crypto user"), ([3], "the caller")]
)
def test_users_that_cannot_be_shared_with(kmu: Kmu, users: list[t.Any], said: str) -> None:
    run = kmu.ecc(l="k", i=2, u=users)
    assert run.msg.startswith("Refused to share a key with") and said in run.msg and not kmu.wrote()


def test_keys_of_others_are_not_ours(kmu: Kmu) -> None:
    """Everybody's public keys are found by findKey, and shared private ones."""
    theirs = kmu.ecc(l="k", i=2, crypto_user=BOB, pin=BOBS_PASSWORD, u=[OWNER])
    assert theirs.result["changed"]
    ours = kmu.ecc(l="k", i=2)
    assert ours.result["changed"] and ours.key_pair["fingerprint"] != theirs.key_pair["fingerprint"]
    assert kmu.ecc(l="k", i=2, state="absent").result["changed"]
    assert kmu.halves("k") == BOTH
    listed = kmu.run("hsm_key_info", label="k")
    assert {pair["owner"] for pair in listed.result["key_pairs"]} == {BOB}


def test_the_users_of_the_cluster(spelled: Kmu) -> None:
    run = spelled.run("hsm_user_info")
    assert [(user["id"], user["type"], user["name"]) for user in run.result["users"]] == [
        *((1, "PCO", "admin"), (2, "AU", "app_user"), (3, "CU", OWNER), (4, "CU", BOB)),
    ]


def test_many_pairs_in_one_login(kmu: Kmu) -> None:
    pairs = [{"type": "ecc", "label": f"k{number}", "curve": "P-256"} for number in range(3)]
    run = kmu.run("hsm_keypairs", keypairs=pairs)
    assert run.result["changed"] and len(kmu.cluster.calls("loginHSM")) == 1
    assert kmu.run("hsm_keypairs", keypairs=pairs).result["changed"] is False


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"label": "with a blank"}, "cannot be typed there"),
        ({"id_hex": "00ff"}, "its id cannot be typed there"),
        ({"usage": ["derive"]}, "its commands have no option for verify, which is true for the public half"),
        ({"private_attributes": {"destroyable": False}}, "no option for destroyable"),
        ({"private_attributes": {"sign_recover": False}}, "its keys have no attribute sign_recover"),
        ({"curve": "ed25519"}, "key_mgmt_util has the curves"),
        ({"session": True, "share_with": [BOB]}, "it shares no pair"),
        ({"quorum": 2, "share_with": [BOB], "verify": True}, "verify is true"),
    ],
)
def test_what_the_tool_cannot_make_is_refused(kmu: Kmu, option: dict[str, t.Any], said: str) -> None:
    for check_mode in (True, False):
        run = kmu.ecc(check_mode=check_mode, **{"label": "k", "curve": "P-256", **option})
        assert run.msg.startswith("Refused to generate the ECC key pair") and said in run.msg, run.msg
        assert not kmu.wrote()


@pytest.mark.parametrize(
    "option",
    [
        {"token_label": "x"},
        {"expect_token": {"model": "x"}},
        {"slot_id": 0},
        {"share_with": [BOB], "quorum": 2, "management_quorum": 2},
    ],
)
def test_options_for_other_providers_are_refused(kmu: Kmu, option: dict[str, t.Any]) -> None:
    run = kmu.ecc(label="k", curve="P-256", **option)
    assert "the provider key_mgmt_util cannot do it" in run.msg
    assert not kmu.cluster.calls()
