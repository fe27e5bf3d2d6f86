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

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject, pair_up
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Query, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import (
    FAMILY_NAME,
    KEY_TYPES_OF,
    PROVISIONAL,
    Wish,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import HALVES
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError


def find_pairs(session: TokenSession, wish: Wish) -> list[KeyPair]:
    """The pairs and halves that C(wish) names: by id if given, else by label and key type, else by fingerprint.

    Raises L{HsmError} where the id belongs to another label or key type, and L{TokenError} where a search fails: that
    is never an absence.
    """
    try:
        objects = _by_id(session, wish) if wish.id is not None else _by_label_and_type(session, wish)
        pairs = _completed(session, objects)
    except TokenError as error:
        raise error.at(f"search for {wish} on the token '{session.token_name}'") from None
    if wish.fingerprint is not None:
        pairs = [pair for pair in pairs if any(found.fingerprint == wish.fingerprint for found in pair.objects)]
    return pairs


def _by_id(session: TokenSession, wish: Wish) -> list[TokenObject]:
    objects = [found for half in HALVES for found in session.find(Query(half, id=wish.id))]
    _refuse_untyped(session, objects)
    family = KEY_TYPES_OF[wish.family]
    others = [found for found in objects if found.key_type not in family or wish.label not in (None, found.label)]
    if others:
        raise HsmError(
            f"Refused to touch {wish} on the token '{session.token_name}': its id belongs to {_listed(others)}."
            f" {_advice(others)}"
        )
    return objects


def _advice(others: t.Sequence[TokenObject]) -> str:
    if any((found.label or "").startswith(PROVISIONAL) for found in others):
        return (
            "That is the new pair of a replacement that was broken off while it was renamed, and the old pair is gone."
            " Give both its halves the wished id and label with hsm_key, each named by its uri."
        )
    return "Choose another id, or give the label and the module of that pair."


def _by_label_and_type(session: TokenSession, wish: Wish) -> list[TokenObject]:
    family = KEY_TYPES_OF[wish.family]
    # One type can be part of the search; of several the objects are chosen afterwards, in one search a half.
    key_type = family[0] if len(family) == 1 else None
    if wish.label is None and key_type is None:
        queries = [Query(half, key_type=name) for half in HALVES for name in family]
    else:
        queries = [Query(half, label=wish.label, key_type=key_type) for half in HALVES]
    objects = [found for query in queries for found in session.find(query)]
    _refuse_untyped(session, objects)
    return [found for found in objects if found.key_type in family]


def _refuse_untyped(session: TokenSession, objects: t.Sequence[TokenObject]) -> None:
    """A key whose type cannot be read may be the one that is meant: it is no absence."""
    for found in objects:
        if found.attributes.get("key_type") is None:
            raise HsmError(
                f"Refused to go on with the token '{session.token_name}': the type of the {found.half} key"
                f" '{found.label}' (handle {found.handle}) cannot be read. Repair or remove that object."
            )


def _completed(session: TokenSession, named: t.Sequence[TokenObject]) -> list[KeyPair]:
    """The pairs of C(named); a half is called lone only after its other was looked for by id, the labels may differ.

    Everything with that id is looked at, so that an EC half which two others could belong to is no pair.
    """
    lone = [pair.lone for pair in pair_up(named)]
    ids = {half.id for half in lone if half and half.id}
    more = [found for id_ in sorted(ids) for half in HALVES for found in session.find(Query(half, id=id_))]
    handles = {found.handle for found in named}
    pairs = pair_up([*named, *(found for found in more if found.handle not in handles)])
    return [pair for pair in pairs if any(found.handle in handles for found in pair.objects)]


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


def refuse_unclear(session: TokenSession, wish: Wish, pairs: t.Sequence[KeyPair], remedy: str = "") -> None:
    """Refuses half pairs, duplicates and halves that do not belong together, listing what is there."""
    if is_clear(pairs):
        return
    session.check_absence()  # what is missing may be in a damaged file
    what = _unclear(pairs)
    raise HsmError(
        f"Refused to touch {wish} on the token '{session.token_name}': {what}: {_listed(pairs)}."
        f" Nothing was changed. {remedy or _remedy(pairs)}"
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


def _remedy(pairs: t.Sequence[KeyPair]) -> str:
    if len(pairs) == 1 and pairs[0].lone:
        return "Bring back its other half, or remove it by state=absent with its id or fingerprint."
    if len(pairs) > 1:
        return "Name one pair by id or fingerprint, or remove what is not wanted by state=absent named so."
    return "Remove the surplus keys with the vendor's tool or pkcs11-tool."


def _listed(things: t.Sequence[t.Any]) -> str:
    return ", ".join(map(str, things))
