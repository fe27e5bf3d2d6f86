# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a pair cannot be changed, and what the user can do then; loaded where it is told."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.description import half_uri
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.difference import Difference
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.inheritance import irreplaceable
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VendorFacts
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError

_APPROVED = (
    "let them approve it in an interactive session of the vendor's tool, because approvals hold in one session, and a"
    " task has its own"
)


def stranger(public: TokenObject) -> str:
    """What to do about a public half that is not that of the private one."""
    call = f"hsm_key with state=absent, uri '{half_uri(public)}'"
    return f"Bring back the public half of the private one; what is in its place goes by {call}."


def unchangeable(wish: Wish, pair: KeyPair, fixed: t.Sequence[Difference], facts: VendorFacts, token: str) -> HsmError:
    """The refusal of a change; `fixed` is what nothing can mend in place."""
    why = "That cannot be changed in place"
    halves = [pair.half(row.half) for row in fixed if row.half]
    bound = next((half.sharing for half in halves if half.needs_signatures), None)
    if bound:
        why = f"That needs the signatures of {bound.manage_quorum} users"
    approved = [_APPROVED] if bound else []
    elsewhere = [facts.elsewhere[row.name] for row in fixed if row.name in facts.elsewhere]
    remedies = [*approved, *elsewhere, wish.keeping if irreplaceable(wish, facts) else wish.remedy]
    data = [row.data() for row in fixed]
    told = f"{why}; {', or '.join(remedies)}."
    return HsmError.refused(f"change {wish.on(token)}", "; ".join(map(str, fixed)), told, differences=data)
