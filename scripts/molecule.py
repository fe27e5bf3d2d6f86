#!/usr/bin/env python
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run Molecule scenarios, keep the log, and fail also where Molecule would not.

    molecule.py [SCENARIO...]    all scenarios if none is named

Molecule calls a run successful in which no play matched a host, and it does not know what a PIN looks like. It stops at
the first scenario that fails; the last lines say which were not run.

It works on the copy of the collection that the session of nox lays below build/ansible_test, with what containers.py
wrote down. The log is build/molecule/log.txt.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

BUILD = Path(__file__).resolve().parent.parent / "build"
# Molecule runs from the root of the collection: from anywhere else it ignores the shared configuration and inventory.
COLLECTION = BUILD / "ansible_test/ansible_collections/cryptoki/hsm"
SCENARIOS = COLLECTION / "extensions/molecule"
ANSIBLE_HOME = BUILD / "molecule/ansible"
LOG = BUILD / "molecule/log.txt"
NOBODY = ("no hosts matched", "Could not match supplied host pattern", "provided hosts list is empty")
# What each scenario does how often, as config.yml orders it, and how Molecule says that it went well.
STEPS = {"prepare": 1, "converge": 1, "verify": 2, "idempotence": 1, "cleanup": 1}
SUCCESS = "Executed: Successful"


def environment() -> dict[str, str]:
    """Of Molecule: the containers, the collections, and nothing in the user's home."""
    return {
        **os.environ,
        **json.loads((BUILD / "molecule/env.json").read_text(encoding="utf-8")),
        "ANSIBLE_COLLECTIONS_PATH": str(BUILD / "ansible_test"),
        "ANSIBLE_HOME": str(ANSIBLE_HOME),
        # The lines of the log are looked at below.
        "COLUMNS": "160",
        "NO_COLOR": "1",
    }


def secrets(document: object, name: str = "") -> Iterator[str]:
    """The PINs of the tests, which no log may show, from anywhere in a document of variables."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from secrets(value, str(key))
    elif name.endswith("_pin"):
        yield str(document)


def pins() -> set[str]:
    """The PINs of the inventory and of the scenarios."""
    files = [SCENARIOS / "inventory.yml", *SCENARIOS.glob("*/vars/*.yml")]
    found = {pin for file in files for pin in secrets(yaml.safe_load(file.read_text(encoding="utf-8")))}
    return {pin for pin in found if "{{" not in pin}


def run(scenarios: list[str]) -> tuple[int, str]:
    """Molecule's exit status and what it said, which is shown and kept as it comes."""
    command = ["molecule", "test", *(part for name in scenarios for part in ("--scenario-name", name))]
    text = []
    with (
        LOG.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            command, cwd=COLLECTION, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        for line in process.stdout or ():
            text.append(line)
            file.write(line)
            print(line, end="", flush=True)
    return process.returncode, "".join(text)


def complaints(status: int, text: str) -> list[str]:
    """What is wrong with a run as a whole; Molecule wraps its lines, so blanks do not count."""
    found = [] if status == 0 else [f"molecule ended with {status}"]
    plain = re.sub(r"[\s│]+", " ", text)
    found += [f"the log says '{phrase}'" for phrase in NOBODY if phrase in plain]
    dense = plain.replace(" ", "")
    found += ["the log shows a PIN" for pin in pins() if pin in dense]
    return found


def outcomes(text: str, scenarios: list[str]) -> dict[str, str]:
    """What became of each scenario."""
    found = {}
    for scenario in scenarios:
        missing = [step for step, times in STEPS.items() if text.count(f"[{scenario} > {step}] {SUCCESS}") != times]
        if not missing:
            found[scenario] = "passed"
        elif f"[{scenario} > prepare] Executing" not in text:
            found[scenario] = "not run"
        else:
            found[scenario] = f"FAILED, without success in {', '.join(missing)}"
    return found


def main() -> int:
    every = sorted(path.parent.name for path in SCENARIOS.glob("*/converge.yml"))
    wanted = sys.argv[1:] or every
    unknown = sorted(set(wanted) - set(every))
    if unknown:
        sys.exit(f"molecule: there is no scenario {', '.join(unknown)}; there are {', '.join(every)}")
    # Molecule's memory of an earlier run, which may have been broken off
    shutil.rmtree(ANSIBLE_HOME, ignore_errors=True)
    start = time.monotonic()
    status, text = run(wanted)
    results = outcomes(text, wanted)
    found = complaints(status, text)
    print()
    for scenario, outcome in results.items():
        print(f"molecule: {scenario} {outcome}")
    for complaint in found:
        print(f"molecule: FAILED, {complaint}")
    passed = list(results.values()).count("passed")
    print(f"molecule: {passed} of {len(wanted)} scenarios passed in {time.monotonic() - start:.0f} s; the log is {LOG}")
    return 0 if passed == len(wanted) and not found else 1


if __name__ == "__main__":
    sys.exit(main())
