# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HSM that is far away: every PKCS#11 call waits before it is made."""

from __future__ import annotations

import os
import sys
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.benchmarks.filled_token import filled_token
from ansible_collections.cryptoki.hsm.tests.benchmarks.program import Program, medians
from ansible_collections.cryptoki.hsm.tests.benchmarks.report import Table
from ansible_collections.cryptoki.hsm.tests.support.compiled import compile_library
from ansible_collections.cryptoki.hsm.tests.support.module_process import module_command
from ansible_collections.cryptoki.hsm.tests.support.module_run import module_input
from ansible_collections.cryptoki.hsm.tests.support.soft_token import SoftToken, library

DELAY = 0.005  # seconds
_PAIRS = 100
_ROUNDS = 3
_PEER = Path(__file__).resolve().parent / "peer.py"
# What the programs call; the interposer of the fault tests takes a rule for each.
_FUNCTIONS = (
    *("C_Initialize", "C_Finalize", "C_GetInfo", "C_GetSlotList", "C_GetSlotInfo", "C_GetTokenInfo"),
    *("C_GetMechanismList", "C_GetMechanismInfo", "C_OpenSession", "C_CloseSession", "C_Login", "C_Logout"),
    *("C_GetSessionInfo", "C_FindObjectsInit", "C_FindObjects", "C_FindObjectsFinal", "C_GetAttributeValue"),
)


def distance(build: Path, folder: Path) -> Table:
    """One unchanged pair and many, against plain python-pkcs11 that looks at one."""
    token = filled_token(build, folder / "distance", _PAIRS)
    table = Table(
        f"Unchanged pairs with {DELAY * 1000:g} ms before every call (seconds, medians of {_ROUNDS})",
        ("program", "near", "far", "far less near, a pair"),
    )
    far = {
        "FAULT_MODULE": library(),
        "FAULT": "\n".join(f"{name} before sleep {DELAY}" for name in _FUNCTIONS),
    }
    interposer = str(compile_library(folder, "far.so"))
    near_costs = medians(_programs(token, library(), {}), _ROUNDS)
    far_costs = medians(_programs(token, interposer, far), _ROUNDS)
    for name, near in near_costs.items():
        more = far_costs[name].seconds - near.seconds
        pairs = _PAIRS if "hsm_keypairs" in name else 1
        table.add(name, f"{near.seconds:.2f}", f"{far_costs[name].seconds:.2f}", f"{more / pairs:.3f}")
    return table


def _programs(token: SoftToken, path: str, environment: t.Mapping[str, str]) -> dict[str, Program]:
    login = {**token.login(), "module_path": path}
    entries = [{"type": "ecc", "label": f"filler {number}", "curve": "P-256"} for number in range(_PAIRS)]
    one = {**login, "label": "filler 7", "curve": "P-256"}
    unchanged = '"changed": false'
    peer = [sys.executable, str(_PEER), path, token.label, "filler 7"]
    return {
        "hsm_ecc_keypair": Program(module_command("hsm_ecc_keypair"), unchanged, module_input(False, one), environment),
        f"hsm_keypairs, {_PAIRS} pairs": Program(
            module_command("hsm_keypairs"), unchanged, module_input(False, {**login, "keypairs": entries}), environment
        ),
        "plain python-pkcs11": Program(
            peer, "", token.pin.encode(), {**os.environ, **token.environment, **environment}
        ),
    }
