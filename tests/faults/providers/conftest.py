# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clusters that are reached through key_mgmt_util."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.support.key_mgmt_util_runs import Kmu


@pytest.fixture
def kmu(tmp_path: Path) -> Kmu:
    return Kmu(tmp_path / "cluster")


@pytest.fixture(params=["aws", "aws_status", "azure"])
def spelled(request: pytest.FixtureRequest, tmp_path: Path) -> Kmu:
    return Kmu(tmp_path / "cluster", request.param)
