# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session with the CloudHSM CLI: the contract of L{TokenSession}, kept by commands.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import secrets
import time
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.answer import Unclear, member
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.command import (
    FACTS,
    filters_of,
    generation_of,
    refuse_others,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.keys import (
    Key,
    key_from,
    name_there,
    reference,
    value_there,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.lists import Hsm
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.signatures import (
    SIGNING_VERSION,
    CliSigner,
    mechanisms_for,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.tool import TIMEOUT, Tool, too_old
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import ToolLogin
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import proof as _proof
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject, pair_up
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import (
    Node,
    Proof,
    Query,
    TokenSession,
    Undoing,
    User,
    undone,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendor_limits import vendor_refusal
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    FREEZING,
    HALVES,
    PRIVATE,
    Value,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError

_QUORUM_VERSION = (5, 14)
_ED25519_VERSION = (5, 17)
_POLL = 1.0  # seconds between two looks at the cluster
_SETTLING = 10.0  # seconds until a new key must be on all HSMs before it is used, if nothing else is wished
_QUORUM_REASON = "a key with a quorum signs only what several users approved"


class CliSession(TokenSession):
    """One user's view of one cluster; each command logs in anew."""

    facts = FACTS

    def __init__(
        self, tool: Tool, login: ToolLogin, version: tuple[int, ...], hsms: t.Sequence[Hsm], users: t.Sequence[User]
    ) -> None:
        self._tool = tool
        self._version = version
        self._hsms = hsms
        self._users = {user.name for user in users if user.type == "CU"}
        self._lists: dict[tuple[str, ...], list[Key]] = {}
        self._lagging: set[int] = set()
        self.user = login.crypto_user or ""
        self.token_name = login.cluster or "AWS CloudHSM"
        identity = hsms[0].identity
        self.uri_attributes = {name: identity[name] for name in ("manufacturer", "model") if identity[name]}

    def find(self, query: Query) -> list[TokenObject]:
        attempt = f"search the {query.key_class} keys on the token '{self.token_name}'"
        filters = filters_of(query)
        if filters not in self._lists:
            keys = self._tool.keys(attempt, filters) or []
            refuse_others(attempt, keys, query)
            self._lists[filters] = keys
        return self._chosen(self._lists[filters], query)

    def _chosen(self, keys: t.Iterable[Key], query: Query) -> list[TokenObject]:
        """What of a list is meant. A value that the HSMs do not agree on may be the wished one: that is no absence."""
        found = [key for key in keys if self._meant(key, query)]
        self._lagging |= {key.found.handle for key in found if not key.synchronised}
        return [key.found for key in found]

    def _meant(self, key: Key, query: Query) -> bool:
        told, wanted = key.found, query.attributes()
        if told.half != query.key_class or query.handle not in (None, told.handle):
            return False
        if not (query.others or self._own(key)):
            return False
        doubtful = [name for name in wanted if name in told.unreadable]
        same = all(told.attributes.get(name) == wanted[name] for name in wanted if name not in doubtful)
        if same and doubtful:
            raise TokenError(
                f"search the {query.key_class} keys on the token '{self.token_name}'",
                said=f"that the HSMs do not agree on the {doubtful[0]} of {told}",
                hint="let an admin synchronise the cluster (key replicate)",
            )
        return same

    def _own(self, key: Key) -> bool:
        """Whether it is this user's; a key of which nobody is told as owner may be."""
        return not key.owners or self.user in key.owners

    def look_anew(self) -> None:
        self._lists.clear()
        self._lagging.clear()

    def survey(self, query: Query, at_most: int | None = None) -> list[TokenObject] | None:
        attempt = f"list the keys on the token '{self.token_name}'"
        filters = filters_of(query)
        if filters not in self._lists:
            keys = self._tool.keys(attempt, filters, at_most)
            if keys is None:
                return None
            refuse_others(attempt, keys, query)
            self._lists[filters] = keys
        found = self._chosen(self._lists[filters], query)
        return None if at_most is not None and len(found) > at_most else found

    @contextlib.contextmanager
    def further(self) -> t.Iterator[CliSession]:
        yield self

    def nodes(self) -> list[Node]:
        if not self._lagging:
            return [Node(hsm.serial) for hsm in self._hsms]
        keys = ", ".join(reference(handle) for handle in sorted(self._lagging))
        message = f"not every HSM of the cluster has {keys}; the CloudHSM CLI does not tell which one lacks it"
        return [Node(hsm.serial, "unsynchronised", message) for hsm in self._hsms]

    def resolve_users(self, users: t.Sequence[str]) -> tuple[str, ...]:
        for user in users:
            if user not in self._users:
                raise HsmError(
                    f"Refused to share a key with '{user}': the cluster has no crypto user of that name."
                    " The CloudHSM CLI knows users by name, not by number."
                )
            if user == self.user:
                raise HsmError(f"Refused to share a key with '{user}': the caller owns it and is not shared with.")
        return tuple(sorted(users))

    def check_generation(self, wish: Wish) -> None:
        refusal = too_old(self._version, _QUORUM_VERSION, "a quorum") if wish.quorum else None
        if wish.key_type == "ec_edwards":
            refusal = refusal or too_old(self._version, _ED25519_VERSION, "the curve ed25519")
        reason = self._refusal(wish)
        if refusal is None and reason:
            refusal = HsmError(f"Refused to generate {wish} on the token '{self.token_name}': {reason}.")
        if refusal:
            raise refusal

    def _refusal(self, wish: Wish) -> str | None:
        """Why a new pair cannot be had as it is wished, or cannot be proven as it must."""
        if wish.min_servers is not None and wish.min_servers > len(self._hsms):
            return f"min_servers is {wish.min_servers} and the cluster has {len(self._hsms)} HSMs"
        if wish.quorum and any(wish.freezing(half) for half in HALVES):
            return "destroyable=false and modifiable=false cannot be set later on a key with a quorum"
        if wish.session and (wish.share_with or wish.min_servers is not None):
            return "a session pair is gone with the command that made it, nobody else can have it"
        if wish.verify:
            unproven = self._unprovable(wish, wish.template(PRIVATE), wish.quorum or 0, wish.session)
            usable = mechanisms_for(wish.curve)
            if not unproven and not {row.code for row in _proof.candidates(wish, wish.template(PRIVATE))} & usable:
                unproven = "the CloudHSM CLI can only sign with it"
            if unproven:
                return f"verify is true, and the pair cannot be proven, because {unproven}"
        return vendor_refusal(wish, self.facts)

    def _unprovable(self, wish: Wish, attributes: t.Mapping[str, t.Any], quorum: int, session_pair: bool) -> str | None:
        if session_pair:
            return "a session pair is gone with the command that made it"
        if quorum:
            return _QUORUM_REASON
        if self._version < SIGNING_VERSION:
            return "the CloudHSM CLI signs from version 5.11 on"
        return _proof.unprovable(wish, attributes)

    def generate(self, wish: Wish) -> KeyPair:
        drawn = wish.id is None
        if drawn:
            wish = dataclasses.replace(wish, id=wish.drawn_id or secrets.token_bytes(self.facts.id_length))
        attempt = f"generate {wish} on the token '{self.token_name}'"
        self.look_anew()
        try:
            data = self._tool.command(attempt, generation_of(wish))
            keys = [key_from(member(data, f"{half}_key", dict)) for half in HALVES]
        except TokenError as error:
            raise error.at(attempt, self._undo_unknown(wish, drawn)) from None
        except Unclear as error:
            told = TokenError(attempt, said=str(error), hint="")
            raise told.at(attempt, self._undo_unknown(wish, drawn)) from None
        pairs = pair_up([key.found for key in keys])
        if len(pairs) != 1 or not pairs[0].whole:
            names = " and ".join(map(str, pairs))
            raise HsmError(
                f"Could not {attempt}: the HSM returned halves that do not belong together, {names}."
                f" {self._undo_unknown(wish, drawn)}"
            )
        self._lagging = {key.found.handle for key in keys if not key.synchronised}
        return pairs[0]

    def _undo_unknown(self, wish: Wish, drawn: bool) -> str:
        """After a generation that failed: what is there is looked for first; only an id drawn for it is surely ours."""
        if wish.session:
            return "It was a session pair, of which nothing stays."
        self.look_anew()
        try:
            found = [key for half in HALVES for key in self.find(Query(half, id=wish.id))]
        except TokenError as error:
            return f"What it left on the token is not known, because a search failed ({error.said})."
        if not found:
            return "Nothing of that name is on the token now; an HSM that was slow may still show it later."
        if not drawn:
            names = ", ".join(map(str, found))
            return f"What is there now under this name: {names}. If it is a pair, verify=true proves it."
        return undone(
            Undoing(f"the new {key.half} half", reference(key.handle), functools.partial(self.destroy, key))
            for key in found
        )

    def set_attributes(self, found: TokenObject, values: t.Mapping[str, Value]) -> TokenObject:
        done: list[str] = []
        self.look_anew()
        for name, value in values.items():
            try:
                self._set(found, name, value)
            except TokenError as error:
                raise error.at(error.attempt, self._set_back(found, done)) from None
            done.append(name)
        return self._read(found)

    def _set(self, found: TokenObject, name: str, value: Value) -> None:
        attempt = f"set {name} of the {found.half} key {reference(found.handle)} on the token '{self.token_name}'"
        arguments = ["key", "set-attribute", "--filter", reference(found.handle)]
        self._tool.command(attempt, [*arguments, "--name", name_there(name), "--value", value_there(value)])

    def _set_back(self, found: TokenObject, done: t.Sequence[str]) -> str:
        """Undoes what was set before a failure; the answer tells what stays."""
        left = []
        for name in done:
            old = found.attributes.get(name)
            try:
                if old is None:
                    raise HsmError("it had none")
                self._set(found, name, old)
            except HsmError:
                left.append(name)
        return f"What stays changed of it: {', '.join(left)}." if left else ""

    def freeze(self, found: TokenObject, values: t.Mapping[str, bool]) -> TokenObject:
        return self.set_attributes(found, {name: values[name] for name in FREEZING if name in values})

    def share(self, found: TokenObject, users: t.Collection[str]) -> TokenObject:
        there = set(found.sharing.shared_with) if found.sharing else set()
        self.look_anew()
        for command, names in (("share", set(users) - there), ("unshare", there - set(users))):
            for user in sorted(names):
                attempt = f"{command} the key {reference(found.handle)} with '{user}' on the token '{self.token_name}'"
                chosen = ["--filter", reference(found.handle), "--username", user, "--role", "crypto-user"]
                self._tool.command(attempt, ["key", command, *chosen])
        return self._read(found)

    def destroy(self, found: TokenObject) -> None:
        if found.attributes.get("token") is False:
            return  # a session key went with the command that made it
        self.look_anew()
        attempt = f"remove the {found.half} key {reference(found.handle)} from the token '{self.token_name}'"
        try:
            self._tool.command(attempt, ["key", "delete", "--filter", reference(found.handle)])
        except TokenError:
            # A failure may follow a success; whether it is gone, only the list tells.
            if self._tool.keys(attempt, [reference(found.handle)]):
                raise

    def _read(self, found: TokenObject) -> TokenObject:
        key = self._key(found)
        if key is None:
            attempt = f"read the {found.half} key {reference(found.handle)} on the token '{self.token_name}'"
            raise TokenError(attempt, said="that it is not there", hint="")
        return key.found

    def _key(self, found: TokenObject) -> Key | None:
        attempt = f"read the {found.half} key {reference(found.handle)} on the token '{self.token_name}'"
        keys = self._tool.keys(attempt, [reference(found.handle)]) or []
        if [key.found.handle for key in keys] not in ([], [found.handle]):
            raise TokenError(attempt, said="other keys than the one that was asked for", hint="")
        return keys[0] if keys else None

    def await_servers(self, wish: Wish, pair: KeyPair, patient: bool = True) -> None:
        if wish.min_servers is None or wish.session:
            return
        end = time.monotonic() + (TIMEOUT if wish.timeout is None else wish.timeout)
        reason = self._missing(wish.min_servers, pair)
        while reason and patient and time.monotonic() < end:
            time.sleep(min(_POLL, max(0.0, end - time.monotonic())))
            reason = self._missing(wish.min_servers, pair)
        if reason:
            waited = f" within {wish.timeout} seconds" if wish.timeout is not None and patient else ""
            raise HsmError(
                f"Could not see {wish} on {wish.min_servers} HSMs of the token '{self.token_name}'{waited}: {reason}."
            )

    def _missing(self, servers: int, pair: KeyPair) -> str:
        """Why so many HSMs do not have the pair yet; empty if they have."""
        self._hsms = self._tool.hsms()
        if len(self._hsms) < servers:
            return f"{len(self._hsms)} answer"
        self._lagging = self._lag(pair)
        return "not all of them have both halves yet" if self._lagging else ""

    def _lag(self, pair: KeyPair) -> set[int]:
        keys = [(found, self._key(found)) for found in pair.objects]
        return {found.handle for found, key in keys if key is None or not key.synchronised}

    def signer(self, pair: KeyPair) -> CliSigner:
        return CliSigner(self._tool, self.token_name, pair.private)

    def prove(self, wish: Wish, pair: KeyPair, passive: bool = False) -> Proof:
        private = pair.private
        quorum = private.sharing.quorum if private.sharing else 0
        session_pair = private.attributes.get("token") is False
        reason = self._unprovable(wish, private.attributes, quorum, session_pair)
        if reason:
            return Proof(None, reason)
        self._settle(pair)
        return super().prove(wish, pair, passive)

    def _settle(self, pair: KeyPair) -> None:
        """Waits for a new key to be everywhere: the next command may talk to an HSM that has not got it yet."""
        end = time.monotonic() + _SETTLING
        lagging = {found.handle for found in pair.objects} & self._lagging
        while lagging and time.monotonic() < end:
            time.sleep(_POLL)
            lagging = self._lag(pair)
            self._lagging = lagging
