# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is returned of what was done, as far as anything was: loaded for the tasks that change something."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import diff
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.outcome import WORDS
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import reconcile


def told_of(
    wish: Wish, outcome: reconcile.Outcome, on_tokens: t.Mapping[str, reconcile.Outcome], several: bool
) -> dict[str, t.Any]:
    """`outcome`, `changes` and `diff` of the documentation for a task with one pair."""
    summary, told = done_to(wish, outcome, on_tokens, several)
    return {**summary, "diff": diff.diffs([told])}


def done_to(
    wish: Wish, outcome: reconcile.Outcome, on_tokens: t.Mapping[str, reconcile.Outcome], several: bool
) -> tuple[dict[str, t.Any], list[diff.Told]]:
    """`outcome` and `changes` of one pair, and its diff's rows.

    `several`: the task has several tokens, so that each change is told with its own.
    """
    every = [
        diff.Told(wish, token, one.action, one.before, one.after) for token, one in on_tokens.items() if one.changed
    ]
    changes = [{**row.data(), **({"node": told.token} if several else {})} for told in every for row in told.changes]
    return {"outcome": WORDS[outcome.action], "changes": changes}, every
