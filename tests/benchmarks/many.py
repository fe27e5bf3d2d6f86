# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many pairs: one task of hsm_keypairs, against a task for each pair, a shell loop of pkcs11-tool, and one session."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.benchmarks.filled_token import filled_token
from ansible_collections.cryptoki.hsm.tests.benchmarks.program import ROUNDS, Program, medians
from ansible_collections.cryptoki.hsm.tests.benchmarks.report import MET, Table, verdict
from ansible_collections.cryptoki.hsm.tests.benchmarks.spy import Spy
from ansible_collections.cryptoki.hsm.tests.support.module_process import module_command
from ansible_collections.cryptoki.hsm.tests.support.module_run import module_input
from ansible_collections.cryptoki.hsm.tests.support.soft_token import SoftToken, library

UNCHANGED = 100
CALLS_A_PAIR = 6  # ECC pairs: an index reads both halves, and each pair is proven by two calls
FASTER_THAN_LOOP = 20
_ROUNDS = 3
_GENERATE = Path(__file__).resolve().parent / "generate.py"
_AT_THE_LIMIT = 1.1  # times what the token itself takes for the same calls


@dataclasses.dataclass(frozen=True)
class Kind:
    """Pairs to generate: how each program names their type, and how much faster than one session is asked for.

    `in_memory`: the token's files are, which shows what is not waiting for a disk; nothing is asked for then.
    """

    name: str
    pairs: int
    entry: t.Mapping[str, t.Any]
    pkcs11_tool: str
    faster: float
    in_memory: bool = False

    def __str__(self) -> str:
        return f"{self.pairs} {self.name}{', files in memory' if self.in_memory else ''}"


KINDS = (
    Kind("RSA-2048", 64, {"type": "rsa", "modulus_bits": 2048}, "rsa:2048", 1.5),
    Kind("P-256", 100, {"type": "ecc", "curve": "P-256"}, "EC:prime256v1", 1.0),
    Kind("P-256", 500, {"type": "ecc", "curve": "P-256"}, "EC:prime256v1", 1.3),
    Kind("P-256", 500, {"type": "ecc", "curve": "P-256"}, "EC:prime256v1", 1.3, in_memory=True),
)
_MEMORY = Path("/dev/shm")  # noqa: S108


def unchanged(build: Path, folder: Path, spy: Spy) -> list[Table]:
    """A token whose pairs are all as wished."""
    token = filled_token(build, folder / "unchanged", UNCHANGED)
    entries = [{"type": "ecc", "label": f"filler {number}", "curve": "P-256"} for number in range(UNCHANGED)]
    calls = Table(f"PKCS#11 calls for {UNCHANGED} unchanged pairs", ("run", "calls", "a pair", "budget", "verdict"))
    environment = {**token.environment, **spy.environment()}
    watched = spy.watch(
        lambda: _expect(token, entries, changed=False, module_path=spy.path, library_environment=environment)
    )
    met = watched.count <= CALLS_A_PAIR * UNCHANGED
    calls.add("hsm_keypairs", watched.count, f"{watched.count / UNCHANGED:.2f}", CALLS_A_PAIR, verdict(met))
    calls.missed = not met
    taken = medians(_looking(token, entries), _ROUNDS) | medians(_task_a_pair(token, entries), 1)
    table = Table(
        f"{UNCHANGED} unchanged pairs (seconds, medians of {_ROUNDS}, the loop of tasks once)",
        ("program", "seconds", "times hsm_keypairs", "budget", "verdict"),
    )
    first = taken["hsm_keypairs, one task by ansible-playbook"].seconds
    for name, cost in taken.items():
        ratio = cost.seconds / first
        budgeted = name.startswith("loop of tasks")
        cells = (FASTER_THAN_LOOP, verdict(ratio >= FASTER_THAN_LOOP)) if budgeted else ("", "")
        table.add(name, f"{cost.seconds:.2f}", f"{ratio:.1f}", *cells)
        table.missed |= cells[1] not in ("", MET)
    return [calls, table]


def _expect(token: SoftToken, entries: t.Sequence[t.Any], changed: bool, **reach: t.Any) -> None:
    run = token.run("hsm_keypairs", keypairs=entries, **reach)
    if run.result.get("changed") is not changed:
        raise AssertionError(run.stdout[-2000:] + run.stderr)


def _looking(token: SoftToken, entries: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, Program]:
    one = {"cryptoki.hsm.hsm_keypairs": {"keypairs": entries}}
    tool = _tool(token)
    reads = "\n".join(
        f"{tool} --read-object --type pubkey --label {shlex.quote(entry['label'])} --output-file /dev/null"
        for entry in entries
    )
    return {
        "hsm_keypairs, one task by ansible-playbook": _playbook(token, "one", one),
        "hsm_keypairs, the module's process alone": Program(
            module_command("hsm_keypairs"),
            '"changed": false',
            module_input(False, {**token.login(), "keypairs": entries}),
        ),
        "shell loop of pkcs11-tool --read-object": Program(
            ["sh", "-e", "-c", f"{reads}\necho done"], "done", environment=token.environment
        ),
    }


def _task_a_pair(token: SoftToken, entries: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, Program]:
    """It takes minutes, so that one round has to do."""
    loop = {
        "cryptoki.hsm.hsm_ecc_keypair": {"label": "{{ item.label }}", "curve": "{{ item.curve }}"},
        "loop": entries,
        "loop_control": {"label": "{{ item.label }}"},
    }
    return {"loop of tasks over hsm_ecc_keypair": _playbook(token, "loop", loop)}


def _tool(token: SoftToken) -> str:
    return shlex.join(
        ["pkcs11-tool", "--module", library(), "--token-label", token.label, "--login", "--pin", token.pin]
    )


def _playbook(token: SoftToken, name: str, task: t.Mapping[str, t.Any]) -> Program:
    login = {**token.login(), "pin": None, "pin_file": str(token.folder / "pin")}
    (token.folder / "pin").write_text(token.pin)
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "module_defaults": {"group/cryptoki.hsm.hsm": {key: value for key, value in login.items() if value}},
        "tasks": [task],
    }
    path = token.folder / f"{name}.yml"
    path.write_text(json.dumps([play]))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), str(path)]
    return Program(command, "changed=0 ", environment={"ANSIBLE_NOCOLOR": "1"})


def generation(folder: Path) -> Table:
    """Fresh tokens, filled by each program in turn. Where the token's limit is known, reaching that is enough."""
    columns = ("pairs", "hsm_keypairs", "one session", "times faster", "pkcs11-tool loop", "times faster", "budget")
    limit_columns = ("the token's limit", "times the limit")
    table = Table(
        f"Generating (seconds, medians of {ROUNDS}, the loop of pkcs11-tool once)",
        (*columns, *limit_columns, "verdict"),
    )
    limit_program = _limit_program(folder)
    for kind in KINDS:
        with tempfile.TemporaryDirectory(dir=_MEMORY if kind.in_memory else folder) as name:
            programs = _generating(Path(name) / "generation", kind, limit_program)
            loop_alone = {"pkcs11-tool": programs.pop("pkcs11-tool")}
            taken = medians(programs, ROUNDS)
            loop = medians(loop_alone, 1)["pkcs11-tool"].seconds
        ours, session = taken["hsm_keypairs"].seconds, taken["one session"].seconds
        cells = [f"{value:.2f}" for value in (ours, session, session / ours, loop, loop / ours)]
        limit = taken["limit"].seconds if "limit" in taken else None
        met = session / ours >= kind.faster or (limit is not None and ours <= _AT_THE_LIMIT * limit)
        told = [f"{limit:.2f}", f"{ours / limit:.2f}"] if limit else ["", ""]
        asked = ("", *told, "") if kind.in_memory else (f"{kind.faster} and 1", *told, verdict(met and loop > ours))
        table.add(kind, *cells, *asked)
        table.missed |= not (kind.in_memory or (met and loop > ours))
    return table


def _limit_program(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    built = folder / "generate_limit"
    source = Path(__file__).resolve().parent / "generate_limit.c"
    subprocess.run(["cc", "-O2", "-std=gnu11", "-o", str(built), str(source), "-ldl", "-lpthread"], check=True)
    return built


def _generating(folder: Path, kind: Kind, limit_program: Path) -> dict[str, Program]:
    def fresh() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        SoftToken(folder)

    token = SoftToken(folder, initialise=False)
    entries = [{**kind.entry, "label": f"pair {number}"} for number in range(kind.pairs)]
    given = module_input(False, {**token.login(), "keypairs": entries})
    loop = (
        f"i=0; while [ $i -lt {kind.pairs} ]; do {_tool(token)} --keypairgen --key-type {kind.pkcs11_tool}"
        ' --label "pair $i" >&2; i=$((i + 1)); done; echo done'
    )
    raw = [sys.executable, str(_GENERATE), library(), token.label, kind.name, str(kind.pairs)]
    environment = {**os.environ, **token.environment}
    programs = {
        "hsm_keypairs": Program(module_command("hsm_keypairs"), '"changed": true', given, before=fresh),
        "one session": Program(raw, "", token.pin.encode(), environment, fresh),
        "pkcs11-tool": Program(["sh", "-e", "-c", loop], "done", environment=environment, before=fresh),
    }
    if kind.name == "P-256":  # the program in C makes no other pairs
        threads = 2 * len(os.sched_getaffinity(0))  # as hsm_keypairs if nothing is said
        command = [str(limit_program), library(), str(threads), str(kind.pairs)]
        programs["limit"] = Program(command, "done", token.pin.encode(), environment, fresh)
    return programs
