# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done about a pair that is not as it is wished: the steps, where it can be mended in place."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import difference, keypair, plan, sharing, vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes

# In which order a pair is changed: what can be undone first, then what goes one way, then what needs a copy.
_ORDER = (
    attributes.Changeable.ANY,
    attributes.Changeable.SHARING,
    attributes.Changeable.TO_TRUE,
    attributes.Changeable.BY_COPY,
)


def decide(
    wish: Wish, pair: keypair.KeyPair, rows: t.Sequence[difference.Difference], facts: vendors.VendorFacts, token: str
) -> plan.Plan:
    """What to do about the differences of a pair; raises `HsmError` where that is refused."""
    kinds = [_kind(facts, pair, row) for row in rows]
    fixed = [row for row, kind in zip(rows, kinds, strict=True) if kind is None]
    if not fixed:
        if wish.share_with is not None:
            sharing.refuse_below_quorum(wish, pair, token)
        return plan.Plan(plan.Action.CHANGE, pair, _in_order(rows, kinds))
    if wish.on_mismatch == "keep":
        warning = f"Kept {wish.on(token)} as it is: {_listed(rows)}."
        return plan.Plan(plan.Action.NOTHING, pair, warnings=(warning,))
    if wish.on_mismatch == "replace":
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import inheritance

        other = inheritance.replacing(wish, pair, facts, token, f"What differs: {_listed(fixed)}.")
        return plan.Plan(plan.Action.REPLACE, pair, wish=other)
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import refusals

    raise refusals.unchangeable(wish, pair, fixed, facts, token)


def _listed(rows: t.Iterable[object]) -> str:
    return "; ".join(map(str, rows))


def _kind(
    facts: vendors.VendorFacts, pair: keypair.KeyPair, row: difference.Difference
) -> attributes.Changeable | None:
    """Whether and how one difference can be mended in place; None if it cannot."""
    if row.half is None or row.name in (*facts.fixed, "quorum", "management_quorum"):
        return None
    found = pair.half(row.half)
    if found.needs_signatures:
        return None
    if row.name == "shared_with":
        return attributes.Changeable.SHARING if found.sharing else None
    attribute = attributes.ATTRIBUTES[row.name]
    if row.found is None and attribute.kind is attributes.Kind.BOOL:
        return None
    return attribute.change if _can_change(facts, found, row.wished, attribute) else None


def _can_change(
    facts: vendors.VendorFacts, found: keypair.TokenObject, wished: attributes.Value, attribute: attributes.Attribute
) -> bool:
    if attribute.change is attributes.Changeable.BY_COPY:
        # The copy takes the place of the object, which must go then.
        able = facts.copy and (facts.copy_sets_copyable or attribute.name != "copyable")
        return able and wished is False and not found.forbids("copyable", "destroyable")
    one_way = {
        attributes.Changeable.TO_TRUE: wished is True,
        attributes.Changeable.TO_FALSE: wished is False,
        attributes.Changeable.NEVER: False,
    }
    return one_way.get(attribute.change, True) and facts.set_attribute and not found.forbids("modifiable")


def _in_order(
    rows: t.Sequence[difference.Difference], kinds: t.Sequence[attributes.Changeable | None]
) -> tuple[plan.Step, ...]:
    values: dict[tuple[attributes.Changeable, attributes.Half], dict[str, attributes.Value]] = {}
    for row, kind in zip(rows, kinds, strict=True):
        if kind and row.half:
            group = attributes.Changeable.TO_TRUE if kind is attributes.Changeable.TO_FALSE else kind
            values.setdefault((group, row.half), {})[row.name] = row.wished
    order = [(kind, half) for kind in _ORDER for half in (attributes.PRIVATE, attributes.PUBLIC)]
    return tuple(plan.Step(half, values[kind, half], kind) for kind, half in order if (kind, half) in values)
