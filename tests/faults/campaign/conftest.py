# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The token that the campaign copies, once a process, and the count of its runs."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.faults.campaign.world import Prepared


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--campaign-all", action="store_true", help="lie at each call, with errors of eight kinds")


@pytest.fixture(scope="session")
def prepared(interposers: dict[str, Path]) -> t.Iterator[Prepared]:
    """A token with all that the runs need."""
    made = Prepared(interposers["softhsm"])
    yield made
    made.remove()


def pytest_terminal_summary(terminalreporter: t.Any, config: pytest.Config) -> None:
    """Says how many runs there were, and how many held; a worker's reports come here as well."""
    counts: dict[str, list[int]] = {}
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        told = dict(report.user_properties)
        if report.when == "call" and "held" in told:
            kind = report.nodeid.rpartition("::")[2].partition("[")[0].removeprefix("test_").replace("_", " ")
            row = counts.setdefault(kind, [0, 0])
            row[0] += told["runs"]
            row[1] += told["held"]
    for kind, (runs, held) in counts.items():
        terminalreporter.write_line(f"campaign, {kind}: {held} of {runs} runs held")
