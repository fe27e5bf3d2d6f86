# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long an unchanged pair takes, in the same run as programs that do less or the same."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.benchmarks.filled_token import filled_token
from ansible_collections.cryptoki.hsm.tests.benchmarks.program import ROUNDS, Cost, Program, medians
from ansible_collections.cryptoki.hsm.tests.benchmarks.report import MET, Table, verdict
from ansible_collections.cryptoki.hsm.tests.support.module_process import module_command
from ansible_collections.cryptoki.hsm.tests.support.module_run import module_input
from ansible_collections.cryptoki.hsm.tests.support.soft_token import SoftToken, library

SIZES = (1, 100, 1000)
BUDGET = 1.3  # times ansible.builtin.ping
_MODULE = "hsm_rsa_keypair"
_LABEL = "bench"
_PEER = Path(__file__).resolve().parent / "peer.py"


def measure(build: Path, folder: Path) -> list[Table]:
    """Both comparisons on tokens of every size."""
    ansible = Table(
        f"Unchanged pair by ansible, against ansible.builtin.ping (seconds, medians of {ROUNDS})",
        ("pairs in the token", "module", "ping", "ratio", "budget", "verdict"),
    )
    alone = Table(
        f"Unchanged pair, the module's process alone (seconds, medians of {ROUNDS})",
        ("pairs in the token", "module", "pkcs11-tool", "ratio", "python-pkcs11", "ratio"),
    )
    for pairs in SIZES:
        token = filled_token(build, folder / str(pairs), pairs - 1)
        _expect_pair(token)
        whole = medians(_through_ansible(token))
        ratio = whole["module"].seconds / whole["ping"].seconds
        ansible.add(pairs, *_texts(whole), f"{ratio:.2f}", BUDGET, verdict(ratio <= BUDGET))
        ansible.missed |= ansible.rows[-1][-1] != MET
        taken = medians(_alone(token))
        ratios = [taken["module"].seconds / taken[name].seconds for name in ("list", "peer")]
        module, listing, peer = _texts(taken)
        alone.add(pairs, module, listing, f"{ratios[0]:.2f}", peer, f"{ratios[1]:.2f}")
    return [ansible, alone]


def _expect_pair(token: SoftToken) -> None:
    run = token.rsa(label=_LABEL, modulus_bits=2048)
    if not run.key_pair["verified"]:
        raise AssertionError(run.stdout)


def _texts(taken: t.Mapping[str, Cost]) -> list[str]:
    return [f"{cost.seconds:.3f}" for cost in taken.values()]


def _through_ansible(token: SoftToken) -> dict[str, Program]:
    pin_file = token.folder / "pin"
    pin_file.write_text(token.pin)
    environment = {
        **token.environment,
        "PKCS11_MODULE": library(),
        "HSM_TOKEN_LABEL": token.label,
        "HSM_PIN_FILE": str(pin_file),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }
    ansible = [str(Path(sys.executable).parent / "ansible"), "localhost", "-m"]
    unchanged = [*ansible, f"cryptoki.hsm.{_MODULE}", "-a", f"m=2048 l={_LABEL}"]
    return {
        "module": Program(unchanged, '"changed": false', environment=environment),
        "ping": Program([*ansible, "ansible.builtin.ping"], '"ping": "pong"', environment=environment),
    }


def _alone(token: SoftToken) -> dict[str, Program]:
    params = {**token.login(), "label": _LABEL, "modulus_bits": 2048}
    listing = ["pkcs11-tool", "--module", library(), "--token-label", token.label, "--login", "--pin", token.pin]
    peer = [sys.executable, str(_PEER), library(), token.label, _LABEL]
    environment = token.environment
    return {
        "module": Program(module_command(_MODULE), '"changed": false', module_input(False, params)),
        "list": Program([*listing, "--list-objects"], _LABEL, environment=environment),
        "peer": Program(peer, "", token.pin.encode(), environment),
    }
