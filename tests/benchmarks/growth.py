# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One task with ever more unchanged pairs: what a pair costs must not grow with their number."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.benchmarks.filled_token import filled_token
from ansible_collections.cryptoki.hsm.tests.benchmarks.program import Cost, Program
from ansible_collections.cryptoki.hsm.tests.benchmarks.report import Table, verdict
from ansible_collections.cryptoki.hsm.tests.support.module_process import module_command
from ansible_collections.cryptoki.hsm.tests.support.module_run import module_input

SIZES = (1000, 10000, 50000)
_FORESEEN = 100000
_LINEAR = 1.3  # times what a pair costs where there are fewest


def growth(build: Path, folder: Path) -> Table:
    """All pairs of a token in one task; the last row is reckoned from the one before."""
    columns = ("pairs", "seconds", "of a processor", "of a processor a pair (ms)", "MiB", "budget (ms)", "verdict")
    table = Table("Many unchanged pairs in one task (the module's process alone, one run)", columns)
    costs = {pairs: _cost(build, folder / f"grown-{pairs}", pairs) for pairs in SIZES}
    budget = _LINEAR * _milliseconds(costs[SIZES[0]], SIZES[0])
    for pairs, cost in costs.items():
        met = _milliseconds(cost, pairs) <= budget
        _row(table, str(pairs), cost, _milliseconds(cost, pairs), f"{budget:.2f}", verdict(met))
        table.missed |= not met
    last, more = costs[SIZES[-1]], _FORESEEN / SIZES[-1]
    foreseen = Cost(more * last.seconds, round(more * last.peak), more * last.processor)
    _row(table, f"{_FORESEEN}, reckoned", foreseen, _milliseconds(foreseen, _FORESEEN), "", "")
    return table


def _milliseconds(cost: Cost, pairs: int) -> float:
    """Of a processor, for each pair."""
    return 1000 * cost.processor / pairs


def _row(table: Table, pairs: str, cost: Cost, each: float, *verdict_of: str) -> None:
    table.add(
        pairs, f"{cost.seconds:.1f}", f"{cost.processor:.1f}", f"{each:.2f}", f"{cost.peak / 1024:.0f}", *verdict_of
    )


def _cost(build: Path, folder: Path, pairs: int) -> Cost:
    token = filled_token(build, folder, pairs)
    entries = [{"type": "ecc", "label": f"filler {number}", "curve": "P-256"} for number in range(pairs)]
    given = module_input(False, {**token.login(), "keypairs": entries})
    return Program(module_command("hsm_keypairs"), f'"none": {pairs}', given).run()
