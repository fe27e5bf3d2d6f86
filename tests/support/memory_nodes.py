# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several tokens in memory, each served by a process of its own as a task with replicas has them.

What a token holds is in a file, and so outlives the process.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import time
import typing as t
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import TokenSelector
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.transfer import Able, Way
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VENDORS
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.tokens import Group, Token
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC, Half, Value
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.scenarios import session_with

TRANSPORT = 1 << 20  # the handle of a private transport key; those of the keys that are agreed on come after it
PKCS8 = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()


class MemoryNode:
    """One token: its objects and keys, and the rules of how it misbehaves.

    A rule maps a method to the CKR it answers, to `die`, to `hang`, or to `done, then` one of these; `once` before it
    makes it happen once; `slow` is two seconds late. `store` may be `generous` or `sparing` with the uses of a key
    that arrives.
    """

    def __init__(self, file: Path, *pairs: KeyPair, vendor: str = "generic", **rules: str) -> None:
        self._file = file
        self.name = file.name
        self.selector = TokenSelector(label=self.name)
        self.vendor = vendor
        self.lock_key = f"memory {file}"
        session = session_with(*pairs)
        self.keep(session.objects, session.keys.of, rules, [])

    def keep(
        self, objects: list[TokenObject], keys: t.Mapping[int, t.Any], rules: dict[str, str], calls: list[str]
    ) -> None:
        raw = {handle: key.private_bytes(*PKCS8) for handle, key in keys.items() if key}
        self._file.write_bytes(pickle.dumps((objects, raw, rules, calls)))

    def kept(self) -> tuple[list[TokenObject], dict[int, t.Any], dict[str, str], list[str]]:
        objects, raw, rules, calls = pickle.loads(self._file.read_bytes())
        keys = {handle: serialization.load_der_private_key(key, None) for handle, key in raw.items()}
        return objects, keys, rules, calls

    @property
    def objects(self) -> list[TokenObject]:
        return self.kept()[0]

    @property
    def calls(self) -> list[str]:
        return self.kept()[3]

    @property
    def certified(self) -> list[Certificate]:
        """The certificates."""
        file = self._file.with_suffix(".certificates")
        return pickle.loads(file.read_bytes()) if file.exists() else []

    @certified.setter
    def certified(self, certificates: list[Certificate]) -> None:
        self._file.with_suffix(".certificates").write_bytes(pickle.dumps(certificates))

    def obey(self, **rules: str) -> None:
        """From now on these are the rules, and no call was made."""
        objects, keys, _old, _calls = self.kept()
        self.keep(objects, keys, rules, [])

    @contextlib.contextmanager
    def unlocked_session(self, *, writable: bool, threads: bool = False) -> t.Iterator[NodeSession]:
        """As a provider's; a task that only looks asks for no writable one, and one that makes many for threads."""
        session = NodeSession(self, writable)
        with session.told("open"):
            pass
        yield session


class NodeSession(MemorySession):
    """The session of a node's process."""

    slot_id = 0

    def __init__(self, node: MemoryNode, writable: bool) -> None:
        super().__init__(facts=VENDORS[node.vendor])
        self._node = node
        self._writable = writable
        self.token_name = node.name
        self.uri_attributes = {"token": node.name}
        self.objects, self.keys.of, self._rules, self.calls = node.kept()
        self.certified = node.certified
        self._handles = itertools.count(100 + max([found.handle for found in self.objects], default=0))
        self.transfer = NodeTransfer(self)

    def introduction(self) -> dict[str, t.Any]:
        names = ("facts", "token_name", "uri_attributes", "write_protected", "slot_id", "threads", "freezes_by_copy")
        return {name: getattr(self, name) for name in names}

    def _called(self, name: str) -> None:
        """The calls are noted by `told`."""

    @contextlib.contextmanager
    def told(self, name: str) -> t.Iterator[None]:
        """Notes a call, and does what the rules say before or after it; what was changed until then is kept."""
        self.calls.append(name)
        rule = self._rules.get(name, "")
        if rule.startswith("once "):
            del self._rules[name]
            rule = rule.removeprefix("once ")
        self._keep()
        if rule and not rule.startswith("done, then "):
            self._misbehave(name, rule)
        yield
        self._keep()
        if rule:
            self._misbehave(name, rule.removeprefix("done, then "))

    def _keep(self) -> None:
        self._node.keep(self.objects, self.keys.of, self._rules, self.calls)
        self._node.certified = self.certified

    def _misbehave(self, name: str, rule: str) -> None:
        if rule == "die":
            os._exit(7)
        if rule == "hang":
            time.sleep(600)
        if rule == "slow":
            time.sleep(2)
            return
        if rule == "bug":
            raise ZeroDivisionError
        raise TokenError(name, rule)

    def find(self, query: t.Any) -> list[TokenObject]:
        with self.told("find"):
            return super().find(query)

    def check_generation(self, wish: Wish) -> None:
        with self.told("check_generation"):
            super().check_generation(wish)

    def generate(self, wish: Wish) -> KeyPair:
        with self.told("generate"):
            return super().generate(wish)

    def set_attributes(self, found: TokenObject, values: t.Mapping[str, Value]) -> TokenObject:
        assert self._writable
        with self.told("set_attributes"):
            return super().set_attributes(found, values)

    def freeze(self, found: TokenObject, values: t.Mapping[str, bool]) -> TokenObject:
        with self.told("freeze"):
            return super().freeze(found, values)

    def destroy(self, found: TokenObject) -> None:
        with self.told("destroy"):
            super().destroy(found)

    def set_certificate_id(self, found: Certificate, identifier: bytes) -> None:
        with self.told("set_certificate_id"):
            super().set_certificate_id(found, identifier)

    def destroy_certificate(self, found: Certificate) -> None:
        with self.told("destroy_certificate"):
            super().destroy_certificate(found)

    def prove(self, wish: Wish, pair: KeyPair, passive: bool = False) -> t.Any:
        with self.told("prove"):
            return super().prove(wish, pair, passive)

    def store(self, key: t.Any, templates: t.Mapping[Half, t.Mapping[str, Value]], there: KeyPair) -> KeyPair:
        """A private half that arrives, and its public half if it is not there."""
        values: dict[Half, dict[str, Value | None]] = {
            half: {"local": False, "always_sensitive": False, **templates[half]} for half in (PUBLIC, PRIVATE)
        }
        values[PUBLIC].pop("always_sensitive")
        # NSS gives each use whatever the template says, others have no such attribute.
        other: dict[str, dict[str, Value | None]] = {"generous": {"unwrap": True}, "sparing": {"unwrap": None}}
        values[PRIVATE] |= other.get(self._rules.get("store", ""), {})
        pair = pair_of(key, values[PRIVATE], values[PUBLIC], handle=next(self._handles))
        next(self._handles)
        self.keys.of[pair.private.handle] = key
        if there.publics:
            pair = pair.with_half(there.public)
        self.objects.extend(found for found in pair.objects if found not in there.objects)
        return pair


class NodeTransfer:
    """How a key leaves one token and arrives on another; the wrapped key is the key, once both have agreed."""

    def __init__(self, session: NodeSession) -> None:
        self._session = session
        self._agreed: set[int] = set()

    def able(self) -> Able:
        mechanisms = frozenset(row.code for row in MECHANISMS.values())
        return Able(self._session.token_name, mechanisms, self._session.facts)

    def offer(self, way: Way) -> tuple[bytes, int]:
        with self._session.told("offer"):
            return b"offer", TRANSPORT

    def answer(self, way: Way, offer: bytes) -> tuple[bytes, int]:
        assert offer == b"offer"
        with self._session.told("answer"):
            return b"answer", self._new_kek()

    def settle(self, way: Way, transport: int, answer: bytes) -> int:
        assert (transport, answer) == (TRANSPORT, b"answer")
        with self._session.told("settle"):
            return self._new_kek()

    def _new_kek(self) -> int:
        kek = TRANSPORT + 1 + len(self._agreed)
        self._agreed.add(kek)
        return kek

    def wrap(self, way: Way, kek: int, found: TokenObject) -> bytes:
        assert kek in self._agreed
        with self._session.told("wrap"):
            if found.attributes["extractable"] is not True:
                raise TokenError("wrap", "CKR_KEY_UNEXTRACTABLE")
            return t.cast(bytes, self._session.keys.of[found.handle].private_bytes(*PKCS8))

    def receive(
        self, way: Way, kek: int, wrapped: bytes, templates: t.Mapping[Half, t.Mapping[str, Value]], pair: KeyPair
    ) -> KeyPair:
        assert kek in self._agreed
        with self._session.told("receive"):
            return self._session.store(serialization.load_der_private_key(wrapped, None), templates, pair)


@contextlib.contextmanager
def group_of(*nodes: MemoryNode, writable: bool = True) -> t.Iterator[Group]:
    """The nodes as a task has them, the source first; no process is left."""
    group = Group([Token(node.name, t.cast(t.Any, node), writable) for node in nodes])
    try:
        yield group
    finally:
        for token in group.all:
            token.close()
