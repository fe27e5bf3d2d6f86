# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session with key_mgmt_util: the contract of `TokenSession`, kept by the commands of one login."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._cluster_tool.session import ToolSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import codes, command, limits
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import Node as ToolNode
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import merged
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.handles import Made, found_keys
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.tool import Tool
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.users import KeyUsers
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair, vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Node, Proof, Query, Signer
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.user import User
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC, KeyClass, Value
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.drawn_id import draw_text

# The first edition of the tool signs on other curves only.
_MAY_NOT_SIGN = ("secp224r1", "secp521r1")


class KeyMgmtUtilSession(ToolSession):
    """One crypto user's view of one cluster, in one login.

    `again`: logs in once more, after the tool was ended because of an answer that did not come.
    """

    uri_attributes: t.Mapping[str, str] = {}
    nothing_left = "Nothing of it is left on the token."
    patience = 0  # the command itself has waited

    def __init__(self, tool: Tool, user: str, token_name: str, again: t.Callable[[], Tool]) -> None:
        self._tool = tool
        self._again = again
        self.user = user
        self.token_name = token_name
        self._size = len(tool.nodes)  # the login tells all; what concerns a session key tells one

    @functools.cached_property
    def facts(self) -> vendors.VendorFacts:  # type: ignore[override]
        """Whether the sharing of a key can be changed depends on the build (AWS: no, Azure: yes)."""
        if self._tool.has("shareKey"):
            return limits.FACTS
        return dataclasses.replace(limits.FACTS, fixed=frozenset({"shared_with"}), elsewhere=limits.SHARED_ELSEWHERE)

    def reconnect(self) -> None:
        if not self._tool.alive:
            self._tool = self._again()

    # Who there is

    @functools.cached_property
    def _users(self) -> dict[int, User]:
        return {user.id: user for user in self._tool.users() if user.id is not None}

    def _name(self, number: int) -> str:
        """A user's name in lower case; the number itself where the cluster has no such user any more."""
        return self._users[number].name.lower() if number in self._users else str(number)

    def _number(self, name: str) -> int:
        for number, user in self._users.items():
            if name in (user.name.lower(), str(number)) and user.type == "CU":
                return number
        raise errors.HsmError(
            f"Refused to share a key with '{name}': the cluster '{self.token_name}' has no crypto user of that name or"
            " number; hsm_user_info lists them."
        )

    def crypto_user(self, name: str) -> str:
        return self._name(self._number(name))

    # What there is

    def find(self, query: Query) -> list[keypair.TokenObject]:
        attempt = f"search the {query.key_class} keys on the token '{self.token_name}'"
        keys = [self._key(handle, attempt) for handle in self._handles(query, attempt)]
        return [key for key in keys if key and self._meant(query, key)]

    def _handles(self, query: Query, attempt: str) -> tuple[int, ...]:
        found = self._tool.read(command.find_key(query), attempt, found_keys)
        return found if query.handle is None else tuple(handle for handle in found if handle == query.handle)

    def look_anew(self) -> None:
        pass  # every search asks the HSM

    def survey(self, query: Query, at_most: int | None = None) -> list[keypair.TokenObject] | None:
        attempt = f"list the {query.key_class} keys on the token '{self.token_name}'"
        handles = self._handles(query, attempt)
        if at_most is not None and len(handles) > at_most:
            return None
        keys = [self._key_or_reason(query.key_class, handle, attempt) for handle in handles]
        return [key for key in keys if key and (not key.attributes or self._meant(query, key))]

    def _key_or_reason(self, key_class: KeyClass, handle: int, attempt: str) -> keypair.TokenObject | None:
        try:
            return self._key(handle, attempt)
        except errors.TokenError as error:
            if not self._tool.alive:
                raise
            return keypair.TokenObject(handle, key_class, {}, {"class": error.said})

    def _meant(self, query: Query, key: keypair.TokenObject) -> bool:
        """Whether a key is searched for, in what could not be typed; for the rest the HSM's word is taken."""
        if query.label is not None and not command.typable(query.label) and key.label != query.label:
            return False
        if query.id is not None and command.id_text(query.id) is None and key.id != query.id:
            return False
        if key.half != query.key_class or query.key_type not in (None, key.key_type):
            return False
        return query.others or (key.sharing is not None and key.sharing.owner == self.user)

    def _key(self, handle: int, attempt: str) -> keypair.TokenObject | None:
        """A key with its users; None for one of another user's that the tool tells nothing of."""
        users = self._tool.users_of(handle, attempt)
        if users is None:
            return None
        key_class, attributes, dump = self._tool.attributes(handle, attempt)
        shared = tuple(sorted(map(self._name, (*users.shared, *self._not_printed(handle, users, attempt)))))
        owner = None if users.owner is None else self._name(users.owner)
        sharing = keypair.Sharing(owner, shared, users.quorum, users.quorum)
        missing = limits.untold(key_class, attributes)
        return keypair.TokenObject(handle, key_class, attributes, sharing=sharing, untold=missing, dump=dump)

    def _not_printed(self, handle: int, users: KeyUsers, attempt: str) -> list[int]:
        """The users of a key that the tool told the number of: each other crypto user is asked for."""
        if not users.more:
            return []
        others = self._users.keys() - {users.owner, *users.shared}
        found = [
            number for number in sorted(others) if self._users[number].type == "CU" and self._may_use(number, handle)
        ]
        if len(found) != users.more:
            raise errors.TokenError(
                attempt, said=f"that {users.more} more users share the key, and finds {len(found)}", hint=""
            )
        return found

    def _may_use(self, user: int, handle: int) -> bool:
        attempt = f"search the keys of the user {user} on the token '{self.token_name}'"
        return handle in self._tool.read(command.find_shared(user), attempt, found_keys)

    def _known(self, handle: int, attempt: str) -> keypair.TokenObject:
        key = self._key(handle, attempt)
        if key is None:
            raise errors.TokenError(attempt, said="that the key is another user's", hint="")
        return key

    def place(self, handle: int) -> str:
        return f"handle {handle}"

    def read(self, found: keypair.TokenObject) -> keypair.TokenObject:
        return self._known(found.handle, f"read {found} on the token '{self.token_name}'")

    def nodes(self) -> list[Node]:
        statuses: dict[int, t.Literal["ok", "unsynchronised"]] = {0: "ok", codes.INVALID_HANDLE: "unsynchronised"}
        return [
            Node(f"node {node.id}", statuses.get(node.code, "failed"), codes.said(node)) for node in self._tool.nodes
        ]

    def size(self) -> int:
        return self._size

    def missing(self, wanted: int, pair: keypair.KeyPair) -> str:
        attempt = f"find {pair} on every HSM of the token '{self.token_name}'"
        self._tool.nodes = merged(
            self._tool.ask(command.on_key("findSingleKey", found.handle), attempt).nodes for found in pair.objects
        )
        well = sum(node.code == 0 for node in self._tool.nodes)
        return f"it is on {well} ({codes.listed(self._tool.nodes)})" if well < wanted else ""

    # What is made

    def refusal(self, wish: Wish) -> str | None:
        return limits.generation_refusal(wish, older=not self._tool.lists_attribute(limits.LATER))

    def drawn_id(self, wish: Wish) -> bytes:
        return draw_text(self.facts.id_length)

    def make(self, wish: Wish, attempt: str) -> list[keypair.TokenObject]:
        users = [self._number(name) for name in wish.users()]
        made = self._tool.generate(wish, users, attempt)
        try:
            # A pair that has handles, and still is not what the command was for.
            if made.rolled_back:
                waited = f" within {wish.timeout} seconds" if wish.timeout is not None else ""
                reason = f"that it is not on {wish.min_servers} HSMs{waited} ({codes.listed(made.nodes)})"
                raise errors.TokenError(attempt, said=reason, hint="see that all HSMs of the cluster work")
            if made.nodes and all(node.code for node in made.nodes):
                raise errors.TokenError(attempt, said=f"an error of every HSM ({codes.listed(made.nodes)})", hint="")
            if wish.attest and not made.attested:
                hint = "do not use the cluster before its vendor explains that"
                raise errors.TokenError(attempt, said="no 'Attestation Check : [PASS]'", hint=hint)
            return [self._known(made.public, attempt), self._known(made.private, attempt)]
        except errors.TokenError as error:
            raise error.at(attempt, "" if wish.session else self._undone(wish, made, attempt)) from None

    def _undone(self, wish: Wish, made: Made, attempt: str) -> str:
        """Takes back what carries the id of the new pair: the handles may be those of others' keys."""
        handles: list[tuple[KeyClass, int]] = [(PUBLIC, made.public), (PRIVATE, made.private)]
        try:
            typed = wish.id is not None and command.id_text(wish.id) is not None
            own = [key for key in handles if typed and key[1] in self._handles(Query(key[0], id=wish.id), attempt)]
        except errors.TokenError as error:
            return f"What it left on the token is not known, because a search failed ({error.said})."
        return self.taken_back(own)

    def remove(self, half: KeyClass, handle: int) -> None:
        attempt = f"remove the {half} key {handle} from the token '{self.token_name}'"
        # It may be gone after an error, for the tool takes back what came to too few HSMs, and it may be there after a
        # success: a search has to show it.
        doubtful: t.Sequence[ToolNode] = ()
        answer = None
        try:
            doubtful = self._tool.run(command.on_key("deleteKey", handle), attempt).doubtful
        except errors.TokenError as error:
            answer = error
        try:
            left = not self._tool.alive or handle in self._handles(Query(half), attempt)
        except errors.TokenError as error:
            raise (answer or error).at(attempt, f"Whether the {half} half is gone is not known.") from None
        if answer and not self._tool.alive:
            raise answer.at(attempt, f"Whether the {half} half is gone is not known.")
        if left:
            raise answer or errors.TokenError(attempt, said="success, and the key is still there", hint="")
        for node in doubtful:
            hint = f"it may be left on the HSM {node.id}; remove it there when that HSM answers again"
            raise errors.TokenError(attempt, said=codes.said(node), hint=hint)

    def signer(self, pair: keypair.KeyPair) -> Signer:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import signatures

        return signatures.KeyMgmtUtilSigner(self._tool, self.token_name, pair)

    def prove(self, wish: Wish, pair: keypair.KeyPair, passive: bool = False) -> Proof:
        curve = pair.private.curve or pair.public.curve
        nodes = self._tool.nodes
        try:
            return super().prove(wish, pair, passive)
        except errors.TokenError as error:
            if not self._tool.alive or curve is None or curve.name not in _MAY_NOT_SIGN:
                raise
            return Proof(None, f"the tool did not sign on {curve.name} ({error.said})")
        finally:
            self._tool.nodes = nodes  # which HSM signed tells nothing of the pair

    # What is done to it

    def set_attributes(self, found: keypair.TokenObject, values: t.Mapping[str, Value]) -> keypair.TokenObject:
        raise errors.HsmError(
            f"Refused to change {', '.join(values)} of {found} on the token '{self.token_name}': key_mgmt_util changes"
            " no attributes of a key; use the vendor's management tool (setAttribute of cloudhsm_mgmt_util)."
        )

    def freeze(self, found: keypair.TokenObject, values: t.Mapping[str, bool]) -> keypair.TokenObject:
        return found  # never asked for: check_generation refuses it

    def change_sharing(self, found: keypair.TokenObject, users: t.Sequence[str], away: bool) -> None:
        what = "take it from" if away else "share it with"
        attempt = f"{what} {', '.join(users)}: {found} on the token '{self.token_name}'"
        self._tool.run(command.share_key(found.handle, sorted(map(self._number, users)), away), attempt)
