# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan will come to, before it is carried out; and in what a new pair is not what was asked for."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import difference, keypair, vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Action, Plan, Step
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import KEY_TYPES_OF, Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes


def predicted(
    wish: Wish, plan: Plan, facts: vendors.VendorFacts | None = None, owner: str | None = None
) -> keypair.KeyPair | None:
    """The pair as it would be after the plan, for check mode: what is known without doing anything.

    `facts`: what the vendor's tokens do not have is not foretold. `owner`: whose it would be, where there are users.
    """
    if plan.action in (Action.GENERATE, Action.REPLACE):
        public, private = (keypair.TokenObject(0, half, _born(wish, half, facts)) for half in attributes.HALVES)
        if owner is not None:
            quorum = wish.quorum or 0
            sharing = keypair.Sharing(owner, wish.users(), quorum, wish.management_quorum or quorum)
            private = dataclasses.replace(private, sharing=sharing)
        return keypair.KeyPair((public,), (private,))
    pair = plan.pair
    if pair is None or plan.action is Action.REMOVE:
        return None
    for step in plan.steps:
        pair = pair.with_half(_stepped(pair.half(step.half), step, wish))
    return pair


def _stepped(found: keypair.TokenObject, step: Step, wish: Wish) -> keypair.TokenObject:
    if step.kind is attributes.Changeable.SHARING and found.sharing:
        users = wish.users(found.sharing.shared_with)
        return dataclasses.replace(found, sharing=dataclasses.replace(found.sharing, shared_with=users))
    return dataclasses.replace(found, attributes={**found.attributes, **step.values})


def _born(wish: Wish, half: attributes.Half, facts: vendors.VendorFacts | None) -> dict[str, attributes.Value]:
    sent = {name: value for name, value in wish.new_half(half).items() if not facts or facts.sends(half, name, value)}
    values = {"class": f"{half}_key", "key_type": wish.key_type, **sent}
    if half == attributes.PRIVATE and wish.curve:
        values["ec_params"] = wish.curve.ec_params()
    if facts and facts.label_is_id:
        values["id"] = (wish.label or "").encode()
    return {**values, **wish.freezing(half)}


def unlike(ident: bytes | None, pairs: t.Sequence[keypair.KeyPair]) -> str:
    """Why what an HSM returned for a generation is not the new pair, whose id was drawn or told; empty if it may be."""
    if len(pairs) != 1 or not pairs[0].whole:
        return f"halves that do not belong together, {' and '.join(map(str, pairs))}"
    if ident and {found.id for found in pairs[0].objects} != {ident}:
        return f"a pair that does not have the id of the new one, {pairs[0]}"
    return ""


def dishonoured(wish: Wish, pair: keypair.KeyPair, facts: vendors.VendorFacts) -> list[difference.Difference]:
    """In what a pair that was just made is not as it was asked for; defaults that the token lacks are no matter."""
    rows = difference.key_differences(wish, pair)
    for half in attributes.HALVES:
        found, required, later = pair.half(half), wish.required(half), wish.freezing(half)
        if found.key_type not in KEY_TYPES_OF[wish.family]:  # the next run would not find it
            rows.append(difference.Difference(half, "key_type", found.key_type, wish.key_type))
        rows += [
            row
            for row in difference.attribute_differences(half, found, {**wish.template(half), **required})
            if not (row.name in later and facts.copy)
            and (row.name in required or (row.found is not None and facts.sends(half, row.name, row.wished)))
        ]
    return rows + difference.sharing_differences(wish, pair)
