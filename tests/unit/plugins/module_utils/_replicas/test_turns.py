# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is alone is alone, however many want it, and all come to their end."""

from __future__ import annotations

import threading
import time

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.threads import Threads
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.turns import Turns


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_who_is_alone_is_alone(threads: int) -> None:
    turns, lock = Turns(), threading.Lock()
    inside: set[int] = set()
    seen: list[set[int]] = []

    def step(number: int) -> None:
        with lock:
            inside.add(number)
        time.sleep(0)
        with lock:
            inside.discard(number)

    def work(number: int) -> int:
        for dummy in range(5):
            with turns.work():
                step(number)
                with turns.alone():
                    for dummy in range(3):
                        time.sleep(0)
                        seen.append(set(inside))
                step(number)
        return number

    with Threads(threads) as started:
        done = [started.submit(work, number) for number in range(threads)]
        assert [one.result(timeout=30) for one in done] == list(range(threads))
    assert seen == [set()] * (threads * 15)


def test_others_work_side_by_side() -> None:
    turns, met = Turns(), threading.Barrier(3, timeout=30)

    def work() -> int:
        with turns.work():
            return met.wait()

    with Threads(3) as started:
        assert sorted(one.result() for one in [started.submit(work) for dummy in range(3)]) == [0, 1, 2]


def test_a_failure_ends_the_turn() -> None:
    turns = Turns()
    for dummy in range(2):
        with pytest.raises(ZeroDivisionError), turns.work(), turns.alone():
            raise ZeroDivisionError
    with turns.work(), turns.alone():
        pass
