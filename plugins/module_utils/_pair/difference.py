# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In what a pair is not as it is wished."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes


class Difference(t.NamedTuple):
    """One attribute that is not as wished; `half` is None for what both halves share."""

    half: attributes.Half | None
    name: str
    found: t.Any
    wished: t.Any

    def data(self) -> dict[str, t.Any]:
        """What a failure returns of it."""
        found, wished = (_returned(value) for value in (self.found, self.wished))
        return {"half": self.half, "name": self.name, "found": found, "wished": wished}

    def __str__(self) -> str:
        where = f"{self.half} half's " if self.half else ""
        return f"{where}{self.name} is {_shown(self.found)}, wished {_shown(self.wished)}"


def _returned(value: t.Any) -> t.Any:
    if isinstance(value, tuple):
        from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import mechanisms

        return [mechanisms.mechanism_name(one) if isinstance(one, int) else one for one in value]
    return value.hex(":") if isinstance(value, bytes) else value


def _shown(value: t.Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_returned(value))}]"
    if isinstance(value, bytes):
        return _returned(value) or "empty"
    if isinstance(value, bool):
        return str(value).lower()
    return "missing" if value is None else str(value)


def differences(wish: Wish, pair: keypair.KeyPair) -> list[Difference]:
    """Everything in which an existing pair, or a lone half, is not as wished."""
    rows = key_differences(wish, pair)
    for half in pair.halves:
        rows += attribute_differences(half, pair.half(half), wish.required(half))
    return rows + sharing_differences(wish, pair)


def key_differences(wish: Wish, pair: keypair.KeyPair) -> list[Difference]:
    """What differs of the key itself (size, exponent, curve, type): nothing can change it."""
    found = pair.objects[0]
    rows: list[tuple[str, t.Any, t.Any]] = []
    if wish.family == "rsa":
        rows = [(name, getattr(found, name), getattr(wish, name)) for name in ("modulus_bits", "public_exponent")]
    elif wish.curve:
        rows = [("curve", _curve_of(found), wish.curve.name)]
    return [Difference(None, name, value, wished) for name, value, wished in rows if wished not in (None, value)]


def _curve_of(found: keypair.TokenObject) -> str:
    if found.curve:
        return found.curve.name
    from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import refused_curves

    params = found.attributes.get("ec_params")
    return (refused_curves.name_of(params) if isinstance(params, bytes) else None) or "unknown"


def sharing_differences(wish: Wish, pair: keypair.KeyPair) -> list[Difference]:
    """What differs of the users of a private half, where the HSM tells them."""
    if not pair.privates:
        return []
    sharing = pair.private.sharing
    if sharing is None:
        users = wish.users()
        return [Difference(attributes.PRIVATE, "shared_with", None, users)] if users or wish.quorum else []
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.sharing import compared

    return [
        Difference(attributes.PRIVATE, name, found, wished)
        for name, found, wished in compared(wish, sharing)
        if found != wished
    ]


def attribute_differences(
    half: attributes.Half, found: keypair.TokenObject, wished: t.Mapping[str, attributes.Value | None]
) -> list[Difference]:
    """What differs of the attributes of one half; one that the object lacks counts as missing.

    One that the token tells of no key is no difference where the wish is what such keys are made with.
    """
    there = found.attributes
    return [
        Difference(half, name, there.get(name), value)
        for name, value in wished.items()
        if _in_any_order(there.get(name)) != _in_any_order(value) and (name in there or found.untold.get(name) != value)
    ]


def _in_any_order(value: t.Any) -> t.Any:
    return frozenset(value) if isinstance(value, tuple) else value
