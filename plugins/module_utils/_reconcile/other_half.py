# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The other half of a key, where another program gave one half an id of its own: found, named, never guessed at."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import description, keypair, session
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import work
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, drawn_id, ec_key, errors

# What tokens answer whose private keys cannot have such an attribute.
_NO_SUCH_ATTRIBUTE = ("CKR_ATTRIBUTE_TYPE_INVALID", "CKR_ATTRIBUTE_VALUE_INVALID", "CKR_TEMPLATE_INCONSISTENT")


class OtherHalf(work.Work):
    """Of one wished pair."""

    def joined(self, pairs: t.Sequence[keypair.KeyPair]) -> list[keypair.KeyPair]:
        """`pairs`, each half that is still alone with its other one, if the token has that under another id.

        Where that came with a group, of which the label is all that they have in common, the rest of the group stays.
        """
        done: list[keypair.KeyPair] = []
        for pair in pairs:
            left = [found for found in pair.objects if not any(found.handle in one.handles for one in done)]
            rest = [pair] if len(left) == len(pair.objects) else keypair.pair_up(left)
            done += [(one.lone and self._with_other(one.lone)) or one for one in rest]
        return done

    def _with_other(self, half: keypair.TokenObject) -> keypair.KeyPair | None:
        return self._by_value(half) or self._by_label(half)

    def _by_value(self, half: keypair.TokenObject) -> keypair.KeyPair | None:
        """The pair of a half, if the public value makes one; a second public half of a whole pair stays alone."""
        if not self.session.by_value:
            return None
        found = [one for query in _by_value(half) for one in self._find(query)]
        there = {one.handle: one for one in (half, *found)}
        group = next(pair for pair in keypair.pair_up([*there.values()]) if half.handle in pair.handles)
        return group if group.whole else None

    def _find(self, query: session.Query) -> list[keypair.TokenObject]:
        try:
            return self.session.find(query)
        except errors.TokenError as error:
            if error.ckr in _NO_SUCH_ATTRIBUTE:
                return []
            raise

    def _by_label(self, half: keypair.TokenObject) -> keypair.KeyPair | None:
        """A half with that of the same label and kind that is alone, too: a proof shows which it is.

        With all of them where there are copies, for none of these is the one that is meant. Where no proof can be made
        of the only one, that may be it, and is never taken for a stranger.
        """
        alone = [*self._alone(half)] if half.label else []
        certain = {other.handle: self._belongs(half, other) for other in alone}
        own = [other for other in alone if certain[other.handle]]
        doubtful = [other for other in alone if certain[other.handle] is None]
        if not own and len(doubtful) != 1:
            return None
        together = keypair.pair_up((half, *own))
        if own and len(together) == 1:
            return together[0]
        return dataclasses.replace(keypair.pair_of((half, *(own or doubtful))), pairing="id")

    def _belongs(self, half: keypair.TokenObject, other: keypair.TokenObject) -> bool | None:
        """Whether two halves are one pair; None where nothing shows it."""
        together = keypair.pair_up((half, other))
        if half.key_type == "rsa" or together[0].pairing == "material":  # the values tell
            return len(together) == 1
        pair = dataclasses.replace(keypair.pair_of((half, other)), pairing="id")
        try:
            return True if self.session.prove(self.wish, pair, passive=True).method else None
        except errors.TokenError:
            return None
        except errors.HsmError:
            return False

    def _alone(self, half: keypair.TokenObject) -> t.Iterator[keypair.TokenObject]:
        """Other halves with this half's label, on its curve, that belong to no key by their id."""
        for other in self.session.find(session.Query(half.other, label=half.label, key_type=half.key_type)):
            if other.curve != half.curve or (other.spki and half.spki and other.spki != half.spki):
                continue
            beside = self.session.find(session.Query(half.half, id=other.id)) if other.id else []
            if not any(len(pair.halves) == 2 for pair in keypair.pair_up([other, *beside])):
                yield other

    def told_apart(self, pair: keypair.KeyPair, absent: bool) -> tuple[str, ...]:
        """What to warn of where the ids of the halves differ; refuses where one of them was told, or only ids join.

        `absent`: the pair is to go, and was not named by an id.
        """
        public, private = pair.public, pair.private
        differ = f"public {public.id.hex(':') or 'none'}, private {private.id.hex(':') or 'none'}"
        why = f"the ids of its halves differ, {differ}: {pair}"
        if pair.pairing == "id":
            self._refuse_unproven(pair, why)
        if absent or (self.wish.id is not None and not (public.id and private.id)):
            return ()  # a half without an id gets the told one
        if self.wish.id is None and pair.pairing == "material":
            told = f"The ids of the halves of {self.where} differ, {differ}: another program changed one."
            return (f"{told} {self.repair(pair)}",)
        raise self.refused("touch", why, f"Nothing was changed. {self.repair(pair)}")

    def _refuse_unproven(self, pair: keypair.KeyPair, why: str) -> None:
        proof = self.session.prove(self.wish, pair, passive=True)
        if proof.method is None:
            doubt = f"That they belong together cannot be proven ({proof.reason})"
            remedy = f"{doubt}; if they do, give them one id with the program that changed it."
            raise self.refused("touch", why, f"Nothing was changed. {remedy}")

    def repair(self, pair: keypair.KeyPair) -> str:
        """The call that gives both halves one id: that of a certificate beside the private one, else the told one."""
        half, identifier = self._to_repair(pair)
        call = f"hsm_key with uri '{description.half_uri(half)}', new_id_hex '{identifier.hex(':')}'"
        told = f"Give the {half.half} half the other id: {call}"
        if self.wish.id not in (None, identifier):
            told += f", and give this task id_hex '{identifier.hex(':')}', which the certificate has"
        return f"{told}."

    def _to_repair(self, pair: keypair.KeyPair) -> tuple[keypair.TokenObject, bytes]:
        """Which half gets which id; it is another one than the told id only where a certificate has that."""
        public, private = pair.public, pair.private
        with contextlib.suppress(errors.TokenError):
            if private.id and self.session.certificates(identifier=private.id):
                return public, private.id
        original = public.id if drawn_id.is_drawn(public.id) or not private.id else private.id
        identifier = original if self.wish.id is None else self.wish.id
        return (private if public.id == identifier else public), identifier


def _by_value(half: keypair.TokenObject) -> t.Iterator[session.Query]:
    """The searches for both halves of a public value."""
    modulus, point = half.attributes.get("modulus"), half.attributes.get("ec_point")
    if isinstance(modulus, bytes) and modulus:
        yield from (session.Query(other, modulus=modulus) for other in attributes.HALVES)
    elif isinstance(point, bytes) and point:
        yield session.Query(half.other, ec_point=point)
    elif half.spki and half.curve:
        yield session.Query(attributes.PUBLIC, ec_point=ec_key.octet_string(ec_key.point_of(half.spki)))
