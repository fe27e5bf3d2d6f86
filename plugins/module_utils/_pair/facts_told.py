# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts of a vendor that are in use, told as the option `vendor_facts` takes them."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import said_facts, vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes

# Facts of a row that are no options: its name, marks, how it wraps for replicas, what other tools can do.
_OWN = ("name", "marks", "key_wraps", "elsewhere", "older")


def told(facts: vendors.VendorFacts) -> dict[str, t.Any]:
    """All facts as the option takes them."""
    values: dict[str, t.Any] = {}
    for field in dataclasses.fields(facts):
        value = getattr(facts, field.name)
        if field.name in said_facts.PER_HALF:
            values.update(
                {
                    f"{field.name}_{half}": sorted(name for part, name in value if part == half)
                    for half in attributes.HALVES
                }
            )
        elif field.name not in _OWN:
            values[field.name] = sorted(value) if isinstance(value, frozenset) else value
    return values


def tell(row: vendors.VendorFacts, said: said_facts.Said) -> dict[str, t.Any]:
    """The row, the facts in use, and where they come from, as hsm_token_info returns them."""
    return {
        "vendor": row.name,
        "vendor_facts": told(said_facts.with_said(row, said)),
        "vendor_facts_from": sources(row, said),
    }


def sources(row: vendors.VendorFacts, said: said_facts.Said) -> dict[str, str]:
    """Where each fact comes from: the `option`, the row of the `vendor`, or the `standard`."""
    standard, own = told(vendors.VENDORS["generic"]), told(row)
    return {
        name: "option" if name in said else "vendor" if own[name] != standard[name] else "standard" for name in standard
    }
