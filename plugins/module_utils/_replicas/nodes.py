# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tokens of a task that has replicas: the source and the others, each worked with by a process of its own.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import itertools
import threading
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.threads import Threads
from ansible_collections.cryptoki.hsm.plugins.module_utils._host.worker import Deadline, Worker
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.transfer import Way
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider, locked
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.session import MemberSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError

T = t.TypeVar("T")


class Member:
    """One token, and how it fares: C(error) is why it takes no part at the moment."""

    def __init__(self, name: str, provider: Pkcs11Provider, writable: bool) -> None:
        self.name = name
        self.provider = provider
        self.error: HsmError | None = None
        self._writable = writable
        self._session: MemberSession | None = None

    @property
    def reached(self) -> bool:
        """Whether there is a session with it."""
        return self._session is not None and self._session.opened

    @property
    def session(self) -> MemberSession:
        """The session; raises why there is none."""
        if self._session is None:
            raise self.error or HsmError(f"There is no session with the node '{self.name}'.")
        return self._session

    @property
    def uri_attributes(self) -> dict[str, str]:
        """The path attributes of the token in an RFC 7512 URI, as far as it was ever reached."""
        return dict(getattr(self._session, "uri_attributes", {}))

    def start(self) -> None:
        """Forks its process, which does nothing yet."""
        self.close()
        enter = functools.partial(self.provider.unlocked_session, writable=self._writable)
        self._session = MemberSession(self.name, Worker(enter))

    def close(self) -> None:
        """Ends its process, if it has one."""
        if self._session is not None:
            self._session.close()

    def __str__(self) -> str:
        return f"node '{self.name}'"


class Group:
    """All nodes of a task, the source first."""

    def __init__(self, nodes: t.Sequence[Member]) -> None:
        self.all = tuple(nodes)
        self.source = self.all[0]
        self._connected: set[tuple[MemberSession, MemberSession, Way]] = set()
        self._connecting = threading.Lock()

    def reach(self, nodes: t.Sequence[Member], deadline: Deadline) -> None:
        """Logs in to those that have no session; never to one whose login failed.

        Nodes in one storage of SoftHSM take turns, because a login there disturbs a process that starts (trap T5).
        """
        wanted = [node for node in nodes if not node.reached and not (node.error and node.error.final)]
        for node in wanted:  # all before the first thread: a fork copies locks that other threads hold
            node.start()
        groups = itertools.groupby(sorted(wanted, key=_storage), key=_storage)
        turns = [list(members) for _storage_key, members in groups]
        for turn in itertools.zip_longest(*turns):
            self.each([node for node in turn if node], lambda node: node.session.open(), deadline)
        self._refuse_same_token()

    def each(self, nodes: t.Sequence[Member], work: t.Callable[[Member], T], deadline: Deadline) -> dict[Member, T]:
        """What C(work) gives for each node, all at once; a node that fails has its error, and no result."""
        results: dict[Member, T] = {}
        if not nodes:
            return results
        with Threads(len(nodes)) as threads:
            for node in nodes:
                node.error = None
                node.session.deadline = deadline
            running = {threads.submit(work, node): node for node in nodes}
            for future in concurrent.futures.as_completed(running):
                node = running[future]
                try:
                    results[node] = future.result()
                except HsmError as error:
                    node.error = error
        return {node: results[node] for node in nodes if node in results}  # in this order, whoever was first

    def connect(self, donor: Member, node: Member, way: Way) -> None:
        """Sees to it that both sessions have the same key-encryption key; it serves all pairs of the task."""
        parties = donor.session, node.session, way
        with self._connecting:
            connected = parties in self._connected
        if connected:
            return
        offer = node.session.offer(donor.name, way)
        node.session.settle(donor.name, way, donor.session.answer(node.name, way, offer))
        with self._connecting:
            self._connected.add(parties)

    def _refuse_same_token(self) -> None:
        """One token under two names would make its own replica."""
        seen: dict[t.Hashable, Member] = {}
        for node in self.all:
            if node.reached and not node.error:
                told = (node.provider.lock_key, node.session.slot_id, *sorted(node.session.uri_attributes.items()))
                other = seen.setdefault(told, node)
                if other is not node:
                    raise HsmError(
                        f"Refused to use the {other} and the {node}: they are the same token"
                        f" '{node.session.token_name}'. Name each token once."
                    )


def _storage(node: Member) -> str:
    return node.provider.lock_key


@contextlib.contextmanager
def opened_group(
    providers: t.Mapping[str, Pkcs11Provider], lock_timeout: float, *, writable: bool
) -> t.Iterator[Group]:
    """The nodes by name, under the locks of this host for all of them, and no process of theirs afterwards."""
    nodes = Group([Member(name, provider, writable) for name, provider in providers.items()])
    with locked(list(providers.values()), lock_timeout):
        try:
            yield nodes
        finally:
            for node in nodes.all:
                node.close()
