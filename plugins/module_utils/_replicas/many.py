# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many pairs on several tokens under one login each, several at once on each of them."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import threads, worker
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.entries import Entry
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import index, many, reconcile
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import Staged
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas import copies
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.replicate import Replicated
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.tokens import Group
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.turns import Turns
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

Bring = t.Callable[[Group, Entry], Staged[Replicated]]
Report = t.Callable[[many.Done], None]
# So many times `parallel` pairs are made before they are looked for again, and copied: a source that is lost meanwhile
# costs no more than these.
_MADE_FIRST = 8
_OTHER_FILES = 64  # descriptors for all else than the tokens


def most_at_once(tokens: int) -> int:
    """For how many pairs there are descriptors: each has a pipe to each token, and each token a lock.

    While the process of a token starts, the other ends of its pipes are open, too.
    """
    return max(1, (os.sysconf("SC_OPEN_MAX") - _OTHER_FILES) // (tokens + 1) - 1)


def replicate_many(
    group: Group, entries: t.Sequence[Entry], bring: Bring, parallel: int, report: Report, one_look: bool = False
) -> list[many.Done]:
    """Brings each pair into its state, `parallel` at once; `report` is told of each when it is done.

    The first one is alone: it logs in, and finds out which tokens cannot be reached. For several at once, or with
    `one_look`, all others are then looked for at once.
    """
    alone = entries[:1] if parallel > 1 or one_look else entries
    every: dict[int, many.Done] = {}
    for entry in alone:
        every[entry.number] = reconcile.finished(_brought(entry, bring(group, entry)))
        report(every[entry.number])
    rest = entries[len(alone) :]
    if rest:
        every |= _at_once(group, rest, bring, parallel, report)
    return many.told_apart([every[entry.number] for entry in entries], report)


def _brought(entry: Entry, stages: Staged[Replicated]) -> Staged[many.Done]:
    try:
        pair = yield from stages
    except errors.HsmError as error:
        return many.Done(entry, error=error)
    return many.Done(entry, pair.outcome, nodes=pair.nodes, on_tokens=pair.on_tokens)


def _at_once(
    group: Group, entries: t.Sequence[Entry], bring: Bring, parallel: int, report: Report
) -> dict[int, many.Done]:
    """How each token fares with one pair is no other's matter."""
    reached = [token for token in group.all if token.reached]
    group.each(reached, lambda token: token.session.look_at_all(len(entries)), worker.Deadline())
    turns = Turns()
    groups = {entry.number: group.beside(turns.alone) for entry in entries}
    every: dict[int, many.Done] = {}
    waiting: dict[int, Staged[many.Done]] = {}
    try:
        with threads.Threads(parallel) as started:
            for first in range(0, len(entries), _MADE_FIRST * parallel):
                batch = entries[first : first + _MADE_FIRST * parallel]
                waiting.update((entry.number, _brought(entry, bring(groups[entry.number], entry))) for entry in batch)
                while waiting:
                    for number, done in _gone_on(started, turns, waiting, report):
                        every[number] = done
                        del waiting[number]
                    since = _identities(group, len(waiting)) if waiting else None
                    for number in waiting:
                        groups[number].since = since
    finally:  # after a bug of ours: what was made for others goes, too
        with contextlib.ExitStack() as ended:
            for stages in waiting.values():
                ended.callback(stages.close)
    group.learn([groups[entry.number] for entry in entries])
    return every


def _gone_on(
    started: threads.Threads, turns: Turns, waiting: t.Mapping[int, Staged[many.Done]], report: Report
) -> list[tuple[int, many.Done]]:
    """Goes on with each until its next stop; those that came to their end."""

    def work(stages: Staged[many.Done]) -> many.Done | None:
        with turns.work():
            return copies.end_of(stages)

    ended = []
    running = {started.submit(work, stages): number for number, stages in waiting.items()}
    try:
        for future in concurrent.futures.as_completed(running):
            done = future.result()
            if done:
                ended.append((running[future], done))
                with turns.work():
                    report(done)
    finally:  # after a bug of ours: what waits is not begun
        for future in running:
            future.cancel()
    return ended


def _identities(group: Group, pairs: int) -> index.KeyIndex | None:
    """What is on the source by now, one look for all that were made; None where each looks for itself."""
    group.source.learn()
    if not group.source.reached:
        return None
    read = group.each([group.source], lambda token: token.session.identities(pairs), worker.Deadline())
    return read.get(group.source)
