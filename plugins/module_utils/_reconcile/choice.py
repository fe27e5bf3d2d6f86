# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys that hsm_key is to change or to remove: as many as were said, and no half of another's."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.wish import check_usage
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import change, keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import KEY_TYPES_OF
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import other_half, reconcile, unclear
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.selection import Selection, select
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import Work, listed
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors


class _Chosen(t.NamedTuple):
    """What is meant of one key: `pair`, which may be one half of `of`; `unnamed` of that was not named itself."""

    pair: keypair.KeyPair
    of: keypair.KeyPair
    unnamed: tuple[keypair.TokenObject, ...] = ()

    @classmethod
    def of_pair(cls, pair: keypair.KeyPair, named: t.Collection[int], one_half: bool) -> _Chosen:
        """What is meant of a pair by objects with these handles; the other half of one that was named is left alone."""
        own = keypair.pair_of(key for key in pair.objects if key.handle in named) if one_half else pair
        return cls(own, pair, tuple(key for key in pair.objects if key.handle not in named))


@dataclasses.dataclass(frozen=True)
class KeyTask:
    """Which keys are to be changed or removed, on whatever token, and how many they may be."""

    selection: Selection
    changes: change.Change
    state: str = "present"
    count: int = 1

    def bring(self, session: TokenSession, check_mode: bool) -> list[reconcile.Outcome]:
        """Does it on one token, or says what that would do; every refusal is before any change."""
        choice = _Choice(session, self.changes, check_mode, task=self)
        work = [(choice.checked(one), one.pair) for one in choice.chosen()]
        if len(work) > 1:
            for changes, pair in work:
                reconcile.Reconciliation(session, changes, check_mode=True).manage(pair, self.state)
        return [
            reconcile.Reconciliation(session, changes, check_mode).manage(pair, self.state) for changes, pair in work
        ]

    def check_half(self, selection: Selection) -> None:
        """What was said of a half that is not chosen would come to nothing."""
        if selection.key_class == attributes.SECRET:
            raise errors.InputError("uri", "this module changes and removes the keys of pairs only", "type=secret-key")
        given = {
            "extractable": self.changes.extractable is not None,
            "private_attributes": bool(self.changes.private_attributes),
            "share_with": self.changes.share_with is not None,
        }
        if selection.key_class == attributes.PRIVATE:
            given = {"public_attributes": bool(self.changes.public_attributes)}
        for option, is_given in given.items():
            if is_given and selection.key_class is not None:
                by = "uri" if selection.handle is None else "handle"
                rule = f"the {by} chooses the {selection.key_class} half alone, which it does not concern"
                raise errors.InputError(option, rule)


@dataclasses.dataclass(frozen=True)
class _Choice(Work):
    """What a task chooses of one token's keys."""

    wish: change.Change
    task: KeyTask = dataclasses.field(kw_only=True)

    def chosen(self) -> list[_Chosen]:
        """The pairs and halves that are meant, as many as `count` says; raises `HsmError` for any other number.

        Those that are to be removed may be fewer.
        """
        count, present = self.task.count, self.task.state == "present"
        if not present:
            self.session.check_absence()
        chosen = self._found(self.task.selection)
        if present:
            chosen = self._rejoined(chosen or self._found(self._renamed()))
        if not chosen:
            self._refuse_secrets()
            self._refuse_other_key()
        number = sum(max(len(one.pair.publics), len(one.pair.privates)) for one in chosen)
        chosen_by = f"chosen by {self.task.selection} {self._on_token}"
        if number > count:
            pairs = [one.pair for one in chosen]
            why = f"there are {unclear.counted(pairs) if len(pairs) == number else f'{number} keys'}, count is {count}"
            remedy = f"Choose one by id, uri or fingerprint, or set count={number}.{unclear.rows(pairs)}"
            raise errors.HsmError.refused(f"touch the keys {chosen_by}", why, remedy)
        if number < count and present:
            self.session.check_absence()
            wished = "the key" if count == 1 else f"{count} keys"
            remedy = "hsm_rsa_keypair, hsm_ecc_keypair and hsm_keypairs generate keys, hsm_key does not."
            raise errors.HsmError.failed(f"find {wished} {chosen_by}", _there(number), remedy)
        return chosen

    def _refuse_other_key(self) -> None:
        """A handle that is another key's than the task says: the HSM gave it anew, or it was mistaken."""
        handle = self.task.selection.handle
        there = select(self.session, Selection(handle=handle)).objects if handle is not None else ()
        if there:
            remedy = "Handles can change with a restore; choose the key by label, id or fingerprint."
            what = f"touch the key chosen by {self.task.selection} {self._on_token}"
            raise errors.HsmError.refused(what, f"handle {handle} is that of {listed(there)}", remedy)

    @property
    def _on_token(self) -> str:
        return f"on the token '{self.session.token_name}'"

    def _found(self, selection: Selection) -> list[_Chosen]:
        selected = select(self.session, selection)
        for unread in selected.unread:  # it may be the one that is meant: that is no absence
            reason = next(iter(unread.unreadable.values()), None)
            raise errors.TokenError(f"read the {unread.half} key with handle {unread.handle} {self._on_token}", reason)
        named = {key.handle for key in selected.objects}
        pairs: t.Sequence[keypair.KeyPair] = selected.pairs
        if not selection.one_half:
            pairs = other_half.OtherHalf(self.session, self.wish, self.check_mode).joined(pairs)
        return [_Chosen.of_pair(pair, named, selection.one_half) for pair in pairs]

    def _refuse_secrets(self) -> None:
        """Refuses to do to a secret key what was asked for; one that only has the name of a pair is a bystander."""
        selection = self.task.selection
        if self.task.state == "absent" and selection.key_type is None and selection.handle is None:
            return
        secrets = [key for key in select(self.session, selection).objects if key.half == attributes.SECRET]
        if secrets:
            why = "hsm_key changes and removes the keys of pairs only"
            raise errors.HsmError.refused(f"touch {listed(secrets)} {self._on_token}", why)

    def _renamed(self) -> Selection:
        """What the selection means after the change: a key that has its new name already was renamed before."""
        old, new = self.task.selection, self.wish
        return dataclasses.replace(
            old,
            label=old.label if None in (old.label, new.label) else new.label,
            id=old.id if None in (old.id, new.id) else new.id,
        )

    def _rejoined(self, chosen: list[_Chosen]) -> list[_Chosen]:
        """`chosen`, or the pair of which a killed run renamed one half: that half is looked for by its new name."""
        halves = [one.of.lone for one in chosen]
        old = next((half for half in halves if half and not self.wish.has_name(half)), None)
        if old is None or self.task.selection.one_half or not self.wish.renames:
            return chosen
        new = self._under_new_name(old)
        if new is None or any(half not in (old, new) for half in halves):
            return chosen
        pair = self._proven(old, new)
        return [_Chosen(pair, pair)] if pair else chosen

    def _under_new_name(self, half: keypair.TokenObject) -> keypair.TokenObject | None:
        """The only lone half that could be the other one, and was renamed already."""
        wanted = Selection(self.wish.label, id=self.wish.id, key_class=half.other, key_type=half.key_type)
        lone = [pair.lone for pair in select(self.session, wanted).pairs if pair.lone]
        return lone[0] if len(lone) == 1 else None

    def _proven(self, *halves: keypair.TokenObject) -> keypair.KeyPair | None:
        """The pair of two halves, if it is sure that they are one; without a common name only a proof shows it."""
        together = keypair.pair_up(halves)
        if len(together) == 1 and together[0].pairing == "material":
            return together[0]
        pair = dataclasses.replace(keypair.pair_of(halves), pairing="id")
        try:
            return pair if self.session.prove(self.wish, pair, passive=self.check_mode).method else None
        except errors.HsmError:
            return None

    def checked(self, one: _Chosen) -> change.Change:
        """The wished changes of one key, now that its type is known; refuses those that cannot be."""
        key, selection = one.pair.objects[0], self.task.selection
        if selection.handle is not None:
            self.task.check_half(dataclasses.replace(selection, key_class=key.half))
        changes = dataclasses.replace(
            self.wish,
            family="rsa" if key.key_type in KEY_TYPES_OF["rsa"] else "ecc",
            curve=key.curve,
            fingerprint=selection.fingerprint,
            chosen=str(selection),
            chosen_exactly=selection.exact,
        )
        if one.of.privates and not one.pair.privates:  # a certificate goes with the private half
            changes = dataclasses.replace(changes, certificates="keep")
        dataclasses.replace(self, wish=changes)._check(one)
        return changes

    def _check(self, one: _Chosen) -> None:
        if self.wish.id is None and not self.task.selection.one_half:
            told = dataclasses.replace(self.wish, id=self.task.selection.id)
            dataclasses.replace(self, wish=told).settle_ids(one.pair, self.task.state)
        if self.task.state == "present":
            check_usage(self.wish)
            if not self.task.selection.one_half:
                alone = "To change this half alone, choose it by a uri with type=."
                self.refuse_unclear([one.pair], alone if one.pair.lone else "")
            self._refuse_taken("id", one.pair, [{"id": self.wish.id}])
            types = KEY_TYPES_OF[self.wish.family]
            self._refuse_taken("label", one.pair, [{"label": self.wish.label, "key_type": name} for name in types])
        self._refuse_unnamed(one)
        if self.task.state == "absent" and self.session.facts.halves_are_one and one.of.whole and not one.pair.whole:
            why = f"both halves are one object of the HSM and go together, {one.of}"
            raise self.refused("remove", why, "Choose the whole pair, without type= in the uri.")

    def _refuse_unnamed(self, one: _Chosen) -> None:
        """Nothing happens to what was not named: one of many halves, the other of a named one, one without a name."""
        fingerprint = self.task.selection.fingerprint
        doubtful = [key for key in one.pair.objects if fingerprint not in (None, key.fingerprint)]
        if one.of.whole:
            if doubtful and one.pair != one.of:  # of a whole pair that is before its change
                self.refuse_strangers(one.of)
            doubtful = []
        if self.task.selection.by_absence or not one.of.whole:
            doubtful += [key for key in one.unnamed if key in one.pair.objects and not self.wish.has_name(key)]
        if doubtful:
            why = f"it cannot be kept apart from what was not named, {listed(doubtful)}"
            raise self.refused("touch", why, "Choose the key by its id, or one half by a uri with type=.")

    def _refuse_taken(self, name: str, pair: keypair.KeyPair, searches: t.Iterable[dict[str, t.Any]]) -> None:
        """A new name must not be that of another key: an id names one pair only, a shared label names none."""
        wished = getattr(self.wish, name)
        if wished is None or all(getattr(found, name) == wished for found in pair.objects):
            return
        there = [found for search in searches for found in self.search(**search)]
        others = [found for found in there if found.handle not in pair.handles]
        if others and not self._is_other_half(pair.lone, others):
            raise self.refused("rename", f"the new {name} belongs to {listed(others)}", f"Choose another {name}.")

    def _is_other_half(self, half: keypair.TokenObject | None, others: t.Sequence[keypair.TokenObject]) -> bool:
        """Whether a half alone is to have the name that its other half has already."""
        if half is None or len(others) != 1 or others[0].half == half.half:
            return False
        return self._proven(half, others[0]) is not None


def _there(number: int) -> str:
    return "there is 1" if number == 1 else f"there are {number}"
