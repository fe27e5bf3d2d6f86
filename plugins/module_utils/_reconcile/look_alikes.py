# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Before a pair is generated: keys on the token that the user may mean instead."""

from __future__ import annotations

import contextlib
import typing as t
import unicodedata

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair, session, wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import work
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, drawn_id, errors


class LookAlikes(work.Work):
    """The keys that could be the pair that a wish names and that is not there."""

    def warnings(self) -> tuple[str, ...]:
        """What to warn of. Refuses an id beside the only pair of that label and type, if nobody chose that one's id."""
        known = self._refuse_twin() if self.wish.id is not None and self.wish.label is not None else set()
        told = [
            f"Beside the new pair there is a key on the token '{self.session.token_name}' that may be meant instead of"
            f" {self.wish}: {found}; {why}."
            for found, why in self._found(known)
        ]
        try:
            return *told, *self._certified(known)
        except errors.TokenError as error:
            return *told, f"Whether a certificate names a key that may be meant is not known. {error.msg}"

    def _refuse_twin(self) -> set[bytes]:
        """The ids of that label and type; pairs of a group have ids of their own, which somebody chose."""
        pairs = self._with_other_halves(self.by_label_and_type())
        ids = {found.id for pair in pairs for found in pair.objects}
        drawn = next(filter(drawn_id.is_drawn, sorted(ids)), b"")
        if len(pairs) == 1 and (drawn or b"" in ids):  # one half of it may have got an id from another program
            (pair,), wished = pairs, self.wish.id or b""
            has = f"whose id was drawn, {pair}" if drawn else f"without an id, {pair}"
            by = f"id_hex '{drawn.hex(':')}'" if drawn else f"label '{self.wish.label}'"
            call = f"hsm_key with {by}, key_type '{pair.objects[0].key_type}' and new_id_hex '{wished.hex(':')}'"
            remedy = (
                f"If that pair is meant, give it the id ({call}), or leave id out to manage it by its label. If another"
                " one is meant, give that pair an id of its own before."
            )
            raise self.refused("generate", f"there is a pair of that label and type {has}", remedy)
        return ids

    def _found(self, known: t.Collection[bytes]) -> t.Iterator[tuple[keypair.TokenObject, str]]:
        forms = _forms(self.wish.label or "")
        for label, why in forms.items():
            yield from ((found, why) for found in self._private(label=label))
        if self.wish.id is not None:
            why = "its id is the same digits, read as text there and as bytes here, or the reverse"
            yield from (
                (found, why) for found in self._private(id=_other_reading(self.wish.id)) if self._so_called(found)
            )

    def _private(self, **names: t.Any) -> list[keypair.TokenObject]:
        found = self.session.survey(session.Query(attributes.PRIVATE, **names)) or []
        return [one for one in found if one.attributes and one.key_type in wish.KEY_TYPES_OF[self.wish.family]]

    def _so_called(self, found: keypair.TokenObject) -> bool:
        return self.wish.label is None or (found.label or self.wish.label) == self.wish.label

    def _certified(self, known: t.Collection[bytes]) -> t.Iterator[str]:
        """Of keys without a label that a certificate of the wished one belongs to, as Java stores them."""
        label = self.wish.label
        certificates = self.session.certificates(label=label) if label is not None else ()
        named = [one for one in certificates if one.id and one.id not in known]
        where = f"that may be meant instead of {self.wish}"
        if len(_forms(label or "")) > 2:  # that was the last search
            yield from (f"There is {one}, whose key is one {where}." for one in named)
            return
        for one in named[:1]:
            yield from (
                f"Beside the new pair there is a key without a label on the token '{self.session.token_name}' {where}:"
                f" {found}, to which {one} belongs."
                for found in self._private(id=one.id)
                if not found.label
            )


def _forms(label: str) -> dict[str, str]:
    """Other labels that look like this one, each with what it is."""
    forms = {
        unicodedata.normalize(form, label): "its label is the same in another Unicode form" for form in ("NFC", "NFD")
    }
    forms.pop(label, None)
    return {f"{label}\0": "its label ends with a NUL", **forms} if label else {}


def _other_reading(identifier: bytes) -> bytes:
    """The bytes of hexadecimal digits that are a text, with or without colons, or the text of bytes."""
    with contextlib.suppress(ValueError):
        digits = identifier.replace(b":", b"")
        if digits.isalnum():
            return bytes.fromhex(digits.decode("ascii"))
    return identifier.hex().encode()
