# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A key_mgmt_util that misbehaves: no error is absence, nothing half-made is left unnamed, no process or file stays."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.command import LIST_USERS
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.dialogue import Dialogue
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError
from ansible_collections.cryptoki.hsm.tests.simulators.cluster.process import runs
from ansible_collections.cryptoki.hsm.tests.support.cluster import OWNER, OWNER_PASSWORD
from ansible_collections.cryptoki.hsm.tests.support.key_mgmt_util_runs import Kmu
from ansible_collections.cryptoki.hsm.tests.support.module_process import module_command
from ansible_collections.cryptoki.hsm.tests.support.module_run import module_input, run_module

BOTH = ["private-key", "public-key"]
# Answers that are none, or that say no: faults of the simulator.
NO_ANSWER = ("no_json", "half", "silence", "killed", "unknown_error", "error")


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
        # Other tests show their PINs to tools of their own at the same time.
        ours = ["--pid", f"{module.pid},{child}", "--ppid", f"{module.pid},{child}"]
        listed = subprocess.run(["ps", "-ww", "-o", "args", *ours], capture_output=True, check=True).stdout
        told = b"".join(Path(f"/proc/{pid}/environ").read_bytes() for pid in (module.pid, child))
        assert b"CLUSTER_SIMULATOR" in told and b"simulators import key_mgmt_util" in listed  # the test would see it
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert not [path for path in files if secret in path.read_bytes()]
        assert secret not in listed + told
        module.kill()
        assert module.stdout and module.stderr
        assert secret not in module.stdout.read() + module.stderr.read()
    for _attempt in range(600):
        if not runs(child):
            break
        time.sleep(0.05)
    assert not runs(child)


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
        dialogue.ask(LIST_USERS, "look", 1.0)
    assert time.monotonic() - started < 60
    assert not dialogue.alive and not children() - before
    with pytest.raises(TokenError, match="was ended before"):
        dialogue.ask(LIST_USERS, "look")


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
    assert not children() - before


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
        dialogue.ask(LIST_USERS, "look")
