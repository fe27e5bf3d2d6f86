# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process with several lines: its threads work at the same time, and its end is the end for all of them."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import pickle
import signal
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.worker import Deadline, Worker, WorkerLost
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError

_LONG = 60
_LINES = 3


class Work:
    """What one line works on; `room` is how many further ones there may be."""

    def __init__(self, log: Path, room: int) -> None:
        self._log = log
        self._room = room
        self._together = threading.Barrier(_LINES)
        self._parent = os.getppid()

    @contextlib.contextmanager
    def entered(self) -> t.Iterator[Work]:
        yield self
        self._note("login left")

    @contextlib.contextmanager
    def further(self) -> t.Iterator[Work]:
        if not self._room:
            raise TokenError("open another session", "CKR_SESSION_COUNT")
        self._room -= 1
        yield self
        self._note("further left")

    def _note(self, text: str) -> None:
        with self._log.open("a") as log:
            log.write(f"{text}\n")

    def meet(self) -> None:
        """Ends when all lines are in it."""
        self._together.wait(_LONG)

    def add(self, one: int, other: int) -> int:
        return one + other

    def take_long(self) -> None:
        """So long that others need lines of their own."""
        time.sleep(0.2)

    def die(self) -> None:
        """When all lines are in it."""
        self._together.wait(_LONG)
        os.kill(os.getpid(), signal.SIGKILL)

    def outlive(self, first: bool) -> None:
        """Kills the parent when all lines are in it, and goes on, longer than the first line or longer than others."""
        self._together.wait(_LONG)
        is_first = threading.current_thread() is threading.main_thread()
        if is_first:
            os.kill(self._parent, signal.SIGKILL)
        while os.getppid() == self._parent:
            time.sleep(0.01)
        if is_first is not first:
            time.sleep(0.3)
            self._note("went on")

    def leave(self) -> t.NoReturn:
        sys.exit(0)


@contextlib.contextmanager
def worker(folder: Path, room: int = _LINES - 1) -> t.Iterator[tuple[Worker, Path]]:
    log = folder / "log"
    process = Worker(lambda: Work(log, room).entered(), _LINES)
    try:
        call(process, "add", 1, 2)
        process.widen("widen it", Deadline())
        yield process, log
    finally:
        process.close()


def call(process: Worker, name: str, *arguments: t.Any) -> t.Any:
    return process.call("do it", Deadline(_LONG), name, *arguments)


def at_once(process: Worker, name: str, *arguments: t.Any) -> list[BaseException | None]:
    """What so many calls as there are lines raise."""
    with concurrent.futures.ThreadPoolExecutor(_LINES) as threads:
        running = [threads.submit(call, process, name, *arguments) for dummy in range(_LINES)]
        return [done.exception() for done in running]


def test_all_lines_work_at_the_same_time(tmp_path: Path) -> None:
    with worker(tmp_path) as (process, log):
        assert at_once(process, "meet") == [None] * _LINES
    assert log.read_text().split("\n") == ["further left", "further left", "login left", ""]


@pytest.mark.parametrize("room", [0, 1])
def test_where_there_is_no_room_fewer_lines_do_the_work(tmp_path: Path, room: int) -> None:
    with worker(tmp_path, room) as (process, log), concurrent.futures.ThreadPoolExecutor(2 * _LINES) as threads:
        assert [*threads.map(lambda one: call(process, "add", one, 1), range(40))] == [*range(1, 41)]
    assert log.read_text().split("\n") == ["further left"] * room + ["login left", ""]


@pytest.mark.parametrize("served", range(_LINES))
def test_where_a_thread_cannot_start_fewer_lines_do_the_work(
    tmp_path: Path, served: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, start, started = os.getpid(), threading.Thread.start, [0]

    def begun(thread: threading.Thread) -> None:
        if os.getpid() != parent:
            started[0] += 1
            if started[0] > 1 + served:  # the first one watches the parent
                raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", begun)
    with worker(tmp_path) as (process, log):
        assert at_once(process, "take_long") == [None] * _LINES
    assert log.read_text().split("\n") == ["further left"] * served + ["login left", ""]


def test_what_no_call_needs_is_not_opened(tmp_path: Path) -> None:
    with worker(tmp_path) as (process, log):
        for dummy in range(2 * _LINES):
            call(process, "add", 1, 2)
    assert log.read_text() == "login left\n"


def test_a_death_is_told_to_all_who_wait(tmp_path: Path) -> None:
    with worker(tmp_path) as (process, _log):
        for name in ("die", "meet"):
            told = at_once(process, name)
            assert [type(error) for error in told] == [WorkerLost] * _LINES
            assert all("its process died by SIGKILL" in str(error) for error in told)


@pytest.mark.parametrize("calls_before", range(_LINES))
def test_leaving_on_any_line_ends_the_process(tmp_path: Path, calls_before: int) -> None:
    """Once all are open the lines take turns, so that each is the one."""
    with worker(tmp_path) as (process, _log):
        assert at_once(process, "meet") == [None] * _LINES
        for dummy in range(calls_before):
            call(process, "add", 1, 2)
        with pytest.raises(WorkerLost, match="its process ended with status 1"):
            call(process, "leave")
        assert process.lost


def left_by(parent: t.Callable[[], object], folder: Path) -> list[str]:
    """What a worker notes whose parent is killed in the middle of this."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            parent()
        finally:
            os._exit(1)
    os.waitpid(pid, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as open_in_the_process:
        assert open_in_the_process.read() == b""  # it ended
    return (folder / "log").read_text().split("\n")


def test_a_parent_that_is_gone_ends_all_lines(tmp_path: Path) -> None:
    """Each session is left, those of the further lines before the one that logged in."""

    def parent() -> None:
        with worker(tmp_path) as (process, _log):
            at_once(process, "meet")
            os.kill(os.getpid(), signal.SIGKILL)

    assert left_by(parent, tmp_path) == ["further left", "further left", "login left", ""]


def test_a_parent_that_is_gone_before_it_read_an_answer_ends_all_lines(tmp_path: Path) -> None:
    """What waits for the next call then sees the connection reset, not its end."""

    def parent() -> None:
        with worker(tmp_path) as (process, _log):
            at_once(process, "meet")
            line = process._lines[0]
            line.send_bytes(pickle.dumps(("add", (1, 2))))
            assert line.poll(_LONG)
            os.kill(os.getpid(), signal.SIGKILL)

    assert left_by(parent, tmp_path) == ["further left", "further left", "login left", ""]


@pytest.mark.parametrize(("first", "others"), [(True, _LINES - 1), (False, 1)])
def test_all_lines_end_their_work_where_the_parent_is_gone(tmp_path: Path, first: bool, others: int) -> None:
    """Whichever is the first to find that nobody waits for its answer, no session is left in the middle of a call."""

    def parent() -> None:
        with worker(tmp_path) as (process, _log):
            at_once(process, "outlive", first)

    left = ["further left"] * (_LINES - 1) + ["login left", ""]
    assert left_by(parent, tmp_path) == ["went on"] * others + left
