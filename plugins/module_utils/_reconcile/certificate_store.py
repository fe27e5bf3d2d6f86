# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates are stored, named and removed on a token: a new one is read back before an old one goes."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import NOT_THERE, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.undoing import NOTHING_LEFT
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import certificate_plan, work
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

# What tokens answer that give no object another name.
_FIXED = frozenset(
    f"CKR_{name}"
    for name in (
        *("ACTION_PROHIBITED", "ATTRIBUTE_READ_ONLY", "ATTRIBUTE_TYPE_INVALID", "ATTRIBUTE_VALUE_INVALID"),
        *("FUNCTION_NOT_SUPPORTED", "TEMPLATE_INCONSISTENT"),
    )
)
_NO_ROOM = "A token that takes no certificates leaves them in files; say vendor_facts certificates=false of it."


class CertificateStore:
    """The certificates of one token while they are changed; `there` is what was seen before."""

    def __init__(self, session: TokenSession, there: t.Sequence[certificate.Certificate]) -> None:
        self._session = session
        self._token = f"on the token '{session.token_name}'"
        self._known = {one.handle for one in there}
        self._made: list[certificate.Certificate] = []

    def bring(self, places: t.Sequence[certificate_plan.Place]) -> None:
        """Makes what is missing, the issuers first, then removes what goes, and looks at what came of it."""
        going: list[certificate.Certificate] = []
        for place in sorted(places, key=lambda place: place.kind):  # "chain" is before "key"
            going += [*place.going, *self._brought(place)]
        # A token may put the new one in the old one's place.
        made = {one.handle for one in self._made}
        left = going = [one for one in going if one.handle not in made]
        wished = [place.wished for place in places if place.wished]
        if left and wished:
            self._look(wished, [])  # before what they replace goes: a new name is believed when it is seen
        while left:
            self._remove(left[0], left)
            left = left[1:]
        self._look(wished, going)

    def _brought(self, place: certificate_plan.Place) -> list[certificate.Certificate]:
        """One certificate is there with its names; the answer is what goes for that."""
        if place.wished and place.found is None:
            self._stored(place.wished, place.going)
        elif place.wished and place.found and place.renamed:
            return self._renamed(place.found, place.wished)
        return []

    @property
    def _state(self) -> str:
        return f"What was stored and is whole: {work.listed(self._made)}." if self._made else ""

    def _stored(
        self, wished: certificate.Certificate, going: t.Sequence[certificate.Certificate]
    ) -> certificate.Certificate:
        """A new certificate, which is as wished when it is read back; else what remains is told."""
        what = f"store {wished} {self._token}"
        old = f"As it was: {work.listed(going)}." if going else ""
        try:
            made = self._session.certificate_objects().store_certificate(wished)
        except errors.TokenError as error:
            if error.ckr in _FIXED:
                old = _joined(old, _NO_ROOM)
            raise error.at(what, _joined(self._left_of(wished), old, self._state)) from None
        if made.unreadable or (made.value, made.id, made.label) != (wished.value, wished.id, wished.label):
            other = made.unreadable or ("another value" if made.value != wished.value else str(made))
            why = f"what was read back is {other}"
            raise errors.HsmError.failed(what, why, _joined(self._taken_back(made), old, self._state))
        self._made.append(made)
        return made

    def _left_of(self, wished: certificate.Certificate) -> str:
        """What an attempt left that failed."""
        try:
            left = [one for one in self._session.certificates() if self._is_new(one, wished)]
        except errors.TokenError as error:
            return f"Whether it is there now is not known ({error.ckr or error.said})."
        return f"What is there now: {work.listed(left)}." if left else NOTHING_LEFT

    def _is_new(self, one: certificate.Certificate, wished: certificate.Certificate) -> bool:
        return one.handle not in self._known and (one.value == wished.value or one.id == wished.id)

    def _taken_back(self, made: certificate.Certificate) -> str:
        """Removes what a token made otherwise than it was told; what was there before is never touched by it."""
        if made.handle in self._known:
            return "The token answered with the handle of a certificate that was there before; nothing was removed."
        try:
            self._session.destroy_certificate(made)
            left = made.handle in {one.handle for one in self._session.certificates()}
        except errors.TokenError as error:
            return f"What may remain: {made}, handle {made.handle} ({error.ckr or error.said})."
        return f"What remains: {made}, handle {made.handle}." if left else NOTHING_LEFT

    def _renamed(
        self, found: certificate.Certificate, wished: certificate.Certificate
    ) -> list[certificate.Certificate]:
        """Gives it its names in place; where the token cannot, it is made anew, and the answer is what goes.

        The vendors' table does not tell: some tokens change certificates although they change no keys.
        """
        what = f"give {found} the label '{wished.label}' and the id {wished.id.hex(':')} {self._token}"
        try:
            self._session.certificate_objects().set_certificate_names(found, wished.label, wished.id)
        except errors.TokenError as error:
            if error.ckr not in _FIXED:
                raise error.at(what, _joined(self._now(found), self._state)) from None
        else:
            return []  # what came of it is looked at in the end
        made = self._stored(wished, [found])
        return [] if made.handle == found.handle else [found]

    def _now(self, found: certificate.Certificate) -> str:
        try:
            now = [one for one in self._session.certificates() if one.handle == found.handle]
        except errors.TokenError as error:
            return f"What names it has now is not known ({error.ckr or error.said})."
        return f"What is there now: {work.listed(now) or 'none of it'}."

    def _remove(self, one: certificate.Certificate, left: t.Sequence[certificate.Certificate]) -> None:
        """Removes one, and believes an error only where it is still there."""
        what = f"remove {one} {self._token}"
        try:
            self._session.destroy_certificate(one)
        except errors.TokenError as error:
            remains = f"What remains: {work.listed(left, ' and ')}."
            if not error.remains and error.ckr != NOT_THERE:
                try:
                    if not self._is_there(one):
                        return
                except errors.TokenError as unseen:
                    remains = f"Whether it is gone is not known ({unseen.ckr or unseen.said})."
            elif error.ckr == NOT_THERE:
                return  # another program was faster; the look in the end tells if it was not
            raise error.at(what, _joined(remains, self._state)) from None

    def _is_there(self, one: certificate.Certificate) -> bool:
        return _is_among(one, self._session.certificates())

    def _look(self, wished: t.Sequence[certificate.Certificate], gone: t.Sequence[certificate.Certificate]) -> None:
        """That all is as it was said to be."""
        try:
            there = self._session.certificates()
        except errors.TokenError as error:
            raise error.at(f"look at the certificates {self._token} after they were changed", self._state) from None
        still = [one for one in gone if _is_among(one, there)]
        if still:
            why = "the token answered that it is done, and they are still there"
            raise errors.HsmError.failed(f"remove {work.listed(still, ' and ')} {self._token}", why, self._state)
        for one in wished:
            names = [(row.label, row.id) for row in there if row.value == one.value]
            if (one.label, one.id) not in names:
                rows = work.listed(row for row in there if row.value == one.value)
                why = f"the token answered that it is done, and there is {rows or 'none'}"
                raise errors.HsmError.failed(f"have {one} {self._token}", why)


def _is_among(one: certificate.Certificate, there: t.Iterable[certificate.Certificate]) -> bool:
    return any((one.handle, one.value) == (row.handle, row.value) for row in there)


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))
