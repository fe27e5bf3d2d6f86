# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate between the searches and the writes of several threads (SoftHSM fails where they meet)."""

from __future__ import annotations

import random
import threading
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.library import Gate

LONG = 60  # seconds; only a test that fails waits so long


def started(work: t.Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_writes_do_not_wait_for_each_other() -> None:
    gate, both = Gate(), threading.Barrier(2)

    def write() -> None:
        with gate.write():
            both.wait(LONG)

    threads = [started(write), started(write)]
    for thread in threads:
        thread.join(LONG)
    assert not both.broken and not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("error", [False, True])
def test_what_is_over_keeps_nobody_out(error: bool) -> None:
    gate = Gate()
    for way in (gate.alone, gate.write, gate.alone):
        if error:
            with pytest.raises(KeyError), way():
                raise KeyError
        else:
            with way():
                pass


def test_a_search_is_alone() -> None:
    """Eight threads search and write at random; who is inside is noted, and looked at by whoever comes in."""
    gate, inside, lock = Gate(), {"search": 0, "write": 0}, threading.Lock()
    seen: list[tuple[int, int]] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _count in range(100):
            name = chance.choice(["search", "write"])
            with gate.alone() if name == "search" else gate.write():
                with lock:
                    inside[name] += 1
                    seen.append((inside["search"], inside["write"]))
                threading.Event().wait(0.0001)
                with lock:
                    inside[name] -= 1

    threads = [started(lambda seed=seed: work(seed)) for seed in range(8)]  # type: ignore[misc]
    for thread in threads:
        thread.join(LONG)
    assert len(seen) == 800
    assert {state for state in seen if state[0]} == {(1, 0)}
    assert max(writes for _searches, writes in seen) > 1
