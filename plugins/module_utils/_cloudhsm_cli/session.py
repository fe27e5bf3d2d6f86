# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session with the CloudHSM CLI: the contract of `TokenSession`, kept by commands."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli import command as _command
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli import keys as _keys
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli import lists, signatures
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.tool import TIMEOUT, Tool
from ansible_collections.cryptoki.hsm.plugins.module_utils._cluster_tool.login import ToolLogin
from ansible_collections.cryptoki.hsm.plugins.module_utils._cluster_tool.session import ToolSession, awaited
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Node, Proof, Query, Signer
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.user import User
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import FREEZING, HALVES, KeyClass, Value
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.drawn_id import draw

_QUORUM_VERSION = (5, 14)
_ED25519_VERSION = (5, 17)
_SETTLING = 10.0  # seconds until a new key must be on all HSMs before it is used, if nothing else is wished


class CloudHsmCliSession(ToolSession):
    """One user's view of one cluster; each command logs in anew."""

    facts = _command.FACTS
    nothing_left = "Nothing of that name is on the token now; an HSM that was slow may still show it later."
    patience = TIMEOUT

    def __init__(self, tool: Tool, login: ToolLogin, hsms: t.Sequence[lists.Hsm], users: t.Sequence[User]) -> None:
        self._tool = tool
        self._hsms = hsms
        self._users = {user.name for user in users if user.type == "CU"}
        self._lists: dict[tuple[str, ...], list[_keys.Key]] = {}
        self._lagging: set[int] = set()
        self.user = login.crypto_user or ""
        self.token_name = login.cluster or "AWS CloudHSM"
        identity = hsms[0].identity
        self.uri_attributes = {name: identity[name] for name in ("manufacturer", "model") if identity[name]}

    def crypto_user(self, name: str) -> str:
        if name not in self._users:
            raise errors.HsmError(
                f"Refused to share a key with '{name}': the cluster has no crypto user of that name."
                " The CloudHSM CLI knows users by name, not by number."
            )
        return name

    # What there is

    def find(self, query: Query) -> list[keypair.TokenObject]:
        return self._searched(f"search the {query.key_class} keys on the token '{self.token_name}'", query) or []

    def survey(self, query: Query, at_most: int | None = None) -> list[keypair.TokenObject] | None:
        return self._searched(f"list the keys on the token '{self.token_name}'", query, at_most)

    def _searched(self, attempt: str, query: Query, at_most: int | None = None) -> list[keypair.TokenObject] | None:
        filters = _command.filters_of(query)
        if filters not in self._lists:
            keys = self._tool.keys(attempt, filters, at_most)
            if keys is None:
                return None
            _command.refuse_others(attempt, keys, query)
            self._lists[filters] = keys
        found = [key for key in self._lists[filters] if self._meant(key, query)]
        self._lagging |= {key.found.handle for key in found if not key.synchronised}
        return None if at_most is not None and len(found) > at_most else [key.found for key in found]

    def _meant(self, key: _keys.Key, query: Query) -> bool:
        """Whether a key is searched for; one of which nobody is told as owner may be this user's."""
        told = key.found
        if told.half != query.key_class or query.handle not in (None, told.handle):
            return False
        if key.owners and self.user not in key.owners and not query.others:
            return False
        different = [name for name, value in query.attributes().items() if told.attributes.get(name) != value]
        if different and told.unreadable.keys() >= set(different):
            # What the HSMs do not agree on may be the wished value: that is no absence.
            raise errors.TokenError(
                f"search the {query.key_class} keys on the token '{self.token_name}'",
                said=f"that the HSMs do not agree on the {different[0]} of {told}",
                hint="let an admin synchronise the cluster (key replicate)",
            )
        return not different

    def look_anew(self) -> None:
        self._lists.clear()
        self._lagging.clear()

    def place(self, handle: int) -> str:
        return _keys.reference(handle)

    def read(self, found: keypair.TokenObject) -> keypair.TokenObject:
        key = self._key(found)
        if key is None:
            raise errors.TokenError(self._attempt("read", found), said="that it is not there", hint="")
        return key.found

    def _key(self, found: keypair.TokenObject) -> _keys.Key | None:
        attempt = self._attempt("read", found)
        keys = self._tool.keys(attempt, [_keys.reference(found.handle)]) or []
        if [key.found.handle for key in keys] not in ([], [found.handle]):
            raise errors.TokenError(attempt, said="other keys than the one that was asked for", hint="")
        return keys[0] if keys else None

    def _attempt(self, verb: str, found: keypair.TokenObject) -> str:
        return f"{verb} the {found.half} key {_keys.reference(found.handle)} on the token '{self.token_name}'"

    def nodes(self) -> list[Node]:
        if not self._lagging:
            return [Node(hsm.serial) for hsm in self._hsms]
        keys = ", ".join(_keys.reference(handle) for handle in sorted(self._lagging))
        message = f"not every HSM of the cluster has {keys}; the CloudHSM CLI does not tell which one lacks it"
        return [Node(hsm.serial, "unsynchronised", message) for hsm in self._hsms]

    def size(self) -> int:
        return len(self._hsms)

    def missing(self, wanted: int, pair: keypair.KeyPair) -> str:
        self._hsms = self._tool.hsms()
        if len(self._hsms) < wanted:
            return f"{len(self._hsms)} answer"
        return "not all of them have both halves yet" if self._find_lagging(pair) else ""

    def _find_lagging(self, pair: keypair.KeyPair) -> set[int]:
        """Handles of the halves that are not on every HSM."""
        keys = [(found, self._key(found)) for found in pair.objects]
        self._lagging = {found.handle for found, key in keys if key is None or not key.synchronised}
        return self._lagging

    # What is made

    def refusal(self, wish: Wish) -> str | None:
        if wish.quorum:
            self._tool.require(_QUORUM_VERSION, "a quorum")
        if wish.key_type == "ec_edwards":
            self._tool.require(_ED25519_VERSION, "the curve ed25519")
            if any(hsm.in_fips_mode for hsm in self._hsms):
                return "the HSMs have the curve ed25519 outside of the FIPS mode only"
        if wish.quorum and any(wish.freezing(half) for half in HALVES):
            return "destroyable=false and modifiable=false cannot be set later on a key with a quorum"
        if wish.session and (wish.share_with or wish.min_servers):
            return "a session pair is gone with the command that made it, nobody else can have it"
        return None

    def drawn_id(self, wish: Wish) -> bytes:
        return wish.drawn_id or draw(self.facts.id_length)

    def make(self, wish: Wish, attempt: str) -> list[keypair.TokenObject]:
        data = self._tool.command(attempt, _command.generation_of(wish))
        with self._tool.clear(attempt):
            keys = _keys.new_keys(data)
        self._lagging = {key.found.handle for key in keys if not key.synchronised}
        return [key.found for key in keys]

    def unprovable(self, attributes: t.Mapping[str, t.Any], quorum: int) -> str | None:
        if attributes.get("token") is False:
            return "a session pair is gone with the command that made it"
        if self._tool.version < signatures.SIGNING_VERSION:
            return signatures.TOO_OLD
        if not attributes.get("sign"):
            return "the CloudHSM CLI can only sign with it"
        return super().unprovable(attributes, quorum)

    def prove(self, wish: Wish, pair: keypair.KeyPair, passive: bool = False) -> Proof:
        if pair.handles <= self._made:
            self.await_servers(wish, pair)  # first: the time of the task runs from the generation on
        return super().prove(wish, pair, passive)

    def signer(self, pair: keypair.KeyPair) -> Signer:
        if self._lagging & {found.handle for found in pair.objects}:
            # The next command may talk to an HSM that has not got the new key yet.
            awaited(lambda: self._find_lagging(pair), _SETTLING)
        return signatures.CloudHsmCliSigner(self._tool, self.token_name, pair.private)

    # What is done to it

    def set_attributes(self, found: keypair.TokenObject, values: t.Mapping[str, Value]) -> keypair.TokenObject:
        done: list[str] = []
        self.look_anew()
        for name, value in values.items():
            done.append(name)
            try:
                self._set(found, name, value)
            except errors.TokenError as error:
                raise error.at(error.attempt, self._set_back(found, done)) from None
        return self.read(found)

    def _set(self, found: keypair.TokenObject, name: str, value: Value) -> None:
        attribute = ["--name", _keys.name_there(name), *_command.option("--value", _keys.value_there(value))]
        self._change("set-attribute", self._attempt(f"set {name} of", found), found.handle, attribute)

    def _set_back(self, found: keypair.TokenObject, done: t.Sequence[str]) -> str:
        """Undoes what was set before a failure, or by the command that failed; the answer tells what stays."""
        left = []
        for name in done:
            old = found.attributes.get(name)
            with contextlib.suppress(errors.HsmError):
                if old is not None and self.read(found).attributes.get(name) != old:
                    self._set(found, name, old)
                if self.read(found).attributes.get(name) == old:
                    continue
            left.append(name)
        return f"What stays changed of it: {', '.join(left)}." if left else ""

    def _change(self, command: str, attempt: str, handle: int, flags: t.Sequence[str] = ()) -> None:
        self._tool.command(attempt, ["key", command, "--filter", _keys.reference(handle), *flags])

    def freeze(self, found: keypair.TokenObject, values: t.Mapping[str, bool]) -> keypair.TokenObject:
        return self.set_attributes(found, {name: values[name] for name in FREEZING if name in values})

    def change_sharing(self, found: keypair.TokenObject, users: t.Sequence[str], away: bool) -> None:
        command = "unshare" if away else "share"
        key = f"the key {_keys.reference(found.handle)}"
        for user in users:
            attempt = f"{command} {key} with '{user}' on the token '{self.token_name}'"
            self._change(command, attempt, found.handle, ["--username", user, "--role", "crypto-user"])

    def destroy(self, found: keypair.TokenObject) -> None:
        if found.attributes.get("token") is not False:  # a session key went with the command that made it
            super().destroy(found)

    def remove(self, half: KeyClass, handle: int) -> None:
        self.look_anew()
        attempt = f"remove the {half} key {_keys.reference(handle)} from the token '{self.token_name}'"
        # A failure may follow a success, and a success may be none; whether it is gone, only the list tells.
        answer = None
        try:
            self._change("delete", attempt, handle)
        except errors.TokenError as error:
            answer = error
        seconds = 0 if answer else _SETTLING
        try:
            left = awaited(lambda: self._tool.keys(attempt, [_keys.reference(handle)]), seconds)
        except errors.TokenError as error:
            raise (answer or error).at(attempt, f"Whether the {half} half is gone is not known.") from None
        if left:
            raise answer or errors.TokenError(attempt, said="success, and the key is still there", hint="")
