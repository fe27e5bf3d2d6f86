# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task pays before it does anything: bytes that are compiled and sent, and its time beside a ping."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.benchmarks.program import ROUNDS, Program, medians
from ansible_collections.cryptoki.hsm.tests.benchmarks.report import Table, verdict
from ansible_collections.cryptoki.hsm.tests.support.soft_token import SoftToken
from ansible_collections.cryptoki.hsm.tests.support.startup import compiled, entered, packed, run, shipped, write_run

# Bytes that an unchanged pair compiles, and bytes of the file that Ansible sends.
COMPILED, SENT = 195_000, 400_000
# Times a ping: the first task of a play, and each further one.
FIRST, FURTHER = 1.4, 1.5
_FURTHER_TASKS = 10
_PAIRS: dict[str, dict[str, t.Any]] = {
    "hsm_rsa_keypair": {"label": "startup", "modulus_bits": 2048},
    "hsm_ecc_keypair": {"label": "startup", "curve": "P-256"},
}
_ELSEWHERE = {"_cluster_tool", "_cloudhsm_cli", "_key_mgmt_util", "_replicas"}
_PING = "ansible.builtin.ping"
# Options of a task that fails: what is sent for it is the same.
_NOWHERE = {"module_path": "/nonexistent", "token_label": "startup", "pin_file": "/nonexistent"}


def startup(folder: Path, rounds: int = ROUNDS) -> list[Table]:
    """The bytes of some modules, and the times of an unchanged RSA pair."""
    token = SoftToken(folder)
    for module, wish in _PAIRS.items():
        token.run(module, **wish)
    params = {**token.login(), **_PAIRS["hsm_rsa_keypair"]}
    write_run(entered("hsm_rsa_keypair", params), folder / "run")
    return [_bytes(token), _times(folder, params, rounds)]


def _bytes(token: SoftToken) -> Table:
    table = Table(
        "Bytes that an unchanged pair compiles (our source, without docstrings and comments), and those that are sent",
        ("module", "compiled", "floor", "budget", "verdict", "sent", "floor", "budget", "verdict"),
    )
    for module in (*_PAIRS, "hsm_token"):
        wish = _PAIRS.get(module)
        size = _sent(f"cryptoki.hsm.{module}", {**_NOWHERE, **(wish or {"so_pin_file": "/nonexistent"})})
        # Over PKCS#11 and on one token no tool of a cluster is needed, and no replicas.
        elsewhere = [file for file in shipped(module) if _ELSEWHERE & set(file.parts)]
        files = entered(module, {**token.login(), **wish}) if wish else {}
        counts = _cells(table, compiled(files), _size(run(files)), COMPILED) if wish else ("",) * 4
        table.add(module, *counts, *_cells(table, size, size - packed(elsewhere), SENT))
    table.add(_PING, "", "", "", "", _sent(_PING, {}), "", "", "")
    return table


def _size(sources: t.Mapping[Path, str]) -> int:
    return sum(len(source.encode()) for source in sources.values())


def _cells(table: Table, count: int, floor: int, budget: int) -> tuple[int, int, int, str]:
    """A count, the least that it could be by the way in which things are done, its budget and the verdict."""
    table.missed |= count > budget
    return count, floor, budget, verdict(count <= budget)


def _sent(module: str, params: t.Mapping[str, t.Any]) -> int:
    """The size of the file that is sent for one task, whatever becomes of the task."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_REMOTE_TEMP": folder}
        options = ["-a", json.dumps(params)] if params else []
        command = [str(Path(sys.executable).with_name("ansible")), "localhost", "-m", module, *options]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        sent = list(Path(folder).glob("*/AnsiballZ_*.py"))
        if len(sent) != 1:
            raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
        return sent[0].stat().st_size


def _times(folder: Path, params: t.Mapping[str, t.Any], rounds: int) -> Table:
    """The floor is the same module without a function, a file or a docstring that the task does not need."""
    counts = (1, 1 + _FURTHER_TASKS)
    module = "cryptoki.hsm.hsm_rsa_keypair"
    only_run = {"ANSIBLE_COLLECTIONS_PATH": str(folder / "run")}
    kinds = {"module": (module, params, {}), "floor": (module, params, only_run), "ping": (_PING, {}, {})}
    plays = {
        f"{name} {count}": _play(folder / f"{name}-{count}.yml", *kind, count)
        for count in counts
        for name, kind in kinds.items()
    }
    taken = {name: cost.seconds for name, cost in medians(plays, rounds).items()}
    table = Table(
        f"Tasks of a play, against ansible.builtin.ping (seconds, medians of {rounds})",
        ("task", "module", "ping", "ratio", "budget", "verdict", "floor", "ratio"),
    )
    first = {name: taken[f"{name} {counts[0]}"] for name in kinds}
    further = {name: (taken[f"{name} {counts[1]}"] - first[name]) / _FURTHER_TASKS for name in kinds}
    rows = (("the first, with the start of Ansible", first, FIRST), ("each further", further, FURTHER))
    for title, one, budget in rows:
        ratio, least = one["module"] / one["ping"], one["floor"] / one["ping"]
        cells = (f"{one['module']:.3f}", f"{one['ping']:.3f}", f"{ratio:.2f}", budget, verdict(ratio <= budget))
        table.add(title, *cells, f"{one['floor']:.3f}", f"{least:.2f}")
        table.missed |= ratio > budget
    return table


def _play(
    file: Path, module: str, params: t.Mapping[str, t.Any], environment: t.Mapping[str, str], count: int
) -> Program:
    """A playbook with so many equal tasks, none of which changes anything."""
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [{module: dict(params)}] * count}
    file.write_text(json.dumps([play]), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-c", "local", "-i", "localhost,", str(file)]
    return Program(command, f"ok={count} ", environment={"ANSIBLE_PYTHON_INTERPRETER": sys.executable, **environment})
