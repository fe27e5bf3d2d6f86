# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In what a pair is not as it is wished.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, Half, Value
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import mechanism_name


@dataclasses.dataclass(frozen=True)
class Difference:
    """One attribute that is not as wished; `half` is None for what both halves share."""

    half: Half | None
    name: str
    found: t.Any
    wished: t.Any

    def __str__(self) -> str:
        where = f"{self.half} half's " if self.half else ""
        return f"{where}{self.name} is {_shown(self.name, self.found)}, wished {_shown(self.name, self.wished)}"


def _shown(name: str, value: t.Any) -> str:
    if isinstance(value, bytes):
        return value.hex(":") or "empty"
    if isinstance(value, tuple):
        return "[" + ", ".join(mechanism_name(one) if isinstance(one, int) else one for one in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return "missing" if value is None else str(value)


def key_differences(wish: Wish, pair: KeyPair) -> list[Difference]:
    """What differs of the key itself (size, exponent, curve, type): nothing can change it."""
    public = pair.objects[0]
    rows: list[tuple[str, t.Any, t.Any]] = []
    if wish.family == "rsa":
        rows.append(("modulus_bits", public.modulus_bits, wish.modulus_bits))
        rows.append(("public_exponent", public.public_exponent, wish.public_exponent))
    elif wish.curve:
        rows.append(("curve", public.curve.name if public.curve else "unknown", wish.curve.name))
    return [Difference(None, name, found, wished) for name, found, wished in rows if wished not in (None, found)]


def sharing_differences(wish: Wish, pair: KeyPair) -> list[Difference]:
    """What differs of the users of a private half, where the HSM tells them."""
    if not pair.privates or (wish.share_with is None and wish.quorum is None):
        return []
    sharing = pair.private.sharing
    if sharing is None:
        return [] if not wish.users() and not wish.quorum else [Difference(PRIVATE, "shared_with", None, wish.users())]
    rows = [Difference(PRIVATE, "shared_with", sharing.shared_with, wish.users(sharing.shared_with))]
    if wish.quorum is not None:
        quorum: t.Any = sharing.quorum
        if sharing.manage_quorum not in (0, quorum):  # two values are never wished
            quorum = f"{quorum} to use it and {sharing.manage_quorum} to change it"
        rows.append(Difference(PRIVATE, "quorum", quorum, wish.quorum))
    return [row for row in rows if row.found != row.wished]


def attribute_differences(half: Half, found: TokenObject, wished: t.Mapping[str, Value]) -> list[Difference]:
    """What differs of the attributes of one half; an attribute that the object lacks counts as missing."""
    rows = []
    for name, wish in wished.items():
        value = found.attributes.get(name)
        same = set(value) == set(wish) if isinstance(value, tuple) and isinstance(wish, tuple) else value == wish
        if not same:
            rows.append(Difference(half, name, value, wish))
    return rows
