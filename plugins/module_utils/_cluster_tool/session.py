# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session with a cluster, whichever of its tools is driven: the contract, as far as it is the same for both."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import functools
import time
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import (
    expectation,
    keypair,
    session,
    undoing,
    vendor_limits,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import HALVES, PRIVATE, KeyClass

_POLL = 1.0  # seconds between two looks at the cluster


class ToolSession(session.TokenSession):
    """One crypto user's view of one cluster."""

    by_value = False

    # What a search that finds nothing says of a generation that failed.
    nothing_left: t.ClassVar[str]
    # Seconds that a new pair has for min_servers where the task says none.
    patience: t.ClassVar[float]
    # The handles of the pairs that were made here, and of those that were seen on as many HSMs as wished.
    _made: frozenset[int] = frozenset()
    _counted: frozenset[int] = frozenset()

    def further(self) -> contextlib.AbstractContextManager[session.TokenSession]:
        return contextlib.nullcontext(self)

    @abc.abstractmethod
    def place(self, handle: int) -> str:
        """How a message names a key by its handle."""

    @abc.abstractmethod
    def read(self, found: keypair.TokenObject) -> keypair.TokenObject:
        """A key as it is now; raises `TokenError` where it is not there."""

    # Users

    @abc.abstractmethod
    def crypto_user(self, name: str) -> str:
        """The name of a crypto user of the cluster, in lower case; raises `HsmError` for an unknown one."""

    def resolve_users(self, users: t.Sequence[str]) -> tuple[str, ...]:
        names = tuple(sorted(self.crypto_user(user) for user in users))
        if self.user in names:
            raise errors.HsmError(
                f"Refused to share a key with '{self.user}': the caller owns it and is not shared with."
            )
        if len(set(names)) < len(names):
            raise errors.HsmError(f"Refused to share a key with [{', '.join(users)}]: that names a user twice.")
        return names

    @abc.abstractmethod
    def change_sharing(self, found: keypair.TokenObject, users: t.Sequence[str], away: bool) -> None:
        """Shares a key with users, or takes it away from them."""

    def share(self, found: keypair.TokenObject, users: t.Collection[str]) -> keypair.TokenObject:
        wished, there = set(users), set(found.sharing.shared_with) if found.sharing else set()
        self.look_anew()
        for names, away in ((wished - there, False), (there - wished, True)):
            if names:
                self.change_sharing(found, sorted(names), away)
        return self.read(found)

    # A new pair

    @abc.abstractmethod
    def refusal(self, wish: Wish) -> str | None:
        """Why the tool cannot generate a pair as wished, None if it can."""

    def unprovable(self, attributes: t.Mapping[str, t.Any], quorum: int) -> str | None:
        """Why the tool cannot prove a pair whose private half has these attributes, None if it can."""
        return f"each use of the key needs the approval of {quorum} users" if quorum else None

    def check_generation(self, wish: Wish) -> None:
        reason = self.refusal(wish) or self._beyond(wish) or vendor_limits.vendor_refusal(wish, self.facts)
        unproven = self.unprovable(wish.template(PRIVATE), wish.quorum or 0) if wish.verify else None
        if unproven and not reason:
            reason = f"verify is true, and the pair cannot be proven, because {unproven}"
        if reason:
            raise errors.HsmError(f"Refused to generate {wish} on the token '{self.token_name}': {reason}.")

    def _beyond(self, wish: Wish) -> str | None:
        """Why there cannot be as many HSMs as wished."""
        there = self.size()
        if there and (wish.min_servers or 0) > there:
            return f"min_servers is {wish.min_servers} and the cluster has {there} HSMs"
        return None

    @abc.abstractmethod
    def drawn_id(self, wish: Wish) -> bytes:
        """The id of a new pair for which none is wished."""

    @abc.abstractmethod
    def make(self, wish: Wish, attempt: str) -> list[keypair.TokenObject]:
        """Generates the halves of a pair, with the id of the wish. An error that has no `remains` has it looked for."""

    def generate(self, wish: Wish) -> keypair.KeyPair:
        drawn = wish.id is None
        if drawn:
            wish = dataclasses.replace(wish, id=self.drawn_id(wish))
        attempt = f"generate {wish} on the token '{self.token_name}'"
        self.look_anew()
        try:
            pairs = keypair.pair_up(self.make(wish, attempt))
        except errors.TokenError as error:
            raise error.at(attempt, "" if error.remains else self._take_back(wish, drawn)) from None
        told = expectation.unlike(wish.id, pairs)
        if told:
            # The handles may be those of keys which were there before: nothing is destroyed by them.
            raise errors.HsmError(f"Could not {attempt}: the HSM returned {told}. {self._take_back(wish, drawn)}")
        self._made |= pairs[0].handles
        return pairs[0]

    def reconnect(self) -> None:  # noqa: B027
        """Makes sure that the tool can be asked, after it failed."""

    def _take_back(self, wish: Wish, drawn: bool) -> str:
        """What a generation that failed may have made: only what carries an id drawn for it is surely its own."""
        if wish.session:
            return "Nothing of it is left, because it was a pair of this session."
        try:
            self.reconnect()
            found = [key for half in HALVES for key in self.find(session.Query(half, id=wish.id))]
        except errors.HsmError as error:
            reason = error.said if isinstance(error, errors.TokenError) else error.msg
            return f"What it left on the token is not known, because a search failed ({reason})."
        if not found:
            return self.nothing_left
        if not drawn:
            names = ", ".join(map(str, found))
            return f"What is there now under this name: {names}. If it is a pair, verify=true proves it."
        return self.taken_back((key.half, key.handle) for key in found)

    def taken_back(self, halves: t.Iterable[tuple[KeyClass, int]]) -> str:
        """Destroys what a generation made, the private half first, and tells what remains."""
        return undoing.undone(
            undoing.Undoing(f"the new {half} half", self.place(handle), functools.partial(self.remove, half, handle))
            for half, handle in sorted(halves)
        )

    @abc.abstractmethod
    def remove(self, half: KeyClass, handle: int) -> None:
        """Removes a key; raises `TokenError` where it is still there, whatever the command answers."""

    def destroy(self, found: keypair.TokenObject) -> None:
        self.remove(found.half, found.handle)

    def prove(self, wish: Wish, pair: keypair.KeyPair, passive: bool = False) -> session.Proof:
        quorum = pair.private.sharing.quorum if pair.private.sharing else 0
        reason = self.unprovable(pair.private.attributes, quorum)
        return session.Proof(None, reason) if reason else super().prove(wish, pair, passive)

    # The HSMs of the cluster

    @abc.abstractmethod
    def size(self) -> int:
        """How many HSMs the cluster has; 0 where the tool does not tell it."""

    @abc.abstractmethod
    def missing(self, wanted: int, pair: keypair.KeyPair) -> str:
        """Why not so many HSMs have the pair; empty if they have."""

    def await_servers(self, wish: Wish, pair: keypair.KeyPair, patient: bool = True) -> None:
        """As the contract has it. A pair that was there is waited for where the task says how long."""
        wanted = wish.min_servers
        if wanted is None or pair.handles <= self._counted:
            return
        patience = self.patience if pair.handles <= self._made else 0
        seconds = 0 if not patient else patience if wish.timeout is None else wish.timeout
        reason = awaited(lambda: self.missing(wanted, pair), seconds)
        if reason:
            waited = f" within {wish.timeout} seconds" if wish.timeout and patient else ""
            why = "timeout is not given" if patient else "check mode does not wait"
            once = "" if seconds else f" It was looked at once, because {why}."
            raise errors.HsmError(
                f"Could not find {wish} on {wanted} HSMs of the token '{self.token_name}'{waited}: {reason}.{once}"
            )
        self._counted |= pair.handles


T = t.TypeVar("T")


def awaited(missing: t.Callable[[], T], seconds: float) -> T:
    """What is missing in the end: it is looked for at once and each second, until it is nothing or the time is over."""
    end = time.monotonic() + seconds
    found = missing()
    while found and time.monotonic() < end:
        time.sleep(min(_POLL, max(0.0, end - time.monotonic())))
        found = missing()
    return found
