# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts of a vendor that a user says, laid over a row of the table; and the facts in use, told in the same words."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes

# Facts of a row that are said for each half apart, as `not_sent_private`.
PER_HALF = ("not_sent", "only_true")
# Facts of a row that are no options: its name, marks, how it wraps for replicas, what other tools can do.
_OWN = ("name", "marks", "key_wraps", "elsewhere", "older")

Said = t.Mapping[str, t.Any]


def with_said(row: vendors.VendorFacts, said: Said) -> vendors.VendorFacts:
    """The row with what the option `vendor_facts` says, which was checked; a list takes the place of the row's."""
    changes: dict[str, t.Any] = {}
    for name, value in said.items():
        fact, _dummy, half = name.rpartition("_")
        if fact in PER_HALF:
            kept = {entry for entry in changes.get(fact, getattr(row, fact)) if entry[0] != half}
            changes[fact] = frozenset(kept | {(half, attribute) for attribute in value})
        else:
            changes[name] = frozenset(value) if isinstance(value, (list, tuple)) else value
    longest = changes.get("id_max")
    if longest:  # an id that is drawn has to fit as well
        changes.setdefault("id_length", min(row.id_length, longest))
    return dataclasses.replace(row, name=f"{row.name} with vendor_facts", **changes)


def told(facts: vendors.VendorFacts) -> dict[str, t.Any]:
    """All facts as the option takes them."""
    values: dict[str, t.Any] = {}
    for field in dataclasses.fields(facts):
        value = getattr(facts, field.name)
        if field.name in PER_HALF:
            values.update(
                {
                    f"{field.name}_{half}": sorted(name for part, name in value if part == half)
                    for half in attributes.HALVES
                }
            )
        elif field.name not in _OWN:
            values[field.name] = sorted(value) if isinstance(value, frozenset) else value
    return values


def tell(row: vendors.VendorFacts, said: Said) -> dict[str, t.Any]:
    """The row, the facts in use, and where they come from, as hsm_token_info returns them."""
    return {
        "vendor": row.name,
        "vendor_facts": told(with_said(row, said)),
        "vendor_facts_from": sources(row, said),
    }


def sources(row: vendors.VendorFacts, said: Said) -> dict[str, str]:
    """Where each fact comes from: the `option`, the row of the `vendor`, or the `standard`."""
    standard, own = told(vendors.VENDORS["generic"]), told(row)
    return {
        name: "option" if name in said else "vendor" if own[name] != standard[name] else "standard" for name in standard
    }
