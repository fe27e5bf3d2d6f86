# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The diff of what was done to pairs, for a person who reviews it: only what changes, under the pair's name."""

from __future__ import annotations

import collections
import dataclasses
import functools
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair, outcome, plan
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors

# From so many changed pairs on each has one line.
MANY = 20
_REMAINS = outcome.ChangedValue(None, "remains", "of a run that was killed", None)


@dataclasses.dataclass(frozen=True)
class Told:
    """What was done to one pair on one token; `alike`: another one has the same name."""

    wish: Wish
    token: str
    action: plan.Action
    before: keypair.KeyPair | None
    after: keypair.KeyPair | None
    alike: bool = False

    @property
    def name(self) -> str:
        """How the pair was called before, else how it is called now; where that is not enough, by all its names.

        Those are what check mode knows, too: of a new pair neither a drawn id nor the fingerprint.
        """
        pair = self.before or self.after
        told = outcome.described_key(pair) if pair else {}
        names = [told[name] for name in ("label", "id_hex", "fingerprint") if name in told]
        if self.alike and self.before:
            names = [name for name in names if name != outcome.NOT_KNOWN]
        elif self.alike:
            names = [names[0], names[1] if self.wish.id else told["key_type"]]
        return errors.one_line(" ".join(names if self.alike else names[:1]))

    @property
    def title(self) -> str:
        """Pair and token."""
        return errors.one_line(f"{self.name} on {self.token}")

    @functools.cached_property
    def changes(self) -> list[outcome.ChangedValue]:
        """Each value before and after. A repair that shows in none was the removal of remains."""
        rows = outcome.changed_values(self.before, self.after)
        return rows or ([_REMAINS] if self.action is plan.Action.REPAIR else [])

    def diff(self) -> dict[str, str]:
        """The pair's diff as Ansible shows it; of a new pair the wish, of a removed one what names it."""
        rows = self.changes
        if self.action is plan.Action.GENERATE and self.after:
            rows = outcome.born_values(self.wish, self.after)
        elif self.action is plan.Action.REMOVE and self.before:
            rows = outcome.gone_values(self.before)
        return side_by_side(self.title, rows)

    def line(self, several: bool) -> str:
        """The pair in one line, of a new one what it is and may; `several`: there is more than one token."""
        rows = self.changes
        if self.action is plan.Action.GENERATE and self.after:
            rows = [row for row in outcome.born_values(self.wish, self.after) if _matters(row)]
        told = ", ".join(map(_in_line, rows))
        word = "" if self.action is plan.Action.CHANGE else f"{outcome.WORDS[self.action]}, "
        return f"{self.title if several else self.name}: {word}{told}"


def side_by_side(title: str, rows: t.Iterable[outcome.ChangedValue]) -> dict[str, str]:
    """One diff of a list, as Ansible takes it: the same values in the same order in both texts."""
    rows = list(rows)
    return {
        "before_header": title,
        "after_header": title,
        "before": "".join(f"{_named(row)}: {_shown(row.before)}\n" for row in rows if row.before is not None),
        "after": "".join(f"{_named(row)}: {_shown(row.after)}\n" for row in rows if row.after is not None),
    }


def diffs(pairs: t.Sequence[t.Sequence[Told]]) -> list[dict[str, str]]:
    """The diffs of all changed pairs, each on the tokens where it changed; one text where the pairs are many."""
    names = collections.Counter(pair[0].name for pair in pairs if pair)
    every = [dataclasses.replace(told, alike=True) if names[told.name] > 1 else told for pair in pairs for told in pair]
    if len(pairs) < MANY:
        return [told.diff() for told in every]
    several = len({told.token for told in every}) > 1
    return [{"prepared": "".join(f"{told.line(several)}\n" for told in every)}]


def _named(row: outcome.ChangedValue) -> str:
    return f"{row.half}.{row.name}" if row.half else row.name


def _matters(row: outcome.ChangedValue) -> bool:
    """Whether a value of a new pair is told in its one line: not its names, nor what it may not be used for."""
    unused = row.after is False and row.half is not None and row.name in attributes.ALL_USAGE_BITS[row.half]
    return row.name not in ("label", "id_hex") and not unused


def _in_line(row: outcome.ChangedValue) -> str:
    if None in (row.before, row.after):
        return f"{_named(row)} {_shown(row.after if row.before is None else row.before)}"
    return f"{_named(row)} {_shown(row.before)} -> {_shown(row.after)}"


def _shown(value: t.Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return errors.one_line(str(value)) or "empty"
