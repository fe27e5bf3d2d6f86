# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answers of the CloudHSM CLI: one JSON object, judged by its `error_code`.

Success is `{"error_code": 0, "data": {…}}`, a failure `{"error_code": 1, "data": "text"}` (user guide of AWS
CloudHSM, pages cloudhsm_cli-key-list and manage-keys-cloudhsm-cli-filtering). Everything else is no answer at all,
whatever the exit status: it neither says that something is there nor that it is not.
"""

from __future__ import annotations

import json
import typing as t

T = t.TypeVar("T")
_SHOWN = 200  # characters of an answer that nobody expected


class Unclear(Exception):
    """Not a complete, well-formed answer; the text says why, in one line."""


class Refused(Exception):
    """A well-formed answer that says no; the text is the tool's."""


def data_of(stdout: bytes, hide: t.Callable[[bytes], bytes] = bytes) -> t.Any:
    """`data` of a success; raises `Refused` for a failure, and `Unclear` for anything else.

    `hide` takes secrets out of what a message shows of it, before it is cut and escaped.
    """
    hidden = hide(stdout)
    try:
        answer = json.loads(stdout.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):  # json and Unicode errors are ValueErrors
        what = f"no JSON, {shown(hidden)}" if stdout.strip() else "nothing on its standard output"
        raise Unclear(what) from None
    if not isinstance(answer, dict):
        raise Unclear(f"no JSON object, {shown(hidden)}")
    code = answer.get("error_code")
    if isinstance(code, bool) or not isinstance(code, int) or "data" not in answer:
        raise Unclear(f"JSON without error_code and data, {shown(hidden)}")
    if code == 0:
        return answer["data"]
    text = answer["data"]
    raise Refused(text if isinstance(text, str) and text else f"error_code {code}, {shown(hidden)}")


def _once(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    """An object whose names differ; of two equal ones nobody knows which is meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice")
    return found


def _no_number(text: str) -> t.NoReturn:
    raise ValueError(text)


def shown(raw: bytes) -> str:
    """The beginning of an output, for a message."""
    text = " ".join(raw.decode(errors="replace").split())
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def field(data: t.Any, name: str, kind: type[T]) -> T:
    """A field of an object that must be there and be of this type."""
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Unclear(f"no {kind.__name__} '{name}' where one belongs")
    return value


def rows(data: t.Any, name: str) -> list[dict[str, t.Any]]:
    """A list of objects that must be there."""
    found = field(data, name, list)
    if not all(isinstance(row, dict) for row in found):
        raise Unclear(f"something else than objects in '{name}'")
    return found
