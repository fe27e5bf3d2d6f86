# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A new pair on a token: what it cannot make is refused before, and what a call that failed left is taken back."""

from __future__ import annotations

import dataclasses
import traceback
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import expectation, keypair, vendor_limits, vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import TokenInfo
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.undoing import NOTHING_LEFT
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import calls, mechanism_list
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.library import Library
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, drawn_id, errors, mechanisms

_VENDORS_OWN = 0x80000000  # CKM_VENDOR_DEFINED


class Generation:
    """The making of pairs in one session."""

    def __init__(self, library: Library, session: calls.Session, token: TokenInfo, facts: vendors.VendorFacts) -> None:
        self._library = library
        self._session = session
        self._token = token
        self._facts = facts
        self._mechanisms = mechanism_list.codes(library.functions, token.slot_id)

    def check(self, wish: Wish) -> None:
        """As `TokenSession.check_generation`."""
        reason = (
            self._mechanism_refusal(wish)
            or vendor_limits.vendor_refusal(wish, self._facts)
            or vendor_limits.use_refusal(wish, self._facts)
        )
        if not reason and wish.verify:
            from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import proof

            if not {row.code for row in proof.candidates(wish, wish.template(attributes.PRIVATE))} & self._mechanisms:
                reason = "verify is true and the token has no mechanism to prove the pair with"
            elif wish.private_attributes.get("always_authenticate"):
                from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import context_login

                reason = None if context_login.pin_of(self._library) else f"verify is true, and {context_login.NO_PIN}"
        if reason:
            raise errors.HsmError(f"Refused to generate {wish} on the token {self._token}: {reason}.")

    def _mechanism_refusal(self, wish: Wish) -> str | None:
        """Why the token's own mechanisms cannot make the pair."""
        mechanism = _key_gen(wish)
        if mechanism not in self._mechanisms:
            return (
                f"the token has no {mechanisms.mechanism_name(mechanism)}; {_other_mechanism(wish, self._mechanisms)}"
            )
        # Tokens count the bits of Edwards curves differently (255 or 256); there the name alone decides.
        bits = {"rsa": wish.modulus_bits, "ec": wish.curve.bits if wish.curve else None}.get(wish.key_type)
        smallest, largest = mechanism_list.key_sizes(self._library.functions, self._token.slot_id, mechanism)
        if bits and largest and not smallest <= bits <= largest:
            return f"the token makes keys of {smallest} to {largest} bits, not of {bits}"
        return None

    def generate(self, wish: Wish) -> keypair.KeyPair:
        """As `TokenSession.generate`."""
        if self._facts.label_is_id:
            wish = dataclasses.replace(wish, id=vendor_limits.one_name(wish))
        drawn = wish.id is None and self._facts.id_length > 0
        if drawn:
            wish = dataclasses.replace(wish, id=wish.drawn_id or drawn_id.draw(self._facts.id_length))
        handles: dict[attributes.KeyClass, int] = {}
        try:
            handles[attributes.PUBLIC], handles[attributes.PRIVATE] = self._session.generate(
                _key_gen(wish),
                self._template(wish, attributes.PUBLIC),
                self._template(wish, attributes.PRIVATE),
            )
            pairs = keypair.pair_up([self._session.read(half, handle) for half, handle in handles.items()])
        except errors.TokenError as error:
            remains = self._undo(wish, drawn, handles) or NOTHING_LEFT
            from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import strict_token

            raise strict_token.with_options_to_try(
                error.at(f"generate {wish} on the token {self._token}", remains), wish
            ) from None
        except Exception as error:  # pylint: disable=broad-except
            why = f"unexpected {type(error).__name__}; this is a bug of cryptoki.hsm, please report it"
            remains = self._undo(wish, drawn, handles) or NOTHING_LEFT
            told = f"generate {wish} on the token {self._token}"
            raise errors.HsmError.failed(told, why, remains, exception=traceback.format_exc()) from None
        told = expectation.unlike(wish.id, pairs)
        if told:
            # The handles may be those of keys which were there before: nothing is destroyed by them.
            left = self._undo(wish, drawn, {}) or "That was left alone, for it may be another host's."
            raise errors.HsmError.failed(
                f"generate {wish} on the token {self._token}", f"the HSM returned {told}", left
            )
        return pairs[0]

    def _template(self, wish: Wish, half: attributes.Half) -> dict[str, attributes.Value]:
        values = wish.new_half(half)
        if not self._facts.copy:
            values.update(wish.freezing(half))
        return self._facts.sent(half, values)

    def _undo(self, wish: Wish, drawn: bool, returned: t.Mapping[attributes.KeyClass, int]) -> str:
        """As `Remains.take_back`."""
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.remains import Remains

        return Remains(self._session, wish, drawn).take_back(returned)


def _other_mechanism(wish: Wish, there: frozenset[int]) -> str:
    """What to do where the mechanism of a generation is missing, by the mechanisms that are `there`."""
    able = [row for row in mechanisms.MECHANISMS.values() if (row.family, row.use) == (wish.key_type, "generate")]
    others = ", ".join(row.name for row in able if row.code in there)
    if others:
        return f"set key_gen_mechanism to one that it has: {others}"
    if any(code >= _VENDORS_OWN for code in there):
        return "if it makes such keys by a mechanism of the vendor's own, give that in key_gen_mechanism"
    return "it makes no such keys at all"


def _key_gen(wish: Wish) -> int:
    if wish.key_gen_mechanism is not None:
        return wish.key_gen_mechanism
    return mechanisms.MECHANISMS[mechanisms.KEY_GEN[wish.key_type]].code
