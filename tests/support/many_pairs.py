# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many pairs on a token in memory, as a list of hsm_keypairs has them."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.entries import Entry
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.many import Done, reconcile_many
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.scenarios import P256

PARALLEL = [1, 4]


def entries_of(*wishes: Wish, state: t.Any = "present") -> list[Entry]:
    return [Entry(number, state, wish) for number, wish in enumerate(wishes)]


def labelled(*labels: str) -> list[Entry]:
    return entries_of(*(Wish("ecc", label=label, curve=P256) for label in labels))


LABELS = tuple("abcdefgh")
EIGHT = labelled(*LABELS)


class Reports(list[Done]):
    """What was reported, one word a line."""

    def words(self) -> list[tuple[int, str]]:
        def word(done: Done) -> str:
            if done.error:
                return "failed"
            return "made" if done.outcome is None else "changed" if done.outcome.changed else "unchanged"

        return [(done.entry.number, word(done)) for done in self]


def many(
    session: MemorySession, entries: t.Sequence[Entry], parallel: int = 4, check_mode: bool = False
) -> tuple[list[Done], Reports]:
    reports = Reports()
    return reconcile_many(session, entries, check_mode, parallel, reports.append), reports


def labels_of(session: MemorySession) -> dict[str, int]:
    """How many objects carry each label."""
    labels = [str(found.label) for found in session.objects]
    return {label: labels.count(label) for label in labels}


def messages(every: t.Sequence[Done]) -> list[str]:
    return [done.error.msg if done.error else "" for done in every]
