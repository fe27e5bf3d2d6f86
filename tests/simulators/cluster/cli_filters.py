# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters of CloudHSM CLI: a key's reference, or attributes that all have to be equal.

Source: AWS manage-keys-cloudhsm-cli-filtering, cloudhsm_cli-key-list.
"""

from __future__ import annotations

import typing as t

from .cli_answers import attributes
from .errors import Refused
from .state import Key, State


def matching(state: State, candidates: list[Key], words: t.Sequence[str]) -> list[Key]:
    """The keys that fit every word."""
    found = candidates
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise Refused("unknown_attribute", word)
        if name == "key-reference":
            found = [key for key in found if key.handle == _number(value)]
        elif name.startswith("attr."):
            found = [key for key in found if _fits(attributes(state, key), name[5:], value)]
        else:
            raise Refused("unknown_attribute", name)
    return found


def _number(value: str) -> int:
    """A reference in hex or decimal (AWS cloudhsm_cli-key-set-attribute)."""
    try:
        return int(value, 16 if value.startswith("0x") else 10)
    except ValueError:
        raise Refused("unknown_attribute", value) from None


_NAMES = {"modulus", "modulus-size-bits", "public-exponent", "ec-point", "curve", "wrap-template", "unwrap-template"}


def _fits(values: dict[str, t.Any], name: str, value: str) -> bool:
    """Whether an attribute has the value; one that keys of this type lack fits nothing."""
    if name not in values and name not in _NAMES:
        raise Refused("unknown_attribute", name)
    present = values.get(name)
    if isinstance(present, bool):
        return value == str(present).lower()
    if name in ("id", "check-value", "modulus", "ec-point"):
        return present is not None and _digits(value) == _digits(present)
    return present is not None and value == str(present)


def _digits(value: str) -> str:
    """Hex digits without what goes before them."""
    return value.lower().removeprefix("0x")
