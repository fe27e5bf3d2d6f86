# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An executor that takes the threads that there are."""

from __future__ import annotations

import concurrent.futures
import threading

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.threads import Threads


@pytest.mark.parametrize("room", [0, 1, 3, 9])
def test_all_work_is_done_whatever_room_there_is(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def limited(thread: threading.Thread) -> None:
        if len(started) == room:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    ran: set[int] = set()

    def work(number: int) -> int:
        ran.add(threading.get_ident())
        return number

    with Threads(4) as threads:
        running = [threads.submit(work, number) for number in range(50)]
        assert sorted(future.result() for future in concurrent.futures.as_completed(running)) == list(range(50))
    assert len(started) == min(room, 4)
    assert (threading.get_ident() in ran) is (room == 0)
    assert not any(thread.is_alive() for thread in started)


def test_errors_and_cancelled_work() -> None:
    held, begun = threading.Event(), threading.Event()

    def wait() -> bool:
        begun.set()
        return held.wait(60)

    with Threads(1) as threads:
        first = threads.submit(wait)
        begun.wait(60)
        failing, never = threads.submit(lambda: 1 / 0), threads.submit(lambda: 1)
        assert never.cancel() and not first.cancel()
        held.set()
    assert isinstance(failing.exception(), ZeroDivisionError) and first.result() is True and never.cancelled()
