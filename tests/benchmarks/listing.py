# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole token listed, in time and memory, against the usual tools."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.benchmarks.filled_token import filled_token
from ansible_collections.cryptoki.hsm.tests.benchmarks.program import Cost, Program, medians
from ansible_collections.cryptoki.hsm.tests.benchmarks.report import Table, verdict
from ansible_collections.cryptoki.hsm.tests.support.module_process import module_command
from ansible_collections.cryptoki.hsm.tests.support.module_run import module_input
from ansible_collections.cryptoki.hsm.tests.support.soft_token import SoftToken, library

SIZES = (100, 1000, 10000)
_ROUNDS = 3
_BUDGETED, _TIME, _MEMORY = 10000, 1.2, 1.4  # pairs; times what pkcs11-tool takes
_P11TOOL_MOST = 100  # pairs; its time grows with their square, to most of a minute for 1,000


def listing(build: Path, folder: Path) -> Table:
    """Everything, and the labels alone."""
    table = Table(
        f"A token listed (seconds and peak memory in MiB, medians of {_ROUNDS}, of one run from 10,000 pairs on)",
        ("pairs in the token", "program", "seconds", "ratio", "of a processor", "ratio", "MiB", "ratio", "verdict"),
    )
    for pairs in SIZES:
        token = filled_token(build, folder / f"listed-{pairs}", pairs)
        programs = _programs(token)
        if pairs > _P11TOOL_MOST:
            del programs["p11tool --list-all"]
        taken = medians(programs, 1 if pairs >= 10000 else _ROUNDS)
        ours = next(iter(taken.values()))
        for name, cost in taken.items():
            ratios = {field: getattr(ours, field) / getattr(cost, field) for field in Cost._fields}
            met = ratios["seconds"] <= _TIME and ratios["peak"] <= _MEMORY
            budgeted = pairs == _BUDGETED and name.startswith("pkcs11-tool")
            table.missed |= budgeted and not met
            table.add(
                *(pairs, name, f"{cost.seconds:.2f}", f"{ratios['seconds']:.2f}"),
                *(f"{cost.processor:.2f}", f"{ratios['processor']:.2f}"),
                *(f"{cost.peak / 1024:.0f}", f"{ratios['peak']:.2f}", verdict(met) if budgeted else ""),
            )
    return table


def _programs(token: SoftToken) -> dict[str, Program]:
    login = token.login()
    tool = ["pkcs11-tool", "--module", library(), "--token-label", token.label, "--login", "--pin", token.pin]
    p11tool = ["p11tool", "--batch", "--provider", library(), "--login", "--list-all", f"pkcs11:token={token.label}"]
    named = {**login, "attributes": ["label"]}
    module = module_command("hsm_key_info")
    return {
        "hsm_key_info": Program(module, "filler 0", module_input(False, login)),
        "hsm_key_info, attributes: [label]": Program(module, "filler 0", module_input(False, named)),
        "pkcs11-tool --list-objects": Program([*tool, "--list-objects"], "filler 0", environment=token.environment),
        "p11tool --list-all": Program(
            [part.replace("test token", "test%20token") for part in p11tool],
            "filler 0",
            environment={**token.environment, "GNUTLS_PIN": token.pin},
        ),
    }
