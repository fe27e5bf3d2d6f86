# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The key-encryption keys that a session shares with other tokens, by the ways of C(_pair/transfer.py).

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.transfer import (
    KEK_BYTES,
    Way,
    kek,
    transport_pair,
    transport_public,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VendorFacts
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.calls import Session
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    PRIVATE,
    PUBLIC,
    SECRET,
    Half,
    Value,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import KEY_GEN, MECHANISMS
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.public_key import point_of

_OAEP = "CKM_RSA_PKCS_OAEP"


class Keks:
    """One session's side. What it makes are objects of the session; L{end} destroys them before that."""

    def __init__(self, session: Session, facts: VendorFacts, token: str) -> None:
        self._session = session
        self._facts = facts
        self._token = token
        self._keks: dict[tuple[str, Way], int] = {}
        self._transport: dict[tuple[str, Way], int] = {}
        self._made: list[int] = []

    def end(self) -> None:
        """Destroys all helpers; what a token refuses goes with the session."""
        while self._made:
            with contextlib.suppress(TokenError):
                self._session.destroy(SECRET, self._made.pop())

    def offer(self, peer: str, way: Way) -> bytes:
        """As L{TransferSession.offer}."""
        if way.kind == "trusted":
            return b""
        return self._new_transport(peer, way)

    def answer(self, peer: str, way: Way, offer: bytes) -> bytes:
        """As L{TransferSession.answer}."""
        if way.kind == "trusted":
            self._keks[peer, way] = self._trusted(way, {"wrap": True})
            return b""
        if way.kind == "ecdh":
            point = self._new_transport(peer, way)
            self._keks[peer, way] = self._agreed(peer, way, offer, wraps=True)
            return point
        public = self._helper(self._session.create(PUBLIC, self._sent(PUBLIC, transport_public(offer))))
        secret = self._helper(self._session.generate_key(KEK_BYTES, kek(wraps=True, extractable=True)))
        self._keks[peer, way] = secret
        return self._session.wrap(public, _OAEP, secret)

    def settle(self, peer: str, way: Way, answer: bytes) -> None:
        """As L{TransferSession.settle}."""
        if way.kind == "trusted":
            self._keks[peer, way] = self._trusted(way, {"unwrap": True})
        elif way.kind == "ecdh":
            self._keks[peer, way] = self._agreed(peer, way, answer, wraps=False)
        else:
            transport = self._transport[peer, way]
            self._keks[peer, way] = self._helper(
                self._session.unwrap(transport, _OAEP, answer, SECRET, kek(wraps=False))
            )

    def wrap(self, peer: str, way: Way, found: TokenObject) -> bytes:
        """As L{TransferSession.wrap}."""
        return self._session.wrap(self._keks[peer, way], way.wraps, found)

    def unwrap(self, peer: str, way: Way, wrapped: bytes, values: t.Mapping[str, Value]) -> int:
        """The private half that was wrapped; its handle."""
        return self._session.unwrap(self._keks[peer, way], way.unwraps, wrapped, PRIVATE, values)

    def _new_transport(self, peer: str, way: Way) -> bytes:
        """Makes this side's transport pair; its modulus or point."""
        key_type = "rsa" if way.kind == "rsa" else "ec"
        templates = {half: self._sent(half, values) for half, values in transport_pair(way).items()}
        mechanism = MECHANISMS[KEY_GEN[key_type]].code
        public, private = self._session.generate(key_type, mechanism, templates[PUBLIC], templates[PRIVATE])
        self._helper(public)
        self._transport[peer, way] = self._helper(private)
        found = self._session.read(PUBLIC, public)
        modulus = found.attributes.get("modulus")
        if key_type == "rsa" and isinstance(modulus, bytes):
            return modulus
        if found.spki is None:
            raise HsmError(f"Could not read the public transport key on the token {self._token}.")
        return point_of(found.spki)

    def _agreed(self, peer: str, way: Way, point: bytes, *, wraps: bool) -> int:
        return self._helper(self._session.derive_key(self._transport[peer, way], point, KEK_BYTES, kek(wraps=wraps)))

    def _trusted(self, way: Way, use: dict[str, Value]) -> int:
        """The key named by the option; it is no helper, and stays."""
        wanted: dict[str, Value] = {"label": way.wrapping_key or "", **use}
        found = self._session.hold(SECRET, wanted)
        if len(found) != 1:
            raise HsmError(
                f"Refused to copy a key with the token {self._token}: {len(found) or 'none'} of its secret keys"
                f" labelled '{way.wrapping_key}' may {next(iter(use))}. Put one such AES key on each token."
            )
        return found[0]

    def _sent(self, half: Half, values: t.Mapping[str, Value]) -> dict[str, Value]:
        return {name: value for name, value in values.items() if self._facts.sends(half, name, value)}

    def _helper(self, handle: int) -> int:
        self._made.append(handle)
        return handle
