# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The traps that comments cite by number are told in docs/traps.md."""

from __future__ import annotations

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


def test_the_names_in_them_are_there() -> None:
    """What stands in brackets behind a file is one of its names, or several."""
    text = (ROOT / "docs/traps.md").read_text(encoding="utf-8")
    gone, count = [], 0
    for file, names in re.findall(r"`(_\w+/\w+\.py)`\s+\(([^)]+)\)", text):
        code = (ROOT / "plugins/module_utils" / file).read_text(encoding="utf-8")
        for name in re.findall(r"`(\w+)`", names):
            count += 1
            if not re.search(rf"^ *(def|class) {name}\b", code, re.MULTILINE):
                gone.append(f"{file} ({name})")
    assert count > 9 and not gone, f"docs/traps.md names {', '.join(gone)}"
