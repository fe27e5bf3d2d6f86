# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option `vendor_facts`, checked: what a user says of a vendor's library."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, curves, errors

# Sent whatever a user says, because they protect the private key.
_PROTECTING = ("private", "sensitive", "extractable")
_SEARCHABLE = ("ec_point", "id", "key_type", "label", "modulus", "token")
_CHANGEABLE = frozenset(
    {*attributes.SETTABLE["public"], *attributes.SETTABLE["private"], "extractable", "allowed_mechanisms"}
)


def facts_from(given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What is said in the option; raises `InputError`."""
    return {name: _checked(name, value) for name, value in given.items() if value is not None}


def _checked(name: str, value: t.Any) -> t.Any:
    option = f"vendor_facts.{name}"
    if isinstance(value, int):  # a boolean, too
        if value < 0:
            raise errors.InputError(option, "give a number of bytes, or 0", value)
        return value
    if name == "curves":
        return [_curve(option, curve) for curve in value]
    known = _attributes(name)
    for attribute in value:
        if attribute not in known:
            raise errors.InputError(option, f"choose from {', '.join(sorted(known))}", attribute)
    return value


def _curve(option: str, name: str) -> str:
    try:
        return curves.curve_by_name(name).name
    except ValueError as error:
        raise errors.InputError(option, str(error)) from None


def _attributes(name: str) -> t.Collection[str]:
    """The attributes that a fact may name."""
    if name in ("fixed", "not_searched"):
        return _CHANGEABLE if name == "fixed" else _SEARCHABLE
    half = t.cast(attributes.Half, name.rpartition("_")[2])
    known = {
        attribute
        for attribute in (*attributes.SETTABLE[half], "allowed_mechanisms")
        if half in attributes.ATTRIBUTES[attribute].classes
    }
    return known.difference(_PROTECTING) if name.startswith("not_sent") else known
