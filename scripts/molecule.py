#!/usr/bin/env python
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run Molecule scenarios, two at a time, keep their logs, and fail also where Molecule would not.

    molecule.py COLLECTION [SCENARIO...]    all scenarios if none is named

Each scenario is a run of Molecule of its own, so that one that fails does not keep others from running. There are two
lanes, each with containers that its scenarios share; what a scenario said is shown when it ends. Molecule calls a run
successful in which no play matched a host, and it does not know what a PIN looks like.

COLLECTION is the staged collection; the images are those that containers.py wrote down. The logs are in build/molecule.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import yaml
from lanes import in_lanes  # type: ignore[import-not-found]  # beside this file, no package

BUILD = Path(__file__).resolve().parent.parent / "build/molecule"
NOBODY = ("no hosts matched", "Could not match supplied host pattern", "provided hosts list is empty")
# What each scenario does how often, as config.yml orders it, and how Molecule says that it went well.
STEPS = {"prepare": 1, "converge": 1, "verify": 2, "idempotence": 1, "cleanup": 1}
SUCCESS = "Executed: Successful"
LANES = 2
# So that no lane has a long one left when the other is done.
LONG = ("vendors", "cluster", "key_mgmt_util", "cloudhsm_cli", "many", "certificates")


def environment(collection: Path, lane: int, name: str) -> dict[str, str]:
    """Of Molecule for a scenario: the containers of this lane, the collections, and nothing in the user's home."""
    written = json.loads((BUILD / "env.json").read_text(encoding="utf-8"))
    return {
        **os.environ,
        **written,
        "TEST_CONTAINER": f"{written['TEST_CONTAINER']}-{lane}",
        "ANSIBLE_COLLECTIONS_PATH": str(collection.parents[2]),
        # Where scenarios leave what they found out.
        "TEST_RESULTS": str(BUILD),
        # Of its own: what Molecule notes down here would make it skip the preparation of a lane's second scenario.
        "ANSIBLE_HOME": str(BUILD / "ansible" / f"{name}-{lane}"),
        # Paths of sockets must be short.
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(Path(tempfile.gettempdir(), f"{written['TEST_CONTAINER']}-{lane}")),
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


def longest_first(scenario: str) -> tuple[int, str]:
    """The key for sorting."""
    return (LONG.index(scenario) if scenario in LONG else len(LONG), scenario)


def pins(scenarios: Path) -> set[str]:
    """The PINs of the inventory and of the scenarios."""
    files = [scenarios / "inventory.yml", *scenarios.glob("*/vars/*.yml")]
    found = {pin for file in files for pin in secrets(yaml.safe_load(file.read_text(encoding="utf-8")))}
    return {pin for pin in found if "{{" not in pin}


def complaints(scenario: str, status: int, text: str, hidden: set[str]) -> list[str]:
    """What is wrong with a run of Molecule, which wraps its lines, so that blanks do not count."""
    plain = re.sub(r"[\s│]+", " ", text)
    missing = [step for step, times in STEPS.items() if text.count(f"[{scenario} > {step}] {SUCCESS}") != times]
    found = [f"it ended with {status}"] if status else []
    found += [f"there is no success in {', '.join(missing)}"] if missing else []
    found += [f"the log says '{phrase}'" for phrase in NOBODY if phrase in plain]
    return found + ["the log shows a PIN" for pin in hidden if pin in plain.replace(" ", "")]


def molecule(collection: Path, lane: int, scenario: str, *arguments: str) -> tuple[int, str]:
    """Molecule's exit status, and what it said."""
    done = subprocess.run(
        ["molecule", *arguments, "--scenario-name", scenario],
        # From the root of the collection: from anywhere else Molecule ignores the shared configuration and inventory.
        cwd=collection,
        env=environment(collection, lane, scenario),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def run(scenario: str, collection: Path, lane: int, hidden: set[str]) -> list[str]:
    """Runs a scenario, keeps and shows what was said; the answer is what is wrong with it."""
    start = time.monotonic()
    # The containers are there, and stay for the next scenario.
    status, text = molecule(collection, lane, scenario, "test", "--no-shared-state")
    (BUILD / f"{scenario}.log").write_text(text, encoding="utf-8")
    found = complaints(scenario, status, text, hidden)
    outcome = f"FAILED, {'; '.join(found)}" if found else "passed"
    print(f"{text}molecule: {scenario} {outcome} after {time.monotonic() - start:.0f} s", flush=True)
    return found


@contextlib.contextmanager
def containers(collection: Path, lane: int) -> Iterator[None]:
    """The containers of a lane, for its scenarios."""
    status, text = molecule(collection, lane, "default", "create")
    if status:
        sys.exit(f"{text}molecule: no containers")
    try:
        yield
    finally:
        molecule(collection, lane, "default", "destroy")
        shutil.rmtree(environment(collection, lane, "default")["ANSIBLE_SSH_CONTROL_PATH_DIR"], ignore_errors=True)


def main() -> int:
    collection = Path(sys.argv[1])
    scenarios = collection / "extensions/molecule"
    every = sorted((path.parent.name for path in scenarios.glob("*/converge.yml")), key=longest_first)
    wanted = sys.argv[2:] or every
    unknown = sorted(set(wanted) - set(every))
    if unknown:
        sys.exit(f"molecule: there is no scenario {', '.join(unknown)}; there are {', '.join(every)}")
    hidden = pins(scenarios)
    # What Molecule noted down in an earlier run, which may have been broken off
    shutil.rmtree(BUILD / "ansible", ignore_errors=True)
    start = time.monotonic()
    lanes = range(min(LANES, len(wanted)))
    with contextlib.ExitStack() as made:
        for lane in lanes:
            made.enter_context(containers(collection, lane))
        outcomes = in_lanes(lanes, wanted, lambda scenario, lane: run(scenario, collection, lane, hidden))
    failed = {scenario: found for scenario, found in outcomes.items() if found}
    for scenario, found in failed.items():
        print(f"molecule: {scenario} FAILED, {'; '.join(found)}")
    passed = len(wanted) - len(failed)
    print(
        f"molecule: {passed} of {len(wanted)} scenarios passed in {time.monotonic() - start:.0f} s; logs are in {BUILD}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
