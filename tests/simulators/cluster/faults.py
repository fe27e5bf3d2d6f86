# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults that a test asks for, in the state or in the environment; nothing here is a vendor's behaviour.

A fault has a `kind` (see KINDS), and optionally `tool`, `command` (what the command starts with), `after` (whether
the command works before the fault shows), `times` (how often; endlessly if absent), `skip` (how many matching calls
go well before), `text`, `seconds`, `attributes`, `status`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import typing as t
from pathlib import Path

from .state import opened

VARIABLE = "CLUSTER_SIMULATOR_FAULT"  # "kind" or "kind:command"

# Each kind, and whether the command works before the fault shows unless the fault says otherwise.
KINDS = {
    "error": False,  # a known error
    "error_after_success": True,
    "unknown_error": False,  # an error with a text that nobody knows
    "no_json": True,  # text that is no answer at all
    "half": True,  # the first half of the right answer
    "silence": True,  # no answer, status 0
    "answer": True,  # `text` as it is
    "hang": False,
    "hang_half": True,  # half of the answer, then nothing
    "inconsistent": True,  # coverage, and `attributes` if given, differ between the HSMs
    "status": True,  # the right answer with another exit status
    "killed": True,  # the process dies before it answers
}
HANG = 3600


class Fault:
    """The fault of one call; without a kind it does nothing."""

    def __init__(self, values: dict[str, t.Any] | None = None) -> None:
        self.values = values or {}
        self.kind = self.values.get("kind", "")
        self.after = self.values.get("after", KINDS.get(self.kind, True))

    @property
    def text(self) -> str:
        """Text of the error or the answer."""
        texts = {"unknown_error": "E9071: the flux is out of phase", "no_json": "Segmentation fault"}
        return str(self.values.get("text", texts.get(self.kind, "HSM is disconnected")))

    @property
    def attributes(self) -> list[str]:
        """Attributes that are inconsistent."""
        return list(self.values.get("attributes", []))

    @property
    def is_error(self) -> bool:
        """Whether the command is to answer with an error."""
        return self.kind in ("error", "error_after_success", "unknown_error")

    @property
    def instead(self) -> bool:
        """Whether the command does not work at all, and the answer says what the fault does."""
        return not self.after and (self.is_error or self.kind == "answer")

    def before(self) -> None:
        """What happens before the command works."""
        if not self.after:
            self._stop()

    def write(self, answer: str, status: int) -> int:
        """Writes the answer as the fault lets it; returns the exit status."""
        self._stop()
        changed = {
            "no_json": self.text + "\n",
            "answer": self.text,
            "silence": "",
            "half": answer[: len(answer) // 2],
            "hang_half": answer[: len(answer) // 2],
        }
        sys.stdout.write(changed.get(self.kind, answer))
        sys.stdout.flush()
        if self.kind == "hang_half":
            time.sleep(self.values.get("seconds", HANG))
        if self.kind == "silence":
            status = 0
        return int(self.values.get("status", status))

    def _stop(self) -> None:
        if self.kind == "hang":
            time.sleep(self.values.get("seconds", HANG))
        elif self.kind == "killed":
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGKILL)


def take(folder: Path, tool: str, command: str, environment: t.Mapping[str, str]) -> Fault:
    """The fault for this call, which is counted; the call is noted."""
    if environment.get(VARIABLE):
        kind, _colon, start = environment[VARIABLE].partition(":")
        _known(kind)
        if command.startswith(start):
            return Fault({"kind": kind})
    with opened(folder) as state:
        state.calls.append(f"{tool}: {command}")
        for fault in state.faults:
            if fault.get("tool", tool) != tool or not command.startswith(fault.get("command", "")):
                continue
            _known(fault["kind"])
            if fault.get("skip", 0) > 0:
                fault["skip"] -= 1
                continue
            if fault.get("times", 1) > 0:
                if "times" in fault:
                    fault["times"] -= 1
                return Fault(dict(fault))
    return Fault()


def _known(kind: str) -> None:
    if kind not in KINDS:
        raise SystemExit(f"There is no fault {kind!r}; there are: {', '.join(KINDS)}")
