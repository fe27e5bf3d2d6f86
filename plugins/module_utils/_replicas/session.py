# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session that a worker process has, used from here: every call goes through its pipe and ends at the deadline."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.worker import Deadline, Worker, WorkerLost
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair, session
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import transfer as pair_transfer
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import transfer
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import index
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import certificate

# What the steps of a transfer attempt; `{2}` is the third argument.
_STEPS = {
    "able": "list the mechanisms",
    "offer": "make a transport key",
    "answer": "make a wrapping key",
    "settle": "unwrap a wrapping key",
    "wrap": "wrap {2}",
    "receive": "store the copy",
}


class _RemoteTransfer:
    """The `Transfer` of the worker's session: each step is called there."""

    def __init__(self, call: t.Callable[..., t.Any]) -> None:
        self._call = call
        self._able: pair_transfer.Able | None = None

    def able(self) -> pair_transfer.Able:
        """As the step of that name; it is the same for all pairs, and asked once."""
        if self._able is None:
            self._able = t.cast(pair_transfer.Able, self._call(_STEPS["able"], "transfer.able"))
        return self._able

    def __getattr__(self, step: str) -> t.Callable[..., t.Any]:
        return lambda *arguments: self._call(_STEPS[step].format(*arguments), f"transfer.{step}", *arguments)


class WorkerSession(session.TokenSession):
    """The session of one token. `open` logs in; nothing else does, and never twice."""

    slot_id: int

    def __init__(self, name: str, worker: Worker) -> None:
        self._name = name
        self._worker = worker
        self._opened = False
        self._index: index.KeyIndex | None = None
        self._whole = self._own = False
        self.deadline = Deadline()
        self.transfer = t.cast(transfer.Transfer, _RemoteTransfer(self._call))

    def open(self) -> None:
        """Lets the worker load, choose the token and log in; what it answers with is known here from then on.

        Where the library allows threads, and several pairs are to be worked on, it opens further sessions, too.
        """
        try:
            introduction = self._call("reach the token", "introduction")
            if introduction["threads"]:
                self._worker.widen(f"open further sessions with the node '{self._name}'", self.deadline)
        except errors.HsmError as error:
            error.final |= isinstance(error, WorkerLost)  # it may have been lost in the middle of the login
            self.close()
            raise
        for name, value in introduction.items():
            setattr(self, name, value)
        self._opened = True

    @property
    def opened(self) -> bool:
        """Whether there is a session, and a process that has it."""
        return self._opened and not self._worker.lost

    def look_at_all(self, pairs: int) -> None:
        """Reads what is there once, where so many pairs are wished that this costs fewer calls than to search each."""
        self._index = index.index_of(self, pairs)

    def identities(self, pairs: int) -> index.KeyIndex | None:
        """What tells keys from each other, read once for so many new pairs where that costs fewer calls."""
        return index.index_of(self, pairs, attributes.IDENTITY)

    @property
    def searched(self) -> session.TokenSession:
        """The session for the first look at a pair: what was read for all is searched, until something is done."""
        if self._index is None:
            return self
        searched = index.IndexedSession(self)
        searched.resume(self._index, lambda: self)
        return searched

    def close(self) -> None:
        """Logs out and ends the process."""
        self._worker.close()

    def _call(self, what: str, name: str, *arguments: t.Any) -> t.Any:
        return self._worker.call(f"{what} on the node '{self._name}'", self.deadline, name, *arguments)

    def find(self, query: session.Query) -> list[keypair.TokenObject]:
        return t.cast("list[keypair.TokenObject]", self._call("search", "find", query))

    def find_halves(self, names: t.Mapping[str, t.Any]) -> list[keypair.TokenObject]:
        return t.cast("list[keypair.TokenObject]", self._call("search", "find_halves", names))

    def check_absence(self) -> None:
        """The worker's session looks once, too, and answers the same from then on."""
        if not self._whole:
            self._call("look at the storage", "check_absence")
            self._whole = True

    def tell_damage(self) -> tuple[str, ...]:
        return t.cast("tuple[str, ...]", self._call("look at the storage", "tell_damage"))

    def check_making(self, what: str) -> None:
        """Whose the storage is does not change in a task."""
        if not self._own:
            self._call("look at the storage", "check_making", what)
            self._own = True

    def look_anew(self) -> None:
        pass  # every search asks the token

    def survey(self, query: session.Query, at_most: int | None = None) -> list[keypair.TokenObject] | None:
        return t.cast("list[keypair.TokenObject] | None", self._call("search", "survey", query, at_most))

    def certificates(self, label: str | None = None, identifier: bytes | None = None) -> list[certificate.Certificate]:
        return t.cast("list[certificate.Certificate]", self._call("search", "certificates", label, identifier))

    def set_certificate_id(self, found: certificate.Certificate, identifier: bytes) -> None:
        self._call(f"change {found}", "set_certificate_id", found, identifier)

    def destroy_certificate(self, found: certificate.Certificate) -> None:
        self._call(f"remove {found}", "destroy_certificate", found)

    def further(self) -> contextlib.AbstractContextManager[session.TokenSession]:
        raise errors.HsmError(f"The node '{self._name}' has one session.")

    def check_generation(self, wish: Wish) -> None:
        self._call(f"look whether {wish} can be generated", "check_generation", wish)

    def generate(self, wish: Wish) -> keypair.KeyPair:
        return t.cast(keypair.KeyPair, self._call(f"generate {wish}", "generate", wish))

    def read(self, found: keypair.TokenObject) -> keypair.TokenObject:
        return t.cast(keypair.TokenObject, self._call(f"read {found}", "read", found))

    def set_attributes(
        self, found: keypair.TokenObject, values: t.Mapping[str, attributes.Value]
    ) -> keypair.TokenObject:
        return t.cast(keypair.TokenObject, self._call(f"change {found}", "set_attributes", found, values))

    def freeze(self, found: keypair.TokenObject, values: t.Mapping[str, bool]) -> keypair.TokenObject:
        return t.cast(keypair.TokenObject, self._call(f"change {found}", "freeze", found, values))

    def destroy(self, found: keypair.TokenObject) -> None:
        self._call(f"remove {found}", "destroy", found)

    def barred(self, pair: keypair.KeyPair) -> str | None:
        return t.cast("str | None", self._call(f"look whether {pair} can be used", "barred", pair))

    def prove(self, wish: Wish, pair: keypair.KeyPair, passive: bool = False) -> session.Proof:
        return t.cast(session.Proof, self._call(f"prove {wish}", "prove", wish, pair, passive))
