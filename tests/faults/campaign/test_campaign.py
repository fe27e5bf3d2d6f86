# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every act with every lie: no key is lost that was not named, none is doubled, and nothing is said that is not so.

As it stands, a lie is told at each call of what writes, and at the first, second and last call of what reads. With
--campaign-all it is told at each call, and errors are of eight kinds.
"""

from __future__ import annotations

import typing as t
import zlib
from collections.abc import Mapping

import pytest

from ansible_collections.cryptoki.hsm.tests.faults.campaign.acts import ACTS
from ansible_collections.cryptoki.hsm.tests.faults.campaign.lies import BROKEN, ERRORS, FUNCTIONS, LIES, WRITING, Lie
from ansible_collections.cryptoki.hsm.tests.faults.campaign.verdict import broken
from ansible_collections.cryptoki.hsm.tests.faults.campaign.world import Prepared, Ran, run

AGAIN = "The same task finishes it"
Record = t.Callable[[str, object], None]
SELECTED = 4  # of what reads, every so-many-th lie is told; which ones is the same each time


class Campaign:
    """The runs of one test, each on a token of its own."""

    def __init__(self, prepared: Prepared, everything: bool) -> None:
        self._prepared = prepared
        self.everything = everything
        self.runs = 0
        self.failures: list[str] = []

    def run(self, name: str, rules: str, lie: Lie) -> Ran:
        """One run, and what follows from it: what a killed task left, or what the same task is said to finish."""
        act, first = ACTS[name], self._prepared.before
        with self._prepared.copy() as token:
            ran = run(token, act, rules, first)
            sentences = broken(act, ran, lie)
            killed = ran.result is None and ran.status == -9
            if killed or AGAIN in str((ran.result or {}).get("msg")):
                again = run(token, act, "", first, ran.after)
                sentences += [f"the next run: {sentence}" for sentence in broken(act, again)]
                if not killed and again.result and again.result.get("failed"):
                    sentences.append(f"the same task does not finish it: {again.result['msg']}")
        self.runs += 1
        if sentences:
            self.failures.append("\n    ".join([f"{name}, with {rules!r}", *sentences]))
        return ran

    def calls(self, name: str) -> Mapping[str, int]:
        """How often an act calls each function when nobody lies; it must succeed."""
        if name not in self._prepared.calls:
            with self._prepared.copy() as token:
                ran = run(token, ACTS[name], "", self._prepared.before)
            assert not broken(ACTS[name], ran)
            assert ran.result and ran.result["changed"] is ACTS[name].changes, ran.output
            self._prepared.calls[name] = ran.calls
        return self._prepared.calls[name]

    def lie(self, name: str, lie: Lie) -> None:
        """The lie at each call of its function, and at all of them."""
        numbers = self.calls(name).get(lie.function, 0)
        some = {1, 2, numbers} if not self.everything and lie.function not in WRITING else range(1, numbers + 1)
        every: list[int | None] = [number for number in range(1, numbers + 1) if number in some]
        for number in [*every, *([None] if numbers > 1 else [])]:
            rules = lie.rules(number, ACTS[name].bystander)
            if self.everything or lie.function in WRITING or zlib.crc32(f"{name} {rules}".encode()) % SELECTED == 0:
                self.run(name, rules, lie)

    def end(self, record_property: Record, act: str, kind: str) -> None:
        """Counts the runs, and fails if one did not hold."""
        record_property("act", act)
        record_property("kind", kind)
        record_property("runs", self.runs)
        record_property("held", self.runs - len(self.failures))
        told = "\n".join(self.failures)
        assert not self.failures, f"{len(self.failures)} of {self.runs} runs broke the promise:\n{told}"


@pytest.fixture
def campaign(prepared: Prepared, request: pytest.FixtureRequest) -> Campaign:
    """The campaign of one test."""
    return Campaign(prepared, request.config.getoption("--campaign-all", default=False))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("act", ACTS)
def test_an_error(campaign: Campaign, act: str, function: str, record_property: Record) -> None:
    """The call is not made, or made and answered with an error."""
    for error in ERRORS if campaign.everything else (BROKEN,):
        for when in ("instead", "after"):
            campaign.lie(act, Lie(function, f"{when} return {error}"))
    campaign.end(record_property, act, "errors")


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("act", ACTS)
def test_a_lie(campaign: Campaign, act: str, lie: str, record_property: Record) -> None:
    """The call is answered by CKR_OK, and not so."""
    campaign.lie(act, LIES[lie])
    campaign.end(record_property, act, "lies")


@pytest.mark.parametrize("function", WRITING)
@pytest.mark.parametrize("act", ACTS)
def test_a_kill(campaign: Campaign, act: str, function: str, record_property: Record) -> None:
    """The task is killed before or after the call, and run again."""
    for when in ("before", "after"):
        for number in range(1, campaign.calls(act).get(function, 0) + 1):
            campaign.run(act, f"{function}#{number} {when} kill", Lie(function, ""))
    campaign.end(record_property, act, "kills")


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("act", ACTS)
def test_the_device_is_gone(campaign: Campaign, act: str, function: str, record_property: Record) -> None:
    """From the first call of this function on, nothing is done any more."""
    if function in campaign.calls(act):
        rules = "\n".join(f"{one}^{function} instead return {BROKEN}" for one in FUNCTIONS)
        campaign.run(act, rules, Lie(function, "", hides=True))
    campaign.end(record_property, act, "device gone")
