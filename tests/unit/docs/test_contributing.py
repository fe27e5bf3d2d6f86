# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The map in CONTRIBUTING.md: it has every room, every file and every floor, and nothing that is not there."""

from __future__ import annotations

import configparser
import re
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
UTILS = ROOT / "plugins/module_utils"
MAP = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
# | 6 | `_tasks` | what lives there | `edge.py` |
ROWS: list[tuple[str, str, str]] = re.findall(r"^\| (\d+) \| `(\w+)` \| .+ \| `(\w+\.py)` \|$", MAP, re.MULTILINE)


def listed() -> list[str]:
    """The files in the lists, as room/file: below "`_room`: what it is for" come lines "- `one.py`, `two.py`: what"."""
    room, files = "", list[str]()
    for line in MAP.splitlines():
        heading = re.match(r"`(_\w+)`: ", line)
        names = re.match(r"- ((?:(?:, )?`\w+\.py`)+): ", line)
        if heading:
            room = heading[1]
        elif names:
            files += [f"{room}/{file}" for file in re.findall(r"\w+\.py", names[1])]
    return files


def differences(written: t.Iterable[str], there: t.Iterable[str]) -> str:
    """What is missing in a list and what it has too much, as one text; empty if it is right."""
    missing, surplus = sorted(set(there) - set(written)), sorted(set(written) - set(there))
    return "; ".join(
        f"CONTRIBUTING.md {what} {', '.join(names)}"
        for what, names in (("lacks", missing), ("names what is not there:", surplus))
        if names
    )


def test_every_room_is_in_the_table() -> None:
    rooms = [folder.name for folder in UTILS.iterdir() if any(folder.glob("*.py"))]
    assert rooms
    assert not differences([room for dummy, room, dummy2 in ROWS], rooms)


def test_every_door_is_there() -> None:
    gone = [f"{room}/{door}" for dummy, room, door in ROWS if not (UTILS / room / door).is_file()]
    assert not gone, f"CONTRIBUTING.md names doors that are not there: {', '.join(gone)}"


def test_every_file_is_listed_in_its_room() -> None:
    written = listed()
    there = [str(file.relative_to(UTILS)) for file in UTILS.glob("*/*.py")]
    assert len(written) == len(set(written)), "CONTRIBUTING.md lists a file twice"
    assert not differences(written, there)
    assert not list(UTILS.glob("**/__init__.py")) and not list(UTILS.glob("*.py")), "each file is in a room"


def test_the_floors_are_those_that_the_lint_checks() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / ".importlinter", encoding="utf-8")
    layers = settings["importlinter:contract:floors"]["layers"].split("\n")
    floors = [{room.strip() for room in re.split(r"[|:]", layer)} for layer in layers if layer.strip()]
    checked = {room: len(floors) - index for index, rooms in enumerate(floors) for room in rooms}
    assert {room: int(floor) for floor, room, dummy in ROWS} == checked, "CONTRIBUTING.md and .importlinter disagree"


def test_paths_in_the_overview_are_there() -> None:
    overview = re.search(r"```text\n(.*?)```", MAP, re.DOTALL)
    assert overview
    paths = [line.split()[0] for line in overview[1].splitlines() if line[:1].strip()]
    gone = [path for path in paths if not (ROOT / path).exists()]
    # What is not shipped may be missing where the tests run on the built collection.
    shipped = [path for path in gone if path.split("/")[0] in ("plugins", "docs", "roles", "tests")]
    assert len(paths) > 10 and not shipped, f"CONTRIBUTING.md names {', '.join(shipped)}, which is not there"
