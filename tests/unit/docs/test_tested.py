# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of what was tested has a line for each library that is tried, and is as it is written."""

from __future__ import annotations

import importlib.util
import json
import types
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]


@pytest.fixture
def script() -> types.ModuleType:
    """What writes the table."""
    spec = importlib.util.spec_from_file_location("tested", ROOT / "scripts/tested.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_row_has_its_line_and_each_line_its_row(script: types.ModuleType) -> None:
    matrix = yaml.safe_load((ROOT / "extensions/molecule/vendors/vars/main.yml").read_text(encoding="utf-8"))
    rows = [(row["name"], row["suite"]) for row in matrix["vendors_libraries"]]
    lines = script.read(script.GUIDE.read_text(encoding="utf-8"))
    assert sorted((line[0], line[2]) for line in lines) == sorted(rows)


def test_what_is_read_is_written_again(script: types.ModuleType) -> None:
    lines = script.read(script.GUIDE.read_text(encoding="utf-8"))
    assert script.between(script.GUIDE.read_text(encoding="utf-8")) == script.rst(lines)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("passed", "SoftHSM on trixie passed all but token info (x); the table says everything"),
        ("failed", "SoftHSM on trixie failed: RSA"),
    ],
)
def test_what_a_run_found_otherwise_is_told(
    script: types.ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str, said: str
) -> None:
    checks = {"token info": {"how": "refused", "why": "x"}, "RSA": {"how": how, "why": ""}}
    told = {"name": "SoftHSM", "suite": "trixie", "version": "2.6.1", "date": "", "skipped": "", "checks": checks}
    (tmp_path / "vendors-bookworm.json").write_text("[]", encoding="utf-8")
    (tmp_path / "vendors-trixie.json").write_text(json.dumps([told]), encoding="utf-8")
    assert script.check(tmp_path) == 1
    assert said in capsys.readouterr().out
