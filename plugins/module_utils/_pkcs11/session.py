# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A logged-in token, reached through a vendor's PKCS#11 library.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import secrets
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject, pair_up
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Query, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import (
    TokenFlag,
    TokenInfo,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendor_limits import vendor_refusal
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VendorFacts
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.calls import Session
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.library import Library
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.signer import Pkcs11Signer
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    FREEZING,
    HALVES,
    KEY_CLASSES,
    PRIVATE,
    PUBLIC,
    Half,
    KeyClass,
    Value,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import (
    KEY_GEN,
    MECHANISMS,
    mechanism_name,
)

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.transfer import Transfer


class Pkcs11Session(TokenSession):
    """One logged-in token, reached through one library."""

    def __init__(self, library: Library, session: Session, token: TokenInfo, facts: VendorFacts) -> None:
        self._library = library
        self._session = session
        self._token = token
        self.facts = facts
        self.token_name = token.label
        self.slot_id = token.slot_id
        self.uri_attributes = token.uri_attributes()
        self.write_protected = bool(token.flags & TokenFlag.WRITE_PROTECTED)
        self.threads = library.threads

    @functools.cached_property
    def transfer(self) -> Transfer:
        """This session's part in the copying of pairs."""
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.transfer import Transfer

        return Transfer(self._session, self._token, self.mechanisms, self.facts)

    @property
    def mechanisms(self) -> frozenset[int]:
        """What the token can do."""
        return self._library.mechanisms(self._token.slot_id)

    def find(self, query: Query) -> list[TokenObject]:
        return self._session.find(query.key_class, query.attributes(), query.read)

    def look_anew(self) -> None:
        pass  # every search asks the token

    def survey(self, query: Query, at_most: int | None = None) -> list[TokenObject] | None:
        handles = self._session.handles(query.key_class, query.attributes(), at_most)
        if at_most is not None and len(handles) > at_most:
            return None
        return [self._read_or_tell(query, handle) for handle in handles]

    def _read_or_tell(self, query: Query, handle: int) -> TokenObject:
        try:
            return self._session.read(query.key_class, handle, query.read)
        except TokenError as error:
            return TokenObject(handle, query.key_class, {}, {"class": error.ckr or error.said})

    @contextlib.contextmanager
    def further(self) -> t.Iterator[Pkcs11Session]:
        opened = self._library.open_further(self._token, rw=not self.write_protected)
        with contextlib.closing(Pkcs11Session(self._library, opened, self._token, self.facts)) as session:
            yield session

    def close(self) -> None:
        """Logs out, and leaves nothing that a transfer needed."""
        if "transfer" in self.__dict__:
            self.transfer.end()
        self._session.close()

    def check_generation(self, wish: Wish) -> None:
        reason = self._mechanism_refusal(wish) or vendor_refusal(wish, self.facts)
        if not reason and wish.verify:
            from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.proof import candidates

            if not {row.code for row in candidates(wish, wish.template(PRIVATE))} & self.mechanisms:
                reason = "verify is true and the token has no mechanism to prove the pair with"
        if reason:
            raise HsmError(f"Refused to generate {wish} on the token {self._token}: {reason}.")

    def _mechanism_refusal(self, wish: Wish) -> str | None:
        """Why the token's own mechanisms cannot make the pair."""
        mechanism = _key_gen(wish)
        if mechanism not in self.mechanisms:
            return f"the token has no {mechanism_name(mechanism)}; see the option key_gen_mechanism"
        # Tokens count the bits of Edwards curves differently (255 or 256); there the name alone decides.
        bits = {"rsa": wish.modulus_bits, "ec": wish.curve.bits if wish.curve else None}.get(wish.key_type)
        smallest, largest = self._library.key_sizes(self._token.slot_id, mechanism)
        if bits and largest and not smallest <= bits <= largest:
            return f"the token makes keys of {smallest} to {largest} bits, not of {bits}"
        return None

    def generate(self, wish: Wish) -> KeyPair:
        drawn = wish.id is None and self.facts.id_length > 0
        if drawn:
            wish = dataclasses.replace(wish, id=wish.drawn_id or secrets.token_bytes(self.facts.id_length))
        handles: dict[KeyClass, int] = {}
        try:
            handles[PUBLIC], handles[PRIVATE] = self._session.generate(
                wish.key_type, _key_gen(wish), self._template(wish, PUBLIC), self._template(wish, PRIVATE)
            )
            pairs = pair_up([self._session.read(half, handle) for half, handle in handles.items()])
        except TokenError as error:
            remains = self._session.take_back(handles) if handles else self._undo_unknown(wish, drawn)
            raise error.at(f"generate {wish} on the token {self._token}", remains) from None
        except Exception:  # a bug, or a value that python-pkcs11 cannot take (T8): reported as one, and nothing is left
            self._undo_unknown(wish, drawn)
            raise
        if len(pairs) != 1 or not pairs[0].whole:
            names = " and ".join(map(str, pairs))
            # One of the handles may be that of a key which was there before: it is not destroyed by its handle.
            raise HsmError(
                f"Could not generate {wish} on the token {self._token}: the HSM returned halves that do not belong"
                f" together, {names}. {self._undo_unknown(wish, drawn)}"
            )
        return pairs[0]

    def _template(self, wish: Wish, half: Half) -> dict[str, Value]:
        values = wish.new_half(half)
        if not self.facts.copy:
            values.update(wish.freezing(half))
        return self.facts.sent(half, values)

    def _undo_unknown(self, wish: Wish, drawn: bool) -> str:
        """After a call that returned no handles: only what carries an id drawn for it is surely its own (trap T14)."""
        try:
            found = [
                key
                for half in HALVES
                for key in self.find(Query(half, label=None if wish.id else wish.label, id=wish.id))
            ]
        except TokenError as error:
            return f"What it left on the token is not known, because a search failed ({error.ckr or error.said})."
        if drawn:
            return self._session.take_back({key.half: key.handle for key in found})
        if found:
            names = ", ".join(map(str, found))
            return f"What is there now under this name: {names}. If it is a pair, verify=true proves it."
        return "Nothing of that name is left on the token."

    def set_attributes(self, found: TokenObject, values: t.Mapping[str, Value]) -> TokenObject:
        self._session.set_attributes(found, values)
        return self._session.read(found.half, found.handle)

    def freeze(self, found: TokenObject, values: t.Mapping[str, bool]) -> TokenObject:
        if not self.facts.copy:
            return found  # sent at birth: this vendor has no other way
        frozen = self._session.copy(found, {name: values[name] for name in FREEZING if name in values})
        try:
            self._session.destroy(found.half, found.handle)
        except TokenError as error:
            raise error.at(error.attempt, f"Beside it is its copy, {frozen}, which is to take its place.") from None
        return frozen

    def destroy(self, found: TokenObject) -> None:
        self._session.destroy(found.half, found.handle)

    def describe(self) -> dict[str, t.Any]:
        """The state of the session, and how many key objects it sees; three searches."""
        objects = {f"{name}_key": len(self._session.handles(name, {})) for name in KEY_CLASSES}
        return {"state": self._session.state(), "objects": objects}

    def signer(self, pair: KeyPair) -> Pkcs11Signer:
        return Pkcs11Signer(self._session, pair.private, lambda: self.mechanisms)

    def introduction(self) -> dict[str, t.Any]:
        """What another process has to know of this session to work with it."""
        names = ("facts", "token_name", "uri_attributes", "write_protected", "slot_id")
        return {name: getattr(self, name) for name in names}


def _key_gen(wish: Wish) -> int:
    if wish.key_gen_mechanism is not None:
        return wish.key_gen_mechanism
    return MECHANISMS[KEY_GEN[wish.key_type]].code
