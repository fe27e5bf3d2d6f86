# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets among options that nobody has checked yet: what is masked, and what is shown of a task, before all else.

Ansible's own collection stops at the first option of a wrong type, and then masks nothing of what follows.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import unquote

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import uri

Spec = t.Mapping[str, t.Mapping[str, t.Any]]

HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"  # Ansible's own word
_WORDS = re.compile(r"[\s,=]+")
# Words of a broken text that are too short to be a secret, and frequent enough to spoil every message.
_SHORT = 4


def raw_secrets(spec: Spec, given: t.Any) -> set[str]:
    """Every text that may be a secret in options of whatever form: values not to be logged, and PINs in URIs."""
    return set(_secrets(spec, given))


def _secrets(spec: Spec, given: t.Any) -> t.Iterator[str]:
    given = _as_options(given)
    if not isinstance(given, dict):
        if _may_hold_secrets(spec) or not isinstance(given, str):
            # Nobody knows what is in it, and Ansible's refusal may tell all of it.
            yield from (word for text in _texts(given) for word in _WORDS.split(text) if len(word) >= _SHORT)
        return
    for name, value in given.items():
        yield from uri.pins_in(str(name))  # a colon too many makes a name of a URI
        yield from _secrets_of(_row(spec, name) or {}, value)


def _secrets_of(row: t.Mapping[str, t.Any], value: t.Any) -> t.Iterator[str]:
    """Those in the value of one option."""
    if row.get("no_log"):
        yield from _texts(value)
        if row.get("type") == "dict":
            yield from _texts(_as_options(value))
    elif "options" in row:
        for entry in _entries(value):
            yield from _secrets(row["options"], entry)
    for text in _texts(value, names=True):
        yield from uri.pins_in(text)


def without_secrets(spec: Spec, given: t.Any, seen: t.Collection[str] = ()) -> t.Any:
    """What may be shown of such options: no value that is not to be logged, nor of an option that is not known.

    `seen`: values that were checked, and may be shown although their options are not to be logged.
    """
    if isinstance(given, dict):
        return {_shown_name(name): _shown(_row(spec, name), value, seen) for name, value in given.items()}
    return HIDDEN  # nobody knows what is in it


def _shown(row: t.Mapping[str, t.Any] | None, value: t.Any, seen: t.Collection[str]) -> t.Any:
    if value is None or isinstance(value, bool):
        return value
    if row is None:
        return HIDDEN
    if row.get("no_log"):
        return _shown_as_checked(value, seen)
    if "options" not in row:
        return HIDDEN if any(uri.pins_in(text) for text in _texts(value, names=True)) else value
    if isinstance(value, (list, tuple)):
        return [without_secrets(row["options"], entry, seen) for entry in value]
    return without_secrets(row["options"], value, seen)


def _shown_as_checked(value: t.Any, seen: t.Collection[str]) -> t.Any:
    """What may be shown of an option that is not to be logged."""
    if isinstance(value, dict):
        return {_shown_name(name): _shown_as_checked(entry, seen) for name, entry in value.items()}
    return value if value is None or isinstance(value, bool) or str(value) in seen else HIDDEN


def _shown_name(name: t.Any) -> t.Any:
    return HIDDEN if uri.pins_in(str(name)) else name


def _row(spec: Spec, name: t.Any) -> t.Mapping[str, t.Any] | None:
    """The specification of an option by its name or an alias."""
    if name in spec:
        return spec[name]
    return next((row for row in spec.values() if name in row.get("aliases", ())), None)


def _may_hold_secrets(spec: Spec) -> bool:
    return any(row.get("no_log") or _may_hold_secrets(row.get("options", {})) for row in spec.values())


def _entries(value: t.Any) -> t.Iterable[t.Any]:
    if isinstance(value, str):
        from ansible_collections.cryptoki.hsm.plugins.module_utils._options import options_in_text

        value = options_in_text.literal(value, "[")
    return value if isinstance(value, (list, tuple)) else [value]


def _as_options(given: t.Any) -> t.Any:
    if not isinstance(given, str):
        return given
    from ansible_collections.cryptoki.hsm.plugins.module_utils._options import options_in_text

    return options_in_text.as_options(given)


def _texts(value: t.Any, names: bool = False) -> t.Iterator[str]:
    """Every text and number in a value, as a text; the names in it only if wished."""
    if isinstance(value, dict):
        for name, entry in value.items():
            yield from _texts((name, entry) if names else entry, names)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _texts(entry, names)
    elif isinstance(value, bytes):
        yield unquote(value)
    elif value is not None and not isinstance(value, bool) and str(value):
        yield str(value)
