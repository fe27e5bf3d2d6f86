# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is returned of what was done, as far as anything was: loaded for the tasks that change something."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.diff import Told
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.outcome import WORDS
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Action
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import Outcome


def told_of(wish: Wish, on_tokens: t.Mapping[str, Outcome]) -> list[Told]:
    """What was done to a pair on each token, where that is anything."""
    return [
        Told(wish, token, outcome.action, outcome.before, outcome.after)
        for token, outcome in on_tokens.items()
        if outcome.changed
    ]


def summary(action: Action, every: t.Iterable[Told], several: bool) -> dict[str, t.Any]:
    """`outcome` and `changes` of the documentation; of several tokens each change names its own."""
    changes = [{**row.data(), **({"node": told.token} if several else {})} for told in every for row in told.changes]
    return {"outcome": WORDS[action], "changes": changes}
