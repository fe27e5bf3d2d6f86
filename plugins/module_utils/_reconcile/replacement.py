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
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import expectation, inheritance, keypair, session
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import PROVISIONAL
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import actions, work
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.beside import Beside
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors

_FINISHED_LATER = "Remove that public half by its fingerprint; the same task then finishes the replacement."
_BY_HAND = "Give both its halves the wished id and label with hsm_key, each named by its uri."


class Draft(actions.Actions):
    """The work on the new pair until the old one is gone."""

    def rehearse(self, new: keypair.KeyPair, names: t.Iterable[t.Mapping[str, attributes.Value]]) -> None:
        """Gives each half another name, and its own again: who cannot rename is found out while the old pair exists."""
        for half in (attributes.PRIVATE, attributes.PUBLIC):
            for name in [name for values in names for name in values]:
                own = new.half(half).attributes.get(name)
                if not isinstance(own, (str, bytes)) or not own:
                    continue  # no such name to go back to
                other = own[:-1] + "-" if isinstance(own, str) else own[:-1] + bytes([own[-1] ^ 1])
                for value in (other, own):
                    self.set_and_seen(new.half(half), {name: value})


@dataclasses.dataclass(frozen=True)
class Replacement(actions.Actions):
    """The wish is that of the pair in the end; `draft` is the work on the new pair until the old one is gone.

    `beside`: the certificates of the old pair that go with it.
    """

    beside: Beside | None = None

    @property
    def draft(self) -> Draft:
        """The label of the new pair follows from the wished name, its id is drawn."""
        label = f"{PROVISIONAL}{hashlib.sha256(str(self.wish).encode()).hexdigest()[:16]}"
        wish = dataclasses.replace(self.wish.unfrozen(), label=label, id=None, fingerprint=None)
        return Draft(self.session, wish, self.check_mode)

    def leftover(self) -> keypair.KeyPair | None:
        """The pair that a broken replacement left; raises `HsmError` where it is not what is wished."""
        draft = self.draft
        pairs = draft.find()
        if not pairs:
            return None
        if not work.is_clear(pairs):
            remedy = "remove its keys one by one (state=absent, each by its id)."
            raise self._unfinished(f"it is not one pair, {work.listed(pairs, ' and ')}", remedy)
        # What the task leaves unsaid came from the old pair, which may be gone.
        rows = expectation.dishonoured(inheritance.inherited(draft.wish, pairs[0]), pairs[0], self.session.facts)
        if rows:
            raise self._unfinished(f"it is not as wished ({work.listed(rows, '; ')}), {pairs[0]}")
        return pairs[0]

    def refuse_leftover(self, leftover: keypair.KeyPair | None) -> None:
        """Refuses to begin a replacement while another one is begun and the old pair is there."""
        if leftover:
            raise self._unfinished(f"the old pair is there, and beside it the new one, {leftover}")

    def refuse_public_half(self, lone: keypair.TokenObject) -> None:
        """Refuses to begin anew where the old private half is gone, and the new pair is there."""
        leftover = self.leftover()
        if leftover:
            state = f"of the old pair the public half is there, {lone}, and beside it the new pair, {leftover}"
            remedy = "remove that public half by state=absent with its fingerprint; the same task then finishes it."
            raise self._unfinished(state, remedy)

    def _unfinished(self, state: str, remedy: str = "") -> errors.HsmError:
        why = f"a replacement of it was broken off, or another host is at it: {state}"
        usual = f"remove the new one (state=absent, label '{self.draft.wish.label}')."
        return self.refused("touch", why, f"If no other host is at it, {remedy or usual}")

    def finish(self, leftover: keypair.KeyPair) -> tuple[keypair.KeyPair, session.Proof]:
        """Gives the new pair its name after a run that was killed when the old pair was gone."""
        proof = self.prove_new(leftover)
        return self._named(leftover), proof

    def replace(self, old: keypair.KeyPair) -> work.Staged[tuple[keypair.KeyPair, session.Proof]]:
        """Makes and proves another pair under a provisional name, and only then destroys the old one and renames."""
        draft = self.draft
        try:
            new, proof = yield from draft.generate(alone=True)
        except errors.HsmError as error:
            raise self._not_replaced(error) from None
        try:
            draft.rehearse(new, self._names)
        except errors.HsmError as error:
            draft.take_back(new, self._not_replaced(error))
        self._destroy_old(draft, old, new)
        return self._named(new), proof

    def _destroy_old(self, draft: Draft, old: keypair.KeyPair, new: keypair.KeyPair) -> None:
        """Destroys the old pair; the new one is taken back only if the old private half is surely still there."""
        try:
            self.destroy(keypair.KeyPair(privates=old.privates))
        except errors.TokenError as error:
            there = self._is_there(old.private)
            if there:
                draft.take_back(new, self._not_replaced(error))
            seen = "is not seen any more" if there is False else "may be there or not"
            remains = (
                f"The old private half {seen}. What remains is its public half, {old.public}, and the new"
                f" pair, {new}. {_FINISHED_LATER}"
            )
            raise errors.TokenError(error.attempt, error.ckr, said=error.said, hint="", remains=remains) from None
        try:
            self.destroy(keypair.KeyPair(publics=old.publics))
        except errors.TokenError as error:
            remains = f"The new pair is there, whole and proven, {new}. {_FINISHED_LATER}"
            raise error.at(error.attempt, remains) from None

    def _is_there(self, private: keypair.TokenObject) -> bool | None:
        """Whether a search still finds this private half; None where it fails, and says nothing."""
        try:
            found = self.session.find(session.Query(attributes.PRIVATE, label=private.label, id=private.id or None))
        except errors.TokenError:
            return None
        return any(_told(other) == _told(private) for other in found)

    def _not_replaced(self, error: errors.HsmError) -> errors.HsmError:
        return errors.HsmError(f"Did not replace {self.wish}, which is untouched. {error.msg}", **error.data)

    def _named(self, new: keypair.KeyPair) -> keypair.KeyPair:
        """Gives the new pair its name, once no certificate of the old one can be taken for its own."""
        if self.beside:
            self.beside.remove(f"The old pair is gone; the new one is whole: {new}. The same task goes on.")
        return self._rename(new)

    def _rename(self, new: keypair.KeyPair) -> keypair.KeyPair:
        """The ids first, on both halves, then the labels: after a kill the halves are found by the one or the other."""
        renamed = new
        try:
            for name in self._names:
                for half in (attributes.PRIVATE, attributes.PUBLIC):
                    renamed = renamed.with_half(self.set_and_seen(renamed.half(half), name))
        except errors.TokenError as error:
            raise error.at(f"rename the replacement of {self.where}", self._half_renamed(renamed)) from None
        return self.freeze(renamed)

    @property
    def _names(self) -> list[dict[str, attributes.Value]]:
        """What the new pair gets in the end, in this order."""
        label: dict[str, attributes.Value] = {"label": self.wish.label or ""}
        return [{"id": self.wish.id}, label] if self.wish.id is not None else [label]

    def _half_renamed(self, renamed: keypair.KeyPair) -> str:
        """What is there when a renaming was broken off, as it is seen then: the answer may have been lost."""
        try:
            for half in (attributes.PRIVATE, attributes.PUBLIC):
                renamed = renamed.with_half(self.session.read(renamed.half(half)))
        except errors.TokenError as error:
            told = f"The old pair is gone; how the new one is named now is not known ({error.ckr or error.said})"
            return f"{told}, before it was {renamed}. {_BY_HAND}"
        # Halves with different ids, or with the wished id and not the label, are found by neither; only a person can
        # tell what is meant. So are those without an id whose labels differ.
        ids = {found.id for found in renamed.objects}
        found_again = self.wish.id not in ids if self.wish.id is not None else b"" not in ids or _one_label(renamed)
        ending = "The same task finishes it." if found_again else _BY_HAND
        return f"The old pair is gone; the new one is whole: {renamed}. {ending}"


def _one_label(pair: keypair.KeyPair) -> bool:
    return len({found.label for found in pair.objects}) == 1


def _told(found: keypair.TokenObject) -> object:
    """What tells one private half from another."""
    return found.spki or (found.key_type, found.attributes.get("ec_params"), found.id)
