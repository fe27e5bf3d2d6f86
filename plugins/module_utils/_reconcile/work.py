# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A wish on a token: finding the pair that is meant, which searches prove that it is there, or that it is not."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import (
    KEY_TYPES_OF,
    Wish,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

T = t.TypeVar("T")
# What stops where it is about to look at the token again, so that other work can come first: among many pairs one look
# is enough for all.
Staged = t.Generator[None, None, T]


class RaceLost(Exception):
    """Another host made a pair of the same name at the same time; ours is gone again."""


@dataclasses.dataclass(frozen=True)
class Work:
    """What is wished on one token. In check mode nothing is made, not even an object of the session for a proof."""

    session: TokenSession
    wish: Wish
    check_mode: bool = False

    @property
    def where(self) -> str:
        """The pair and the token, as every message names them."""
        return self.wish.on(self.session.token_name)

    def refused(self, what: str, why: str, remedy: str = "") -> errors.HsmError:
        """That something is not done to the pair; `what` is a verb."""
        return errors.HsmError.refused(f"{what} {self.where}", why, remedy)

    def failed(self, what: str, why: str, remedy: str = "") -> errors.HsmError:
        """That something could not be done to the pair; `what` is a verb."""
        return errors.HsmError.failed(f"{what} {self.where}", why, remedy)

    def find(self) -> list[keypair.KeyPair]:
        """The pairs and halves that the wish names: by id if given, else by label and key type, else by fingerprint.

        Raises `HsmError` where the id belongs to another label or key type, and `TokenError` where a search fails: that
        is never an absence.
        """
        try:
            named = self.by_label_and_type() if self.wish.id is None else self._by_id(self.wish.id)
            pairs = self._with_other_halves(named) if named else []
        except errors.TokenError as error:
            raise error.at(f"search for {self.where}") from None
        wished = self.wish.fingerprint
        return [pair for pair in pairs if wished is None or wished in [found.fingerprint for found in pair.objects]]

    def search(self, **names: t.Any) -> list[keypair.TokenObject]:
        """The objects of both halves that a search finds."""
        return self.session.find_halves(names)

    def _by_id(self, wished: bytes) -> list[keypair.TokenObject]:
        objects = self._typed(self.search(id=wished))
        family, label = KEY_TYPES_OF[self.wish.family], self.wish.label
        labels = (None, "", label) if self.wish.complete else (label,)  # Java gives private keys none
        others = [one for one in objects if one.key_type not in family or (label and one.label not in labels)]
        if not others:
            return objects
        from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import unclear

        raise self.refused("touch", *unclear.foreign(others))

    def by_label_and_type(self) -> list[keypair.TokenObject]:
        """The objects of the wished label and family, whatever their ids."""
        family, label = KEY_TYPES_OF[self.wish.family], self.wish.label
        # One type can be part of the search; of several the objects are chosen afterwards, in one search a half.
        types = family if len(family) == 1 or label is None else (None,)
        objects = self._typed([found for name in types for found in self.search(label=label, key_type=name)])
        return [found for found in objects if found.key_type in family]

    def _typed(self, objects: list[keypair.TokenObject]) -> list[keypair.TokenObject]:
        """A key whose type cannot be read may be the one that is meant: it is no absence."""
        for found in objects:
            if found.attributes.get("key_type") is None:
                raise errors.HsmError.refused(
                    f"go on with the token '{self.session.token_name}'",
                    f"the type of the {found.half} key '{found.label}' (handle {found.handle}) cannot be read",
                    "Repair or remove that object.",
                )
        return objects

    def _with_other_halves(self, named: t.Sequence[keypair.TokenObject]) -> list[keypair.KeyPair]:
        """The pairs of `named`; a half is called lone only after its other was looked for by id, value and label.

        Everything with that id is looked at, so that an EC half which two others could belong to is no pair.
        """
        ids = {half.id for pair in keypair.pair_up(named) if (half := pair.lone) and half.id}
        objects = {found.handle: found for id_ in sorted(ids) for found in self.search(id=id_)}
        objects = {**{found.handle: found for found in named}, **objects}
        handles = {found.handle for found in named}
        pairs = [pair for pair in keypair.pair_up([*objects.values()]) if handles & pair.handles]
        if not any(pair.lone for pair in pairs):
            return pairs
        from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.other_half import OtherHalf

        return OtherHalf(self.session, self.wish, self.check_mode).joined(pairs)

    def refuse_unclear(self, pairs: t.Sequence[keypair.KeyPair], remedy: str = "") -> None:
        """Refuses half pairs, duplicates and halves that do not belong together, listing what is there."""
        if is_clear(pairs):
            return
        from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import unclear

        self.session.check_absence()  # what is missing may be in a damaged file
        what, usual, rows = unclear.told(self.wish, pairs)
        raise self.refused("touch", what, f"Nothing was changed. {remedy or usual}{rows}")

    def settle_ids(self, pair: keypair.KeyPair, state: str = "present") -> tuple[str, ...]:
        """What to warn of where another program gave one half an id of its own; refuses what cannot go on so."""
        if not pair.ids_differ:
            return ()
        from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.other_half import OtherHalf

        other_half = OtherHalf(self.session, self.wish, self.check_mode)
        return other_half.told_apart(pair, state == "absent" and self.wish.id is None)

    def look_alikes(self) -> tuple[str, ...]:
        """What to warn of before a pair is generated that the user may know by another name; refuses its twin."""
        from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.look_alikes import LookAlikes

        return LookAlikes(self.session, self.wish, self.check_mode).warnings()

    def refuse_strangers(self, pair: keypair.KeyPair) -> None:
        """A proof, before a pair is changed or removed whose halves only an id joins and one of which was not named."""
        named_apart = self.wish.fingerprint is not None or len({found.label for found in pair.objects}) > 1
        if not (pair.whole and pair.pairing == "id" and named_apart):
            return
        from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import unclear

        unclear.refuse_unproven(self, pair)

    def proof(self, pair: keypair.KeyPair) -> Proof:
        """The proof of a pair; none is a failure where the task asks for one and is no check."""
        return self.enough(self.session.prove(self.wish, pair, passive=self.check_mode))

    def enough(self, proof: Proof) -> Proof:
        """The same; raises `HsmError` where the task asks for a proof and this is none."""
        if proof.method is None and self.wish.verify and not self.check_mode:
            raise self.failed("prove", f"{proof.reason}")
        return proof


def is_clear(pairs: t.Sequence[keypair.KeyPair]) -> bool:
    """Whether this is nothing, or one whole pair."""
    return not pairs or (len(pairs) == 1 and pairs[0].whole)


def listed(things: t.Iterable[object], joint: str = ", ") -> str:
    """Things as a message lists them."""
    return joint.join(map(str, things))
