# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done about a pair: a pure decision from what is wished and what was found."""

from __future__ import annotations

import enum
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import difference, keypair, vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors


class Action(enum.Enum):
    """What happens to the pair."""

    NOTHING = "nothing"
    GENERATE = "generate"
    CHANGE = "change"
    REPLACE = "replace"
    REMOVE = "remove"
    REPAIR = "repair"  # what a killed run left is finished, or a token that lacks the pair gets it


class Step(t.NamedTuple):
    """One change of one half: `kind` says whether it can be undone, or needs a copy of the object."""

    half: attributes.Half
    values: dict[str, attributes.Value]
    kind: attributes.Changeable


class Plan(t.NamedTuple):
    """The decision; `pair` is what was found, `steps` are in the order in which they are made."""

    action: Action
    pair: keypair.KeyPair | None = None
    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()
    # What is wished of the pair that takes the place of this one.
    wish: Wish | None = None

    def action_after(self, mended: bool) -> Action:
        """What is told where the pair may have been mended before."""
        return Action.REPAIR if mended and self.action in (Action.NOTHING, Action.CHANGE) else self.action


# In which order a pair is changed: what can be undone first, then what goes one way, then what needs a copy.
_ORDER = (
    attributes.Changeable.ANY,
    attributes.Changeable.SHARING,
    attributes.Changeable.TO_TRUE,
    attributes.Changeable.BY_COPY,
)


def decide_present(wish: Wish, pair: keypair.KeyPair | None, facts: vendors.VendorFacts, token: str) -> Plan:
    """What to do so that the pair is there as wished; raises `HsmError` where that is refused."""
    if pair is None:
        if wish.fingerprint is not None:
            why = "fingerprint names an existing pair, and it is not there"
            raise errors.HsmError.refused(f"generate {wish.on(token)}", why)
        if wish.refusal:
            raise errors.HsmError.refused(
                f"generate {wish.on(token)}", wish.refusal[:-1], "There is none that could be kept."
            )
        return Plan(Action.GENERATE)
    rows = difference.differences(wish, pair)
    kinds = [_step_kind(facts, pair, row) for row in rows]
    fixed = [row for row, kind in zip(rows, kinds, strict=True) if kind is None]
    if not fixed:
        steps = _steps(rows, kinds)
        if wish.share_with is not None:
            from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import sharing

            sharing.refuse_below_quorum(wish, pair, token)
        return Plan(Action.CHANGE if steps else Action.NOTHING, pair, steps)
    if wish.on_mismatch == "keep":
        warning = f"Kept {wish.on(token)} as it is: {_listed(rows)}."
        return Plan(Action.NOTHING, pair, warnings=(warning,))
    if wish.on_mismatch == "replace":
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import inheritance

        return Plan(
            Action.REPLACE,
            pair,
            wish=inheritance.replacing(wish, pair, facts, token, f"What differs: {_listed(fixed)}."),
        )
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import refusals

    raise refusals.unchangeable(wish, pair, fixed, facts, token)


def decide_absent(wish: Wish, pairs: t.Sequence[keypair.KeyPair], token: str) -> Plan:
    """What to do so that the pair is gone; raises `HsmError` where that is refused. `pairs` is unclear no more."""
    if not pairs:
        return Plan(Action.NOTHING)
    (pair,) = pairs
    lone = pair.lone
    if lone and lone.half == attributes.PUBLIC and not wish.exact:
        why = f"it is a public half without its private half, {lone}"
        raise errors.HsmError.refused(f"remove {wish.on(token)}", why, "Name it by id or fingerprint to remove it.")
    rows = difference.key_differences(wish, pair)
    if rows:
        raise errors.HsmError.refused(
            f"remove {wish.on(token)}", _listed(rows), differences=[row.data() for row in rows]
        )
    refuse_indestructible(f"remove {wish.on(token)}", pair)
    return Plan(Action.REMOVE, pair)


def _listed(rows: t.Iterable[object]) -> str:
    return "; ".join(map(str, rows))


def refuse_indestructible(what: str, pair: keypair.KeyPair, remedy: str = "") -> None:
    """Refuses to do what needs a pair to go that may not."""
    kept = [str(found) for found in pair.objects if found.forbids("destroyable")]
    if kept:
        raise errors.HsmError.refused(what, f"destroyable is false for {', '.join(kept)}", remedy)


def _step_kind(
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


def _steps(
    rows: t.Sequence[difference.Difference], kinds: t.Sequence[attributes.Changeable | None]
) -> tuple[Step, ...]:
    values: dict[tuple[attributes.Changeable, attributes.Half], dict[str, attributes.Value]] = {}
    for row, kind in zip(rows, kinds, strict=True):
        if kind and row.half:
            group = attributes.Changeable.TO_TRUE if kind is attributes.Changeable.TO_FALSE else kind
            values.setdefault((group, row.half), {})[row.name] = row.wished
    order = [(kind, half) for kind in _ORDER for half in (attributes.PRIVATE, attributes.PUBLIC)]
    return tuple(Step(half, values[kind, half], kind) for kind, half in order if (kind, half) in values)
