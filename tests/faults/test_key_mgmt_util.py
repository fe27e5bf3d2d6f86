# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The provider key_mgmt_util on a simulated cluster: the examples of its commands, and a tool that misbehaves."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import command as _kmu_command
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.dialogue import Dialogue
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError
from ansible_collections.cryptoki.hsm.tests.support.cluster_runs import ClusterRuns
from ansible_collections.cryptoki.hsm.tests.support.cluster_tools import OWNER, OWNER_PASSWORD, Cluster
from ansible_collections.cryptoki.hsm.tests.support.module_process import module_command
from ansible_collections.cryptoki.hsm.tests.support.softhsm import module_input, run_module

BOTH = ["private-key", "public-key"]
# Answers that are none, or that say no: faults of the simulator.
NO_ANSWER = ("no_json", "half", "silence", "killed", "unknown_error", "error")
BOB, BOBS_PASSWORD = "bob", "62-bob-8840"
# The names of the 26 attributes in the dump of genRSAKeyPair's documentation.
DUMPED = (
    *("class", "key_type", "token", "private", "encrypt", "decrypt", "wrap", "unwrap", "sign", "verify", "local"),
    *("sensitive", "extractable", "label", "id", "value_len", "kcv", "modulus", "modulus_bits", "public_exponent"),
    *("trusted", "wrap_with_trusted", "destroyable", "derive", "always_sensitive", "never_extractable"),
)
FIRST_DUMPED = 20  # in the older dumps, for instance that of genECCKeyPair's documentation


class Kmu(ClusterRuns):
    """A cluster of two HSMs with key_mgmt_util in one of its spellings, and a second user."""

    def __init__(self, folder: Path, spelling: str = "aws", nodes: int = 2, **variables: str) -> None:
        self.spelling = spelling
        cluster = Cluster(folder, nodes=nodes)
        cluster.add_user(BOB, BOBS_PASSWORD)
        name = "azcloudhsm_util" if spelling == "azure" else "key_mgmt_util"
        executable = cluster.install_key_mgmt_util(
            folder / "bin", name=name, spelling=spelling, CLUSTER_SIMULATOR_STRICT_ORDER="1", **variables
        )
        super().__init__(cluster, "key_mgmt_util", executable)

    def wrote(self) -> list[str]:
        """The commands that change the cluster."""
        return [call for call in self.cluster.calls() if any(word in call for word in ("gen", "delete", "share"))]


@pytest.fixture
def kmu(tmp_path: Path) -> Kmu:
    return Kmu(tmp_path / "cluster")


@pytest.fixture(params=["aws", "aws_status", "azure"])
def spelled(request: pytest.FixtureRequest, tmp_path: Path) -> Kmu:
    return Kmu(tmp_path / "cluster", request.param)


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
    bits = ("token", "private", "encrypt", "wrap", "verify", "local", "extractable", "destroyable")
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
    less = spelled.rsa(u=[4], **{**example, "m_value": 1})
    assert less.msg.startswith("Refused to change the RSA key pair 'rsa_mofn', id 72:73:61:5f:6d:76:32 on the token")
    assert "quorum is 2, wished 1" in less.msg


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
        " allows. Nothing of that name is left on the token."
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
    run = kmu.ecc(l="k", i=2, min_srv=2, timeout=20)
    assert run.result["changed"] and {node["status"] for node in run.result["nodes"]} == {"ok"}
    again = kmu.ecc(l="k", i=2, min_srv=2, timeout=20)
    assert not again.result["changed"] and not kmu.wrote()


@pytest.mark.parametrize("rollback_fails", [False, True])
def test_too_few_servers_leave_no_pair(kmu: Kmu, rollback_fails: bool) -> None:
    """The tool takes its pair back; what it leaves behind, which it may, is removed."""
    kmu.cluster.set(sync_fails=True, rollback_fails=rollback_fails)
    run = kmu.ecc(l="k", i=2, min_srv=2, timeout=1)
    assert "the HSM answered that it is not on 2 HSMs within 1 seconds (node 0: ok, node 1: " in run.msg, run.msg
    assert run.msg.endswith("Nothing of it is left on the token.") and kmu.halves("k") == []


def test_more_servers_than_there_are_leave_no_pair(kmu: Kmu) -> None:
    """The command itself keeps such a pair and answers 0x00."""
    run = kmu.ecc(l="k", i=2, min_srv=3, timeout=1)
    assert "Could not find the ECC key pair 'k' on 3 HSMs of the token 'key_mgmt_util'" in run.msg
    assert kmu.halves("k") == []


def test_an_existing_pair_on_too_few_servers_is_kept(kmu: Kmu) -> None:
    kmu.ecc(l="k", i=2)
    kmu.cluster.stop_node(1)
    run = kmu.ecc(l="k", i=2, min_srv=2)
    assert "it is on 1 (node 0: ok, node 1: 0x30000085 (Server in cluster is unavailable))" in run.msg
    assert kmu.halves("k") == BOTH and not kmu.wrote()


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
    assert "shared_with is [], wished [bob]. That cannot be changed in place" in run.msg and not kmu.wrote()


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


@pytest.mark.parametrize("option", [{"token_label": "x"}, {"expect_token": {"model": "x"}}, {"slot_id": 0}])
def test_options_for_other_providers_are_refused(kmu: Kmu, option: dict[str, t.Any]) -> None:
    run = kmu.ecc(label="k", curve="P-256", **option)
    assert "the provider key_mgmt_util cannot do it" in run.msg
    assert not kmu.cluster.calls()


# A tool that misbehaves


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        *(("findKey", kind) for kind in NO_ANSWER),
        *((command, kind) for command in ("getKeyInfo", "getAttribute") for kind in ("half", "unknown_error")),
    ],
)
def test_a_look_that_fails_is_no_absence(kmu: Kmu, kind: str, command: str) -> None:
    kmu.ecc(label="k", curve="P-256")
    kmu.cluster.set_fault(kind, command)
    for state in ("present", "absent"):
        run = kmu.ecc(label="k", curve="P-256", state=state)
        assert run.msg.startswith("Could not search for the ECC key pair"), run.msg
        assert not kmu.wrote() and kmu.halves("k") == BOTH
        assert len(kmu.cluster.calls("loginHSM")) == 1


@pytest.mark.parametrize("kind", ["half", "silence", "error"])
def test_a_failed_search_where_there_is_nothing(kmu: Kmu, kind: str) -> None:
    kmu.cluster.set_fault(kind, "findKey")
    run = kmu.ecc(label="k", curve="P-256")
    assert run.msg.startswith("Could not search for the ECC key pair") and not kmu.wrote()


@pytest.mark.parametrize("kind", ["error_after_success", "no_json", "silence", "killed", "unknown_error", "error"])
def test_a_generation_that_fails_leaves_nothing(kmu: Kmu, kind: str) -> None:
    """What the drawn id finds is this task's own, and is removed; it is looked for in a second login if need be."""
    kmu.cluster.set_fault(kind, "genECCKeyPair", after=True)
    run = kmu.ecc(label="k", curve="P-256")
    assert run.msg.startswith("Could not generate the ECC key pair 'k', id "), run.msg
    assert run.msg.endswith("Nothing of it is left on the token.")
    assert len(kmu.cluster.calls("genECCKeyPair")) == 1 and kmu.halves("k") == []


def test_half_an_answer_that_tells_the_handles_is_made_sure_of(kmu: Kmu) -> None:
    """What it tells is looked at and proven; what it does not, the attestation, is missing."""
    kmu.cluster.set_fault("half", "genECCKeyPair")
    assert kmu.ecc(label="k", curve="P-256").key_pair["verified"] == "CKM_ECDSA_SHA256"
    run = kmu.ecc(label="other", curve="P-256", attest=True)
    assert "the HSM answered no 'Attestation Check : [PASS]'" in run.msg and kmu.halves("other") == []


@pytest.mark.parametrize("kind", ["error_after_success", "killed"])
def test_a_generation_that_fails_with_an_id_names_what_is_there(kmu: Kmu, kind: str) -> None:
    kmu.cluster.set_fault(kind, "genECCKeyPair", after=True, times=1)
    run = kmu.ecc(label="k", curve="P-256", id="one")
    assert "What is there now under this name: (public ec key, on secp256r1, label 'k'" in run.msg, run.msg
    assert kmu.ecc(label="k", curve="P-256", id="one", verify=True).key_pair["verified"] == "CKM_ECDSA_SHA256"


@pytest.mark.parametrize("command", ["getKeyInfo", "getAttribute", "sign"])
@pytest.mark.parametrize("kind", ["silence", "unknown_error"])
def test_a_new_pair_that_cannot_be_looked_at_is_taken_back(kmu: Kmu, command: str, kind: str) -> None:
    kmu.cluster.set_fault(kind, command, times=1)
    run = kmu.ecc(label="k", curve="P-256")
    assert run.result["failed"] and kmu.halves("k") == [], run.msg
    assert "is left" in run.msg or "was removed again" in run.msg


def test_a_pair_that_cannot_be_removed_is_named(kmu: Kmu) -> None:
    kmu.cluster.set_fault("unknown_error", "getAttribute", times=1)
    kmu.cluster.set_fault("error", "deleteKey")
    run = kmu.ecc(label="k", curve="P-256")
    assert "What remains on the token: the new private half (handle " in run.msg and kmu.halves("k") == BOTH


def test_a_half_that_cannot_be_removed_is_named(kmu: Kmu) -> None:
    kmu.ecc(label="k", curve="P-256")
    kmu.cluster.set_fault("unknown_error", "deleteKey", skip=1)
    run = kmu.ecc(label="k", curve="P-256", state="absent")
    assert "0xee (E9071: the flux is out of phase)" in run.msg
    assert "What remains: (public ec key, on secp256r1" in run.msg and kmu.halves("k") == ["public-key"]


def test_the_password_is_seen_nowhere_while_the_tool_hangs(kmu: Kmu, tmp_path: Path) -> None:
    """Not in ps, not in an environment, not in a file; and a task that is killed leaves no tool behind."""
    kmu.cluster.set_fault("hang", "genECCKeyPair")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with subprocess.Popen(
        module_command("hsm_ecc_keypair"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as module:
        assert module.stdin
        module.stdin.write(module_input(False, {**kmu.login(), "label": "k", "curve": "P-256"}))
        module.stdin.close()
        child = _running(kmu, "genECCKeyPair")
        secret = OWNER_PASSWORD.encode()
        listed = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, check=True).stdout
        told = b"".join(Path(f"/proc/{pid}/environ").read_bytes() for pid in (module.pid, child))
        assert b"CLUSTER_SIMULATOR" in told and b"simulators import key_mgmt_util" in listed  # the test would see it
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert not [path for path in files if secret in path.read_bytes()]
        assert secret not in listed + told
        module.kill()
        assert module.stdout and module.stderr
        assert secret not in module.stdout.read() + module.stderr.read()
    for _attempt in range(600):
        if not Path(f"/proc/{child}").exists():
            break
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()


def _running(kmu: Kmu, command: str) -> int:
    """The process of the tool, once it runs a command."""
    for _attempt in range(600):
        if kmu.cluster.calls(command):
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    there = str(kmu.cluster.folder).encode() in (folder / "environ").read_bytes()
                    if there and b"simulators import key_mgmt_util" in (folder / "cmdline").read_bytes():
                        return int(folder.name)
                except OSError:
                    continue
        time.sleep(0.05)
    raise AssertionError(f"{command} was not run")


def children() -> set[str]:
    """The children of this process."""
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


@pytest.mark.parametrize("kind", ["hang", "hang_half"])
def test_a_tool_that_hangs_is_ended_after_a_while(kmu: Kmu, kind: str) -> None:
    before = children()
    dialogue = Dialogue(str(kmu.executable))
    dialogue.login(OWNER, OWNER_PASSWORD)
    kmu.cluster.set_fault(kind, "listUsers", times=1)
    started = time.monotonic()
    with pytest.raises(TokenError, match="^Could not look: the HSM answered nothing whole within 1 seconds"):
        dialogue.ask(_kmu_command.LIST_USERS, "look", 1.0)
    assert time.monotonic() - started < 5
    assert not dialogue.alive and children() == before
    with pytest.raises(TokenError, match="was ended before"):
        dialogue.ask(_kmu_command.LIST_USERS, "look")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'LIQUIDSECURITY: Daemon socket connection error'", "its last words were 'LIQUIDSECURITY: Daemon socket"),
        ("exit 0", "nothing, because the tool ended"),
        ("printf 'Command: '; read line; echo 'Enter password: '; exit 1", "because the tool ended"),
        ("while :; do printf '\\nCommand: '; read -r line || exit; done", "holds no line 'LoginHSM returned"),
        ("printf '\\nCommand: '; while :; do read -r line; printf '\\nEnter password: '; done", "a second question"),
    ],
)
def test_a_tool_that_is_none(tmp_path: Path, script: str, said: str) -> None:
    before = children()
    program = tmp_path / "tool"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    with pytest.raises(HsmError) as raised:
        Dialogue(str(program)).login(OWNER, OWNER_PASSWORD)
    assert said in raised.value.msg and OWNER_PASSWORD not in raised.value.msg
    assert children() == before


def test_a_tool_that_is_not_there(kmu: Kmu) -> None:
    run = kmu.ecc(label="k", curve="P-256", executable="/opt/nothing/key_mgmt_util")
    assert run.msg.startswith(
        "Could not start /opt/nothing/key_mgmt_util: The command was not found or was not executable"
    )


def test_a_missing_pexpect_is_told_by_its_name(kmu: Kmu, tmp_path: Path) -> None:
    (tmp_path / "pexpect.py").write_text("raise ImportError('none here')\n")
    path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    run = run_module(
        "hsm_ecc_keypair", {**kmu.login(), "label": "k", "curve": "P-256"}, environment={"PYTHONPATH": path}
    )
    assert run.msg.startswith("Failed to import the required Python library (pexpect)")


def test_no_file_is_left(kmu: Kmu, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    params = {**kmu.login(), "label": "k", "curve": "P-256"}
    for _attempt in range(2):
        assert "failed" not in run_module("hsm_ecc_keypair", params, environment={"TMPDIR": str(temporary)}).result
    kmu.cluster.set_fault("half", "getAttribute")
    assert run_module("hsm_ecc_keypair", params, environment={"TMPDIR": str(temporary)}).result["failed"]
    assert list(temporary.iterdir()) == []
    blank = Path(tempfile.mkdtemp(prefix="with a blank ", dir=tmp_path))
    run = run_module("hsm_ecc_keypair", params, environment={"TMPDIR": str(blank)})
    assert "set TMPDIR to one without blanks" in run.msg


def test_a_tool_that_is_killed_meanwhile_is_a_failure(kmu: Kmu) -> None:
    dialogue = Dialogue(str(kmu.executable))
    dialogue.login(OWNER, OWNER_PASSWORD)
    os.kill(_running(kmu, "loginHSM"), signal.SIGKILL)
    with pytest.raises(TokenError, match="because the tool ended"):
        dialogue.ask(_kmu_command.LIST_USERS, "look")
