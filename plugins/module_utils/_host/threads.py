# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""As many threads as there is room for: limits of users and containers are met in production, and end no task."""

from __future__ import annotations

import concurrent.futures
import queue
import threading
import typing as t

T = t.TypeVar("T")


class Threads(concurrent.futures.Executor):
    """At most `count` threads, started as work comes; where none can be started, `submit` does the work itself.

    The standard library's own executor fails where a thread cannot be started, with that work in its queue.
    """

    def __init__(self, count: int) -> None:
        self._work: queue.SimpleQueue[t.Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._wanted = count

    def _start(self) -> None:
        thread = threading.Thread(target=self._live)
        try:
            thread.start()
            self._threads.append(thread)
        except (RuntimeError, MemoryError):  # no room for another
            self._wanted = len(self._threads)

    def _live(self) -> None:
        for work in iter(self._work.get, None):
            work()

    def submit(self, fn: t.Callable[..., T], /, *args: t.Any, **kwargs: t.Any) -> concurrent.futures.Future[T]:
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # pylint: disable=broad-except
                future.set_exception(error)

        if len(self._threads) < self._wanted:
            self._start()
        if self._threads:
            self._work.put(work)
        else:
            work()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Lets all work end that was submitted and not cancelled."""
        for dummy in self._threads:
            self._work.put(None)
        for thread in self._threads if wait else ():
            thread.join()
        self._threads.clear()
