# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates beside a pair that is replaced, removed or gets another id: programs join them to the key by the id.

One that stays behind is taken for that of the next key with the id.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import work
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

_REMEDY = "Say what becomes of that: certificates=follow takes it along, certificates=keep leaves it."


@dataclasses.dataclass(frozen=True)
class Beside(work.Work):
    """The certificates that go with a pair, as the task says; none where they are to stay."""

    certificates: tuple[certificate.Certificate, ...] = ()

    def of(self, ids: t.Collection[bytes], act: str) -> Beside:
        """The same with those that have these ids; refuses the act where the task does not say what becomes of them."""
        if self.wish.certificates == "keep" or not ids:
            return self
        found = self._with_ids(ids)
        if not found:
            self.session.check_absence()
        elif self.wish.certificates == "fail":
            raise self.refused(act, f"its id is that of {work.listed(found, ' and ')}", _REMEDY)
        return dataclasses.replace(self, certificates=tuple(found))

    def _with_ids(self, ids: t.Iterable[bytes]) -> list[certificate.Certificate]:
        return [one for identifier in sorted(ids) for one in self.session.certificates(identifier=identifier)]

    def _still(self, ids: t.Iterable[bytes]) -> list[certificate.Certificate]:
        """Those of the certificates that are found with one of these ids."""
        return [one for one in self._with_ids(ids) if one.is_among(self.certificates)]

    def remove(self, state: str = "The pair is gone.") -> None:
        """Removes them, once the pair is gone, and looks whether they are."""
        left = list(self.certificates)
        for one in self.certificates:
            try:
                self.session.destroy_certificate(one)
            except errors.TokenError as error:
                verb = "may remain" if error.remains or error.lost else "remains"
                raise error.at(self._removing, f"{state} What {verb}: {work.listed(left, ' and ')}.") from None
            left.remove(one)
        if self.certificates and (still := self._still({one.id for one in self.certificates})):
            why = f"the token answered that they are, and there is still {work.listed(still, ' and ')}"
            raise errors.HsmError.failed(self._removing, why, state)

    @property
    def _removing(self) -> str:
        return f"remove the certificates of {self.where}"

    @contextlib.contextmanager
    def moved(self, identifier: bytes) -> t.Iterator[None]:
        """They have another id from now on, and their own again where the pair does not get it after all.

        They are first, so that a task which is killed in between leaves a pair that the same task goes on with.
        """
        try:
            for one in self.certificates:
                self.session.set_certificate_id(one, identifier)
            if self.certificates and len(self._still({identifier})) < len(self.certificates):
                what = f"give the certificates of {self.where} the id {identifier.hex(':')}"
                raise errors.HsmError.failed(what, "the token answered that it is done, and they do not have it")
            yield
        except errors.HsmError as error:
            stays = self._moved_back()
            if stays:
                raise errors.HsmError(f"{error.msg} {stays}", **error.data) from None
            raise

    def _moved_back(self) -> str:
        """Gives each its own id again; the answer names those that do not have it."""
        for one in self.certificates:
            with contextlib.suppress(errors.HsmError):
                self.session.set_certificate_id(one, one.id)
        try:
            back = self._still({one.id for one in self.certificates})
        except errors.HsmError:
            back = []
        away = [one for one in self.certificates if not one.is_among(back)]
        return f"What may have the new id: {work.listed(away, ' and ')}." if away else ""
