# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was done to a pair, or would be, as it is returned: one word, and each value before and after."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import description, keypair, plan
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, text

WORDS: dict[plan.Action, str] = {
    plan.Action.GENERATE: "generated",
    plan.Action.CHANGE: "changed",
    plan.Action.REPLACE: "replaced",
    plan.Action.REMOVE: "removed",
    plan.Action.REPAIR: "repaired",
    plan.Action.NOTHING: "none",
}
NOT_KNOWN = "not known"
_PRIVATE_FIRST: tuple[attributes.Half, ...] = (attributes.PRIVATE, attributes.PUBLIC)
# Told once of the key itself, by its fingerprint and its size or curve.
_MATERIAL = (attributes.IDENTITY - {"token"}) | {"check_value", "value_len"}


@dataclasses.dataclass(frozen=True)
class ChangedValue:
    """One value; `half` is None for what both halves share, `before` or `after` where there was or is none."""

    half: attributes.Half | None
    name: str
    before: t.Any
    after: t.Any

    def data(self) -> dict[str, t.Any]:
        """What is returned of it."""
        return dataclasses.asdict(self)


def main_action(actions: t.Collection[plan.Action]) -> plan.Action:
    """What is told where several things were done: the one that weighs most."""
    weighty = (plan.Action.REMOVE, plan.Action.GENERATE, plan.Action.REPLACE, plan.Action.REPAIR, plan.Action.CHANGE)
    return next((action for action in weighty if action in actions), plan.Action.NOTHING)


def changed_fields(before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any]) -> list[ChangedValue]:
    """What differs of two descriptions; None in the later one is what check mode cannot know, what it lacks is gone."""
    rows = [ChangedValue(None, name, before.get(name), value) for name, value in after.items()]
    gone = [ChangedValue(None, name, value, None) for name, value in before.items() if name not in after]
    return [row for row in rows if row.after not in (None, row.before)] + gone


def changed_values(before: keypair.KeyPair | None, after: keypair.KeyPair | None) -> list[ChangedValue]:
    """What differs of a pair. One that comes or goes is named by its fingerprint, and by its halves if it is torn."""
    if before and after:
        return [*_key_changes(before, after), *_half_changes(before, after)]
    pair = before or after
    if pair is None:
        return []
    rows = [_one_sided(None, "fingerprint", _fingerprint(pair), bool(before))]
    halves = () if pair.whole else pair.halves
    return [*rows, *(_one_sided(half, "class", f"{half}_key", bool(before)) for half in halves)]


def _one_sided(half: attributes.Half | None, name: str, value: t.Any, gone: bool) -> ChangedValue:
    return ChangedValue(half, name, value, None) if gone else ChangedValue(half, name, None, value)


def _fingerprint(pair: keypair.KeyPair) -> str:
    return text.colon_hex(bytes.fromhex(pair.fingerprint)) if pair.fingerprint else NOT_KNOWN


def _key(pair: keypair.KeyPair) -> dict[str, t.Any]:
    """What is told of the key itself."""
    public, leading = (pair.publics or pair.privates)[0], (pair.privates or pair.publics)[0]
    curve = public.curve or leading.curve
    told = {
        "key_type": leading.key_type,
        "modulus_bits": public.modulus_bits,
        "public_exponent": public.public_exponent,
        "curve": curve.name if curve else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _key_changes(before: keypair.KeyPair, after: keypair.KeyPair) -> list[ChangedValue]:
    old = {**_key(before), "fingerprint": _fingerprint(before)}
    new = {**_key(after), "fingerprint": _fingerprint(after)}
    rows = [ChangedValue(None, name, old.get(name), new.get(name)) for name in {**old, **new}]
    return [row for row in rows if row.before != row.after]


def _half_changes(before: keypair.KeyPair, after: keypair.KeyPair) -> list[ChangedValue]:
    shared: dict[str, tuple[t.Any, t.Any]] = {}
    rows: list[ChangedValue] = []
    for half in _PRIVATE_FIRST:
        old, new = (pair.half(half) if half in pair.halves else None for pair in (before, after))
        if not (old and new):
            rows += [_one_sided(half, "class", f"{half}_key", bool(old))] if old or new else []
            continue
        for name, was, becomes in _attribute_changes(old, new):
            if shared.get(name) == (was, becomes):
                rows[rows.index(ChangedValue(attributes.PRIVATE, name, was, becomes))] = ChangedValue(
                    None, name, was, becomes
                )
                continue
            if name in ("label", "id_hex"):
                shared[name] = (was, becomes)
            rows.append(ChangedValue(half, name, was, becomes))
    return rows


def _attribute_changes(old: keypair.TokenObject, new: keypair.TokenObject) -> t.Iterator[tuple[str, t.Any, t.Any]]:
    """What differs of a half. What nobody could read, and what check mode cannot foresee, did not change."""
    was, becomes = _told(old), _told(new)
    for name in sorted({**was, **becomes}):
        unknown = new.handle == 0 and name not in becomes
        if was.get(name) != becomes.get(name) and not unknown and not {name} & {*old.unreadable, *new.unreadable}:
            yield name, was.get(name), becomes.get(name)


def _told(found: keypair.TokenObject) -> dict[str, t.Any]:
    values = {name: value for name, value in found.attributes.items() if value is not None and name not in _MATERIAL}
    told = {name: description.plain(name, value) for name, value in values.items()}
    # An id that would be drawn is not known.
    names = {"label": found.label, "id_hex": text.colon_hex(found.id) if found.id or found.handle else None}
    told |= {name: value for name, value in names.items() if value is not None}
    if found.sharing:
        told["shared_with"] = list(found.sharing.shared_with)
        told |= {"quorum": found.sharing.quorum, "management_quorum": found.sharing.manage_quorum}
    return told


def born_values(wish: Wish, pair: keypair.KeyPair) -> list[ChangedValue]:
    """A new pair as it was wished: the key, what it may be used for, what the task says of it; and its fingerprint."""
    rows: list[tuple[attributes.Half | None, str, t.Any]] = []
    rows += [(None, name, value) for name, value in described_key(pair).items() if value != NOT_KNOWN]
    for half in pair.halves:
        rows += [(half, name, value) for name, value in _wished(wish, half, pair.half(half)).items()]
    rows += [(None, "session", True)] if wish.session else []
    return [ChangedValue(half, name, None, value) for half, name, value in rows]


def _wished(wish: Wish, half: attributes.Half, found: keypair.TokenObject) -> dict[str, t.Any]:
    """What a new half may be used for, and what the task says of it; labels and ids are told of the pair."""
    told = _told(found)
    uses = [name for name in attributes.ALL_USAGE_BITS[half] if told.get(name) is True]
    names = [*uses, "extractable", *wish.required(half), *wish.freezing(half), "shared_with", "quorum"]
    values = {name: told.get(name) for name in names if name != "label"}
    return {name: value for name, value in values.items() if value or value is False}


def gone_values(pair: keypair.KeyPair) -> list[ChangedValue]:
    """A removed pair, as one would name it."""
    rows = [ChangedValue(None, name, value, None) for name, value in described_key(pair).items()]
    return rows + ([] if pair.whole else [ChangedValue(half, "class", f"{half}_key", None) for half in pair.halves])


def described_key(pair: keypair.KeyPair) -> dict[str, t.Any]:
    """The names of a pair, and what is told of the key."""
    leading = (pair.privates or pair.publics)[0]
    names = {"label": leading.label, "id_hex": text.colon_hex(leading.id)}
    told = {name: value for name, value in names.items() if value}
    return {**told, **_key(pair), "fingerprint": _fingerprint(pair)}
