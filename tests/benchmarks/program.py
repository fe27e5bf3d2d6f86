# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program that is timed."""

from __future__ import annotations

import dataclasses
import os
import statistics
import subprocess
import tempfile
import time
import typing as t

ROUNDS = 5


class Cost(t.NamedTuple):
    """What one run took."""

    seconds: float
    peak: int  # KiB of resident memory
    processor: float = 0.0  # seconds that it kept a processor busy: other programs change it less
    written: int = 0  # bytes


@dataclasses.dataclass(frozen=True)
class Program:
    """A command; `answer` must be in what it writes, or something else would be timed."""

    command: t.Sequence[str]
    answer: str
    stdin: bytes = b""
    environment: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    before: t.Callable[[], object] = lambda: None

    def run(self) -> Cost:
        """One run; `before` it is not timed."""
        self.before()
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as told:
            given.write(self.stdin)
            given.seek(0)
            start = time.perf_counter()
            # pylint: disable-next=consider-using-with
            process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                stdin=given,
                stdout=told,
                stderr=subprocess.STDOUT,
            )
            dummy, status, usage = os.wait4(process.pid, 0)
            taken = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            told.seek(0)
            answer = told.read()
        if process.returncode or self.answer.encode() not in answer:
            end = answer[-2000:].decode(errors="replace")
            raise AssertionError(f"{self.command}: {process.returncode} {end}")
        return Cost(taken, usage.ru_maxrss, usage.ru_utime + usage.ru_stime, len(answer))


def medians(programs: t.Mapping[str, Program], rounds: int = ROUNDS) -> dict[str, Cost]:
    """The median of each, in turns, so that a slow moment of the machine meets all; one round before warms up."""
    costs = [{name: program.run() for name, program in programs.items()} for dummy in range(rounds + (rounds > 1))]
    counted = costs[1:] or costs
    return {
        name: Cost(*(statistics.median(column) for column in zip(*(one[name] for one in counted), strict=True)))
        for name in programs
    }
