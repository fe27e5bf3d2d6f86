# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a vendor's tokens cannot hold, as far as the table of vendor facts tells: a pure check before the generation."""

from __future__ import annotations

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes


def vendor_refusal(wish: Wish, facts: vendors.VendorFacts) -> str | None:
    """Why a new pair as wished cannot be had from this vendor, or None."""
    if facts.curves and wish.curve and wish.curve.name not in facts.curves:
        return f"{facts.name} has the curves {', '.join(sorted(facts.curves))}"
    named = _name_refusal(wish, facts)
    if named:
        return named
    if not facts.copy_sets_copyable and any("copyable" in wish.freezing(half) for half in attributes.HALVES):
        return f"{facts.name} cannot set copyable=false in the copy that destroyable=false and modifiable=false need"
    if wish.public_attributes.get("trusted") is True:
        return "only the security officer can make a key trusted, with the vendor's tool"
    return None


def _name_refusal(wish: Wish, facts: vendors.VendorFacts) -> str | None:
    sizes = {"label": (len((wish.label or "").encode()), facts.label_max), "id": (len(wish.id or b""), facts.id_max)}
    for name, (size, longest) in sizes.items():
        if size > longest > 0:
            return f"{facts.name} takes at most {longest} bytes of {name}"
    if facts.label_is_id and wish.id not in (None, one_name(wish)):
        return f"{facts.name} has one name for a key, its label and its id; give id the same text, or leave id out"
    return None


def one_name(wish: Wish) -> bytes:
    """The id of a key whose label and id are one."""
    return (wish.label or "").encode()


def use_refusal(wish: Wish, facts: vendors.VendorFacts) -> str | None:
    """Why no pair may be used as the task asks by name, whatever the token holds, or None."""
    for half in attributes.HALVES:
        for name in attributes.ALL_USAGE_BITS[half]:
            if (half, name) in facts.not_sent and wish.required(half).get(name) is True:
                return f"no {half} key of {facts.name} may {name}; leave that out of usage, or usage itself"
    return None
