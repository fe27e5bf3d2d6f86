# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The provider cloudhsm_cli when the tool misbehaves: no error is absence, nothing half-made is left unnamed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.simulators.cluster.state import opened
from ansible_collections.cryptoki.hsm.tests.support.cluster import OWNER, OWNER_PASSWORD, Cluster
from ansible_collections.cryptoki.hsm.tests.support.cluster_runs import ClusterRuns
from ansible_collections.cryptoki.hsm.tests.support.module_process import module_command
from ansible_collections.cryptoki.hsm.tests.support.module_run import module_input, run_from
from ansible_collections.cryptoki.hsm.tests.support.task import Task

BOTH = ["private-key", "public-key"]
# Answers that are none, or that say no: faults of the simulator.
NO_ANSWER = ("no_json", "half", "silence", "killed", "unknown_error", "error")
GENERATE, LIST, DELETE = "key generate", "key list", "key delete"


@pytest.fixture
def cli(tmp_path: Path) -> ClusterRuns:
    cluster = Cluster(tmp_path / "cluster", nodes=2)
    cluster.add_user("alice", "password-alice")
    cluster.add_user("bob", "password-bob")
    return ClusterRuns(cluster, "cloudhsm_cli", cluster.install_cloudhsm_cli())


def wrote(cli: ClusterRuns) -> list[str]:
    """The calls that change the cluster."""
    words = ("generate-asymmetric", "delete", "set-attribute", "share")
    return [call for call in cli.cluster.calls() if any(word in call for word in words)]


@pytest.mark.parametrize(
    ("kind", "task"),
    [
        *((kind, {}) for kind in NO_ANSWER),
        ("half", {"id": "one"}),
        ("silence", {"curve": None, "state": "absent"}),
        ("no_json", {"label": "with a blank"}),
    ],
)
def test_a_failed_list_is_no_absence(cli: ClusterRuns, kind: str, task: dict[str, t.Any]) -> None:
    cli.cluster.set_fault(kind, LIST)
    run = cli.ecc(**{"label": "k", "curve": "P-256", **task})
    assert run.msg.startswith("Could not search for the ECC key pair"), run.msg
    assert not wrote(cli) and len(cli.cluster.calls(LIST)) == 1
    assert run.result["provider_error"]


@pytest.mark.parametrize(("after", "kind"), [(1, "half"), (1, "no_json"), (2, "error")])
def test_a_failed_list_after_the_generation_takes_the_pair_back(cli: ClusterRuns, kind: str, after: int) -> None:
    """The last look is refused: whether another host was faster is not known."""
    cli.cluster.set_fault(kind, LIST, skip=after + 1, times=1)
    run = cli.ecc(label="k", curve="P-256")
    if after == 1:
        assert run.msg.endswith("The new pair was removed again.")
        assert cli.halves("k") == []
    else:
        assert run.result["changed"] and cli.halves("k") == BOTH


@pytest.mark.parametrize("kind", ["error_after_success", *NO_ANSWER])
def test_a_generation_that_fails_leaves_nothing(cli: ClusterRuns, kind: str) -> None:
    """What the drawn id finds is this task's own, and is removed."""
    cli.cluster.set_fault(kind, GENERATE, after=True)
    run = cli.ecc(label="k", curve="P-256")
    assert run.msg.startswith("Could not generate the ECC key pair 'k', id "), run.msg
    assert cli.cluster.calls(GENERATE) == ["cloudhsm_cli: key generate-asymmetric-pair ec"]
    assert cli.halves("k") == []
    first = cli.cluster.calls().index(cli.cluster.calls(GENERATE)[0])
    assert LIST in cli.cluster.calls()[first + 1]


@pytest.mark.parametrize("kind", ["error_after_success", "half"])
def test_a_generation_with_an_id_that_fails_names_what_is_there(cli: ClusterRuns, kind: str) -> None:
    cli.cluster.set_fault(kind, GENERATE, times=1)
    run = cli.rsa(label="k", id="one", modulus_bits=2048)
    assert "What is there now under this name: (public rsa key, of 2048 bits, label 'k', id 6f:6e:65" in run.msg, (
        run.msg
    )
    assert cli.halves("k") == BOTH
    again = cli.rsa(label="k", id="one", modulus_bits=2048, verify=True)
    assert (again.result["changed"], again.key_pair["verified"]) == (False, "CKM_SHA256_RSA_PKCS")


def test_a_generation_that_did_nothing_leaves_nothing(cli: ClusterRuns) -> None:
    cli.cluster.set_fault("unknown_error", GENERATE)
    run = cli.ecc(label="k", curve="P-256")
    assert "the HSM answered 'E9071: the flux is out of phase'" in run.msg
    assert run.result["provider_error"] == "E9071: the flux is out of phase"
    assert "Nothing of that name is on the token now" in run.msg


@pytest.mark.parametrize("kind", ["error_after_success", "half", "silence", "status"])
def test_a_removal_whose_answer_is_lost_is_looked_at(cli: ClusterRuns, kind: str) -> None:
    cli.ecc(label="k", curve="P-256")
    cli.cluster.set_fault(kind, DELETE, status=9) if kind == "status" else cli.cluster.set_fault(kind, DELETE)
    run = cli.ecc(label="k", state="absent")
    assert run.result["changed"] and cli.halves("k") == []


def test_a_removal_that_is_refused_keeps_both_halves(cli: ClusterRuns) -> None:
    cli.ecc(label="k", curve="P-256")
    cli.cluster.set_fault("unknown_error", DELETE)
    run = cli.ecc(label="k", state="absent")
    assert run.msg.startswith("Could not remove the ECC key pair 'k'") and "What remains: (public ec key" in run.msg, (
        run.msg
    )
    assert cli.halves("k") == BOTH


def test_a_success_may_have_any_exit_status(cli: ClusterRuns) -> None:
    cli.cluster.set_fault("status", status=3)
    assert cli.ecc(label="k", curve="P-256").result["changed"]


def test_a_failure_may_have_the_exit_status_of_a_success(cli: ClusterRuns) -> None:
    cli.cluster.set(failure_status=0)
    cli.cluster.set_fault("error", LIST)
    assert "HSM is disconnected" in cli.ecc(label="k", curve="P-256").msg


def test_a_wrong_password_is_tried_once(cli: ClusterRuns) -> None:
    """In hsm_keypairs too, where each pair would be another try."""
    pairs = [{"type": "ecc", "label": f"k{number}", "curve": "P-256"} for number in range(7)]
    tasks: list[dict[str, t.Any]] = [{"pin": "wrong-secret-77"}, {"pin": "wrong-secret-77", "keypairs": pairs}]
    for params in tasks:
        before = cli.cluster.user(OWNER).failures
        module = "hsm_keypairs" if "keypairs" in params else "hsm_ecc_keypair"
        own: dict[str, t.Any] = {} if "keypairs" in params else {"label": "k", "curve": "P-256"}
        run = cli.run(module, **own, **params)
        assert run.result["failed"]
        assert cli.cluster.user(OWNER).failures == before + 1
        assert "wrong-secret-77" not in run.stdout + run.stderr.replace("no_log", "")


def test_a_locked_user_is_refused_before_the_login(cli: ClusterRuns) -> None:
    with_failures = [cli.ecc(label="k", curve="P-256", pin="wrong-secret-77") for _attempt in range(5)]
    assert all(run.result["failed"] for run in with_failures)
    run = cli.ecc(label="k", curve="P-256")
    assert run.msg == f"Refused to log in as '{OWNER}': that user is locked; let an admin set a new password."
    assert not cli.cluster.calls("key ")


@pytest.mark.parametrize(
    ("user", "said"),
    [("nobody", "the cluster has no user of that name"), ("admin", "the cluster has a user of the type")],
)
def test_an_unknown_user_is_refused_before_the_login(cli: ClusterRuns, user: str, said: str) -> None:
    run = cli.ecc(label="k", curve="P-256", crypto_user=user)
    assert run.msg.startswith(f"Refused to log in as '{user}': {said}")
    assert not cli.cluster.calls("key ")


def test_an_inconsistent_pair_is_told_and_not_made_again(cli: ClusterRuns) -> None:
    cli.ecc(label="k", curve="P-256")
    cli.cluster.set_fault("inconsistent", LIST)
    run = cli.ecc(label="k", curve="P-256")
    assert not run.result["changed"]
    assert {node["status"] for node in run.result["nodes"]} == {"unsynchronised"}
    assert len(cli.cluster.held("k")) == 2


def test_an_inconsistent_attribute_is_no_difference_that_is_mended(cli: ClusterRuns) -> None:
    cli.ecc(label="k", curve="P-256")
    cli.cluster.set_fault("inconsistent", LIST, attributes=["sign"])
    run = cli.ecc(label="k", curve="P-256", usage=["sign"])
    assert run.msg.startswith("Refused to change the ECC key pair 'k'") and not wrote(cli)


def test_an_inconsistent_key_type_is_no_absence(cli: ClusterRuns) -> None:
    cli.ecc(label="k", curve="P-256")
    cli.cluster.set_fault("inconsistent", LIST, attributes=["key-type"])
    for module, size in (("hsm_ecc_keypair", {"curve": "P-256"}), ("hsm_rsa_keypair", {"modulus_bits": 2048})):
        run = cli.run(module, label="k", **size)
        assert run.result["failed"] and not wrote(cli), run.result


def test_a_pair_that_stays_on_one_hsm_is_removed(cli: ClusterRuns) -> None:
    """min_servers is not met within the time-out; the availability check of the tool is off."""
    cli.cluster.set(availability_check=False, sync_fails=True)
    run = cli.ecc(label="k", curve="P-256", min_servers=2, timeout=2)
    assert "Could not find the ECC key pair 'k' on 2 HSMs of the token 'AWS CloudHSM' within 2 seconds" in run.msg
    assert run.msg.endswith("The new pair was removed again.")
    assert cli.halves("k") == []


def test_a_pair_that_was_there_is_never_removed(cli: ClusterRuns) -> None:
    cli.cluster.set(availability_check=False)
    cli.ecc(label="k", curve="P-256")
    cli.cluster.stop_node(1)
    run = cli.ecc(label="k", curve="P-256", min_servers=2, timeout=1)
    assert run.msg.startswith("Could not find the ECC key pair 'k' on 2 HSMs") and "1 answer" in run.msg
    assert cli.halves("k") == BOTH


def test_the_time_for_a_new_pair_runs_from_its_generation_on(cli: ClusterRuns) -> None:
    """Before anything is signed, which waits for the HSMs by itself."""
    cli.cluster.set(availability_check=False, sync_delay=600)
    run = cli.ecc(label="k", curve="P-256", min_servers=2, timeout=1)
    assert "on 2 HSMs of the token 'AWS CloudHSM' within 1 seconds: not all of them have both halves yet." in run.msg
    assert not cli.cluster.calls("crypto sign") and cli.halves("k") == []


def test_a_pair_that_lags_is_waited_for_where_the_task_says_how_long(cli: ClusterRuns) -> None:
    cli.cluster.set(availability_check=False, sync_delay=600)
    cli.ecc(label="k", curve="P-256", verify=False)
    once = cli.ecc(label="k", curve="P-256", min_servers=2)
    assert once.msg.endswith("both halves yet. It was looked at once, because timeout is not given."), once.msg
    check = cli.ecc(label="k", curve="P-256", min_servers=2, timeout=60, check_mode=True)
    assert check.msg.endswith("because check mode does not wait."), check.msg
    waited = cli.ecc(label="k", curve="P-256", min_servers=2, timeout=1)
    assert " within 1 seconds: " in waited.msg and cli.halves("k") == BOTH


def test_a_slow_synchronisation_is_waited_for(cli: ClusterRuns) -> None:
    cli.cluster.set(availability_check=False, sync_delay=2)
    run = cli.ecc(label="k", curve="P-256", min_servers=2, timeout=60)
    assert run.result["changed"] and run.key_pair["verified"] == "CKM_ECDSA_SHA256"
    assert {node["status"] for node in run.result["nodes"]} == {"ok"}


def test_too_few_hsms_are_refused_before_the_generation(cli: ClusterRuns) -> None:
    for check_mode in (True, False):
        run = cli.ecc(label="k", curve="P-256", min_servers=3, check_mode=check_mode)
        assert run.msg.endswith("min_servers is 3 and the cluster has 2 HSMs.") and not wrote(cli)


def test_the_availability_check_is_told_with_its_remedy(cli: ClusterRuns) -> None:
    cli.cluster.set(availability_wait=1)
    cli.cluster.stop_node(1)
    run = cli.ecc(label="k", curve="P-256")
    assert "must be available on at least 2 HSMs" in run.msg and "configure-cli" in run.msg
    assert cli.halves("k") == [] or "What" in run.msg


def test_the_password_is_seen_nowhere_while_the_tool_hangs(cli: ClusterRuns, tmp_path: Path) -> None:
    """Not in ps, not in a file, not in the environment of the module or of a child that needs no login."""
    cli.cluster.set_fault("hang", GENERATE)
    with subprocess.Popen(
        module_command("hsm_ecc_keypair"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as module:
        given = {**cli.login(), "label": "k", "curve": "P-256"}
        assert module.stdin
        module.stdin.write(module_input(False, given))
        module.stdin.close()
        module.stdin = None
        child = _child_at(cli, module, GENERATE)
        # Other tests show their PINs to tools of their own at the same time.
        ours = ["--pid", f"{module.pid},{child}", "--ppid", f"{module.pid},{child}"]
        listed = subprocess.run(["ps", "-ww", "-o", "args", *ours], capture_output=True, check=True).stdout
        told = Path(f"/proc/{module.pid}/environ").read_bytes()
        seen = [path for path in tmp_path.rglob("*") if path.is_file() and OWNER_PASSWORD.encode() in path.read_bytes()]
        assert OWNER_PASSWORD.encode() in Path(f"/proc/{child}/environ").read_bytes()  # the test would see it
        os.kill(child, signal.SIGKILL)
        stdout, stderr = module.communicate(timeout=60)
    assert OWNER_PASSWORD.encode() not in listed + told + stdout + stderr
    assert not seen
    run = run_from(stdout, stderr, module.returncode or 0)
    assert run.msg.startswith("Could not generate the ECC key pair 'k'") and cli.halves("k") == []


def test_a_command_ends_with_a_killed_module(cli: ClusterRuns) -> None:
    """Nobody is logged in afterwards, the lock is free, and whoever comes next looks at what there is."""
    cli.cluster.set_fault("hang", GENERATE, seconds=600, times=1)
    with subprocess.Popen(
        module_command("hsm_ecc_keypair"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as module:
        assert module.stdin
        module.stdin.write(module_input(False, {**cli.login(), "label": "k", "curve": "P-256"}))
        module.stdin.close()
        module.stdin = None
        _child_at(cli, module, GENERATE)
        module.kill()
    later = cli.ecc(label="k", curve="P-256", lock_timeout=50)
    assert later.result["changed"] and cli.halves("k") == BOTH


def test_two_hosts_that_share_nothing_but_the_cluster(cli: ClusterRuns, tmp_path: Path) -> None:
    """The lock is one host's; here each has another executable. Whoever sees the other's pair removes its own."""
    other = cli.cluster.install_cloudhsm_cli(tmp_path / "other")
    given = {**cli.login(), "label": "k", "curve": "P-256"}
    tasks = [
        Task("hsm_ecc_keypair", module_input(False, {**given, "executable": str(executable)}))
        for executable in (cli.executable, other)
    ]
    runs = [task.finish(timeout=120) for task in tasks]
    assert {run.key_pair["fingerprint"] for run in runs} == {cli.ecc(label="k", curve="P-256").key_pair["fingerprint"]}
    assert cli.halves("k") == BOTH


def test_a_half_chosen_by_its_handle(cli: ClusterRuns) -> None:
    """Handles outlive a task; what does not concern the half is refused."""
    made = cli.ecc(label="k", curve="P-256").key_pair
    handle = made["public_key"]["handle"]
    refused = cli.run("hsm_key", handle=handle, share_with=["alice"])
    assert refused.msg == (
        "share_with is refused: the handle chooses the public half alone, which it does not concern."
    )
    changed = cli.run("hsm_key", handle=made["private_key"]["handle"], share_with=["alice"])
    assert changed.result["changed"] and changed.result["key_pairs"][0]["shared_with"] == ["alice"]
    assert cli.run("hsm_key", handle=handle, label="k", state="absent").result["changed"]
    assert cli.halves("k") == ["private-key"]


def test_one_of_several_clusters_is_named_by_its_id(cli: ClusterRuns) -> None:
    cli.cluster.set(cluster_ids=["cluster-1abcdef2345", "cluster-2abcdef2345"])
    assert cli.ecc(label="k", curve="P-256").result["failed"]
    run = cli.ecc(label="k", curve="P-256", token_label="cluster-2abcdef2345")
    assert run.result["changed"] and run.key_pair["verified"]
    again = cli.ecc(label="k", curve="P-384", token_label="cluster-2abcdef2345")
    assert "on the token 'cluster-2abcdef2345': curve is secp256r1, wished secp384r1" in again.msg


def test_what_can_be_pinned_is_shown_without_a_login(cli: ClusterRuns) -> None:
    shown = cli.run("hsm_token_info", crypto_user=None, pin=None)
    pins = [dict(hsm["expect_token"]) for hsm in shown.result["hsms"]]
    assert [hsm["name"] for hsm in shown.result["hsms"]] == [pin.pop("serial") for pin in pins]
    assert len(pins) == 2 and pins[0] == pins[1]
    assert cli.ecc(label="k", curve="P-256", expect_token=pins[0]).result["changed"]
    assert not cli.cluster.calls("key list") or cli.halves("k") == BOTH
    refused = cli.ecc(label="k", curve="P-256", expect_token={**pins[0], "firmware_id": "other"})
    assert "expect_token says 'other'" in refused.msg and not cli.cluster.calls("key ")


def _child_at(cli: ClusterRuns, module: subprocess.Popen[bytes], command: str) -> int:
    """The process of the tool that a module runs for a command."""
    for _attempt in range(1200):
        children = Path(f"/proc/{module.pid}/task/{module.pid}/children").read_text().split()
        if cli.cluster.calls(command) and children:
            return int(children[0])
        time.sleep(0.05)
    raise AssertionError(f"{command} was not run")


def test_the_tool_is_ended_with_the_time_out(cli: ClusterRuns) -> None:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.tool import TIMEOUT, Tool
    from ansible_collections.cryptoki.hsm.plugins.module_utils._cluster_tool.login import ToolLogin
    from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import Secret
    from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError

    assert TIMEOUT > 90
    for kind in ("hang", "hang_half"):
        cli.cluster.clear_faults()
        cli.cluster.set_fault(kind, LIST)
        tool = Tool(ToolLogin(str(cli.executable), None, OWNER, Secret(OWNER_PASSWORD), {}), timeout=1.5)
        with pytest.raises(TokenError, match=r"the HSM answered nothing within 1\.5 seconds"):
            tool.keys("list the keys")
        command = ["pgrep", "-f", f"{cli.cluster.folder}.*key list"]
        for _attempt in range(600):  # it may need a moment to die
            left = subprocess.run(command, capture_output=True, text=True, check=False)
            if not left.stdout:
                break
            time.sleep(0.05)
        assert not left.stdout


def test_a_tool_that_is_missing_or_another_one(cli: ClusterRuns, tmp_path: Path) -> None:
    run = cli.ecc(label="k", curve="P-256", executable="/nonexistent/cloudhsm-cli")
    assert run.msg == (
        "Could not start /nonexistent/cloudhsm-cli: No such file or directory. Install the tool, or name it by"
        " executable."
    )
    run = cli.ecc(label="k", curve="P-256", executable="/bin/true")
    assert "it is not the CloudHSM CLI; check executable" in run.msg


@pytest.mark.parametrize(
    ("version", "given", "refused"),
    [
        ("5.9.0", {}, "the management of keys needs 5.10 or later"),
        ("5.13.2", {"share_with": ["alice"], "quorum": 2}, "a quorum needs 5.14 or later"),
        ("5.10.0", {}, None),
        ("5.14.0", {"share_with": ["alice"], "quorum": 2}, None),
    ],
)
def test_versions(cli: ClusterRuns, version: str, given: dict[str, t.Any], refused: str | None) -> None:
    cli.cluster.set(version=version)
    run = cli.ecc(label="k", curve="P-256", **given)
    if refused:
        assert refused in run.msg and not wrote(cli)
    else:
        assert run.result["changed"]


def test_a_pair_on_ed25519(cli: ClusterRuns) -> None:
    for check_mode in (True, False):
        refused = cli.ecc(label="k", curve="ed25519", check_mode=check_mode)
        assert "the HSMs have the curve ed25519 outside of the FIPS mode only" in refused.msg and not wrote(cli)
    cli.cluster.set(fips=False)
    run = cli.ecc(label="k", curve="ed25519", usage=["sign"])
    assert (run.key_pair["curve"], run.key_pair["verified"]) == ("ed25519", "CKM_EDDSA")
    assert run.key_pair["public_key_pem"] == cli.cluster.public_key("k")
    assert cli.ecc(label="k", curve="ed25519", usage=["sign"]).result["changed"] is False


def test_a_quorum_for_changes(cli: ClusterRuns) -> None:
    wish: dict[str, t.Any] = {"label": "k", "curve": "P-256", "share_with": ["alice", "bob"], "quorum": 2}
    foretold = cli.ecc(**wish, management_quorum=3, check_mode=True)
    made = cli.ecc(**wish, management_quorum=3)
    for run in (foretold, made):
        assert (run.key_pair["quorum"], run.key_pair["management_quorum"]) == (2, 3)
    (key,) = [key for key in cli.cluster.held("k") if key.key_class == "private-key"]
    assert (key.use_quorum, key.manage_quorum) == (2, 3)
    assert cli.ecc(**wish, management_quorum=3).result["changed"] is False
    assert "management_quorum is 3, wished 2" in cli.ecc(**wish, management_quorum=2).msg
    assert (
        "management_quorum is refused: the provider cloudhsm_cli cannot do it"
        in cli.ecc(**wish, management_quorum=1).msg
    )


def test_replication_between_clusters_is_refused(cli: ClusterRuns) -> None:
    run = cli.ecc(label="k", curve="P-256", replicas=[{"name": "other", "token_label": "cluster-2"}])
    assert run.msg.startswith(
        "replicas is refused: the provider cloudhsm_cli cannot do it; the cluster copies its keys"
    )
    assert "to another cluster (key replicate) needs a login to both in one command" in run.msg
    assert not cli.cluster.calls()


def test_approvals_are_refused_with_the_reason(cli: ClusterRuns) -> None:
    cli.ecc(label="k", curve="P-256", share_with=["alice"], quorum=2)
    run = cli.ecc(label="k", curve="P-256", share_with=["alice", "bob"])
    assert "That needs the signatures of 2 users; let them approve it in an interactive session" in run.msg, run.msg
    assert "because approvals hold in one session, and a task has its own" in run.msg
    assert "on_mismatch=keep" in run.msg and not wrote(cli)


def test_a_user_with_a_second_factor_is_refused_before_the_login(cli: ClusterRuns) -> None:
    with opened(cli.cluster.folder) as state:
        next(user for user in state.users if user.name == OWNER).mfa = True
    run = cli.ecc(label="k", curve="P-256")
    assert run.msg.startswith(f"Refused to log in as '{OWNER}': that user has a second factor, which needs a token")
    assert not cli.cluster.calls("key") and cli.cluster.user(OWNER).failures == 0


def test_a_session_pair_is_not_made_permanent(cli: ClusterRuns) -> None:
    """A session of a task ends with it, and there is nothing left to set `token` of."""
    assert cli.ecc(label="k", curve="P-256", session=True).result["changed"]
    run = cli.run("hsm_key", label="k", private_attributes={"token": True})
    assert "private_attributes.token" in run.msg and not cli.halves("k")
    assert "A session pair is never made permanent: it ends with its task's session." in run.msg
    later = cli.run("hsm_key", label="k", private_attributes={"sign": True})
    assert later.msg.startswith("Could not find the key chosen by label 'k'")
