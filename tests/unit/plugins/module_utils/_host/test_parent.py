# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Children of a module that is killed, where SIGHUP is ignored as under nohup."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import worker as _worker
from ansible_collections.cryptoki.hsm.plugins.module_utils._host.child import run_child
from ansible_collections.cryptoki.hsm.plugins.module_utils._host.worker import Deadline, Worker
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.dialogue import Dialogue

# It says who it is, and ignores everything that can be ignored.
TOOL = """#!/bin/sh
trap '' HUP TERM INT
echo $$ > {file}
printf 'Command: '
while :; do sleep 1; done
"""


class Hanging:
    def __init__(self, file: t.Any) -> None:
        self._file = file

    def hang(self) -> None:
        self._file.write_text(f"{os.getpid()}\n")
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP})
        time.sleep(600)


def _cli(tool: str, file: t.Any) -> None:
    run_child([tool], {}, 600)


def _dialogue(tool: str, file: t.Any) -> None:
    Dialogue(tool)
    time.sleep(600)


def _worker_of(tool: str, file: t.Any) -> None:
    Worker(lambda: contextlib.nullcontext(Hanging(file))).call("hang", Deadline(), "hang")


@pytest.mark.parametrize("start", [_cli, _dialogue, _worker_of])
def test_no_child_outlives_its_module(start: t.Callable[..., None], tmp_path: t.Any, monkeypatch: t.Any) -> None:
    monkeypatch.setattr(_worker, "_CLOSING", 0.2)
    file, tool = tmp_path / "pid", tmp_path / "tool"
    tool.write_text(TOOL.format(file=file))
    tool.chmod(0o755)
    module = os.fork()
    if module == 0:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        start(str(tool), file)
        os._exit(1)
    child = _until(lambda: int(file.read_text() or 0) if file.exists() else 0)
    os.kill(module, signal.SIGKILL)
    os.waitpid(module, 0)
    assert _until(lambda: not _runs(child)), "it ends soon after"


def _until(found: t.Callable[[], t.Any], seconds: float = 60) -> t.Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not found():
        time.sleep(0.02)
    return found()


def _runs(pid: int) -> bool:
    """Whether the process does anything; a zombie, which its new parent has not waited for, does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
