# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pair on three tokens, against the same on one."""

from __future__ import annotations

import functools
import shutil
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.benchmarks.program import Cost, Program, medians
from ansible_collections.cryptoki.hsm.tests.benchmarks.report import Table, verdict
from ansible_collections.cryptoki.hsm.tests.support.module_process import module_command
from ansible_collections.cryptoki.hsm.tests.support.module_run import module_input
from ansible_collections.cryptoki.hsm.tests.support.soft_token import SoftToken

_ROUNDS = 3
_ONE, _MANY = 1.5, 2.2  # times one token, for one pair and for many
KINDS: dict[str, tuple[str, dict[str, t.Any]]] = {
    "P-256": ("hsm_ecc_keypair", {"curve": "P-256"}),
    "P-384": ("hsm_ecc_keypair", {"curve": "P-384"}),
    "RSA-2048": ("hsm_rsa_keypair", {"modulus_bits": 2048}),
    "20 P-256": (
        "hsm_keypairs",
        {"keypairs": [{"type": "ecc", "label": f"pair {number}", "curve": "P-256"} for number in range(20)]},
    ),
    "20 RSA-2048": (
        "hsm_keypairs",
        {"keypairs": [{"type": "rsa", "label": f"pair {number}", "modulus_bits": 2048} for number in range(20)]},
    ),
}


def several(folder: Path) -> Table:
    """Made and proven on each; then found as wished."""
    columns = ("pair", "made on one", "on three", "ratio", "budget", "verdict", "unchanged on one", "on three", "ratio")
    table = Table(f"Three tokens against one (the module's process alone, seconds, medians of {_ROUNDS})", columns)
    for name, (module, wish) in KINDS.items():
        made = medians(_programs(folder / "several", module, wish, fresh=True), _ROUNDS)
        there = medians(_programs(folder / "several", module, wish, fresh=False), _ROUNDS)
        ratio, budget = _ratio(made), _MANY if "keypairs" in wish else _ONE
        table.add(name, *_cells(made), budget, verdict(ratio <= budget), *_cells(there))
        table.missed |= ratio > budget
    return table


def _ratio(costs: t.Mapping[str, Cost]) -> float:
    return costs["three"].seconds / costs["one"].seconds


def _cells(costs: t.Mapping[str, Cost]) -> list[str]:
    return [f"{costs['one'].seconds:.2f}", f"{costs['three'].seconds:.2f}", f"{_ratio(costs):.2f}"]


def _programs(folder: Path, module: str, wish: dict[str, t.Any], *, fresh: bool) -> dict[str, Program]:
    """The task on one token, and with two replicas; `fresh`: new tokens before each run."""

    def renew(*names: str) -> None:
        for name in names:
            shutil.rmtree(folder / name, ignore_errors=True)
            SoftToken(folder / name)

    one, first, *others = (SoftToken(folder / name, initialise=False) for name in ("one", "a", "b", "c"))
    named = wish if "keypairs" in wish else {**wish, "label": "bench"}
    replicas = [{"name": other.folder.name, **other.login()} for other in others]
    answer = f'"changed": {str(fresh).lower()}'
    given = {
        "one": module_input(False, {**one.login(), **named}),
        "three": module_input(False, {**first.login(), **named, "replicas": replicas}),
    }
    own = {"one": ("one",), "three": ("a", "b", "c")}
    return {
        name: Program(
            module_command(module), answer, text, before=functools.partial(renew, *(own[name] if fresh else ()))
        )
        for name, text in given.items()
    }
