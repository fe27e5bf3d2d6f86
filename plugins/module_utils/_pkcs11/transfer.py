# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One session's part in the copying of pairs, by the ways of `_pair/transfer.py`."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair, transfer, vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import TokenInfo
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import calls, derivation, mechanism, removal
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, ec_key, errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import KEY_GEN, MECHANISMS

_OAEP = "CKM_RSA_PKCS_OAEP"


class Transfer:
    """What a token does as the source or as a replica.

    Its helpers are objects of the session, and all sessions of the process can use them (PKCS#11 3.1, section 3.5);
    `end` destroys them before the session that made them ends.
    """

    def __init__(
        self, session: calls.Session, token: TokenInfo, mechanisms: frozenset[int], facts: vendors.VendorFacts
    ) -> None:
        self._session = session
        self._token = token
        self._mechanisms = mechanisms
        self._facts = facts
        self._made: list[tuple[attributes.KeyClass, int]] = []

    def able(self) -> transfer.Able:
        """What the token can do for a transfer."""
        return transfer.Able(self._token.label, self._mechanisms, self._facts)

    def end(self) -> None:
        """Destroys all helpers; what a token refuses goes with the session."""
        while self._made:
            with contextlib.suppress(errors.TokenError):
                removal.discard(self._session, *self._made.pop())

    def offer(self, way: transfer.Way) -> tuple[bytes, int]:
        """The replica's first step: its public transport key (RSA modulus or EC point), and the private one's handle.

        Nothing is needed for a trusted key.
        """
        return (b"", 0) if way.kind == "trusted" else self._new_transport(way)

    def answer(self, way: transfer.Way, offer: bytes) -> tuple[bytes, int]:
        """The source's step: what the replica needs to have the KEK, too, and the handle of the KEK here."""
        if way.kind == "trusted":
            return b"", self._trusted(way, "wrap")
        if way.kind == "ecdh":
            point, private = self._new_transport(way)
            return point, self._agreed(private, offer, wraps=True)
        transport = calls.template(
            self._facts.sent(attributes.PUBLIC, transfer.transport_public(offer)), attributes.PUBLIC
        )
        public = self._helper("store a public key", "C_CreateObject", transport, key_class=attributes.PUBLIC)
        secret = calls.template(
            {**transfer.kek(wraps=True, extractable=True), "value_len": transfer.KEK_BYTES}, attributes.SECRET
        )
        kek = self._helper("generate a key", "C_GenerateKey", _mechanism("CKM_AES_KEY_GEN"), secret)
        return self._session.output("wrap a key", "C_WrapKey", _mechanism(_OAEP), public, kek), kek

    def settle(self, way: transfer.Way, transport: int, answer: bytes) -> int:
        """The replica's second step, with the private transport key of the first: the handle of the KEK here."""
        if way.kind == "trusted":
            return self._trusted(way, "unwrap")
        if way.kind == "ecdh":
            return self._agreed(transport, answer, wraps=False)
        kek = calls.template(transfer.kek(wraps=False), attributes.SECRET)
        return self._helper("unwrap a secret key", "C_UnwrapKey", _mechanism(_OAEP), transport, answer, kek)

    def wrap(self, way: transfer.Way, kek: int, found: keypair.TokenObject) -> bytes:
        """A private half of the source, wrapped."""
        arguments = _mechanism(way.wraps), kek, found.handle
        return self._session.output(f"wrap the private key '{found.label}'", "C_WrapKey", *arguments)

    def receive(
        self,
        way: transfer.Way,
        kek: int,
        wrapped: bytes,
        templates: t.Mapping[attributes.Half, t.Mapping[str, attributes.Value]],
        pair: keypair.KeyPair,
    ) -> keypair.KeyPair:
        """The pair as the replica has it then; `pair` is what is there of it already: nothing, or a public half.

        After an error nothing that this call made is left, or the error names what remains.
        """
        sent = {half: calls.template(self._facts.sent(half, values), half) for half, values in templates.items()}
        unwrap = _mechanism(way.unwraps), kek, wrapped
        made: dict[attributes.KeyClass, int] = {}
        try:
            if not pair.publics:  # first, because it tells what the private half is if the task is killed in between
                made[attributes.PUBLIC] = self._session.make(
                    "store a public key", "C_CreateObject", sent[attributes.PUBLIC]
                )
            made[attributes.PRIVATE] = self._session.make(
                "unwrap a private key", "C_UnwrapKey", *unwrap, sent[attributes.PRIVATE]
            )
            for half, handle in made.items():
                pair = pair.with_half(self._session.read(half, handle))
        except errors.TokenError as error:
            what = f"copy a key pair to the token {self._token}"
            raise error.at(what, self._undo(made, templates[attributes.PRIVATE].get("id"))) from None
        pairs = keypair.pair_up(pair.objects)
        return pairs[0] if len(pairs) == 1 else pair

    def store_public(self, values: t.Mapping[str, attributes.Value]) -> keypair.TokenObject:
        """A public half made of these attributes, read back."""
        sent = calls.template(self._facts.sent(attributes.PUBLIC, values), attributes.PUBLIC)
        return self._session.read(attributes.PUBLIC, self._session.make("store a public key", "C_CreateObject", sent))

    def _undo(self, made: t.Mapping[attributes.KeyClass, int], ident: attributes.Value | None) -> str:
        """What was stored goes again, as far as it carries the id of the copy; the caller looks for the rest by it."""
        try:
            own = removal.named(self._session, ident, made) if isinstance(ident, bytes) and ident else []
        except errors.TokenError as error:
            return f"What it left on the token is not known, because a search failed ({error.ckr or error.said})."
        if len(own) < len(made):
            handles = ", ".join(f"{half} key {handle}" for half, handle in made.items() if (half, handle) not in own)
            return (
                f"{removal.take_back(self._session, own)} The HSM answered with the {handles}, which may be another's."
            )
        return removal.take_back(self._session, own)

    def _new_transport(self, way: transfer.Way) -> tuple[bytes, int]:
        """Makes this side's transport pair; its modulus or point, and the handle of its private half."""
        key_type = "rsa" if way.kind == "rsa" else "ec"
        templates = {half: self._facts.sent(half, values) for half, values in transfer.transport_pair(way).items()}
        code = MECHANISMS[KEY_GEN[key_type]].code
        public, private = self._session.generate(code, templates[attributes.PUBLIC], templates[attributes.PRIVATE])
        self._made += (attributes.PUBLIC, public), (attributes.PRIVATE, private)
        found = self._session.read(attributes.PUBLIC, public)
        modulus = found.attributes.get("modulus")
        if isinstance(modulus, bytes) and modulus:
            return modulus, private
        if found.spki is None:
            raise errors.HsmError(f"Could not read the public transport key on the token {self._token}.")
        return ec_key.point_of(found.spki), private

    def _agreed(self, private: int, point: bytes, *, wraps: bool) -> int:
        agreed = calls.template({**transfer.kek(wraps=wraps), "value_len": transfer.KEK_BYTES}, attributes.SECRET)
        return self._helper("derive a key", "C_DeriveKey", derivation.ecdh(point), private, agreed)

    def _trusted(self, way: transfer.Way, use: str) -> int:
        """The key named by the option; it is no helper, and stays."""
        found = self._session.handles(attributes.SECRET, {"label": way.wrapping_key or "", use: True})
        if len(found) != 1:
            raise errors.HsmError(
                f"Refused to copy a key with the token {self._token}: {len(found) or 'none'} of its secret keys"
                f" labelled '{way.wrapping_key}' may {use}. Put one such AES key on each token."
            )
        return found[0]

    def _helper(
        self, what: str, function: str, *arguments: t.Any, key_class: attributes.KeyClass = attributes.SECRET
    ) -> int:
        handle = self._session.make(what, function, *arguments)
        self._made.append((key_class, handle))
        return handle


def _mechanism(name: str) -> mechanism.CkMechanism:
    return mechanism.with_parameter(MECHANISMS[name])
