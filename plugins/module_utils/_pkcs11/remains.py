# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a failed generation left: keys of every class, by id and by label; what is ours goes, the rest is named."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.undoing import NOTHING_LEFT
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import calls
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.removal import take_back
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors

_Key = tuple[attributes.KeyClass, int]

# Bytes of a drawn id that no other key has by chance; vendors and users may say that a token takes shorter ones.
_NEVER_TWICE = 8


class Remains:
    """What has the id or the label of a wish, which has an id that was told, or one that was `drawn` for it.

    Secret keys are looked for, too: YubiHSM's module makes one where it misreads the template of a private half.
    """

    def __init__(self, session: calls.Session, wish: Wish, drawn: bool) -> None:
        self._session = session
        self._wish = wish
        self._drawn = drawn
        self._failed: dict[str, None] = {}
        by_id = self._search({"id": wish.id}) if wish.id else []
        self._by_id = [key for key in by_id if not self._is_anothers(*key)]
        self._by_label = self._search({"label": wish.label}) if wish.label else []

    def _search(self, name: dict[str, attributes.Value]) -> list[_Key]:
        """A class whose search fails hides no other one."""
        found: list[_Key] = []
        for key_class in attributes.KEY_CLASSES:
            try:
                found += [(key_class, handle) for handle in self._session.handles(key_class, name)]
            except errors.TokenError as error:
                self._failed[error.ckr or error.said] = None
        return found

    def _is_anothers(self, key_class: attributes.KeyClass, handle: int) -> bool:
        """Whether it tells another id and is found by any: a token that does not go by ids finds every key."""
        own = self._wish.id or b""
        try:
            found = self._session.read(key_class, handle, frozenset({"class", "id"}))
        except errors.TokenError:
            return False
        if found.hides("id") or found.id == own:
            return False
        try:
            return handle in self._session.handles(key_class, {"id": bytes(255 - byte for byte in own)})
        except errors.TokenError as error:
            self._failed[error.ckr or error.said] = None
            return True

    def take_back(self, returned: t.Mapping[attributes.KeyClass, int]) -> str:
        """Removes what is surely of this generation, and names what may be; empty where nothing has a drawn name.

        That is what carries an id drawn for it (trap T14), and what the token `returned` with an id that was told; the
        rest may be a rival's.
        """
        own = [key for key in self._by_id if key in returned.items() or self._is_drawn(key)]
        told = list(filter(None, (self._named(own), self._unsearched(bool(own)))))
        if own:
            gone = take_back(self._session, own, not self._wish.session)
            told.insert(0, "What was surely its own was removed." if told and gone == NOTHING_LEFT else gone)
        return " ".join(told) or ("" if self._drawn else "Nothing of that name is left on the token.")

    def _named(self, own: t.Collection[_Key]) -> str:
        """What is there besides what is ours."""
        others = [key for key in dict.fromkeys(self._by_id + self._by_label) if key not in own]
        named = {key: told for key in others if (told := self._told(key))}
        if not named:
            return ""
        pair = any(key_class in attributes.HALVES for key_class, _handle in named)
        proof = " If it is a pair, verify=true proves it." if pair else ""
        return f"What is there now under this name: {', '.join(named.values())}.{proof}"

    def _unsearched(self, found: bool) -> str:
        if not self._failed:
            return ""
        what = "What else it left" if found else "What it left"
        return f"{what} on the token is not known, because a search failed ({', '.join(self._failed)})."

    def _is_drawn(self, key: _Key) -> bool:
        """Keys of the user's may have a short id by chance, and secret ones any: so the label has to fit as well."""
        certain = key[0] in attributes.HALVES and len(self._wish.id or b"") >= _NEVER_TWICE
        return self._drawn and (certain or key in self._by_label)

    def _told(self, key: _Key) -> str:
        """One key for a message; empty for another one of the same label, which has an id of its own."""
        try:
            found = self._session.read(*key)
        except errors.TokenError as error:
            return f"a {key[0]} key with handle {key[1]} that cannot be read ({error.ckr or error.said})"
        another = not self._drawn and key not in self._by_id and found.id
        return "" if another else str(found)
