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
_CLOSING = 5.0  # seconds that a worker gets to log out


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


class Worker:
    """One process that enters `target`, a context manager, and calls the methods of what it gives for its parent.

    Nothing secret passes the pipe: the process has the login from its parent's memory.
    """

    # The parent's ends of all pipes. A later process that kept one open would keep an earlier one from seeing its end.
    _pipes: t.ClassVar[set[Connection]] = set()

    def __init__(self, target: t.Callable[[], contextlib.AbstractContextManager[t.Any]]) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        self._pipes.add(self._pipe)
        self._status: int | None = None
        self._late = False
        self._free = threading.Lock()  # several threads may use one worker
        self._pid = os.fork()
        if self._pid == 0:
            _live(theirs, self._pipes, target)
        theirs.close()

    @property
    def lost(self) -> bool:
        """Whether the process is gone."""
        return self._status is not None

    def call(self, attempt: str, deadline: Deadline, name: str, *arguments: t.Any) -> t.Any:
        """What the method answers or raises; `WorkerLost` if the process dies or does not answer in time."""
        with self._free:
            return self._called(attempt, deadline, name, arguments)

    def _called(self, attempt: str, deadline: Deadline, name: str, arguments: tuple[t.Any, ...]) -> t.Any:
        if self.lost:
            raise WorkerLost(attempt, said=f"nothing: its process {self._ended()}", hint="")
        try:
            self._pipe.send((name, arguments))
            if not self._pipe.poll(deadline.left):
                self._late = True
                self._end()
                raise WorkerLost(attempt, said="nothing within the timeout", hint="its process was killed")
            answer, value = self._pipe.recv()
        except (EOFError, OSError):
            self._end()
            raise WorkerLost(attempt, said=f"nothing: its process {self._ended()}", hint="") from None
        if answer == "bug":
            raise RuntimeError(value)
        if answer == "error":
            raise value
        return value

    def close(self) -> None:
        """Lets the process log out, and kills it if that takes too long."""
        if not self.lost:
            with contextlib.suppress(EOFError, OSError):
                self._pipe.send(None)
                self._pipe.poll(_CLOSING)
            self._end()

    def _end(self) -> None:
        """SIGKILL, which does nothing to a process that has ended; how it ended is kept."""
        os.kill(self._pid, signal.SIGKILL)
        self._status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        self._pipes.discard(self._pipe)
        self._pipe.close()

    def _ended(self) -> str:
        status = self._status or 0
        if self._late:
            return "was killed before, because it gave no answer within the timeout"
        return f"died by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def _live(
    pipe: Connection, parents: t.Iterable[Connection], target: t.Callable[[], contextlib.AbstractContextManager[t.Any]]
) -> t.NoReturn:
    """The life of the process, which reads from and writes to its pipe alone."""
    status = 1
    try:
        for other in parents:
            other.close()
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        with contextlib.suppress(RuntimeError):  # no room for a thread: it ends with its parent unless it hangs
            parent.watch_parent(pipe.fileno(), _CLOSING)
        _serve(pipe, target)
        status = 0
    finally:
        os._exit(status)


def _serve(pipe: Connection, target: t.Callable[[], contextlib.AbstractContextManager[t.Any]]) -> None:
    """Answers calls until there are no more. The first one enters the target; where that fails, it is the last."""
    with contextlib.ExitStack() as entered:
        worked_on: t.Any = None
        for name, arguments in iter(lambda: _received(pipe), None):
            try:
                if worked_on is None:
                    worked_on = entered.enter_context(target())
                answer = "result", operator.attrgetter(name)(worked_on)(*arguments)
            except errors.HsmError as error:
                answer = "error", error
            except Exception:  # pylint: disable=broad-except
                answer = "bug", traceback.format_exc()
            pipe.send(answer)
            if worked_on is None:
                return


def _received(pipe: Connection) -> Call | None:
    """The next call; None at the end, which the death of the parent is, too."""
    try:
        return t.cast("Call | None", pipe.recv())
    except EOFError:
        return None
