# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables, for the screen and for a Markdown file."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import typing as t

MET = "met"
MISSED = "missed"


def verdict(met: bool) -> str:
    """What is said of a budget."""
    return MET if met else MISSED


@dataclasses.dataclass
class Table:
    """Rows of texts; `missed` tells whether a budget was."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = dataclasses.field(default_factory=list)
    missed: bool = False

    def add(self, *values: t.Any) -> None:
        """One more row."""
        self.rows.append(tuple(map(str, values)))

    def markdown(self) -> str:
        """The table below a heading; numbers stand at the right."""
        lines = [self.columns, ("---", *("---:" for dummy in self.columns[1:])), *self.rows]
        return f"## {self.title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"

    def plain(self) -> str:
        """The table in columns."""
        lines = [self.columns, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        cells = [[f"{line[0]:<{widths[0]}}", *map(str.rjust, line[1:], widths[1:])] for line in lines]
        return "\n".join([self.title, *("  ".join(line) for line in cells)])


def show(table: Table) -> None:
    """Prints a table, by rich where it is installed."""
    if not importlib.util.find_spec("rich"):
        print(f"\n{table.plain()}")
        return
    drawn = importlib.import_module("rich.table").Table(title=table.title, title_justify="left")
    for index, column in enumerate(table.columns):
        drawn.add_column(column, justify="right" if index else "left")
    for row in table.rows:
        drawn.add_row(*(f"[red]{cell}[/red]" if cell == MISSED else cell for cell in row))
    importlib.import_module("rich.console").Console().print("", drawn)
