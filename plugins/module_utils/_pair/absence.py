# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a pair may go: the decision about state=absent, and what must not be destroyed."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import difference, keypair, plan
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors


def decide_absent(wish: Wish, pairs: t.Sequence[keypair.KeyPair], token: str) -> plan.Plan:
    """What to do so that the pair is gone; raises `HsmError` where that is refused. `pairs` is unclear no more."""
    if not pairs:
        return plan.Plan(plan.Action.NOTHING)
    (pair,) = pairs
    lone = pair.lone
    if lone and lone.half == attributes.PUBLIC and not wish.exact:
        why = f"it is a public half without its private half, {lone}"
        raise errors.HsmError.refused(f"remove {wish.on(token)}", why, "Name it by id or fingerprint to remove it.")
    rows = difference.key_differences(wish, pair)
    if rows:
        raise errors.HsmError.refused(
            f"remove {wish.on(token)}", "; ".join(map(str, rows)), differences=[row.data() for row in rows]
        )
    refuse_indestructible(f"remove {wish.on(token)}", pair)
    return plan.Plan(plan.Action.REMOVE, pair)


def refuse_indestructible(what: str, pair: keypair.KeyPair, remedy: str = "") -> None:
    """Refuses to do what needs a pair to go that may not."""
    kept = [str(found) for found in pair.objects if found.forbids("destroyable")]
    if kept:
        raise errors.HsmError.refused(what, f"destroyable is false for {', '.join(kept)}", remedy)
