# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys that hsm_key is to change or to remove: as many as were said, and no half of another's.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.wish import check_usage
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject, pair_up
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import KEY_TYPES_OF, Changes
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import Outcome, Reconciliation
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.selection import Selection, select
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import Work, listed
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC, SECRET
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, InputError, TokenError


class _Chosen(t.NamedTuple):
    """What is meant of one key: `pair`, which may be one half of `of`; `unnamed` of that was not named itself."""

    pair: KeyPair
    of: KeyPair
    unnamed: tuple[TokenObject, ...] = ()


@dataclasses.dataclass(frozen=True)
class KeyTask:
    """Which keys are to be changed or removed, on whatever token, and how many they may be."""

    selection: Selection
    changes: Changes
    state: str = "present"
    count: int = 1

    def bring(self, session: TokenSession, check_mode: bool) -> list[Outcome]:
        """Does it on one token, or says what that would do; every refusal is before any change."""
        choice = _Choice(session, self, check_mode)
        work = [(choice.checked(one), one.pair) for one in choice.chosen()]
        if len(work) > 1:
            for changes, pair in work:
                Reconciliation(session, changes, check_mode=True).manage(pair, self.state)
        return [Reconciliation(session, changes, check_mode).manage(pair, self.state) for changes, pair in work]

    def check_half(self, selection: Selection) -> None:
        """What was said of a half that is not chosen would come to nothing."""
        if selection.key_class == SECRET:
            raise InputError("uri", "this module changes and removes the keys of pairs only", "type=secret-key")
        given = {
            "extractable": self.changes.extractable is not None,
            "private_attributes": bool(self.changes.private_attributes),
            "share_with": self.changes.share_with is not None,
        }
        if selection.key_class == PRIVATE:
            given = {"public_attributes": bool(self.changes.public_attributes)}
        for option, is_given in given.items():
            if is_given and selection.key_class is not None:
                by = "uri" if selection.handle is None else "handle"
                rule = f"the {by} chooses the {selection.key_class} half alone, which it does not concern"
                raise InputError(option, rule)


class _Choice:
    """What a task chooses of one token's keys."""

    def __init__(self, session: TokenSession, task: KeyTask, check_mode: bool) -> None:
        self._session = session
        self._task = task
        self._selection = task.selection
        self._changes = task.changes
        self._check_mode = check_mode
        self._on_token = f"on the token '{session.token_name}'"

    def chosen(self) -> list[_Chosen]:
        """The pairs and halves that are meant, as many as `count` says; raises `HsmError` for any other number.

        Those that are to be removed may be fewer.
        """
        count, present = self._task.count, self._task.state == "present"
        chosen = self._found(self._selection)
        if present:
            chosen = self._rejoined(chosen or self._found(self._renamed()))
        number = sum(max(len(one.pair.publics), len(one.pair.privates)) for one in chosen)
        if number > count:
            raise HsmError.refused(
                f"touch the keys chosen by {self._selection} {self._on_token}",
                f"there are {number}, count is {count}: {listed(one.pair for one in chosen)}",
                f"Choose one by id, uri or fingerprint, or set count={number}.",
            )
        if number < count and present:
            wished = "the key" if count == 1 else f"{count} keys"
            raise HsmError.failed(
                f"find {wished} chosen by {self._selection} {self._on_token}",
                f"there are {number}",
                "hsm_rsa_keypair, hsm_ecc_keypair and hsm_keypairs generate keys, hsm_key does not.",
            )
        return chosen

    def _found(self, selection: Selection) -> list[_Chosen]:
        selected = select(self._session, selection)
        for unread in selected.unread:  # it may be the one that is meant: that is no absence
            reason = next(iter(unread.unreadable.values()), None)
            raise TokenError(f"read the {unread.half} key with handle {unread.handle} {self._on_token}", reason)
        secrets = [key for key in selected.objects if key.half == SECRET]
        if secrets and not selected.pairs:
            why = "hsm_key changes and removes the keys of pairs only"
            raise HsmError.refused(f"touch {listed(secrets)} {self._on_token}", why)
        named = {key.handle for key in selected.objects}
        return [_named_of(pair, named, selection.one_half) for pair in selected.pairs]

    def _renamed(self) -> Selection:
        """What the selection means after the change: a key that has its new name already was renamed before."""
        new = {name: getattr(self._changes, name) for name in ("label", "id")}
        given = {name: value for name, value in new.items() if None not in (value, getattr(self._selection, name))}
        return dataclasses.replace(self._selection, **given)

    def _rejoined(self, chosen: list[_Chosen]) -> list[_Chosen]:
        """`chosen`, or the pair of which a killed run renamed one half: that half is looked for by its new name."""
        if self._selection.one_half or not self._changes.renames:
            return chosen
        halves = [one.of.lone for one in chosen]
        old = [half for half in halves if half and not self._changes.has_name(half)]
        if len(old) != 1:
            return chosen
        other = PUBLIC if old[0].half == PRIVATE else PRIVATE
        wanted = Selection(label=self._changes.label, id=self._changes.id, key_class=other, key_type=old[0].key_type)
        new = [pair.lone for pair in select(self._session, wanted).pairs if pair.lone]
        if len(new) != 1 or any(half not in (old[0], new[0]) for half in halves):
            return chosen
        pair = self._proven(self._changes, [old[0], new[0]])
        return [_Chosen(pair, pair)] if pair else chosen

    def _proven(self, changes: Changes, halves: list[TokenObject]) -> KeyPair | None:
        """The pair of two halves, if it is sure that they are one; without a common name only a proof shows it."""
        together = pair_up(halves)
        if len(together) == 1 and together[0].pairing == "material":
            return together[0]
        publics, privates = (tuple(key for key in halves if key.half == half) for half in (PUBLIC, PRIVATE))
        pair = KeyPair(publics, privates, "id")
        try:
            return pair if self._session.prove(changes, pair, passive=self._check_mode).method else None
        except HsmError:
            return None

    def checked(self, one: _Chosen) -> Changes:
        """The wished changes of one key, now that its type is known; refuses those that cannot be."""
        key, selection = one.pair.objects[0], self._selection
        if selection.handle is not None:
            self._task.check_half(dataclasses.replace(selection, key_class=key.half))
        changes = dataclasses.replace(
            self._changes,
            family="rsa" if key.key_type in KEY_TYPES_OF["rsa"] else "ecc",
            curve=key.curve,
            fingerprint=selection.fingerprint,
            chosen=str(selection),
            chosen_exactly=selection.exact,
        )
        work = Work(self._session, changes, self._check_mode)
        if self._task.state == "present":
            check_usage(changes)
            if not selection.one_half:
                alone = "To change this half alone, choose it by a uri with type=."
                work.refuse_unclear([one.pair], alone if one.pair.lone else "")
            self._refuse_taken(work, changes, one.pair)
        self._refuse_unnamed(work, changes, one)
        return changes

    def _refuse_unnamed(self, work: Work, changes: Changes, one: _Chosen) -> None:
        """Nothing happens to what was not named: one of many halves, one that its other half names, one without name."""
        wished = self._selection.fingerprint
        doubtful = [key for key in one.pair.objects if wished not in (None, key.fingerprint)]
        if one.of.whole:
            if doubtful and one.pair != one.of:  # of a whole pair that is before its change
                work.refuse_strangers(one.of)
            doubtful = []
        if self._selection.by_absence or not one.of.whole:
            doubtful += [key for key in one.unnamed if key in one.pair.objects and not changes.has_name(key)]
        if doubtful:
            why = f"it cannot be kept apart from what was not named, {listed(doubtful)}"
            raise work.refused("touch", why, "Choose the key by its id, or one half by a uri with type=.")

    def _refuse_taken(self, work: Work, changes: Changes, pair: KeyPair) -> None:
        """A new name must not be that of another key: an id names one pair only, a shared label names none."""
        searches: dict[str, list[dict[str, t.Any]]] = {
            "id": [{"id": changes.id}],
            "label": [{"label": changes.label, "key_type": name} for name in KEY_TYPES_OF[changes.family]],
        }
        for name, queries in searches.items():
            wished = getattr(changes, name)
            if wished is None or all(getattr(found, name) == wished for found in pair.objects):
                continue
            there = [found for query in queries for found in work.search(**query)]
            others = [found for found in there if found.handle not in pair.handles]
            if others and not self._is_other_half(changes, pair, others):
                why = f"the new {name} belongs to {listed(others)}"
                raise work.refused("rename", why, f"Choose another {name}.")

    def _is_other_half(self, changes: Changes, pair: KeyPair, others: t.Sequence[TokenObject]) -> bool:
        """Whether a half alone is to have the name that its other half has already."""
        half = pair.lone
        if half is None or len(others) != 1 or others[0].half == half.half:
            return False
        return self._proven(changes, [half, others[0]]) is not None


def _named_of(pair: KeyPair, named: t.Collection[int], one_half: bool) -> _Chosen:
    unnamed = tuple(key for key in pair.objects if key.handle not in named)
    if not one_half:
        return _Chosen(pair, pair, unnamed)
    # One half was named, and the other is left alone.
    publics, privates = (tuple(key for key in half if key.handle in named) for half in (pair.publics, pair.privates))
    return _Chosen(KeyPair(publics, privates), pair, unnamed)
