# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pairs on a token in memory and wishes beside them, which need every kind of action."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import Outcome, reconcile
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession

P256 = curve_by_name("P-256")
WISH = Wish("ecc", label="root", curve=P256)
FREEZE = {"modifiable": False, "destroyable": False}


def session_with(*pairs: KeyPair, kind: type[MemorySession] = MemorySession) -> t.Any:
    session = kind(*pairs)
    for pair in pairs:
        for found in pair.privates:
            name = found.curve.name if found.curve else "2048"
            session.keys.of[found.handle] = private_key(name, found.handle - 1)
    return session


def ec_pair(curve: str = "secp256r1", handle: int = 1, **changed: t.Any) -> KeyPair:
    """A pair whose private key the session knows (`session_with`)."""
    private = {"sign": True, **changed.pop("private", {})}
    public = {"verify": True, **changed.pop("public", {})}
    return pair_of(private_key(curve, handle), private=private, public=public, handle=handle, **changed)


def present(session: MemorySession, wish: Wish, check_mode: bool = False) -> Outcome:
    return reconcile(session, wish, "present", check_mode)


def handles(session: MemorySession) -> set[int]:
    return {found.handle for found in session.objects}


SCENARIOS: dict[str, tuple[tuple[KeyPair, ...], Wish]] = {
    "generate": ((), WISH),
    "generate beside another": ((ec_pair(label="other"),), dataclasses.replace(WISH, id=b"new")),
    "generate and freeze": ((), dataclasses.replace(WISH, private_attributes=FREEZE, public_attributes=FREEZE)),
    "change": (
        (ec_pair(private={"sign": False, "sensitive": False}, public={"verify": False, "wrap": True}),),
        dataclasses.replace(WISH, usage=("sign",), extractable=False, private_attributes=FREEZE),
    ),
    "replace": ((ec_pair("secp384r1"),), dataclasses.replace(WISH, on_mismatch="replace")),
    "replace what only derives": (
        (
            ec_pair(
                "secp384r1", private={"sign": False, "derive": True, "extractable": False}, public={"verify": False}
            ),
        ),
        dataclasses.replace(WISH, on_mismatch="replace"),
    ),
    "replace with id": ((ec_pair("secp384r1"),), dataclasses.replace(WISH, id=b"\x01", on_mismatch="replace")),
    "replace and freeze": (
        (ec_pair("secp384r1"),),
        dataclasses.replace(WISH, on_mismatch="replace", private_attributes=FREEZE, public_attributes=FREEZE),
    ),
    "keep": ((ec_pair("secp384r1"),), dataclasses.replace(WISH, on_mismatch="keep")),
    "nothing": ((ec_pair(),), WISH),
    "prove": ((ec_pair(),), dataclasses.replace(WISH, verify=True)),
}
