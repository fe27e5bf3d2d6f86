# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many PKCS#11 calls each kind of run makes."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.benchmarks.report import MET, Table, verdict
from ansible_collections.cryptoki.hsm.tests.benchmarks.spy import Calls, Spy
from ansible_collections.cryptoki.hsm.tests.support.soft_token import SoftToken

# What an unchanged pair may cost: with one slot, if it is proven in every run, and for each further slot.
BUDGET = 24
BUDGET_OF_PROOF = 3
BUDGET_PER_SLOT = 2

_KEYS: dict[str, dict[str, t.Any]] = {
    "hsm_rsa_keypair": {"modulus_bits": 2048},
    "hsm_ecc_keypair": {"curve": "P-256"},
}
_PEER = Path(__file__).resolve().parent / "peer.py"


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One run of a module; `changed` is what it must answer, or the row would count something else."""

    name: str
    changed: bool
    check_mode: bool = False
    budgeted: bool = False
    params: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


# In this order on one token.
SCENARIOS = (
    Scenario("missing pair, check mode", changed=True, check_mode=True),
    Scenario("missing pair, generated and proven", changed=True),
    Scenario("unchanged pair", changed=False, budgeted=True),
    Scenario("unchanged pair, check mode", changed=False, check_mode=True, budgeted=True),
    Scenario("one attribute of each half changed", changed=True, params={"usage": []}),
    Scenario("pair removed", changed=True, params={"state": "absent"}),
    Scenario("pair absent already", changed=False, params={"state": "absent"}),
)
_GENERATED, _UNCHANGED = SCENARIOS[1:3]


def allowed(slots: int) -> int:
    """The budget of an unchanged pair."""
    return BUDGET + BUDGET_PER_SLOT * (slots - 1)


def count_calls(spy: Spy, folder: Path) -> Table:
    """All scenarios with both modules on one token, and the peer on the same pairs."""
    token = SoftToken(folder)
    table = Table("PKCS#11 calls from C_Initialize to C_Finalize", ("run", "slots", "RSA", "ECC", "budget", "verdict"))
    for scenario in SCENARIOS:
        _add(table, scenario, [_watch(spy, token, module, scenario) for module in _KEYS])
        if scenario is _UNCHANGED:
            peers = [_watch_peer(spy, token, module) for module in _KEYS]
            table.add("the same by plain python-pkcs11", peers[0].slots, *(calls.count for calls in peers), "", "")
    _with_twins(table, spy, token)
    _with_more_slots(table, spy, token)
    return table


def _with_twins(table: Table, spy: Spy, token: SoftToken) -> None:
    """An RSA and an ECC pair of one label."""
    twin = {"label": "twin"}
    generated = dataclasses.replace(_GENERATED, params=twin)
    unchanged = Scenario("unchanged pair, label shared by both types", changed=False, params=twin)
    for module in _KEYS:
        _run(token, module, generated)
    _add(table, unchanged, [_watch(spy, token, module, unchanged) for module in _KEYS])


def _with_more_slots(table: Table, spy: Spy, token: SoftToken) -> None:
    """An unchanged pair beside two further tokens."""
    unchanged = dataclasses.replace(_UNCHANGED, name="unchanged pair, two further tokens")
    for number, module in enumerate(_KEYS):
        token.initialise(f"neighbour {number}")
        _run(token, module, _GENERATED)
    _add(table, unchanged, [_watch(spy, token, module, unchanged) for module in _KEYS])


def _add(table: Table, scenario: Scenario, counted: t.Sequence[Calls]) -> None:
    slots = counted[0].slots
    budget = allowed(slots) if scenario.budgeted else None
    rsa, ecc = (calls.count for calls in counted)
    met = budget is None or (rsa <= budget and ecc <= budget + BUDGET_OF_PROOF)
    result = verdict(met) if budget else ""
    table.add(scenario.name, slots, rsa, ecc, f"{budget}, {budget + BUDGET_OF_PROOF}" if budget else "", result)
    table.missed |= result not in ("", MET)


def _watch(spy: Spy, token: SoftToken, module: str, scenario: Scenario) -> Calls:
    environment = {**token.environment, **spy.environment()}
    return spy.watch(lambda: _run(token, module, scenario, module_path=spy.path, library_environment=environment))


def _run(token: SoftToken, module: str, scenario: Scenario, **reach: t.Any) -> None:
    params = {"label": module, **_KEYS[module], **scenario.params, **reach}
    run = token.run(module, check_mode=scenario.check_mode, **params)
    if run.result.get("changed") is not scenario.changed:
        raise AssertionError(f"{module}, {scenario.name}: {run.stdout}{run.stderr}")


def _watch_peer(spy: Spy, token: SoftToken, module: str) -> Calls:
    command = [sys.executable, str(_PEER), spy.path, token.label, module]
    environment = {**os.environ, **token.environment, **spy.environment()}
    return spy.watch(lambda: subprocess.run(command, env=environment, input=token.pin.encode(), check=True))
