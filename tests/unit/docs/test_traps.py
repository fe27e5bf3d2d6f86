# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The traps that comments cite by number are told in docs/traps.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TOLD = re.findall(r"^## (T\d+): \S", (ROOT / "docs/traps.md").read_text(encoding="utf-8"), re.MULTILINE)
CITED = re.compile(r"\bT\d+\b")


def test_each_trap_that_is_cited_is_told() -> None:
    files = [file for folder in ("plugins", "tests") for file in (ROOT / folder).rglob("*.py")]
    found = {file.relative_to(ROOT): set(CITED.findall(file.read_text(encoding="utf-8"))) for file in files}
    unknown = [f"{name} cites {number}" for name, numbers in found.items() for number in sorted(numbers - set(TOLD))]
    assert not unknown, f"docs/traps.md does not tell what {', '.join(unknown)}"
    assert len(set().union(*found.values())) > 9


def test_each_number_is_told_once() -> None:
    assert len(TOLD) == len(set(TOLD)) >= 15


def test_the_files_that_are_named_are_there() -> None:
    named = re.findall(r"`(_\w+/\w+\.py)`", (ROOT / "docs/traps.md").read_text(encoding="utf-8"))
    gone = [name for name in named if not (ROOT / "plugins/module_utils" / name).is_file()]
    assert named and not gone, f"docs/traps.md names {', '.join(gone)}"


def _names(file: str) -> set[str]:
    """The functions and classes of a file."""
    nodes = ast.walk(ast.parse((ROOT / "plugins/module_utils" / file).read_text(encoding="utf-8")))
    return {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


def test_what_is_named_of_a_file_is_in_it() -> None:
    text = (ROOT / "docs/traps.md").read_text(encoding="utf-8")
    told = re.findall(r"`(_\w+/\w+\.py)`\s+\(((?:`\w+`(?:,\s+)?)+)\)", text)
    named = [(file, name) for file, names in told for name in re.findall(r"\w+", names)]
    elsewhere = [f"{name} in {file}" for file, name in named if name not in _names(file)]
    assert len(named) > 9 and not elsewhere, f"docs/traps.md names {', '.join(elsewhere)}"
