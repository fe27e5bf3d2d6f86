# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a pair may be replaced, and what the new one has from the old one: all that the task does not say. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import absence, keypair, vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS, mechanism_name

_QUORUM = "a key with a quorum cannot be renamed without the users' signatures, which a safe replacement needs"
# The usage bits that keys of a type can have: RSA keys derive nothing, those on Edwards curves only sign.
_RSA = frozenset(["sign", "sign_recover", "decrypt", "unwrap", "verify", "verify_recover", "encrypt", "wrap"])
_USES = {"rsa": _RSA, "ec": frozenset({"sign", "verify", "derive"}), "ec_edwards": frozenset({"sign", "verify"})}


def replacing(wish: Wish, old: keypair.KeyPair, facts: vendors.VendorFacts, token: str, differs: str) -> Wish:
    """What is wished of the pair in the place of the old one; refuses what is not safe at every moment of it."""
    new = inherited(wish, old)
    what = f"replace {wish.on(token)}"
    why = irreplaceable(new, facts) or (_QUORUM if _needs_approval(old) else misfit(new, old))
    if why:
        raise errors.HsmError.refused(what, why, differs)
    absence.refuse_indestructible(what, old, differs)
    return new


def irreplaceable(wish: Wish, facts: vendors.VendorFacts) -> str:
    """Why no pair can be replaced by one as wished; empty if it can."""
    if not facts.set_attribute:
        return f"{facts.name} cannot rename a key, which a safe replacement needs"
    if not facts.copy and any(wish.freezing(half) for half in attributes.HALVES):
        return f"{facts.name} cannot copy a key, which destroyable=false and modifiable=false need after the renaming"
    return _QUORUM if wish.quorum else ""


def _needs_approval(old: keypair.KeyPair) -> bool:
    sharing = old.private.sharing
    return sharing is not None and max(sharing.quorum, sharing.manage_quorum) > 0


def inherited(wish: Wish, old: keypair.KeyPair) -> Wish:
    """The wish with what it leaves unsaid as the old pair has it."""
    private, sharing = old.private.attributes, old.private.sharing
    mechanisms = private.get("allowed_mechanisms")
    values: dict[str, t.Any] = {
        # What is not told is not extractable.
        "extractable": private.get("extractable") is True,
        "allowed_mechanisms": mechanisms if isinstance(mechanisms, tuple) and mechanisms else None,
        "share_with": sharing.shared_with if sharing else None,
    }
    unsaid = {name: value for name, value in values.items() if getattr(wish, name) is None}
    for half in attributes.HALVES:
        unsaid[f"{half}_attributes"] = {**_bits(wish, old, half), **wish.own_attributes(half)}
    return dataclasses.replace(wish, **unsaid)


def _bits(wish: Wish, old: keypair.KeyPair, half: attributes.Half) -> dict[str, bool]:
    """The bits of a half that the wish does not name, as far as the old pair tells them."""
    told, usage, bits = old.half(half).attributes, attributes.ALL_USAGE_BITS[half], {}
    for name in attributes.SETTABLE[half]:
        value = told.get(name)
        if name in (*wish.required(half), *attributes.COMPARE_ONLY) or not isinstance(value, bool):
            continue
        if name in usage:
            bits[name] = value and name in _USES[wish.key_type]
        elif name == "private" or value is not (name in attributes.FREEZING):  # else it is as of every new pair
            bits[name] = value
    return bits


def misfit(wish: Wish, old: keypair.KeyPair) -> str | None:
    """Why a pair cannot have what it is to inherit; None if it can."""
    rows = [MECHANISMS.get(mechanism_name(code)) for code in wish.allowed_mechanisms or ()]
    names = [row.name for row in rows if row and row.family != wish.key_type]
    if names:
        return f"the old pair's allowed_mechanisms {', '.join(names)} are not for keys of the type {wish.key_type}"
    uses, left = _uses(old.private.attributes), _uses(wish.template(attributes.PRIVATE))
    if wish.usage is None and uses and not left:
        return f"a key of the type {wish.key_type} can have none of the old pair's uses, {', '.join(uses)}; say usage"
    return None


def _uses(told: t.Mapping[str, t.Any]) -> list[str]:
    return [name for name in attributes.ALL_USAGE_BITS[attributes.PRIVATE] if told.get(name) is True]
