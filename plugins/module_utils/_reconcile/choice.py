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

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject, pair_up
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Changes
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.selection import Selection, select
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC, SECRET
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError


@dataclasses.dataclass(frozen=True)
class Task:
    """What is to come of the chosen keys, and how many they may be."""

    state: str = "present"
    count: int = 1
    check_mode: bool = False


class Chosen(t.NamedTuple):
    """What is meant of one key: C(pair), which may be one half of C(of); C(unnamed) of that was not named itself."""

    pair: KeyPair
    of: KeyPair
    unnamed: tuple[TokenObject, ...] = ()


def choose(session: TokenSession, selection: Selection, changes: Changes, task: Task) -> list[Chosen]:
    """The pairs and halves that are meant, as many as C(count) says; raises L{HsmError} for any other number.

    Those that are to be removed may be fewer.
    """
    if task.state == "absent":
        session.check_absence()
    chosen = _chosen(session, selection)
    if task.state == "present":
        chosen = chosen or _chosen(session, _renamed(selection, changes))
        chosen = _rejoined(session, selection, changes, chosen, task.check_mode)
    number = sum(max(len(one.pair.publics), len(one.pair.privates)) for one in chosen)
    if number > task.count:
        listed = ", ".join(str(one.pair) for one in chosen)
        raise HsmError(
            f"Refused to touch the keys chosen by {selection} on the token '{session.token_name}': there are {number},"
            f" count is {task.count}: {listed}. Choose one by id, uri or fingerprint, or set count={number}."
        )
    if number < task.count and task.state == "present":
        session.check_absence()
        wished = "the key" if task.count == 1 else f"{task.count} keys"
        raise HsmError(
            f"Could not find {wished} chosen by {selection} on the token '{session.token_name}': there are {number}."
            " hsm_rsa_keypair, hsm_ecc_keypair and hsm_keypairs generate keys, hsm_key does not."
        )
    return chosen


def _chosen(session: TokenSession, selection: Selection) -> list[Chosen]:
    selected = select(session, selection)
    where = f"the token '{session.token_name}'"
    for unread in selected.unread:  # it may be the one that is meant: that is no absence
        reason = next(iter(unread.unreadable.values()), None)
        raise TokenError(f"read the {unread.half} key with handle {unread.handle} on {where}", reason)
    secrets = [key for key in selected.objects if key.half == SECRET]
    if secrets and not selected.pairs:
        raise HsmError(
            f"Refused to touch {', '.join(map(str, secrets))} on {where}: hsm_key changes and removes the keys of pairs"
            " only."
        )
    named = {key.handle for key in selected.objects}
    return [_of_pair(selection, pair, named) for pair in selected.pairs]


def _of_pair(selection: Selection, pair: KeyPair, named: t.Collection[int]) -> Chosen:
    unnamed = tuple(key for key in pair.objects if key.handle not in named)
    if not selection.one_half:
        return Chosen(pair, pair, unnamed)
    # One half was named, and the other is left alone.
    own = KeyPair(
        tuple(key for key in pair.publics if key.handle in named),
        tuple(key for key in pair.privates if key.handle in named),
    )
    return Chosen(own, pair, unnamed)


def _renamed(selection: Selection, changes: Changes) -> Selection:
    """What the selection means after the change: a key that has its new name already was renamed before."""
    return dataclasses.replace(
        selection,
        label=changes.label if changes.label is not None and selection.label is not None else selection.label,
        id=changes.id if changes.id is not None and selection.id is not None else selection.id,
    )


def has_new_name(changes: Changes, found: TokenObject) -> bool:
    """Whether a half was renamed already."""
    if changes.label is None and changes.id is None:
        return False
    return changes.label in (None, found.label) and changes.id in (None, found.id)


def _rejoined(
    session: TokenSession, selection: Selection, changes: Changes, chosen: list[Chosen], check_mode: bool
) -> list[Chosen]:
    """C(chosen), or the pair of which a killed run renamed one half: that half is looked for by its new name."""
    halves = [one.of.lone for one in chosen]
    old = [half for half in halves if half and not has_new_name(changes, half)]
    if selection.one_half or len(old) != 1 or (changes.label is None and changes.id is None):
        return chosen
    half = PUBLIC if old[0].half == PRIVATE else PRIVATE
    wanted = Selection(label=changes.label, id=changes.id, key_class=half, key_type=old[0].key_type)
    new = [pair.lone for pair in select(session, wanted).pairs if pair.lone]
    if len(new) != 1 or any(key not in (old[0], new[0]) for key in halves):
        return chosen
    pair = proven(session, changes, [old[0], new[0]], check_mode)
    return [Chosen(pair, pair)] if pair else chosen


def proven(session: TokenSession, changes: Changes, halves: list[TokenObject], check_mode: bool) -> KeyPair | None:
    """The pair of two halves, if it is sure that they are one; halves that share no name have nothing else to show."""
    together = pair_up(halves)
    if len(together) == 1 and together[0].pairing == "material":
        return together[0]
    publics, privates = (tuple(key for key in halves if key.half == half) for half in (PUBLIC, PRIVATE))
    pair = KeyPair(publics, privates, "id")
    try:
        return pair if session.prove(changes, pair, passive=check_mode).method else None
    except HsmError:
        return None
