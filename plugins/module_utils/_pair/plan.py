# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done about a pair: a pure decision from what is wished and what was found.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.difference import (
    Difference,
    attribute_differences,
    key_differences,
    sharing_differences,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, Sharing, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VendorFacts
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import KEY_TYPES_OF, Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    ATTRIBUTES,
    HALVES,
    PRIVATE,
    PUBLIC,
    Change,
    Half,
    Kind,
    Value,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import mechanism_name


class Action(enum.Enum):
    """What happens to the pair."""

    NOTHING = "nothing"
    GENERATE = "generate"
    CHANGE = "change"
    REPLACE = "replace"
    REMOVE = "remove"


class Step(t.NamedTuple):
    """One change of one half: `kind` says whether it can be undone, or needs a copy of the object."""

    half: Half
    values: dict[str, Value]
    kind: Change


@dataclasses.dataclass(frozen=True)
class Plan:
    """The decision; `pair` is what was found, `steps` are in the order in which they are made."""

    action: Action
    pair: KeyPair | None = None
    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()


def differences(wish: Wish, pair: KeyPair) -> list[Difference]:
    """Everything in which an existing pair, or a lone half, is not as wished."""
    rows = key_differences(wish, pair)
    for half in pair.halves:
        rows.extend(attribute_differences(half, pair.half(half), wish.required(half)))
    return rows + sharing_differences(wish, pair)


def dishonoured(wish: Wish, pair: KeyPair, facts: VendorFacts) -> list[Difference]:
    """In what a pair that was just made is not as it was asked for; defaults that the token lacks are no matter."""
    rows = key_differences(wish, pair)
    for half in HALVES:
        if pair.half(half).key_type not in KEY_TYPES_OF[wish.family]:  # the next run would not find it
            rows.append(Difference(half, "key_type", pair.half(half).key_type, wish.key_type))
        required = wish.required(half)
        later = wish.freezing(half)
        wished = {**wish.template(half), **required}
        for row in attribute_differences(half, pair.half(half), wished):
            if row.name in later and facts.copy:
                continue
            if row.name in required or (row.found is not None and facts.sends(half, row.name, row.wished)):
                rows.append(row)
    return rows + sharing_differences(wish, pair)


def decide_present(wish: Wish, pair: KeyPair | None, facts: VendorFacts, token: str) -> Plan:
    """What to do so that the pair is there as wished; raises `HsmError` where that is refused."""
    if pair is None:
        if wish.fingerprint is not None:
            raise HsmError(
                f"Refused to generate {wish} on the token '{token}': fingerprint names an"
                " existing pair, and it is not there."
            )
        return Plan(Action.GENERATE)
    rows = differences(wish, pair)
    fixed = [row for row in rows if _step_kind(facts, pair, row) is None]
    if fixed and wish.on_mismatch == "keep":
        listed = "; ".join(map(str, rows))
        return Plan(Action.NOTHING, pair, warnings=(f"Kept {wish} on the token '{token}' as it is: {listed}.",))
    if fixed:
        return _mismatch(wish, pair, fixed, facts, token)
    steps = _steps(facts, pair, rows)
    _refuse_below_quorum(wish, pair, steps, token)
    return Plan(Action.CHANGE if steps else Action.NOTHING, pair, steps)


def _refuse_below_quorum(wish: Wish, pair: KeyPair, steps: t.Sequence[Step], token: str) -> None:
    """A key with fewer users than must approve its use could never be used again."""
    for step in steps:
        sharing = pair.half(step.half).sharing
        if step.kind is Change.SHARING and sharing and len(wish.users(sharing.shared_with)) + 1 < sharing.quorum:
            raise HsmError(
                f"Refused to share {wish} on the token '{token}' with [{', '.join(wish.users(sharing.shared_with))}]:"
                f" {sharing.quorum} users must approve each use of it, the owner among them, and so many would not be"
                " left."
            )


def decide_absent(wish: Wish, pairs: t.Sequence[KeyPair], token: str) -> Plan:
    """What to do so that the pair is gone; raises `HsmError` where that is refused. `pairs` is unclear no more."""
    if not pairs:
        return Plan(Action.NOTHING)
    (pair,) = pairs
    lone = pair.lone
    if lone and lone.half == PUBLIC and not wish.exact:
        raise HsmError(
            f"Refused to remove {wish} on the token '{token}': it is a public half without its private half, {lone}."
            " Name it by id or fingerprint to remove it."
        )
    _refuse_indestructible(wish, pair, token, "remove")
    return Plan(Action.REMOVE, pair)


def _refuse_indestructible(wish: Wish, pair: KeyPair, token: str, what: str, rest: str = "") -> None:
    kept = [found for found in pair.objects if found.attributes.get("destroyable") is False]
    if kept:
        raise HsmError(
            f"Refused to {what} {wish} on the token '{token}': destroyable is false for"
            f" {', '.join(map(str, kept))}.{rest}"
        )


def _mismatch(wish: Wish, pair: KeyPair, fixed: t.Sequence[Difference], facts: VendorFacts, token: str) -> Plan:
    listed = "; ".join(map(str, fixed))
    if wish.on_mismatch == "replace":
        if not facts.set_attribute:
            raise HsmError(
                f"Refused to replace {wish} on the token '{token}': {facts.name} cannot rename a key, which a safe"
                f" replacement needs. What differs: {listed}."
            )
        if not facts.copy and any(wish.freezing(half) for half in HALVES):
            raise HsmError(
                f"Refused to replace {wish} on the token '{token}': {facts.name} cannot copy a key, which"
                f" destroyable=false and modifiable=false need after the renaming. What differs: {listed}."
            )
        if wish.quorum:
            raise HsmError(
                f"Refused to replace {wish} on the token '{token}': a key with a quorum cannot be renamed without the"
                f" users' signatures, which a safe replacement needs. What differs: {listed}."
            )
        _refuse_indestructible(wish, pair, token, "replace", f" What differs: {listed}.")
        return Plan(Action.REPLACE, pair)
    bound = [pair.half(row.half).sharing for row in fixed if row.half and _needs_signatures(pair.half(row.half))]
    why = f"That needs the signatures of {bound[0].manage_quorum} users" if bound and bound[0] else ""
    raise HsmError(
        f"Refused to change {wish} on the token '{token}': {listed}."
        f" {why or 'That cannot be changed in place'}; {wish.remedy}.",
        differences=[
            {"half": row.half, "name": row.name, "found": _plain(row.found), "wished": _plain(row.wished)}
            for row in fixed
        ],
    )


def _plain(value: t.Any) -> t.Any:
    if isinstance(value, tuple):
        return [mechanism_name(one) if isinstance(one, int) else one for one in value]
    return value.hex(":") if isinstance(value, bytes) else value


def _needs_signatures(found: TokenObject) -> bool:
    """Whether a change of this key needs the approval of several users, which no task can gather."""
    return found.sharing is not None and found.sharing.manage_quorum > 0


def _step_kind(facts: VendorFacts, pair: KeyPair, row: Difference) -> Change | None:
    """Whether and how one difference can be mended in place; None if it cannot."""
    if row.half is None:
        return None
    found = pair.half(row.half)
    if _needs_signatures(found) or row.name == "quorum":
        return None
    if row.name == "shared_with":
        return Change.SHARING if found.sharing and row.name not in facts.fixed else None
    attribute = ATTRIBUTES[row.name]
    change = attribute.change
    if row.name in facts.fixed or change is Change.NEVER or (row.found is None and attribute.kind is Kind.BOOL):
        return None
    if change is Change.BY_COPY:
        # The copy takes the place of the object, which must go then.
        replaceable = all(found.attributes.get(name) is not False for name in ("copyable", "destroyable"))
        able = facts.copy and (row.name != "copyable" or facts.copy_sets_copyable)
        return change if row.wished is False and able and replaceable else None
    if not facts.set_attribute or found.attributes.get("modifiable") is False:
        return None
    one_way = {Change.TO_TRUE: True, Change.TO_FALSE: False}
    return change if change is Change.ANY or row.wished is one_way[change] else None


def _steps(facts: VendorFacts, pair: KeyPair, rows: t.Sequence[Difference]) -> tuple[Step, ...]:
    """The changes in order: what can be undone first, then what goes one way, then what needs a copy."""
    kinds: dict[Change, dict[Half, dict[str, Value]]] = {}
    for row in rows:
        kind = _step_kind(facts, pair, row)
        if kind and row.half:
            group = kind if kind in (Change.ANY, Change.SHARING, Change.BY_COPY) else Change.TO_TRUE
            kinds.setdefault(group, {}).setdefault(row.half, {})[row.name] = row.wished
    return tuple(
        Step(half, kinds[kind][half], kind)
        for kind in (Change.ANY, Change.SHARING, Change.TO_TRUE, Change.BY_COPY)
        for half in (PRIVATE, PUBLIC)
        if half in kinds.get(kind, {})
    )


def predicted(wish: Wish, plan: Plan, facts: VendorFacts | None = None, owner: str | None = None) -> KeyPair | None:
    """The pair as it would be after the plan, for check mode: what is known without doing anything.

    `facts`: what the vendor's tokens do not have is not foretold. `owner`: whose it would be, where there are users.
    """
    if plan.action in (Action.GENERATE, Action.REPLACE):
        halves = [TokenObject(0, half, {**_born(wish, half, facts), **wish.freezing(half)}) for half in HALVES]
        sharing = Sharing(owner, wish.users(), wish.quorum or 0) if owner is not None else None
        return KeyPair((halves[0],), (dataclasses.replace(halves[1], sharing=sharing),))
    if plan.action is Action.CHANGE and plan.pair:
        pair = plan.pair
        for step in plan.steps:
            found = pair.half(step.half)
            pair = pair.with_half(_stepped(found, step, wish))
        return pair
    return plan.pair if plan.action is Action.NOTHING else None


def _stepped(found: TokenObject, step: Step, wish: Wish) -> TokenObject:
    if step.kind is Change.SHARING and found.sharing:
        users = wish.users(found.sharing.shared_with)
        return dataclasses.replace(found, sharing=dataclasses.replace(found.sharing, shared_with=users))
    return dataclasses.replace(found, attributes={**found.attributes, **step.values})


def _born(wish: Wish, half: Half, facts: VendorFacts | None) -> dict[str, Value]:
    sent = {name: value for name, value in wish.new_half(half).items() if not facts or facts.sends(half, name, value)}
    values = {"class": f"{half}_key", "key_type": wish.key_type, **sent}
    if half == PRIVATE and wish.curve:
        values["ec_params"] = wish.curve.ec_params()
    return values
