#!/usr/bin/env python
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what was tested, in the guide on vendors, from what the Molecule scenario `vendors` found out.

    tested.py                   writes the table from the results in build/molecule
    tested.py --check FOLDER    fails where the table says otherwise than the results in FOLDER

A library that was skipped, because its package could not be had, keeps its line. The date and the version of a line are
those of the run that wrote it; another date or version alone is no reason to write it anew.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs/docsite/rst/guide_vendors.rst"
RESULTS = ROOT / "build/molecule"
HEADINGS = ("library", "version", "Debian", "passed", "run")
BEGIN, END = "tested: written by scripts/tested.py", "tested: end"

Line = tuple[str, ...]


def passed(checks: dict[str, dict[str, str]]) -> str:
    """What a library passed, and why not the rest."""
    refused = [f"{name} ({check['why']})" for name, check in checks.items() if check["how"] == "refused"]
    return f"all but {', '.join(refused)}" if refused else "everything"


def lines_of(folder: Path) -> tuple[list[Line], list[str]]:
    """The lines that the results make, and what failed or is missing."""
    lines, wrong = [], []
    for suite in ("bookworm", "trixie"):
        for told in json.loads((folder / f"vendors-{suite}.json").read_text(encoding="utf-8")):
            failed = [name for name, check in told["checks"].items() if check["how"] == "failed"]
            if failed:
                wrong.append(f"{told['name']} on {suite} failed: {', '.join(failed)}")
            elif not told["skipped"]:
                lines.append((told["name"], told["version"], suite, passed(told["checks"]), told["date"]))
    return sorted(lines, key=lambda line: (line[0].casefold(), line[2])), wrong


def read(text: str) -> list[Line]:
    """The lines of the table in the guide."""
    rows = re.split(r"^ {4}\* - ", between(text), flags=re.MULTILINE)[2:]  # without what is above, and the headings
    return [tuple(cell.strip() for cell in row.split("\n      - ")) for row in rows]


def between(text: str) -> str:
    """What stands between the marks."""
    found = re.search(f"[^\n]*{re.escape(BEGIN)}[^\n]*\n(.*?)[^\n]*{re.escape(END)}", text, re.DOTALL)
    if not found:
        sys.exit(f"tested: {GUIDE.name} has no place for the table")
    return found[1].strip()


def rst(lines: list[Line]) -> str:
    rows = [HEADINGS, *lines]
    cells = ["\n".join(f"    {' ' if number else '*'} - {cell}" for number, cell in enumerate(row)) for row in rows]
    return ".. list-table::\n    :header-rows: 1\n\n" + "\n".join(cells)


def check(folder: Path) -> int:
    """Whether the table says what the results say; the answer is the exit status."""
    lines, wrong = lines_of(folder)
    written = {(line[0], line[2]): line for line in read(GUIDE.read_text(encoding="utf-8"))}
    for name, version, suite, what, _date in lines:
        line = written.get((name, suite))
        if not line or line[3] != what:
            wrong.append(f"{name} on {suite} passed {what}; the table says {line[3] if line else 'nothing of it'}")
        elif line[1] != version:
            print(f"tested: {name} on {suite} is {version} now, the table's line is of {line[1]}")
    for complaint in wrong:
        print(f"tested: {complaint}")
    if wrong:
        print("tested: scripts/tested.py writes the table anew")
    return int(bool(wrong))


def main() -> int:
    if sys.argv[1:2] == ["--check"]:
        return check(Path(sys.argv[2]))
    lines, wrong = lines_of(RESULTS)
    if wrong:
        sys.exit("\n".join(wrong))
    text = GUIDE.read_text(encoding="utf-8")
    fresh = {(line[0], line[2]) for line in lines}
    kept = [line for line in read(text) if (line[0], line[2]) not in fresh]
    whole = sorted([*lines, *kept], key=lambda line: (line[0].casefold(), line[2]))
    GUIDE.write_text(text.replace(between(text), rst(whole)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
