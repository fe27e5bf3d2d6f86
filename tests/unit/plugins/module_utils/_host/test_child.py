# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Children: their answer, their environment, and that none outlives its time."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.child import Ended, run_child
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal

PATH = {"PATH": "/usr/bin:/bin"}


def runs(pid: int) -> bool:
    """Whether a process is there, and is not dead already."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_has_its_own_environment_and_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HSM_SECRET", "sesame")
    script = "cat; echo $HSM_SECRET$MINE; echo told >&2; exit 3"
    assert run_child(["/bin/sh", "-c", script], {**PATH, "MINE": "m"}, 20) == Ended(3, b"m\n", b"told\n")


def test_who_is_late_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    for patience in (0.5, 5, 50):  # a busy machine may not have started it by then
        with pytest.raises(subprocess.TimeoutExpired):
            run_child(["/bin/sh", "-c", f"sleep 600 & echo $! > {file}; wait"], PATH, patience)
        if file.exists() and file.read_text():
            break
    end = time.monotonic() + 60
    while runs(int(file.read_text())) and time.monotonic() < end:
        time.sleep(0.01)
    assert not runs(int(file.read_text()))


def test_what_is_not_there_is_named() -> None:
    told = "Could not start /nonexistent/tool: No such file or directory. Install the tool, or name it by executable."
    assert refusal(lambda: run_child(["/nonexistent/tool"], PATH, 5)) == told
