# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole token listed, in time and memory, against the usual tools."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.benchmarks.filled_token import SCRIPTS, filled_token
from ansible_collections.cryptoki.hsm.tests.benchmarks.program import Cost, Program, medians
from ansible_collections.cryptoki.hsm.tests.benchmarks.report import Table, verdict
from ansible_collections.cryptoki.hsm.tests.support.module_process import module_command
from ansible_collections.cryptoki.hsm.tests.support.module_run import module_input
from ansible_collections.cryptoki.hsm.tests.support.soft_token import SoftToken, library

SIZES = (100, 1000, 10000)
_ROUNDS = 3
_BUDGETED, _TIME, _MEMORY = 10000, 1.2, 1.4  # pairs; times what pkcs11-tool takes of a processor and of memory
_P11TOOL_MOST = 100  # pairs; its time grows with their square, to most of a minute for 1,000
_OURS, _TOOL, _FLOOR = "hsm_key_info", "pkcs11-tool --list-objects", "the least module of python-pkcs11"
_P11TOOL = "p11tool --list-all"


def listing(build: Path, folder: Path) -> Table:
    """Everything, and the labels alone; the floor is what `list_all.py` takes, by the budget's measure."""
    table = Table(
        f"A token listed (seconds and peak memory in MiB, medians of {_ROUNDS}, of one run from 10,000 pairs on)",
        ("pairs in the token", "program", "seconds", "ratio", "of a processor", "ratio", "MiB", "ratio", "MB written")
        + ("budget", "floor", "verdict"),
    )
    for pairs in SIZES:
        token = filled_token(build, folder / f"listed-{pairs}", pairs)
        programs = _programs(token)
        if pairs > _P11TOOL_MOST:
            del programs[_P11TOOL]
        taken = medians(programs, 1 if pairs >= 10000 else _ROUNDS)
        for name, cost in taken.items():
            budgeted = pairs == _BUDGETED and name == _TOOL
            table.add(pairs, name, *_cells(taken[_OURS], cost), *(_budget(table, taken) if budgeted else ("", "", "")))
    return table


def _cells(ours: Cost, cost: Cost) -> t.Iterator[str]:
    """What a program took, each with how many times as much ours took, and what it wrote."""
    yield from (f"{cost.seconds:.2f}", f"{ours.seconds / cost.seconds:.2f}")
    yield from (f"{cost.processor:.2f}", f"{ours.processor / cost.processor:.2f}")
    yield from (f"{cost.peak / 1024:.0f}", f"{ours.peak / cost.peak:.2f}")
    yield f"{cost.written / 1e6:.1f}"


def _budget(table: Table, taken: t.Mapping[str, Cost]) -> tuple[str, str, str]:
    """The budget, what the least module takes, and the verdict on ours."""
    ours, tool, floor = taken[_OURS], taken[_TOOL], taken[_FLOOR]
    met = ours.processor <= _TIME * tool.processor and ours.peak <= _MEMORY * tool.peak
    table.missed |= not met
    told = f"{floor.processor / tool.processor:.2f} and {floor.peak / tool.peak:.2f}"
    return f"{_TIME} and {_MEMORY}", told, verdict(met)


def _programs(token: SoftToken) -> dict[str, Program]:
    login = token.login()
    tool = ["pkcs11-tool", "--module", library(), "--token-label", token.label, "--login", "--pin", token.pin]
    p11tool = ["p11tool", "--batch", "--provider", library(), "--login", "--list-all", f"pkcs11:token={token.label}"]
    plain = [sys.executable, str(SCRIPTS / "list_all.py")]
    wanted = {"library": library(), "token_label": token.label, "pin": token.pin}
    named = {**login, "attributes": ["label"]}
    module = module_command("hsm_key_info")
    return {
        _OURS: Program(module, "filler 0", module_input(False, login)),
        "hsm_key_info, attributes: [label]": Program(module, "filler 0", module_input(False, named)),
        _TOOL: Program([*tool, "--list-objects"], "filler 0", environment=token.environment),
        _FLOOR: Program(plain, "filler 0", module_input(False, wanted), token.environment),
        _P11TOOL: Program(
            [part.replace("test token", "test%20token") for part in p11tool],
            "filler 0",
            environment={**token.environment, "GNUTLS_PIN": token.pin},
        ),
    }
