#!/usr/bin/env python
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run everything that has to pass, to the end even if a part fails, and close with what failed and one line.

    everything.py NOX

Parts that keep one processor busy at most, and wait for the network now and then, run one more at a time than there are
processors; what they say is shown when they end, part by part.
Parts that fill the machine themselves run alone, and are shown as they go.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Part(NamedTuple):
    """Sessions of nox under one name."""

    name: str
    sessions: Sequence[str]


# The longest come first; what waits for the network stands beside what computes.
SIDE_BY_SIDE = (
    Part("images", ("images",)),
    *(Part(f"sanity-{core}", (f"sanity-{core}",)) for core in ("2.21", "2.19", "2.17")),
    Part("ansible-lint", ("ansible-lint",)),
    Part("documentation", ("documentation",)),  # which makes `docs` before
    Part("lint-artefact", ("build-import-check", "docs-check", "ee")),
    *(Part(f"units-{core}", (f"units-{core}",)) for core in ("2.21", "2.17", "2.19")),
    Part("lint-code", ("lint", "imports", "complexity", "license-check", "changelog", "extra-checks")),
)
ALONE = tuple(Part(name, (name,)) for name in ("integration", "faults", "molecule"))


# How pytest, ansible-test and our own scripts mark the line that tells a failure; Ansible's also tell expected ones.
MARKED = re.compile(r"^(?!fatal: ).*\b(FAILED|ERROR)\b")
# Of a part that failed, so many lines are said again at the end, cut to this width.
REPEATED, WIDTH = 12, 400


class Outcome(NamedTuple):
    """What became of a part."""

    part: Part
    passed: bool
    seconds: float
    lines: Sequence[str]  # what it said

    def __str__(self) -> str:
        return f"{self.part.name}: {'passed' if self.passed else 'FAILED'} after {self.seconds:.0f} s"

    def why(self) -> list[str]:
        """The last lines that tell a failure, or simply the last ones where none is marked."""
        marked = [line for line in self.lines if MARKED.search(line)]
        return [f"{self.part.name}: {line[:WIDTH]}" for line in (marked or self.lines)[-REPEATED:]]


def run(nox: str, part: Part, shown_at_the_end: bool) -> Outcome:
    """Runs a part; its output is shown as it comes, or together when it ends."""
    start = time.monotonic()
    lines = []
    with subprocess.Popen(
        [nox, "-s", *part.sessions],
        cwd=ROOT,
        env={**os.environ, "CI": "true"},  # the formatters only complain
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip("\n"))
            if not shown_at_the_end:
                print(lines[-1], flush=True)
    outcome = Outcome(part, process.returncode == 0, time.monotonic() - start, lines)
    said = "\n".join(lines) if shown_at_the_end else ""
    print(f"{'=' * 20} {part.name}\n{said}\n{outcome}", flush=True)
    return outcome


def main() -> int:
    nox = sys.argv[1]
    # What the parts need is there before two of them look for it.
    subprocess.run([sys.executable, ROOT / "scripts/testbed.py", "test"], check=True)
    with ThreadPoolExecutor(max_workers=(os.cpu_count() or 1) + 1) as pool:
        outcomes = list(pool.map(lambda part: run(nox, part, shown_at_the_end=True), SIDE_BY_SIDE))
    outcomes += [run(nox, part, shown_at_the_end=False) for part in ALONE]
    failures = [line for outcome in outcomes if not outcome.passed for line in outcome.why()]
    print("\n" + "\n".join([*map(str, outcomes), *failures]))
    passed = sum(outcome.passed for outcome in outcomes)
    print(f"parts: {passed} passed, {len(outcomes) - passed} failed")
    return 0 if passed == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
