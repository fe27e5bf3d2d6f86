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
    if rows:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import steps

        return steps.decide(wish, pair, rows, facts, token)
    if wish.share_with is not None:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import sharing

        sharing.refuse_below_quorum(wish, pair, token)
    return Plan(Action.NOTHING, pair)
