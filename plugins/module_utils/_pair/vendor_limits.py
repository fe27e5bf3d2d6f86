# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a vendor's tokens cannot hold, as far as the table of vendor facts tells: a pure check before the generation."""

from __future__ import annotations

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VendorFacts
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import HALVES


def vendor_refusal(wish: Wish, facts: VendorFacts) -> str | None:
    """Why a new pair as wished cannot be had from this vendor, or None."""
    if facts.curves and wish.curve and wish.curve.name not in facts.curves:
        return f"{facts.name} has the curves {', '.join(sorted(facts.curves))}"
    sizes = {"label": (len((wish.label or "").encode()), facts.label_max), "id": (len(wish.id or b""), facts.id_max)}
    for name, (size, longest) in sizes.items():
        if size > longest > 0:
            return f"{facts.name} takes at most {longest} bytes of {name}"
    if not facts.copy_sets_copyable and any("copyable" in wish.freezing(half) for half in HALVES):
        return f"{facts.name} cannot set copyable=false in the copy that destroyable=false and modifiable=false need"
    if wish.public_attributes.get("trusted") is True:
        return "only the security officer can make a key trusted, with the vendor's tool"
    return None
