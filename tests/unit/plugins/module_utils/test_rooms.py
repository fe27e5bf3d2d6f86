# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tests stand in the rooms of the code."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent
CODE = TESTS.parents[3] / "plugins/module_utils"


def test_each_room_has_tests_and_no_test_stands_elsewhere() -> None:
    tested = {file.parent.name for file in TESTS.glob("*/test_*.py")}
    assert tested == {file.parent.name for file in CODE.glob("*/*.py")}
    assert list(TESTS.glob("test_*.py")) == [Path(__file__)]
