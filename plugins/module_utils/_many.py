# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many pairs under one login: each goes the way of a single one (C(_reconcile.py)), several at once.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import queue
import threading
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._entries import Entry
from ansible_collections.cryptoki.hsm.plugins.module_utils._errors import HsmError, TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._index import IndexedSession, KeyIndex, index_of
from ansible_collections.cryptoki.hsm.plugins.module_utils._providers.base import TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import Outcome, reconcile

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
    """What became of an entry: an outcome, or the error."""

    entry: Entry
    outcome: Outcome | None = None
    error: HsmError | None = None


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
            except TokenError as error:
                if error.ckr != "CKR_SESSION_COUNT":
                    raise
                self._room = False
        return self._free.get()


class _Work:
    """The entries of one run on one token."""

    def __init__(self, login: TokenSession, sessions: _Sessions, index: KeyIndex | None, check_mode: bool) -> None:
        self._login = login
        self._sessions = sessions
        self._index = index
        self._check_mode = check_mode
        self._end: HsmError | None = None

    def on(self, entry: Entry) -> Done:
        """Brings one pair into its state. An error is that of the entry, and the others go on."""
        if self._end:
            token = self._login.token_name
            reason = (
                f"Did not attempt {entry.wish} on the token '{token}', because of an earlier error: {self._end.msg}"
            )
            return Done(entry, error=HsmError(reason, **self._end.data))
        try:
            with self._sessions.lent() as session:
                indexed = IndexedSession(self._index, self._login, session)
                return Done(entry, reconcile(indexed, entry.wish, entry.state, self._check_mode))
        except HsmError as error:
            if error.data.get("ckr") in _END:
                self._end = error
            return Done(entry, error=error)


def reconcile_many(
    login: TokenSession,
    entries: t.Sequence[Entry],
    check_mode: bool,
    parallel: int,
    report: t.Callable[[Done], None],
) -> list[Done]:
    """Brings each pair into its state, C(parallel) at once, and calls C(report) after each; the order is kept."""
    with contextlib.ExitStack() as opened:
        work = _Work(login, _Sessions(login, opened), index_of(login, len(entries)), check_mode)
        if parallel == 1:
            return [_reported(work.on(entry), report) for entry in entries]
        with concurrent.futures.ThreadPoolExecutor(parallel) as threads:
            running = [threads.submit(work.on, entry) for entry in entries]
            try:
                for finished in concurrent.futures.as_completed(running):
                    report(finished.result())
            finally:  # a bug of ours in one thread: what waits is not begun
                threads.shutdown(cancel_futures=True)
            return [finished.result() for finished in running]


def _reported(done: Done, report: t.Callable[[Done], None]) -> Done:
    report(done)
    return done
