# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a pair cannot be changed, and what the user can do then; loaded where it is told."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import (
    description,
    difference,
    inheritance,
    keypair,
    vendors,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

_APPROVED = (
    "let them approve it in an interactive session of the vendor's tool, because approvals hold in one session, and a"
    " task has its own"
)


def stranger(public: keypair.TokenObject) -> str:
    """What to do about a public half that is not that of the private one."""
    call = f"hsm_key with state=absent, uri '{description.half_uri(public)}'"
    return f"Bring back the public half of the private one; what is in its place goes by {call}."


def unchangeable(
    wish: Wish, pair: keypair.KeyPair, fixed: t.Sequence[difference.Difference], facts: vendors.VendorFacts, token: str
) -> errors.HsmError:
    """The refusal of a change; `fixed` is what nothing can mend in place."""
    why = "That cannot be changed in place"
    halves = [pair.half(row.half) for row in fixed if row.half]
    bound = next((half.sharing for half in halves if half.needs_signatures), None)
    if bound:
        why = f"That needs the signatures of {bound.manage_quorum} users"
    approved = [_APPROVED] if bound else []
    elsewhere = [facts.elsewhere[row.name] for row in fixed if row.name in facts.elsewhere]
    remedies = [*approved, *elsewhere, wish.keeping if inheritance.irreplaceable(wish, facts) else wish.remedy]
    data = [row.data() for row in fixed]
    told = f"{why}; {', or '.join(remedies)}."
    return errors.HsmError.refused(f"change {wish.on(token)}", "; ".join(map(str, fixed)), told, differences=data)
