# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The token that the campaign copies, once a process, and the count of its runs."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.faults.campaign.counts import RECORD, Counts
from ansible_collections.cryptoki.hsm.tests.faults.campaign.world import Prepared


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--campaign-all", action="store_true", help="lie at each call, with errors of eight kinds")
    parser.addoption("--campaign-record", action="store_true", help="write the counts into docs/campaign.md")


@pytest.fixture(scope="session")
def prepared(interposers: dict[str, Path]) -> t.Iterator[Prepared]:
    """A token with all that the runs need."""
    made = Prepared(interposers["softhsm"])
    yield made
    made.remove()


def pytest_terminal_summary(terminalreporter: t.Any, config: pytest.Config) -> None:
    """Says how many runs there were, and how many held; the reports of all workers come here."""
    counts = Counts()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            if report.when == "call":
                counts.add(dict(report.user_properties))
    if counts.runs:
        terminalreporter.write_line(f"campaign: {counts.held} of {counts.runs} runs held")
        if config.getoption("--campaign-record", default=False):
            RECORD.write_text(counts.text(config.getoption("--campaign-all")), encoding="utf-8")
