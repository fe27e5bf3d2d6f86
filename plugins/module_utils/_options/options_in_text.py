# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that are written as a text where a dictionary or a list belongs, in the ways that Ansible takes as well."""

from __future__ import annotations

import ast
import contextlib
import json
import shlex
import typing as t


def as_options(text: str) -> t.Any:
    """A dictionary that is written as text, in one of the ways that Ansible takes as well."""
    given = literal(text, "{")
    if isinstance(given, str):
        with contextlib.suppress(ValueError):
            return dict(_pairs(given))
    return given


def literal(text: str, start: str) -> t.Any:
    """The value that a text spells out in JSON or in Python; the text where it is neither."""
    if text.lstrip().startswith(start):
        for parse in (json.loads, ast.literal_eval):
            with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                return parse(text.strip())
    return text


def _pairs(text: str) -> t.Iterator[tuple[str, str]]:
    for word in shlex.split(text.replace(",", " ")):
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError(text)
        yield name.strip(), value
