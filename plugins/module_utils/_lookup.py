# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finding the pair that is meant: which searches prove that it is there, or that it is not.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._attributes import PRIVATE, PUBLIC
from ansible_collections.cryptoki.hsm.plugins.module_utils._errors import HsmError, TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._keypair import (
    FAMILY_NAME,
    HALVES,
    KEY_TYPES_OF,
    KeyPair,
    TokenObject,
    Wish,
    pair_up,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._providers.base import Query, TokenSession


def find_pairs(session: TokenSession, wish: Wish) -> list[KeyPair]:
    """The pairs and halves that C(wish) names: by id if given, else by label and key type, else by fingerprint.

    Raises L{HsmError} where the id belongs to another label or key type, and L{TokenError} where a search fails: that
    is never an absence.
    """
    try:
        objects = _by_id(session, wish) if wish.id is not None else _by_label_and_type(session, wish)
        pairs = pair_up(objects)
        if len(pairs) == 1 and pairs[0].lone:
            pairs = _with_other_half(session, pairs[0].lone)
    except TokenError as error:
        raise error.at(f"search for {wish} on the token '{session.token_name}'") from None
    if wish.fingerprint is not None:
        pairs = [pair for pair in pairs if any(found.fingerprint == wish.fingerprint for found in pair.objects)]
    return pairs


def _by_id(session: TokenSession, wish: Wish) -> list[TokenObject]:
    objects = [found for half in HALVES for found in session.find(Query(half, id=wish.id))]
    family = KEY_TYPES_OF[wish.family]
    others = [found for found in objects if found.key_type not in family or wish.label not in (None, found.label)]
    if others:
        raise HsmError(
            f"Refused to touch {wish} on the token '{session.token_name}': its id belongs to {_listed(others)}."
            " Choose another id, or give the label and the module of that pair."
        )
    return objects


def _by_label_and_type(session: TokenSession, wish: Wish) -> list[TokenObject]:
    family = KEY_TYPES_OF[wish.family]
    # One type can be part of the search; of several the objects are chosen afterwards, in one search a half.
    key_type = family[0] if len(family) == 1 else None
    if wish.label is None and key_type is None:
        queries = [Query(half, key_type=name) for half in HALVES for name in family]
    else:
        queries = [Query(half, label=wish.label, key_type=key_type) for half in HALVES]
    return [found for query in queries for found in session.find(query) if found.key_type in family]


def _with_other_half(session: TokenSession, lone: TokenObject) -> list[KeyPair]:
    """A half is called one only after its other was looked for by id: the labels of the two may differ."""
    if not lone.id:
        return pair_up([lone])
    other = PUBLIC if lone.half == PRIVATE else PRIVATE
    joined = pair_up([lone, *session.find(Query(other, id=lone.id))])
    whole = [pair for pair in joined if pair.whole and lone in pair.objects]
    return whole or joined


def refuse_unnamed_twin(session: TokenSession, wish: Wish) -> None:
    """An id that is not found, beside the only pair of that label and type if it has no id, is not a new pair's."""
    if wish.id is None or wish.label is None:
        return
    pairs = pair_up(_by_label_and_type(session, dataclasses.replace(wish, id=None)))
    unnamed = [pair for pair in pairs if not any(found.id for found in pair.objects)]
    if len(pairs) == len(unnamed) == 1:
        raise HsmError(
            f"Refused to generate {wish} on the token '{session.token_name}': there is a pair of that label and type"
            f" without an id, {unnamed[0]}. Give that pair the id, or leave id out to manage it by its label."
        )


def is_clear(pairs: t.Sequence[KeyPair]) -> bool:
    """Whether this is nothing, or one whole pair."""
    return not pairs or (len(pairs) == 1 and pairs[0].whole)


def refuse_unclear(session: TokenSession, wish: Wish, pairs: t.Sequence[KeyPair]) -> None:
    """Refuses half pairs, duplicates and halves that do not belong together, listing what is there."""
    if is_clear(pairs):
        return
    what = _unclear(pairs)
    raise HsmError(
        f"Refused to touch {wish} on the token '{session.token_name}': {what}: {_listed(pairs)}."
        " Nothing was changed; remove what is not wanted (state=absent with its id or fingerprint), or name one pair"
        " by id or fingerprint."
    )


def _unclear(pairs: t.Sequence[KeyPair]) -> str:
    objects = [found for pair in pairs for found in pair.objects]
    halves = sorted(found.half for found in objects)
    if len(objects) == 1:
        missing = "public" if halves == ["private"] else "private"
        return f"it is a {halves[0]} half without its {missing} half"
    if halves == ["private", "public"]:
        return "its halves do not belong together"
    if halves.count("private") > 1 or halves.count("public") > 1:
        return f"{len(objects)} {FAMILY_NAME['rsa'] if objects[0].key_type == 'rsa' else 'ECC'} keys have that name"
    return "it is not one pair"


def _listed(things: t.Sequence[t.Any]) -> str:
    return ", ".join(map(str, things))
