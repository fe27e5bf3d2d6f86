# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many pairs under one login: each goes the way of a single one (`reconcile.py`), several at once."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import queue
import threading
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.threads import Threads
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.entries import Entry
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Node, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import reconcile
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.index import IndexedSession, KeyIndex, index_of
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors

# After one of these nothing more can be had from the token in this run (PKCS#11 3.1, section 5.1.5).
_END = (
    "CKR_CRYPTOKI_NOT_INITIALIZED",
    "CKR_DEVICE_ERROR",
    "CKR_DEVICE_REMOVED",
    "CKR_SESSION_CLOSED",
    "CKR_SESSION_HANDLE_INVALID",
    "CKR_TOKEN_NOT_PRESENT",
    "CKR_USER_NOT_LOGGED_IN",
)


@dataclasses.dataclass(frozen=True)
class Done:
    """What became of an entry: an outcome, or the error, or neither while its new pair is to be looked for again.

    `made`: beside an error, that a new pair is there all the same. `nodes`: each token's state, and `on_tokens` what
    was done on it, where there are several.
    """

    entry: Entry
    outcome: reconcile.Outcome | None = None
    error: errors.HsmError | None = None
    made: bool = False
    nodes: tuple[Node, ...] = ()
    on_tokens: t.Mapping[str, reconcile.Outcome] = dataclasses.field(default_factory=dict)


class _Sessions:
    """The session of the login and further ones for threads, each lent to one at a time."""

    def __init__(self, login: TokenSession, opened: contextlib.ExitStack) -> None:
        self._login = login
        self._opened = opened
        self._free: queue.SimpleQueue[TokenSession] = queue.SimpleQueue()
        self._free.put(login)
        self._room = True
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def lent(self) -> t.Iterator[t.Callable[[], TokenSession]]:
        """A function that takes a session when it is first called, and gives the same one from then on."""
        taken: list[TokenSession] = []

        def session() -> TokenSession:
            if not taken:
                taken.append(self._take())
            return taken[0]

        try:
            yield session
        finally:
            for one in taken:
                self._free.put(one)

    def _take(self) -> TokenSession:
        with contextlib.suppress(queue.Empty):
            return self._free.get_nowait()
        with self._lock:
            try:
                if self._room:
                    return self._opened.enter_context(self._login.further())
            except errors.TokenError as error:
                if error.ckr != "CKR_SESSION_COUNT":
                    raise
                self._room = False
        return self._free.get()


class _Task:
    """The work on one entry, which goes on from stop to stop."""

    def __init__(self, entry: Entry, login: TokenSession, check_mode: bool) -> None:
        self._entry = entry
        self._session = IndexedSession(login)
        self._stages = reconcile.Reconciliation(self._session, entry.wish, check_mode).stages(entry.state)
        self._made = False

    def go_on(self, index: KeyIndex | None, taken: t.Callable[[], TokenSession], end: list[errors.HsmError]) -> Done:
        """Works until the next stop. An error is that of the entry; one that ends everything goes to `end`."""
        entry = self._entry
        if end:
            return Done(entry, error=self._ended(end[0]), made=self._made)
        try:
            self._session.resume(index, taken)
            next(self._stages)
        except StopIteration as stop:
            return Done(entry, stop.value)
        except errors.HsmError as error:
            if error.data.get("ckr") in _END and not end:
                end.append(error)
            return Done(entry, error=error)
        self._made = True
        return Done(entry)

    def _ended(self, error: errors.HsmError) -> errors.HsmError:
        what = "Made a new pair, and did not finish" if self._made else "Did not begin with"
        return errors.HsmError(f"{what} {self._entry.wish}, because of an earlier error. {error.msg}", **error.data)


def reconcile_many(
    login: TokenSession,
    entries: t.Sequence[Entry],
    check_mode: bool,
    parallel: int,
    report: t.Callable[[Done], None],
) -> list[Done]:
    """Brings each pair into its state, `parallel` at once; `report` is told of each when it is made or done.

    All new pairs are made first, and then looked for again at once, with what another host may have made meanwhile.
    """
    tasks = [_Task(entry, login, check_mode) for entry in entries]
    every: dict[int, Done] = {}
    end: list[errors.HsmError] = []
    lock = threading.Lock()

    def work(waiting: t.Iterator[_Task], index: KeyIndex | None) -> list[_Task]:
        """Takes the next task, until there is none; the answer is those that stopped."""
        stopped: list[_Task] = []
        with sessions.lent() as taken:
            while True:
                with lock:
                    task = next(waiting, None)
                if not task:
                    return stopped
                done = task.go_on(index, taken, end)
                with lock:
                    if done.entry.number not in every or done.error:
                        report(done)
                    every[done.entry.number] = done
                if not (done.outcome or done.error):
                    stopped.append(task)

    with contextlib.ExitStack() as opened, Threads(parallel) as threads:
        sessions = _Sessions(login, opened)
        read = None
        while tasks:
            index = index_of(login, len(tasks), read)
            read = attributes.IDENTITY  # that another host made no pair of the same name, its identity tells
            waiting = iter(tasks)
            running = [threads.submit(work, waiting, index) for dummy in tasks[:parallel]]
            try:
                tasks = [task for future in concurrent.futures.as_completed(running) for task in future.result()]
            finally:  # after a bug of ours: what waits is not begun
                with lock:
                    tuple(waiting)
    return told_apart([every[entry.number] for entry in entries], report)


def told_apart(every: t.Sequence[Done], report: t.Callable[[Done], None]) -> list[Done]:
    """Of entries that turned out to name one pair, by its label and by its id for instance, the later one fails.

    What the one did may be undone by the other, so that neither result can be relied on.
    """
    named: dict[str, Entry] = {}
    told = []
    for done in every:
        pairs = (done.outcome.before, done.outcome.after) if done.outcome else ()
        prints = {pair.fingerprint for pair in pairs if pair and pair.fingerprint}
        other = next((named[fingerprint] for fingerprint in prints if fingerprint in named), None)
        if other:
            msg = f"{other.option} names the same pair as {done.entry.option}: {other.wish} is {done.entry.wish}."
            done = dataclasses.replace(done, error=errors.HsmError(f"{msg} What was done stays; name each pair once."))
            report(done)
        named.update((fingerprint, done.entry) for fingerprint in prints)
        told.append(done)
    return told
