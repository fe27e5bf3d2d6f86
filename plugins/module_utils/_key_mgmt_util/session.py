# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session with key_mgmt_util: the contract of L{TokenSession}, kept by the commands of one login.

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

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import codes as _kmu_codes
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import command as _kmu_command
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import Node as HsmNode
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import merged
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.handles import Made
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.limits import FACTS, generation_refusal
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.signatures import KmuSigner
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.tool import Tool
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.users import KeyUsers, ListedUser
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, Sharing, TokenObject, pair_up
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import (
    Node,
    Proof,
    Query,
    TokenSession,
    Undoing,
    undone,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendor_limits import vendor_refusal
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VendorFacts
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    HALVES,
    PRIVATE,
    PUBLIC,
    Half,
    Value,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError

_POLL = 1.0  # seconds between two looks at the cluster, as the tool itself does
_SHARING = "shareKey"
# The first edition of the tool signs on other curves only.
_MAY_NOT_SIGN = ("secp224r1", "secp521r1")


class KmuSession(TokenSession):
    """One crypto user's view of one cluster, in one login.

    C(again): logs in once more, after the tool was ended because of an answer that did not come.
    """

    uri_attributes: t.Mapping[str, str] = {}

    def __init__(self, tool: Tool, user: str, token_name: str, again: t.Callable[[], Tool]) -> None:
        self._tool = tool
        self._again = again
        self.user = user
        self.token_name = token_name

    @functools.cached_property
    def facts(self) -> VendorFacts:  # type: ignore[override]
        """Whether the sharing of a key can be changed depends on the build (AWS: no, Azure: yes)."""
        if _SHARING in self._tool.commands:
            return FACTS
        return dataclasses.replace(FACTS, fixed=frozenset({"shared_with"}))

    # Who there is

    @functools.cached_property
    def _users(self) -> tuple[ListedUser, ...]:
        return self._tool.users()

    def _name(self, number: int) -> str:
        """A user's name in lower case; the number itself where the cluster has no such user any more."""
        return next((user.name.lower() for user in self._users if user.id == number), str(number))

    def _id(self, name: str) -> int:
        for user in self._users:
            if name in (user.name.lower(), str(user.id)) and user.type == "CU":
                return user.id
        raise HsmError(
            f"Refused to share a key with '{name}': the cluster '{self.token_name}' has no crypto user of that name or"
            " number; hsm_user_info lists them."
        )

    def resolve_users(self, users: t.Sequence[str]) -> tuple[str, ...]:
        names = tuple(sorted(self._name(self._id(user)) for user in users))
        if self.user in names:
            raise HsmError(f"Refused to share a key with '{self.user}': the caller owns it and is not shared with.")
        if len(set(names)) < len(names):
            raise HsmError(f"Refused to share a key with [{', '.join(users)}]: that names a user twice.")
        return names

    # What there is

    def find(self, query: Query) -> list[TokenObject]:
        attempt = f"search the {query.key_class} keys on the token '{self.token_name}'"
        keys = [self._key(handle, attempt) for handle in self._handles(query, attempt)]
        return [key for key in keys if key and _fits(query, key) and (query.others or self._own(key))]

    def _handles(self, query: Query, attempt: str) -> tuple[int, ...]:
        command = _kmu_command.find_key(query.key_class, query.key_type, query.label, query.id, query.token)
        found = self._tool.find(command, attempt)
        return found if query.handle is None else tuple(handle for handle in found if handle == query.handle)

    def _own(self, key: TokenObject) -> bool:
        return key.sharing is not None and key.sharing.owner == self.user

    def look_anew(self) -> None:
        pass  # every search asks the HSM

    def survey(self, query: Query, at_most: int | None = None) -> list[TokenObject] | None:
        attempt = f"list the {query.key_class} keys on the token '{self.token_name}'"
        handles = self._handles(query, attempt)
        if at_most is not None and len(handles) > at_most:
            return None
        keys = [self._key_or_reason(query, handle, attempt) for handle in handles]
        return [key for key in keys if key and (not key.attributes or query.others or self._own(key))]

    def _key_or_reason(self, query: Query, handle: int, attempt: str) -> TokenObject | None:
        try:
            key = self._key(handle, attempt)
        except TokenError as error:
            if not self._tool.alive:
                raise
            return TokenObject(handle, query.key_class, {}, {"class": error.said})
        return key if key and _fits(query, key) else None

    def _key(self, handle: int, attempt: str) -> TokenObject | None:
        """A key with its users; None for one of another user's that the tool tells nothing of."""
        users = self._tool.users_of(handle, attempt)
        if users is None:
            return None
        key_class, attributes = self._tool.attributes(handle, attempt)
        return TokenObject(handle, key_class, attributes, sharing=self._sharing(users))

    def _sharing(self, users: KeyUsers) -> Sharing:
        shared = tuple(sorted(self._name(number) for number in users.shared))
        return Sharing(self._name(users.owner), shared, users.quorum, users.quorum)

    def _known(self, handle: int, attempt: str) -> TokenObject:
        key = self._key(handle, attempt)
        if key is None:
            raise TokenError(attempt, said="that the key is another user's", hint="")
        return key

    @contextlib.contextmanager
    def further(self) -> t.Iterator[KmuSession]:
        yield self

    def nodes(self) -> list[Node]:
        return [Node(f"node {node.id}", _status(node), _kmu_codes.node_said(node)) for node in self._tool.nodes]

    # What is made

    def check_generation(self, wish: Wish) -> None:
        reason = generation_refusal(wish) or vendor_refusal(wish, self.facts)
        if not reason and wish.verify and wish.quorum:
            reason = "verify is true, and each use of the key would need the approval of its users"
        if reason:
            raise HsmError(f"Refused to generate {wish} on the token '{self.token_name}': {reason}.")

    def generate(self, wish: Wish) -> KeyPair:
        drawn = wish.id is None
        if drawn:
            wish = dataclasses.replace(wish, id=secrets.token_hex(self.facts.id_length).encode())
        attempt = f"generate {wish} on the token '{self.token_name}'"
        users = [self._id(name) for name in wish.users()]
        try:
            made, passed = self._tool.generate(wish, users, attempt)
        except TokenError as error:
            raise error.at(attempt, self._undo_unknown(wish, drawn)) from None
        try:
            self._refuse_unmade(wish, made, passed, attempt)
            pairs = pair_up([self._known(made.public, attempt), self._known(made.private, attempt)])
        except HsmError as error:
            remains = self._undo(wish, made)
            raise (
                error.at(attempt, remains) if isinstance(error, TokenError) else HsmError(f"{error} {remains}")
            ) from None
        if len(pairs) != 1 or not pairs[0].whole:
            names = " and ".join(map(str, pairs))
            raise HsmError(
                f"Could not {attempt}: the HSM returned halves that do not belong together, {names}."
                f" {self._undo(wish, made)}"
            )
        return pairs[0]

    def _refuse_unmade(self, wish: Wish, made: Made, passed: bool, attempt: str) -> None:
        """A pair that has handles, and still is not what the command was for."""
        if made.rolled_back:
            waited = f" within {wish.timeout} seconds" if wish.timeout is not None else ""
            said = f"that it is not on {wish.min_servers} HSMs{waited} ({_listed(made.nodes)})"
            raise TokenError(attempt, said=said, hint="see that all HSMs of the cluster work")
        if made.nodes and not any(node.code == 0 for node in made.nodes):
            raise TokenError(attempt, said=f"an error of every HSM ({_listed(made.nodes)})", hint="")
        if wish.attest and not passed:
            raise TokenError(
                attempt,
                said="no 'Attestation Check : [PASS]'",
                hint="do not use the cluster before its vendor explains that",
            )

    def _undo(self, wish: Wish, made: Made) -> str:
        """Destroys what a command of this session returned; the answer tells what remains."""
        if wish.session:
            return "Nothing of it is left, because it was a pair of this session."
        return undone(
            Undoing(f"the new {half} half", f"handle {handle}", functools.partial(self._remove, half, handle))
            for half, handle in ((PRIVATE, made.private), (PUBLIC, made.public))
        )

    def _remove(self, half: Half, handle: int) -> None:
        """Removes a key that the tool may have removed itself, which a search has to show then."""
        attempt = f"remove the {half} key {handle} from the token '{self.token_name}'"
        try:
            self._tool.delete(handle, attempt)
        except TokenError:
            if not self._tool.alive or handle in self._handles(Query(half), attempt):
                raise

    def _undo_unknown(self, wish: Wish, drawn: bool) -> str:
        """After a command that returned no handles: only what carries an id drawn for it is surely its own."""
        try:
            if not self._tool.alive:
                if wish.session:
                    return "Nothing of it is left, because it was a pair of this session."
                self._tool = self._again()
            found = [key for half in HALVES for key in self.find(Query(half, label=wish.label, id=wish.id))]
        except HsmError as error:
            told = error.said if isinstance(error, TokenError) else error.msg
            return f"What it left on the token is not known, because a search failed ({told})."
        if drawn:
            return undone(
                Undoing(str(key), f"handle {key.handle}", functools.partial(self.destroy, key)) for key in found
            )
        if found:
            names = ", ".join(map(str, found))
            return f"What is there now under this name: {names}. If it is a pair, verify=true proves it."
        return "Nothing of that name is left on the token."

    # What is done to it

    def set_attributes(self, found: TokenObject, values: t.Mapping[str, Value]) -> TokenObject:
        raise HsmError(
            f"Refused to change {', '.join(values)} of {found} on the token '{self.token_name}': key_mgmt_util changes"
            " no attributes of a key; use the vendor's management tool (setAttribute of cloudhsm_mgmt_util)."
        )

    def freeze(self, found: TokenObject, values: t.Mapping[str, bool]) -> TokenObject:
        return found  # never asked for: check_generation refuses it

    def share(self, found: TokenObject, users: t.Collection[str]) -> TokenObject:
        there = set(found.sharing.shared_with) if found.sharing else set()
        for names, away in ((set(users) - there, False), (there - set(users), True)):
            if names:
                what = "take it from" if away else "share it with"
                attempt = f"{what} {', '.join(sorted(names))}: {found} on the token '{self.token_name}'"
                self._tool.share(found.handle, sorted(self._id(name) for name in names), away, attempt)
        return self._known(found.handle, f"read {found} on the token '{self.token_name}'")

    def destroy(self, found: TokenObject) -> None:
        attempt = f"remove the {found.half} key {found.handle} from the token '{self.token_name}'"
        self._tool.delete(found.handle, attempt)

    def await_servers(self, wish: Wish, pair: KeyPair, patient: bool = True) -> None:
        if wish.min_servers is None:
            return
        end = time.monotonic() + (wish.timeout or 0)
        holders = self._holders(pair)
        while len(_well(holders)) < wish.min_servers:
            if not patient or time.monotonic() >= end:
                waited = f" within {wish.timeout} seconds" if wish.timeout and patient else ""
                raise HsmError(
                    f"Could not find {wish} on {wish.min_servers} HSMs of the token '{self.token_name}'{waited}: it is"
                    f" on {len(_well(holders))} ({_listed(holders)})."
                )
            time.sleep(_POLL)
            holders = self._holders(pair)

    def _holders(self, pair: KeyPair) -> tuple[HsmNode, ...]:
        """The HSMs, each well where it has both halves."""
        attempt = f"find {pair} on every HSM of the token '{self.token_name}'"
        nodes = merged([self._tool.holders(found.handle, attempt) for found in pair.objects])
        self._tool.nodes = nodes
        return nodes

    def signer(self, pair: KeyPair) -> KmuSigner:
        return KmuSigner(self._tool, self.token_name, pair)

    def prove(self, wish: Wish, pair: KeyPair, passive: bool = False) -> Proof:
        quorum = pair.private.sharing.quorum if pair.private.sharing else 0
        if quorum:
            return Proof(None, f"each use of the key needs the approval of {quorum} users")
        curve = pair.private.curve or pair.public.curve
        nodes = self._tool.nodes
        try:
            return super().prove(wish, pair, passive)
        except TokenError as error:
            if not self._tool.alive or curve is None or curve.name not in _MAY_NOT_SIGN:
                raise
            return Proof(None, f"the tool did not sign on {curve.name} ({error.said})")
        finally:
            self._tool.nodes = nodes  # which HSM signed tells nothing of the pair


def _fits(query: Query, key: TokenObject) -> bool:
    """Whether a key is what was searched for, in what could not be typed; for the rest the HSM's word is taken."""
    if query.label is not None and not _kmu_command.typable(query.label) and key.label != query.label:
        return False
    if query.id is not None and _kmu_command.id_text(query.id) is None and key.id != query.id:
        return False
    if query.key_type is not None and key.key_type != query.key_type:
        return False
    return key.half == query.key_class


def _status(node: HsmNode) -> t.Literal["ok", "failed", "unsynchronised"]:
    if node.code == 0:
        return "ok"
    return "unsynchronised" if node.code == _kmu_codes.INVALID_HANDLE else "failed"


def _well(nodes: t.Iterable[HsmNode]) -> list[HsmNode]:
    return [node for node in nodes if node.code == 0]


def _listed(nodes: t.Iterable[HsmNode]) -> str:
    return ", ".join(f"node {node.id}: {_kmu_codes.node_said(node) or 'ok'}" for node in nodes) or "no HSM answered"
