# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many pairs on several tokens under one login each: while one token works on a pair, the others work on others."""

from __future__ import annotations

import concurrent.futures
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import threads, worker
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.entries import Entry
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import many
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.replicate import Replicated
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.tokens import Group
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.turns import Turns
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

Bring = t.Callable[[Group, Entry], Replicated]


def replicate_many(
    group: Group, entries: t.Sequence[Entry], bring: Bring, parallel: int, report: t.Callable[[many.Done], None]
) -> list[many.Done]:
    """Brings each pair into its state, `parallel` at once; `report` is told of each when it is done.

    The first one is alone: it logs in, and finds out which tokens cannot be reached.
    """
    alone = entries[:1] if parallel > 1 else entries
    every: dict[int, many.Done] = {}
    for entry in alone:
        every[entry.number] = _brought(group, entry, bring)
        report(every[entry.number])
    rest = entries[len(alone) :]
    if rest:
        every |= _at_once(group, rest, bring, parallel, report)
    return many.told_apart([every[entry.number] for entry in entries], report)


def _brought(group: Group, entry: Entry, bring: Bring) -> many.Done:
    try:
        pair = bring(group, entry)
    except errors.HsmError as error:
        return many.Done(entry, error=error)
    return many.Done(entry, pair.outcome, nodes=pair.nodes, on_tokens=pair.on_tokens)


def _at_once(
    group: Group, entries: t.Sequence[Entry], bring: Bring, parallel: int, report: t.Callable[[many.Done], None]
) -> dict[int, many.Done]:
    """Each token works on one pair at a time, as its session has to; how it fares with one is no other's matter."""
    reached = [token for token in group.all if token.reached]
    group.each(reached, lambda token: token.session.look_at_all(len(entries)), worker.Deadline())
    turns = Turns()
    groups = {entry.number: group.beside(turns.alone) for entry in entries}

    def work(entry: Entry) -> many.Done:
        with turns.work():
            return _brought(groups[entry.number], entry, bring)

    every: dict[int, many.Done] = {}
    with threads.Threads(parallel) as started:
        running = [started.submit(work, entry) for entry in entries]
        try:
            for future in concurrent.futures.as_completed(running):
                done = future.result()
                every[done.entry.number] = done
                with turns.work():
                    report(done)
        finally:  # after a bug of ours: what waits is not begun
            for future in running:
                future.cancel()
    group.learn([groups[entry.number] for entry in entries])
    return every
