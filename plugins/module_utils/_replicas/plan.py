# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to come of one pair on several tokens, decided from what was found on each; no side effects."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors

# By token; None where the token has nothing of that name.
Found = t.Mapping[str, "keypair.KeyPair | None"]


@dataclasses.dataclass(frozen=True)
class CopyPlan:
    """`donor` is the token whose pair is copied to those that `lack` it; None: the source generates it first."""

    donor: str | None
    lack: tuple[str, ...]


def plan_copies(wish: Wish, found: Found, source: str) -> CopyPlan:
    """Which token gives and which take; raises `HsmError` where the tokens contradict each other.

    `found` has the tokens that were reached, the source among them: a whole pair each, or a lone half.
    """
    refuse_different(wish, found)
    whole = {name: pair for name, pair in found.items() if pair and pair.whole}
    lack = {name: pair for name, pair in found.items() if name not in whole}
    _refuse_halves(wish, lack, completable=bool(whole))
    if not whole:
        return CopyPlan(None, tuple(name for name in lack if name != source))
    if source not in whole and wish.fingerprint is None:
        why = f"it is only on replicas, {_listed(whole)}, and not on '{source}'"
        raise errors.HsmError.refused(f"touch {wish}", why, "To copy it back, name it by its fingerprint.")
    return CopyPlan(source if source in whole else next(iter(whole)), tuple(lack))


def refuse_different(wish: Wish, found: Found) -> None:
    """Different keys under one name are never merged, and never removed together."""
    there = {name: pair for name, pair in found.items() if pair}
    prints = {half.fingerprint for pair in there.values() for half in pair.objects if half.fingerprint}
    if len(prints) > 1:
        remedy = "Nothing was changed. Name the one that is meant by its fingerprint, or remove the others."
        raise errors.HsmError.refused(
            f"touch {wish}", f"the tokens have different keys of that name, {_listed(there)}", remedy
        )


def _refuse_halves(wish: Wish, found: Found, *, completable: bool) -> None:
    """A public half may be what a killed copy left, where another token has the pair; all else is no one's leftover."""
    for name, pair in found.items():
        lone = pair.lone if pair else None
        if pair and not (completable and lone and lone.half == attributes.PUBLIC and lone.fingerprint):
            why = f"what the node '{name}' has of it is no pair, {pair}"
            remedy = "Nothing was changed. Remove it there by state=absent with its id or fingerprint."
            raise errors.HsmError.refused(f"touch {wish}", why, remedy)


def uncopyable(pair: keypair.KeyPair, wrapping_key: str | None) -> str | None:
    """Why a private half cannot leave its token, and what can be done; None if it can."""
    if pair.private.attributes.get("extractable") is not True:
        return (
            "the private half is not extractable, which cannot be undone, so that PKCS#11 cannot copy it; use the"
            " vendor's own cloning or backup, leave that node out, or remove the pair and generate it anew"
        )
    if pair.private.attributes.get("wrap_with_trusted") is True and wrapping_key is None:
        return "wrap_with_trusted is true for it, which needs the option wrapping_key"
    return None


def _listed(found: Found) -> str:
    return ", ".join(f"'{name}' has {pair}" for name, pair in found.items() if pair)
