# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replacing a pair: the new one is whole, proven and alone before the old one goes, and is found again after a kill.

The new pair has a provisional label until then, which follows from the wish. A run that was killed in between leaves
that pair: the next run gives it its name if the old pair is gone, and refuses, naming it, while the old one is there;
it may as well be the work of another host that has not ended yet.
"""

from __future__ import annotations

import dataclasses
import hashlib

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.expectation import dishonoured
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.inheritance import inherited
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof, Query
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import PROVISIONAL
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.actions import Actions
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.beside import Beside
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import Staged, is_clear, listed
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC, Value
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError

_FINISHED_LATER = "Remove that public half by its fingerprint; the same task then finishes the replacement."


@dataclasses.dataclass(frozen=True)
class Replacement(Actions):
    """The wish is that of the pair in the end; `draft` is the work on the new pair until the old one is gone.

    `beside`: the certificates of the old pair that go with it.
    """

    beside: Beside | None = None

    @property
    def draft(self) -> Actions:
        """The label of the new pair follows from the wished name, its id is drawn."""
        label = f"{PROVISIONAL}{hashlib.sha256(str(self.wish).encode()).hexdigest()[:16]}"
        wish = dataclasses.replace(self.wish.unfrozen(), label=label, id=None, fingerprint=None)
        return Actions(self.session, wish, self.check_mode)

    def leftover(self) -> KeyPair | None:
        """The pair that a broken replacement left; raises `HsmError` where it is not what is wished."""
        draft = self.draft
        pairs = draft.find()
        if not pairs:
            return None
        if not is_clear(pairs):
            raise self._unfinished(f"it is not one pair, {listed(pairs, ' and ')}")
        # What the task leaves unsaid came from the old pair, which may be gone.
        rows = dishonoured(inherited(draft.wish, pairs[0]), pairs[0], self.session.facts)
        if rows:
            raise self._unfinished(f"it is not as wished ({listed(rows, '; ')}), {pairs[0]}")
        return pairs[0]

    def refuse_leftover(self, leftover: KeyPair | None) -> None:
        """Refuses to begin a replacement while another one is begun and the old pair is there."""
        if leftover:
            raise self._unfinished(f"the old pair is there, and beside it the new one, {leftover}")

    def _unfinished(self, state: str) -> HsmError:
        label = self.draft.wish.label
        return self.refused(
            "touch",
            f"a replacement of it was broken off, or another host is at it: {state}",
            f"If no other host is at it, remove the new one (state=absent, label '{label}').",
        )

    def finish(self, leftover: KeyPair) -> tuple[KeyPair, Proof]:
        """Gives the new pair its name after a run that was killed when the old pair was gone."""
        proof = self.prove_new(leftover)
        return self._named(leftover), proof

    def replace(self, old: KeyPair) -> Staged[tuple[KeyPair, Proof]]:
        """Makes and proves another pair under a provisional name, and only then destroys the old one and renames."""
        draft = self.draft
        try:
            new, proof = yield from draft.generate(alone=True)
        except HsmError as error:
            raise self._not_replaced(error) from None
        try:
            for half in (PRIVATE, PUBLIC):  # a token that cannot rename is found out while the old pair still exists
                self.session.set_attributes(new.half(half), {"label": draft.wish.label or ""})
        except HsmError as error:
            draft.take_back(new, self._not_replaced(error))
        self._destroy_old(draft, old, new)
        return self._named(new), proof

    def _destroy_old(self, draft: Actions, old: KeyPair, new: KeyPair) -> None:
        """Destroys the old pair; the new one is taken back only if the old private half is surely still there."""
        try:
            self.destroy(KeyPair(privates=old.privates))
        except TokenError as error:
            if self._is_there(old.private):
                draft.take_back(new, self._not_replaced(error))
            remains = (
                f"The old private half is not seen any more. What remains is its public half, {old.public}, and the new"
                f" pair, {new}. {_FINISHED_LATER}"
            )
            raise TokenError(error.attempt, error.ckr, said=error.said, hint="", remains=remains) from None
        try:
            self.destroy(KeyPair(publics=old.publics))
        except TokenError as error:
            remains = f"The new pair is there, whole and proven, {new}. {_FINISHED_LATER}"
            raise error.at(error.attempt, remains) from None

    def _is_there(self, private: TokenObject) -> bool:
        """Whether a search still finds this private half; an error says nothing, so that it counts as gone."""
        try:
            found = self.session.find(Query(PRIVATE, label=private.label, id=private.id or None))
        except TokenError:
            return False
        return any(_told(other) == _told(private) for other in found)

    def _not_replaced(self, error: HsmError) -> HsmError:
        return HsmError(f"Did not replace {self.wish}, which is untouched. {error.msg}", **error.data)

    def _named(self, new: KeyPair) -> KeyPair:
        """Gives the new pair its name, once no certificate of the old one can be taken for its own."""
        if self.beside:
            self.beside.remove(f"The old pair is gone; the new one is whole: {new}. The same task goes on.")
        return self._rename(new)

    def _rename(self, new: KeyPair) -> KeyPair:
        """The ids first, on both halves, then the labels: after a kill the halves are found by the one or the other."""
        names: list[dict[str, Value]] = [{"label": self.wish.label or ""}]
        if self.wish.id is not None:
            names.insert(0, {"id": self.wish.id})
        renamed = new
        try:
            for name in names:
                for half in (PRIVATE, PUBLIC):
                    renamed = renamed.with_half(self.session.set_attributes(renamed.half(half), name))
        except TokenError as error:
            ending = "The same task finishes it."
            if self.wish.id is not None and renamed is not new:
                # Halves with different ids are found by neither; only a person can tell what is meant.
                ending = "Give both its halves the wished id and label with hsm_key, each named by its uri."
            remains = f"The old pair is gone; the new one is whole: {renamed}. {ending}"
            raise error.at(f"rename the replacement of {self.where}", remains) from None
        return self.freeze(renamed)


def _told(found: TokenObject) -> object:
    """What tells one private half from another."""
    return found.spki or (found.key_type, found.attributes.get("ec_params"), found.id)
