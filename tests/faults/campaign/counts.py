# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many runs of the campaign there were, and how many held: as the documentation has it."""

from __future__ import annotations

import collections
import datetime
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.faults.campaign.acts import ACTS

RECORD = Path(__file__).parents[3] / "docs/campaign.md"
KINDS = ("errors", "lies", "kills", "device gone")
_TEXT = """\
<!--
Copyright (c) 2026, The cryptoki.hsm authors
GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
{tag}: GPL-3.0-or-later

Written by `nox -s campaign -- --campaign-record`; not to be edited.
-->

# The campaign

The modules of key pairs and keys do each of their acts with a library that answers errors, lies, or is killed, on a token
that has other keys beside those that the task names. After each run a reader that shares nothing with the modules looks at the token.
A run has held if no key was lost that was not named, none was doubled, no other object was touched, the message said
nothing that is not so, whatever is left half-made is named in it, and nothing ended in an unexpected error. After a kill
the same task is run again, and must hold as well.

- **errors:** a call is not made, or made, and answered with an error.
- **lies:** a call is answered by CKR_OK, and did something else, or nothing: searches, attributes, new pairs, copies,
  signatures, changes, removals, sessions (`tests/faults/campaign/lies.py`).
- **kills:** the task is killed before or after a call that writes.
- **device gone:** from some call on, all are answered with an error.

Recorded on {date}, {which}: {held} of {runs} runs held.

| act | {head} |
| --- | {line} |
{rows}
"""
_ALL = "with every lie at each call, and errors of eight kinds"
_SOME = "with the selection that `make faults` runs"


class Counts:
    """Runs and those that held, by act and by kind."""

    def __init__(self) -> None:
        self._runs: collections.Counter[tuple[str, str]] = collections.Counter()
        self._held: collections.Counter[tuple[str, str]] = collections.Counter()

    def add(self, told: t.Mapping[str, t.Any]) -> None:
        """What a test recorded; nothing, if it is another one."""
        if "held" in told:
            cell = told["act"], told["kind"]
            self._runs[cell] += told["runs"]
            self._held[cell] += told["held"]

    @property
    def runs(self) -> int:
        """All runs."""
        return self._runs.total()

    @property
    def held(self) -> int:
        """Those that held."""
        return self._held.total()

    def text(self, everything: bool) -> str:
        """The page."""
        rows = [f"| {act} | " + " | ".join(self._cell(act, kind) for kind in KINDS) + " |" for act in ACTS]
        return _TEXT.format(
            tag="SPDX-{}-Identifier".format("License"),  # this file has its own
            date=datetime.datetime.now(datetime.timezone.utc).date(),
            which=_ALL if everything else _SOME,
            held=f"{self.held:,}",
            runs=f"{self.runs:,}",
            head=" | ".join(KINDS),
            line=" | ".join("---:" for dummy in KINDS),
            rows="\n".join(rows),
        )

    def _cell(self, act: str, kind: str) -> str:
        runs, held = self._runs[act, kind], self._held[act, kind]
        return "" if not runs else str(runs) if held == runs else f"{held} of {runs}"
