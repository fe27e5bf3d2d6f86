# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tokens of a task that has replicas: the source and the others, each worked with by a process of its own."""

from __future__ import annotations

import concurrent.futures
import functools
import itertools
import threading
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import worker
from ansible_collections.cryptoki.hsm.plugins.module_utils._host.threads import Threads
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import transfer
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.session import WorkerSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

T = t.TypeVar("T")


class Token:
    """One token, and how it fares: `error` is why it takes no part at the moment."""

    def __init__(self, name: str, provider: Pkcs11Provider, writable: bool) -> None:
        self.name = name
        self.provider = provider
        self.error: errors.HsmError | None = None
        self._writable = writable
        self._session: WorkerSession | None = None

    @property
    def reached(self) -> bool:
        """Whether there is a session with it."""
        return self._session is not None and self._session.opened

    @property
    def may_come(self) -> bool:
        """Whether it may fare better another time."""
        return not (self.error and self.error.final)

    def set_apart(self, error: errors.HsmError) -> None:
        """It takes no part any more, and why."""
        self.error = error
        error.final = True

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

    def start(self) -> None:
        """Forks its process, which does nothing yet."""
        self.close()
        enter = functools.partial(self.provider.unlocked_session, writable=self._writable)
        self._session = WorkerSession(self.name, worker.Worker(enter))

    def close(self) -> None:
        """Ends its process, if it has one."""
        if self._session is not None:
            self._session.close()

    def __str__(self) -> str:
        return f"node '{self.name}'"


class Group:
    """All tokens of a task, the source first."""

    def __init__(self, tokens: t.Sequence[Token]) -> None:
        self.all = tuple(tokens)
        self.source = self.all[0]
        self._connected: set[tuple[WorkerSession, WorkerSession, transfer.Way]] = set()
        self._connecting = threading.Lock()

    def reach(self, tokens: t.Sequence[Token], deadline: worker.Deadline) -> None:
        """Logs in to those that have no session; never to one whose login failed.

        Tokens in one storage of SoftHSM take turns, because a login there disturbs a process that starts (trap T5).
        """
        wanted = [token for token in tokens if not token.reached and token.may_come]
        for token in wanted:  # all before the first thread: a fork copies locks that other threads hold
            token.start()
        storages: dict[str, list[Token]] = {}
        for token in wanted:
            storages.setdefault(token.provider.lock_key, []).append(token)
        for turn in itertools.zip_longest(*storages.values()):
            self.each([token for token in turn if token], lambda token: token.session.open(), deadline)
        self._refuse_same_token()

    def each(
        self, tokens: t.Sequence[Token], work: t.Callable[[Token], T], deadline: worker.Deadline
    ) -> dict[Token, T]:
        """What `work` gives for each token, all at once; a token that fails has its error, and no result."""
        results: dict[Token, T] = {}
        if not tokens:
            return results
        with Threads(len(tokens)) as threads:
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

    def connect(self, donor: Token, token: Token, way: transfer.Way) -> None:
        """Sees to it that both sessions have the same key-encryption key; it serves all pairs of the task."""
        parties = donor.session, token.session, way
        with self._connecting:
            connected = parties in self._connected
        if connected:
            return
        replica, source = token.session.transfer, donor.session.transfer
        replica.settle(donor.name, way, source.answer(token.name, way, replica.offer(donor.name, way)))
        with self._connecting:
            self._connected.add(parties)

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
