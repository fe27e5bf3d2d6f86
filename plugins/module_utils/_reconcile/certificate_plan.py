# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which certificates shall be on a token, and which go: decided from all that are there; nothing is changed here."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair, plan
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate, parsed
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Query, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import work
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import signature
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.chain import der, key_identifier, short_name, validity

if t.TYPE_CHECKING:
    from cryptography import x509

Kind = t.Literal["key", "chain"]


@dataclasses.dataclass(frozen=True)
class Place:
    """A certificate of the task: as it shall be (None: gone), the one of its value that is there, and what goes."""

    kind: Kind
    wished: Certificate | None
    found: Certificate | None = None
    going: tuple[Certificate, ...] = ()

    @property
    def renamed(self) -> bool:
        """Whether the one that is there gets another label or id."""
        wished, found = self.wished, self.found
        return bool(wished and found) and (wished.label, wished.id) != (found.label, found.id)  # type: ignore[union-attr]

    @property
    def outdated(self) -> list[Certificate]:
        """What goes and is another certificate, not a copy."""
        return [one for one in self.going if self.wished is None or one.value != self.wished.value]

    @property
    def action(self) -> plan.Action:
        """What is done to it."""
        if self.wished is None:
            return plan.Action.REMOVE if self.going else plan.Action.NOTHING
        if self.outdated:
            return plan.Action.REPLACE
        if self.found is None:
            return plan.Action.GENERATE
        return plan.Action.CHANGE if self.going or self.renamed else plan.Action.NOTHING

    @property
    def before(self) -> Certificate | None:
        """What stood in its place."""
        return next(iter(self.outdated), self.found)


def every_certificate(session: TokenSession) -> list[Certificate]:
    """All certificates of a token. One that cannot be read may be the one that is meant: it is no absence."""
    there = session.certificates()
    for one in there:
        if one.unreadable:
            what = f"read {one} with handle {one.handle} on the token '{session.token_name}'"
            raise errors.TokenError(what, one.unreadable)
    return there


class PairCertificates:
    """The certificates of a token as seen from one pair; raises `HsmError` where the pair does not tell its key."""

    def __init__(self, session: TokenSession, pair: keypair.KeyPair, there: t.Sequence[Certificate]) -> None:
        self.session = session
        self.pair = pair
        self.there = there
        self.where = f"the certificate of {pair.private} on the token '{session.token_name}'"
        try:
            self._spki = signature.spki_of(signature.public_key(pair.spki))
        except ValueError as error:
            raise errors.HsmError.refused(f"touch {self.where}", str(error)) from None
        self._beside_others = functools.lru_cache(maxsize=None)(self._is_anothers_id)

    def is_of_key(self, certificate: x509.Certificate | None) -> bool:
        """Whether a certificate is that of the pair's key."""
        return certificate is not None and signature.spki_of(signature.key_in(certificate)) == self._spki

    def own(self) -> list[Certificate]:
        """The certificates of this key; those beside another pair of the same key are that one's."""
        mine = [one for one in self.there if self.is_of_key(parsed(one.value))]
        return [one for one in mine if one.id in self.pair.ids or not self._beside_others(one.id)]

    def _is_anothers_id(self, identifier: bytes) -> bool:
        return bool(identifier) and bool(
            self.session.find(Query(attributes.PRIVATE, id=identifier, read=attributes.IDENTITY))
        )

    def check_beside(self) -> None:
        """Refuses to go on where a certificate of its id cannot be read, which programs would take for the key's."""
        for one in self._with_its_id():
            if parsed(one.value) is None:
                remedy = "Remove it by another program, or give it another id."
                raise errors.HsmError.refused(
                    f"touch {self.where}", f"what certificate {one} is cannot be told", remedy
                )

    def warnings(self) -> list[str]:
        """What is beside the pair and is not of it."""
        foreign = [one for one in self._with_its_id() if not self.is_of_key(parsed(one.value))]
        told = f"Beside {self.pair.private} on the token '{self.session.token_name}' is the certificate of another key,"
        return [f"{told} which programs may take for its own: {work.listed(foreign)}."] if foreign else []

    def _with_its_id(self) -> list[Certificate]:
        return [one for one in self.there if one.id and one.id in self.pair.ids]

    def place(self, given: x509.Certificate, force: bool) -> Place:
        """Where its certificate is to be; refuses one that is older than what is there."""
        identifier = self.pair.private.id
        if not identifier:
            remedy = "Give it one, by new_id of hsm_key."
            raise errors.HsmError.refused(
                f"store {self.where}", "programs join them by the id, and the key has none", remedy
            )
        self.check_beside()
        labels = [half.label for half in (*self.pair.privates, *self.pair.publics)]
        wished = Certificate(0, next(filter(None, labels), short_name(given)), identifier, der(given))
        mine = self.own()
        same = sorted((one for one in mine if one.value == wished.value), key=lambda one: _misnamed(one, wished))
        rivals = [one for one in mine if one.value != wished.value and _issuer(one) == given.issuer]
        later = [one for one in rivals if validity(t.cast("t.Any", parsed(one.value))) > validity(given)]
        if later and not force:
            why = f"there is a later one of the same issuer, {work.listed(later)}"
            raise errors.HsmError.refused(f"store {self.where}", why, "Say force=true to go back to the earlier one.")
        return Place("key", wished, next(iter(same), None), (*rivals, *same[1:]))


def _issuer(one: Certificate) -> t.Any:
    certificate = parsed(one.value)
    return certificate and certificate.issuer


def _misnamed(one: Certificate, wished: Certificate) -> tuple[bool, bool]:
    return one.id != wished.id, one.label != wished.label


def chain_places(there: t.Sequence[Certificate], chain: t.Iterable[x509.Certificate]) -> list[Place]:
    """Where the certificates of its issuers are to be; one that is there by its value stays as it is."""
    places = []
    for link in chain:
        wished = Certificate(0, short_name(link), key_identifier(link), der(link))
        found = next((one for one in there if one.value == wished.value), None)
        places.append(Place("chain", found or wished, found))
    return places
