# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The public half of a lone private RSA half, made from its own modulus: Java stores none."""

from __future__ import annotations

import dataclasses
import typing as t
from collections import deque

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair, wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import work
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors


class Completion(work.Work):
    """Of one wished pair."""

    def completed(
        self, private: keypair.TokenObject, foretell: t.Callable[[keypair.KeyPair], work.Staged[t.Any]]
    ) -> keypair.KeyPair:
        """The pair with its new public half, in check mode as it would be; it is proven before that is stored.

        `foretell`: what is to be done to the pair then, as in check mode; what that refuses is refused before, too.
        """
        values = self._public(private)
        expected = keypair.KeyPair(
            (keypair.TokenObject(0, attributes.PUBLIC, {"class": "public_key", **values}),), (private,), "material"
        )
        if self.session.write_protected:
            raise self.refused("complete", "the token is write-protected")
        self.session.check_making(f"complete {self.where}")
        self._prove(expected)
        foretold = expected.with_half(self._born(expected.public))
        if self.check_mode:
            return foretold
        deque(foretell(foretold), maxlen=0)
        try:
            return expected.with_half(t.cast(t.Any, self.session).transfer.store_public(values))
        except errors.TokenError as error:
            raise error.at(f"complete {self.where}") from None

    @staticmethod
    def _born(public: keypair.TokenObject) -> keypair.TokenObject:
        """A new half as a token has it, which may be frozen afterwards."""
        return dataclasses.replace(public, attributes={**dict.fromkeys(attributes.FREEZING, True), **public.attributes})

    def _public(self, private: keypair.TokenObject) -> dict[str, attributes.Value]:
        """The template: what the private half tells, and where nothing is wished, what it may be used for."""
        modulus, exponent = private.attributes.get("modulus"), private.attributes.get("public_exponent")
        if not (isinstance(modulus, bytes) and modulus):
            raise self.refused("complete", f"the token does not tell the modulus of {private}")
        if not (isinstance(exponent, bytes) and exponent):
            number = self.wish.public_exponent or wish.DEFAULT_EXPONENT
            exponent = number.to_bytes((number.bit_length() + 7) // 8, "big")
        return {**self._described(private), "key_type": "rsa", "modulus": modulus, "public_exponent": exponent}

    def _described(self, private: keypair.TokenObject) -> dict[str, attributes.Value]:
        """Names and uses; a freeze comes last, as for a new pair."""
        names: dict[str, attributes.Value | None] = {"label": private.label, "id": private.id}
        values = {name: value for name, value in names.items() if value} | self.wish.template(attributes.PUBLIC)
        if self.wish.usage is None:
            pairs = [bits for bits in attributes.USAGE_BITS.values() if attributes.PUBLIC in bits]
            told = {bits[attributes.PUBLIC]: private.attributes.get(bits[attributes.PRIVATE]) is True for bits in pairs}
            values |= {name: value for name, value in told.items() if name not in self.wish.public_attributes}
        return values

    def _prove(self, expected: keypair.KeyPair) -> None:
        """An exponent that the private half does not tell has to be proven; one that it tells is, where that can be."""
        told = expected.private.public_exponent is not None
        if told and self.wish.verify is False:
            return
        proof = self.session.prove(self.wish, expected, passive=True)
        if proof.method is None and (self.wish.verify or not told):
            why = f"that {expected.private} has the exponent {expected.public.public_exponent} cannot be proven"
            raise self.refused("complete", f"{why} ({proof.reason})")
