# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replacing a pair: the new one is whole, proven and alone before the old one goes, and is found again after a kill.

The new pair has a provisional label until then, which follows from the wish. A run that was killed in between leaves
that pair: the next run gives it its name if the old pair is gone, and refuses, naming it, while the old one is there;
it may as well be the work of another host that has not ended yet.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import dataclasses
import hashlib

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import dishonoured
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof, Query, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import PROVISIONAL, Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.actions import (
    Steps,
    destroy,
    freeze,
    generate,
    prove_new,
    take_back,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.lookup import find_pairs, is_clear
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC, Value
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError


def provisional(wish: Wish) -> Wish:
    """The new pair until the old one is gone: its label follows from the wished name, its id is drawn."""
    name = hashlib.sha256(str(wish).encode()).hexdigest()[:16]
    return dataclasses.replace(wish.unfrozen(), label=f"{PROVISIONAL}{name}", id=None, fingerprint=None)


def find_leftover(session: TokenSession, wish: Wish) -> KeyPair | None:
    """The pair that a broken replacement of `wish` left; raises `HsmError` where it is not what is wished."""
    draft = provisional(wish)
    pairs = find_pairs(session, draft)
    if not pairs:
        return None
    names = " and ".join(map(str, pairs))
    if not is_clear(pairs):
        raise _unfinished(session, wish, f"it is not one pair, {names}")
    rows = dishonoured(draft, pairs[0], session.facts)
    if rows:
        raise _unfinished(session, wish, f"it is not as wished ({'; '.join(map(str, rows))}), {names}")
    return pairs[0]


def refuse_leftover(session: TokenSession, wish: Wish, leftover: KeyPair | None) -> None:
    """Refuses to begin a replacement while another one is begun and the old pair is there."""
    if leftover:
        raise _unfinished(session, wish, f"the old pair is there, and beside it the new one, {leftover}")


def _unfinished(session: TokenSession, wish: Wish, state: str) -> HsmError:
    label = provisional(wish).label
    return HsmError(
        f"Refused to touch {wish} on the token '{session.token_name}': a replacement of it was broken off, or another"
        f" host is at it: {state}. If no other host is at it, remove the new one (state=absent, label '{label}')."
    )


def finish(session: TokenSession, wish: Wish, leftover: KeyPair) -> tuple[KeyPair, Proof]:
    """Gives the new pair its name after a run that was killed when the old pair was gone."""
    proof = prove_new(session, wish, leftover)
    return _rename(session, wish, leftover), proof


def replace(session: TokenSession, wish: Wish, old: KeyPair) -> Steps[tuple[KeyPair, Proof]]:
    """Generates and proves another pair under a provisional name, and only then destroys the old one and renames."""
    draft = provisional(wish)
    try:
        new, proof = yield from generate(session, draft, alone=True)
    except HsmError as error:
        raise _not_replaced(wish, error) from None
    try:
        for half in (PRIVATE, PUBLIC):  # a token that cannot rename is found out while the old pair still exists
            session.set_attributes(new.half(half), {"label": draft.label or ""})
    except HsmError as error:
        take_back(session, draft, new, _not_replaced(wish, error))
    _destroy_old(session, wish, draft, old, new)
    return _rename(session, wish, new), proof


def _destroy_old(session: TokenSession, wish: Wish, draft: Wish, old: KeyPair, new: KeyPair) -> None:
    """Destroys the old pair; the new one is taken back only if the old private half is surely still there."""
    try:
        destroy(session, wish, KeyPair(privates=old.privates))
    except TokenError as error:
        if _is_there(session, old.private):
            take_back(session, draft, new, _not_replaced(wish, error))
        raise TokenError(
            error.attempt,
            error.ckr,
            said=error.said,
            hint="",
            remains=f"The old private half is not seen any more. What remains is its public half, {old.public}, and the"
            f" new pair, {new}. Remove that public half by its fingerprint; the same task then finishes the"
            " replacement.",
        ) from None
    try:
        destroy(session, wish, KeyPair(publics=old.publics))
    except TokenError as error:
        raise error.at(
            error.attempt,
            f"The new pair is there, whole and proven, {new}. Remove that public half by its fingerprint; the same task"
            " then finishes the replacement.",
        ) from None


def _is_there(session: TokenSession, private: TokenObject) -> bool:
    """Whether a search still finds this private half; an error says nothing, so that it counts as gone."""
    try:
        found = session.find(Query(PRIVATE, label=private.label, id=private.id or None))
    except TokenError:
        return False
    return any(_same(other, private) for other in found)


def _same(one: TokenObject, other: TokenObject) -> bool:
    if one.spki or other.spki:
        return one.spki == other.spki
    return (one.key_type, one.attributes.get("ec_params"), one.id) == (
        other.key_type,
        other.attributes.get("ec_params"),
        other.id,
    )


def _not_replaced(wish: Wish, error: HsmError) -> HsmError:
    return HsmError(f"Did not replace {wish}, which is untouched. {error.msg}", **error.data)


def _rename(session: TokenSession, wish: Wish, new: KeyPair) -> KeyPair:
    """The ids first, on both halves, then the labels: after a kill the halves are found by the one or the other."""
    names: list[dict[str, Value]] = [{"id": wish.id}] if wish.id is not None else []
    names.append({"label": wish.label or ""})
    renamed = new
    try:
        for name in names:
            for half in (PRIVATE, PUBLIC):
                renamed = renamed.with_half(session.set_attributes(renamed.half(half), name))
    except TokenError as error:
        raise error.at(
            f"rename the replacement of {wish} on the token '{session.token_name}'",
            f"The old pair is gone; the new one is whole: {renamed}. {_ending(wish, begun=renamed is not new)}",
        ) from None
    return freeze(session, wish, renamed)


def _ending(wish: Wish, begun: bool) -> str:
    """Halves with different ids are found by neither name; with a wished id only a person can tell what is meant."""
    if wish.id is None or not begun:
        return "The same task finishes it."
    return "Give both its halves the wished id and label with hsm_key, each named by its uri."
