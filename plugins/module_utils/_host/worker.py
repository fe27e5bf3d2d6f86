# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A forked process that works with one token, so that a library which hangs or crashes costs only its own token.

The process is forked before any PKCS#11 library is loaded, talks to nobody but its parent, and ends by `os._exit`:
leaving it any other way would run the module a second time, and an open stdout would keep Ansible waiting.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import operator
import os
import pickle
import queue
import signal
import threading
import time
import traceback
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import parent
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

if t.TYPE_CHECKING:
    from multiprocessing.connection import Connection

# The name of a method, or of one of an attribute (`transfer.offer`), and its arguments.
Call = tuple[str, tuple[t.Any, ...]]
# What kind it is (`result`, `error` or `bug`), and the value, the error or the traceback.
Answer = tuple[str, t.Any]
_CLOSING = 5.0  # seconds that a worker gets to log out
_WIDEN = ""  # the call that begins to use further lines, and each of them


class Deadline:
    """When a task's `timeout` ends; None: never."""

    def __init__(self, seconds: float | None = None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    @property
    def left(self) -> float | None:
        """Seconds, 0 when it has passed; None where there is no end."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether it is over."""
        return self.left == 0

    def share(self, parts: int) -> Deadline:
        """The end of one of so many parts of the time that is left, so that who hangs does not use up all of it."""
        left = self.left
        return self if left is None else Deadline(left / parts)


class WorkerLost(errors.TokenError):
    """The process is gone, and with it the session: `said` tells how."""

    lost = True


class Worker:
    """One process that enters `target`, a context manager, and calls the methods of what it gives for its parent.

    Nothing secret passes a pipe: the process has the login from its parent's memory. Each pipe carries one call at a
    time; `lines` is how many there may be, of which the first one is used until `widen`.
    """

    # The parent's ends of all pipes. A later process that kept one open would keep an earlier one from seeing its end.
    _pipes: t.ClassVar[set[Connection]] = set()

    def __init__(self, target: t.Callable[[], contextlib.AbstractContextManager[t.Any]], lines: int = 1) -> None:
        """Raises `OSError` where the system has no room for it."""
        with contextlib.ExitStack() as undone:
            ends = [[undone.enter_context(end) for end in multiprocessing.Pipe()] for dummy in range(lines)]
            ours, theirs = zip(*ends, strict=True)
            self._pid = os.fork()
            if self._pid == 0:
                _live(theirs, [*self._pipes, *ours], target)
            undone.pop_all()
        for line in theirs:
            line.close()
        self._pipes.update(ours)
        self._lines: tuple[Connection, ...] = ours
        self._status: int | None = None
        self._late = False
        self._ending = threading.Lock()
        self._free: queue.SimpleQueue[Connection] = queue.SimpleQueue()  # several threads may use one worker
        self._free.put(ours[0])
        self._further: queue.SimpleQueue[Connection] = queue.SimpleQueue()  # not needed yet

    @property
    def lost(self) -> bool:
        """Whether the process is gone."""
        return self._status is not None

    def call(self, attempt: str, deadline: Deadline, name: str, *arguments: t.Any) -> t.Any:
        """What the method answers or raises; `WorkerLost` if the process dies or does not answer in time."""
        line = _next(self._free) or self._widened(attempt, deadline) or self._free.get()
        try:
            return self._called(line, attempt, deadline, (name, arguments))
        finally:
            self._free.put(line)

    def widen(self, attempt: str, deadline: Deadline) -> None:
        """Lets further lines be used, each once a call finds no other one free."""
        for line in self._lines[1 : 1 + self.call(attempt, deadline, _WIDEN)]:
            self._further.put(line)

    def _widened(self, attempt: str, deadline: Deadline) -> Connection | None:
        """A further line, with what `further` of the target gives, if there is room."""
        line = _next(self._further)
        if line and not self._called(line, attempt, deadline, (_WIDEN, ())):
            while line:  # nor for others
                line = _next(self._further)
        return line

    def _called(self, line: Connection, attempt: str, deadline: Deadline, call: Call) -> t.Any:
        if self.lost:
            raise WorkerLost(attempt, said=f"nothing: its process {self._ended()}", hint="")
        try:
            line.send_bytes(pickle.dumps(call))
            if deadline.left is not None and not line.poll(deadline.left):
                self._late = True
                self._end()
                raise WorkerLost(attempt, said="nothing within the timeout", hint="its process was killed")
            answer, value = pickle.loads(line.recv_bytes())
        except (EOFError, OSError):
            self._end()
            raise WorkerLost(attempt, said=f"nothing: its process {self._ended()}", hint="") from None
        if answer == "bug":
            raise RuntimeError(value)
        if answer == "error":
            raise value
        return value

    def close(self) -> None:
        """Lets the process log out, and kills it if that takes too long. Nobody calls it any more."""
        first, *others = self._lines
        self._drop(others)
        if not self.lost:
            with contextlib.suppress(EOFError, OSError):
                first.send_bytes(pickle.dumps(None))
                first.poll(_CLOSING)
            self._end()
        self._drop([first])

    def _drop(self, lines: t.Iterable[Connection]) -> None:
        for line in lines:
            self._pipes.discard(line)
            line.close()

    def _end(self) -> None:
        """SIGKILL, which does nothing to a process that has ended; how it ended is kept."""
        with self._ending:
            if not self.lost:
                os.kill(self._pid, signal.SIGKILL)
                self._status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _ended(self) -> str:
        status = self._status or 0
        if self._late:
            return "was killed before, because it gave no answer within the timeout"
        return f"died by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def _next(lines: queue.SimpleQueue[Connection]) -> Connection | None:
    with contextlib.suppress(queue.Empty):
        return lines.get_nowait()
    return None


def _live(
    lines: t.Sequence[Connection],
    parents: t.Iterable[Connection],
    target: t.Callable[[], contextlib.AbstractContextManager[t.Any]],
) -> t.NoReturn:
    """The life of the process, which reads from and writes to its pipes alone."""
    status = 1
    try:
        for other in parents:
            other.close()
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        with contextlib.suppress(RuntimeError):  # no room for a thread: it ends with its parent unless it hangs
            parent.watch_parent(lines[0].fileno(), _CLOSING)
        _serve(lines, target)
        status = 0
    finally:
        os._exit(status)


def _serve(lines: t.Sequence[Connection], target: t.Callable[[], contextlib.AbstractContextManager[t.Any]]) -> None:
    """Answers calls until there are no more. The first one enters the target; where that fails, it is the last."""
    first, *others = lines
    with contextlib.ExitStack() as entered:
        call = _received(first)
        if call is None:
            return
        answer, worked_on = _answered(lambda: entered.enter_context(target()))
        if answer != "result":
            _tell(first, (answer, worked_on))
            return
        threads: list[threading.Thread] = []
        try:
            while call is not None:
                if call[0] == _WIDEN:
                    threads = _started(others, worked_on, entered)
                    _tell(first, ("result", len(threads)))
                else:
                    _answer(first, worked_on, call)
                call = _received(first)
        except BaseException:
            if threads:
                os._exit(1)  # nothing is left in an orderly way under the hands of the others
            raise
        for thread in threads:  # before anything is left
            thread.join()


def _started(lines: t.Iterable[Connection], worked_on: t.Any, entered: contextlib.ExitStack) -> list[threading.Thread]:
    """Serves further lines, each by a thread, as far as there is room."""
    threads: list[threading.Thread] = []
    opening = threading.Lock()

    def serve(line: Connection) -> None:
        """The first call opens a session for the others; its answer is whether there was room."""
        own = None
        try:
            while call := _received(line):
                if own:
                    _answer(line, own, call)
                    continue
                with opening, contextlib.suppress(errors.HsmError, MemoryError):
                    own = entered.enter_context(worked_on.further())
                _tell(line, ("result", bool(own)))
        except BaseException:  # pylint: disable=broad-except
            os._exit(1)  # as where the first line fails: whoever waits for an answer learns that there is none

    for line in lines:
        thread = threading.Thread(target=serve, args=(line,), daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError):
            break
        threads.append(thread)
    return threads


def _answer(line: Connection, worked_on: t.Any, call: Call) -> None:
    name, arguments = call
    _tell(line, _answered(lambda: operator.attrgetter(name)(worked_on)(*arguments)))


def _tell(line: Connection, answer: Answer) -> None:
    with contextlib.suppress(ConnectionError):  # the parent is gone, as `_received` tells; other lines may be at work
        line.send_bytes(pickle.dumps(answer))


def _answered(work: t.Callable[[], t.Any]) -> Answer:
    """What it came to, as the parent is told."""
    try:
        return "result", work()
    except errors.HsmError as error:
        return "error", error
    except Exception:  # pylint: disable=broad-except
        return "bug", traceback.format_exc()


def _received(pipe: Connection) -> Call | None:
    """The next call; None at the end, which the death of the parent is, too."""
    try:
        return t.cast("Call | None", pickle.loads(pipe.recv_bytes()))
    except (EOFError, ConnectionError):
        return None
