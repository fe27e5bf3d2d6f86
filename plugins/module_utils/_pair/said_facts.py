# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts of a vendor that a user says, laid over a row of the table."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import vendors

# Facts of a row that are said for each half apart, as `not_sent_private`.
PER_HALF = ("not_sent", "only_true")

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
