# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work on several things at once, each in a lane that no other uses at that time."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Lane = TypeVar("Lane")
Outcome = TypeVar("Outcome")


def in_lanes(lanes: Sequence[Lane], items: Sequence[str], work: Callable[[str, Lane], Outcome]) -> dict[str, Outcome]:
    """What `work(item, lane)` returned for each item; they are begun in their order."""
    free: queue.SimpleQueue[Lane] = queue.SimpleQueue()
    for lane in lanes:
        free.put(lane)

    def take_lane(item: str) -> Outcome:
        lane = free.get()
        try:
            return work(item, lane)
        finally:
            free.put(lane)

    with ThreadPoolExecutor(max_workers=len(lanes)) as pool:
        return dict(zip(items, pool.map(take_lane, items), strict=True))
