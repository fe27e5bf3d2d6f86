# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tokens of a task that has replicas: the source and the others, each worked with by a process of its own."""

from __future__ import annotations

import concurrent.futures
import contextlib
import copy
import functools
import itertools
import os
import threading
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import worker
from ansible_collections.cryptoki.hsm.plugins.module_utils._host.threads import Threads
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import transfer
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import index
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.session import WorkerSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

T = t.TypeVar("T")


class _Newest:
    """What is known of a token to all pairs that are worked on at the same time.

    `session`: the last one. `error`: why it is not to be reached any more, its refused login for instance.
    """

    session: WorkerSession | None = None
    error: errors.HsmError | None = None


class Token:
    """One token, and how it fares with a pair: `error` is why it takes no part at the moment."""

    def __init__(self, name: str, provider: Pkcs11Provider, writable: bool, sessions: int = 1) -> None:
        self.name = name
        self.provider = provider
        self.error: errors.HsmError | None = None
        self._writable = writable
        self._sessions = sessions
        self._session: WorkerSession | None = None
        self._newest = _Newest()

    def beside(self) -> Token:
        """The same for another pair at the same time: how the token fares with that one is its own."""
        return copy.copy(self)

    @property
    def reached(self) -> bool:
        """Whether there is a session with it."""
        return self._session is not None and self._session.opened

    @property
    def wanting(self) -> bool:
        """Whether it has no session, and may get one."""
        return not self.reached and self.may_come

    @property
    def may_come(self) -> bool:
        """Whether it may fare better another time."""
        return not (self.error and self.error.final)

    def set_apart(self, error: errors.HsmError) -> None:
        """It takes no part any more, and why."""
        self.error = error
        error.final = True
        self.tell()

    @property
    def session(self) -> WorkerSession:
        """The session; raises why there is none."""
        if self._session is None:
            raise self.error or errors.HsmError(f"There is no session with the node '{self.name}'.")
        return self._session

    @property
    def uri_attributes(self) -> dict[str, str]:
        """The path attributes of the token in an RFC 7512 URI, as far as it was ever reached."""
        return dict(getattr(self._session, "uri_attributes", {}))

    def start(self) -> bool:
        """Forks its process, which does nothing yet, if there is room."""
        self.close()
        threads = self._sessions > 1
        enter = functools.partial(self.provider.unlocked_session, writable=self._writable, threads=threads)
        try:
            self._session = self._newest.session = WorkerSession(self.name, worker.Worker(enter, self._sessions))
        except OSError as error:
            told = f"nothing, for this host has no room for its process ({os.strerror(error.errno or 0)})"
            hint = "raise this user's limits of open files and processes"
            self.error = worker.WorkerLost(f"begin with the node '{self.name}'", said=told, hint=hint)
            return False
        return True

    def tell(self) -> None:
        """Other pairs do not try to reach it again, either, where that is final."""
        if not self.reached and not self.may_come:
            self._newest.error = self.error

    def learn(self) -> None:
        """What became of it with another pair, where it has no session: another one, or none any more."""
        if not self.reached:
            self._session = self._newest.session
            self.error = None if self.reached else self._newest.error or self.error

    def fare_as(self, other: Token) -> None:
        """Takes over how the same token fared with another pair; once it is lost, any reason tells more than none."""
        self._session = self._newest.session
        if other.error or self.reached:
            self.error = other.error

    def close(self) -> None:
        """Ends its process, if it has one."""
        if self._newest.session is not None:
            self._newest.session.close()

    def __str__(self) -> str:
        return f"node '{self.name}'"


class _Connection:
    """The key-encryption key that two tokens have in common, which one pair makes and others wait for."""

    def __init__(self) -> None:
        self.making = threading.Lock()
        self.keks: Keks | None = None


class Keks(t.NamedTuple):
    """The handle of the same key-encryption key on two tokens."""

    donor: int
    token: int


class Group:
    """All tokens of a task, the source first."""

    def __init__(self, tokens: t.Sequence[Token]) -> None:
        self.all = tuple(tokens)
        self.source = self.all[0]
        self._connections: dict[tuple[WorkerSession, WorkerSession, transfer.Way], _Connection] = {}
        self._connecting = threading.Lock()
        # What the source has, as it was read after the pair that is at work here was made.
        self.since: index.KeyIndex | None = None
        # Nothing else is done while a process begins.
        self._alone: t.Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext

    def beside(self, alone: t.Callable[[], contextlib.AbstractContextManager[None]]) -> Group:
        """The same tokens and processes for another pair at the same time; `alone` as in `Turns`."""
        other = copy.copy(self)
        other.all = tuple(token.beside() for token in self.all)
        other.source = other.all[0]
        other._alone = alone
        return other

    def learn(self, others: t.Iterable[Group]) -> None:
        """How the tokens fared in the end with the pairs of `others`."""
        for other in others:
            for token, same in zip(self.all, other.all, strict=True):
                token.fare_as(same)

    def reach(self, tokens: t.Sequence[Token], deadline: worker.Deadline) -> None:
        """Logs in to those that have no session; never to one whose login failed.

        Tokens in one storage of SoftHSM take turns, because a login there disturbs a process that starts (trap T5).
        """
        if any(token.wanting for token in tokens):
            with self._alone():
                for token in tokens:
                    token.learn()
                self._open([token for token in tokens if token.wanting], deadline)
        self._refuse_same_token()

    def _open(self, wanted: t.Sequence[Token], deadline: worker.Deadline) -> None:
        # All before the first thread: a fork copies locks that other threads hold.
        started = [token for token in wanted if token.start()]
        storages: dict[str, list[Token]] = {}
        for token in started:
            storages.setdefault(token.provider.lock_key, []).append(token)
        for turn in itertools.zip_longest(*storages.values()):
            self.each([token for token in turn if token], lambda token: token.session.open(), deadline)
        for token in wanted:
            token.tell()

    def each(
        self, tokens: t.Sequence[Token], work: t.Callable[[Token], T], deadline: worker.Deadline
    ) -> dict[Token, T]:
        """What `work` gives for each token, all at once; a token that fails has its error, and no result."""
        results: dict[Token, T] = {}
        if not tokens:
            return results
        with Threads(len(tokens) if len(tokens) > 1 else 0) as threads:  # one needs no thread of its own
            for token in tokens:
                token.error = None
                token.session.deadline = deadline
            running = {threads.submit(work, token): token for token in tokens}
            for future in concurrent.futures.as_completed(running):
                token = running[future]
                try:
                    results[token] = future.result()
                except errors.HsmError as error:
                    token.error = error
        return {token: results[token] for token in tokens if token in results}  # in this order, whoever was first

    def source_last(
        self, tokens: t.Collection[Token], work: t.Callable[[Token], T], deadline: worker.Deadline
    ) -> dict[Token, T]:
        """As `each`, the source only after all others have done it."""
        replicas = self.replicas(tokens)
        done = self.each(replicas, work, deadline)
        if len(done) == len(replicas) and self.source in tokens:
            done |= self.each([self.source], work, deadline)
        return done

    def replicas(self, tokens: t.Iterable[Token]) -> list[Token]:
        """These tokens, less the source."""
        return [token for token in tokens if token is not self.source]

    def without(self, tokens: t.Container[Token]) -> list[Token]:
        """All tokens but these."""
        return [token for token in self.all if token not in tokens]

    def reasons(self, failed: t.Iterable[Token]) -> str:
        """Why these take no part, for a message."""
        return " ".join(f"Node '{token.name}': {token.error or 'it does not have the pair.'}" for token in failed)

    def refuse_refusals(self, tokens: t.Iterable[Token]) -> None:
        """A wish that a token refuses is no fault of the token, and fails the task however many others there are."""
        for token in tokens:
            if token.error and not isinstance(token.error, errors.TokenError):
                raise token.error

    def connect(self, donor: Token, token: Token, way: transfer.Way) -> Keks:
        """The key-encryption key of both; it serves all pairs of the task."""
        with self._connecting:
            connection = self._connections.setdefault((donor.session, token.session, way), _Connection())
        with connection.making:  # another pair may be about it
            if connection.keks is None:
                replica, source = token.session.transfer, donor.session.transfer
                offer, transport = replica.offer(way)
                answer, kek = source.answer(way, offer)
                connection.keks = Keks(kek, replica.settle(way, transport, answer))
            return connection.keks

    def _refuse_same_token(self) -> None:
        """One token under two names would make its own replica."""
        seen: dict[t.Hashable, Token] = {}
        for token in self.all:
            if token.reached and not token.error:
                names = token.session.uri_attributes
                # What has a serial number may be in another slot of p11-kit's; not all tokens have one (NSS: zeros).
                slot = None if names.get("serial", "").strip("0") else token.session.slot_id
                told = (token.provider.lock_key, slot, *sorted(names.items()))
                other = seen.setdefault(told, token)
                if other is not token:
                    why = f"they are the same token '{token.session.token_name}'"
                    raise errors.HsmError.refused(f"use the {other} and the {token}", why, "Name each token once.")
