# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pieces of a page. Whatever comes from outside passes through `text`, which leaves no mark-up of its own in it."""

from __future__ import annotations

import html
import typing as t

# What is not known yet in a rehearsal.
LATER = "known after generation"
# What was made, but its task did not return it, or masked it.
_UNTOLD = "not told by its step"
_NONE = "\N{REPLACEMENT CHARACTER}"


def text(value: t.Any) -> str:
    """A value as people read it, escaped."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return text("; ".join(f"{name}: {_plain(one)}" for name, one in value.items()))
    if isinstance(value, list):
        return text(", ".join(map(_plain, value)))
    # Control characters have no place on a page, and some are no HTML; those that turn the direction of text deceive.
    shown = (
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in str(value)
    )
    return html.escape("".join(shown))


def _plain(value: t.Any) -> str:
    return html.unescape(text(value))


def digit_groups(hexadecimal: t.Any) -> str:
    """A sum in groups of four digits, as it is read aloud."""
    digits = str(hexadecimal).replace(":", "")
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def groups(hexadecimal: t.Any) -> str:
    """The same as mark-up."""
    return "".join(f"<span>{text(group)}</span> " for group in digit_groups(hexadecimal).split())


def sum_of(hexadecimal: t.Any, foretold: t.Any = False) -> str:
    """A sum that is compared by eye, or why it is not there."""
    return f'<div class="code sum">{groups(hexadecimal)}</div>' if hexadecimal else missing(foretold)


def missing(foretold: t.Any) -> str:
    """Instead of a sum: that it is not there yet, or that the run did not tell it."""
    return f"<em>{LATER if foretold else _UNTOLD}</em>"


def when(moment: t.Any) -> str:
    """A time of a record, as people write it."""
    return text(str(moment).replace("T", " ").partition(".")[0].removesuffix("+00:00") + " UTC")


def table(rows: t.Iterable[tuple[str, str]]) -> str:
    """Names and values, which are mark-up already; what is empty has no row."""
    told = "".join(f"<tr><th>{text(name)}</th><td>{value}</td></tr>" for name, value in rows if value)
    return f"<table>{told}</table>" if told else ""


def facts(row: t.Mapping[str, t.Any], names: t.Mapping[str, str]) -> list[tuple[str, str]]:
    """Rows for a table: what a record has of these names, under the words for them."""
    return [(words, text(row[name])) for name, words in names.items() if row.get(name) not in (None, "", [], {})]


def section(title: str, *parts: str, paper: bool = False) -> str:
    """A part of the page under its heading, on a sheet of its own if `paper`; nothing where there is nothing in it."""
    body = "".join(parts)
    mark = ' class="paper"' if paper else ""
    return f"<section{mark}><h2>{text(title)}</h2>{body}</section>\n" if body else ""


def commands(lines: t.Iterable[str]) -> str:
    """What is typed."""
    return f"<pre>{text(chr(10).join(lines))}</pre>"
