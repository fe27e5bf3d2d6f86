# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process of one's own: whatever becomes of it, the parent learns it in one piece, and nothing of it is left."""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import gc
import os
import resource
import signal
import sys
import time
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.worker import Deadline, Worker, WorkerLost
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, InputError, TokenError

_LONG = 600


class Work:
    """What the process works on."""

    def __init__(self, folder: t.Any) -> None:
        self._folder = folder

    def add(self, one: int, other: int) -> int:
        return one + other

    def pid(self) -> int:
        return os.getpid()

    def fail(self, error: Exception) -> t.NoReturn:
        raise error

    def leave(self, status: int) -> t.NoReturn:
        sys.exit(status)

    def die(self, number: int) -> None:
        faulthandler.disable()  # pytest's, which would write to its stderr
        os.kill(os.getpid(), number)

    def hang(self) -> None:
        time.sleep(_LONG)

    def speak(self) -> None:
        """To stdout in every way."""
        print("noise of python")
        sys.stdout.flush()
        os.write(1, b"noise of C")
        os.write(2, b"noise of stderr")

    def read(self) -> bytes:
        """Whatever is on stdin."""
        return os.read(0, 10)

    def unpicklable(self) -> t.Any:
        return lambda: None

    def descriptors(self) -> list[str]:
        """What this process has open."""
        links = []
        for number in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                links.append(os.readlink(f"/proc/self/fd/{number}"))
        return links

    def note(self) -> None:
        (self._folder / "called").write_text("yes")


@pytest.fixture
def worker(tmp_path: t.Any) -> t.Iterator[Worker]:
    @contextlib.contextmanager
    def entered() -> t.Iterator[Work]:
        (tmp_path / "entered").write_text(str(os.getpid()))
        yield Work(tmp_path)
        (tmp_path / "left").write_text(str(os.getpid()))

    worker = Worker(entered)
    yield worker
    worker.close()


def call(worker: Worker, name: str, *arguments: t.Any, seconds: float | None = None) -> t.Any:
    return worker.call("do it", Deadline(seconds), name, *arguments)


def ended(pid: int) -> bool:
    """Whether there is no such process, and no zombie either."""
    return not os.path.exists(f"/proc/{pid}")


def test_answers(worker: Worker, tmp_path: t.Any) -> None:
    assert not (tmp_path / "entered").exists()
    assert call(worker, "add", 1, 2) == 3
    pid = call(worker, "pid")
    assert pid != os.getpid()
    assert (tmp_path / "entered").read_text() == str(pid)
    lost = [worker.lost]
    worker.close()
    assert [*lost, worker.lost] == [False, True]
    assert (tmp_path / "left").read_text() == str(pid)
    assert ended(pid)


def test_close_twice(worker: Worker) -> None:
    worker.close()
    worker.close()
    with pytest.raises(WorkerLost, match="Could not do it: the HSM answered nothing: its process "):
        call(worker, "add", 1, 2)


def errors() -> list[HsmError]:
    final = TokenError("log in", "CKR_PIN_INCORRECT", remains="Nothing is left.")
    final.final = True
    return [
        HsmError("Refused.", nodes=[{"name": "a"}], changed=True),
        TokenError("sign", "CKR_DEVICE_ERROR"),
        TokenError("sign", said="a text", hint="do this"),
        TokenError("sign", "CKR_FUNCTION_FAILED").at("prove it", "What remains: a key."),
        final,
        InputError("label", "it is empty", ""),
        InputError("pin", "it is missing").within("replicas[0]"),
        WorkerLost("sign", said="nothing"),
    ]


@pytest.mark.parametrize("error", errors(), ids=lambda error: type(error).__name__)
def test_errors_come_through_whole(worker: Worker, error: HsmError) -> None:
    with pytest.raises(HsmError) as raised:
        call(worker, "fail", error)
    told = raised.value
    assert type(told) is type(error)
    assert (told.msg, str(told), told.data, told.final) == (error.msg, str(error), error.data, error.final)
    assert told.__dict__ == error.__dict__
    assert told.args == (error.msg,)
    assert call(worker, "add", 1, 2) == 3


def test_told_as_part_of_more(worker: Worker) -> None:
    """An error that came through is wrapped as any other."""
    with pytest.raises(TokenError) as raised:
        call(worker, "fail", TokenError("sign", "CKR_DEVICE_ERROR", remains="One thing."))
    told = raised.value.at("prove it", "Another.")
    assert told.msg.startswith("Could not prove it: the HSM answered CKR_DEVICE_ERROR")
    assert told.msg.endswith("One thing. Another.")


def test_bug_is_a_bug(worker: Worker) -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        call(worker, "fail", ZeroDivisionError("by zero"))


def test_entering_fails(tmp_path: t.Any) -> None:
    """A login that fails: its error is told, the process ends, and there is no second attempt."""

    @contextlib.contextmanager
    def entered() -> t.Iterator[Work]:
        with (tmp_path / "tries").open("a") as file:
            file.write("x")
        if file.closed:  # always: the line after it is what makes this a generator
            raise TokenError("log in", "CKR_PIN_INCORRECT")
        yield Work(tmp_path)

    worker = Worker(entered)
    with pytest.raises(TokenError, match="CKR_PIN_INCORRECT"):
        call(worker, "add", 1, 2)
    with pytest.raises(WorkerLost):
        call(worker, "add", 1, 2)
    assert (tmp_path / "tries").read_text() == "x"
    worker.close()


@pytest.mark.parametrize("status", [0, 3])
def test_exit_in_the_process(worker: Worker, status: int) -> None:
    """Leaving by sys.exit neither runs the parent's code a second time nor looks like an answer."""
    with pytest.raises(WorkerLost, match="its process ended with status 1"):
        call(worker, "leave", status)
    assert worker.lost


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGABRT])
def test_killed(worker: Worker, number: signal.Signals) -> None:
    pid = call(worker, "pid")
    with pytest.raises(WorkerLost, match=f"its process died by {number.name}"):
        call(worker, "die", int(number))
    assert worker.lost
    assert ended(pid)
    with pytest.raises(WorkerLost, match=f"its process died by {number.name}"):
        call(worker, "add", 1, 2)


def test_hangs(worker: Worker) -> None:
    pid = call(worker, "pid")
    with pytest.raises(WorkerLost, match="nothing within the timeout; its process was killed"):
        call(worker, "hang", seconds=0.2)
    assert worker.lost
    assert ended(pid)
    with pytest.raises(WorkerLost, match="its process was killed before, because it gave no answer within the timeout"):
        call(worker, "add", 1, 2)


def test_no_time_left(worker: Worker) -> None:
    with pytest.raises(WorkerLost, match="nothing within the timeout"):
        call(worker, "hang", seconds=0)


def test_speaks_to_nobody(worker: Worker, capfd: pytest.CaptureFixture[str]) -> None:
    call(worker, "speak")
    worker.close()
    assert capfd.readouterr() == ("", "")


def test_hears_nobody(worker: Worker) -> None:
    assert call(worker, "read") == b""


def test_answer_that_cannot_be_sent(worker: Worker) -> None:
    with pytest.raises(WorkerLost, match="its process ended with status 1"):
        call(worker, "unpicklable")


def test_several_do_not_hold_each_other(tmp_path: t.Any) -> None:
    """A later process has no end of an earlier one's pipe, so that each sees when its parent is gone."""
    gc.collect()  # what earlier tests have left open
    workers = [Worker(lambda: contextlib.nullcontext(Work(tmp_path))) for _count in range(3)]
    sockets = [[link for link in call(worker, "descriptors") if link.startswith("socket:")] for worker in workers]
    own = [links[-1:] for links in sockets]
    common = set(sockets[0]).intersection(*sockets[1:])  # of the test run itself
    for links in sockets:
        assert len(set(links) - common) == 1, own
    for worker in workers:
        worker.close()


@pytest.mark.parametrize(("name", "error"), [("fork", errno.EAGAIN), ("files", errno.EMFILE)])
def test_no_room_leaves_nothing(name: str, error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for a process nor for all its pipes."""
    gc.collect()
    before = os.listdir("/proc/self/fd")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = max(map(int, before)) + 8

    def fork() -> t.NoReturn:
        raise OSError(errno.EAGAIN, "no process")

    try:
        if name == "fork":
            monkeypatch.setattr(os, "fork", fork)
        else:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, limits[1]))
        with pytest.raises(OSError) as raised:
            Worker(contextlib.nullcontext, files)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert raised.value.errno == error and os.listdir("/proc/self/fd") == before


def test_parent_that_is_gone(tmp_path: t.Any) -> None:
    """Its process leaves what it entered, and ends."""
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:

        @contextlib.contextmanager
        def entered() -> t.Iterator[Work]:
            yield Work(tmp_path)
            os.write(writer, b"left")

        call(Worker(entered), "add", 1, 2)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(parent, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        assert told.read() == b"left"


def test_share_of_a_deadline() -> None:
    """A part of the time that is left, and all where there is no end."""
    assert Deadline().share(3).left is None
    assert 0 < (Deadline(_LONG).share(3).left or 0) <= _LONG / 3
    assert Deadline(0).share(3).passed


def test_deadline() -> None:
    assert Deadline().left is None
    assert not Deadline().passed
    assert Deadline(0).passed
    assert Deadline(0).left == 0
    far = Deadline(_LONG)
    assert not far.passed
    assert 0 < (far.left or 0) <= _LONG
