#!/usr/bin/env python
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run Molecule scenarios, keep the log, and fail also where Molecule would not.

    molecule.py LOG [SCENARIO...]    all scenarios if none is named

Molecule calls a run successful in which no play matched a host, and it does not know what a PIN looks like. To be run
from the root of the collection: from anywhere else, Molecule ignores the shared configuration and inventory.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import yaml

SCENARIOS = Path("extensions/molecule")
NOBODY = ("no hosts matched", "Could not match supplied host pattern", "provided hosts list is empty")


def pins() -> list[str]:
    """The PINs of the tests, which no log may show."""
    inventory = yaml.safe_load((SCENARIOS / "inventory.yml").read_text(encoding="utf-8"))
    variables = inventory["all"]["children"]["machines"]["vars"]
    variables |= yaml.safe_load((SCENARIOS / "opencryptoki/vars/main.yml").read_text(encoding="utf-8"))
    return [value for name, value in variables.items() if name.endswith("_pin")]


def run(log: Path, arguments: list[str]) -> tuple[int, str]:
    """Molecule's exit status and what it said, which is shown and kept as it comes."""
    command = ["molecule", "test", *arguments]
    text = []
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
    ):
        for line in process.stdout or ():
            text.append(line)
            file.write(line)
            print(line, end="", flush=True)
    return process.returncode, "".join(text)


def complaints(status: int, text: str, scenarios: list[str]) -> list[str]:
    """What is wrong with a run; Molecule wraps its lines, so blanks do not count."""
    found = [] if status == 0 else [f"molecule ended with {status}"]
    plain = re.sub(r"[\s│]+", " ", text)
    found += [f"the log says '{phrase}'" for phrase in NOBODY if phrase in plain]
    found += ["the log shows a PIN" for pin in pins() if pin in re.sub(r"[\s│]+", "", text)]
    for scenario in scenarios:
        for step in ("converge", "idempotence", "verify"):
            if f"[{scenario} > {step}] Executed: Successful" not in plain:
                found.append(f"{scenario} has no successful {step}")
    return found


def main() -> int:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    every = sorted(path.parent.name for path in SCENARIOS.glob("*/converge.yml"))
    wanted = sys.argv[2:] or every
    unknown = sorted(set(wanted) - set(every))
    if unknown:
        sys.exit(f"molecule: there is no scenario {', '.join(unknown)}; there are {', '.join(every)}")
    start = time.monotonic()
    status, text = run(Path(sys.argv[1]), [part for name in wanted for part in ("--scenario-name", name)])
    found = complaints(status, text, wanted)
    for complaint in found:
        print(f"molecule: {complaint}", file=sys.stderr)
    outcome = "FAILED" if found else "passed"
    print(f"molecule: {len(wanted)} scenarios {outcome} in {time.monotonic() - start:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
