# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that name mechanisms, which few tasks give."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors, mechanisms


def number(option: str, value: str | None) -> int | None:
    """The number of a mechanism that is given by its name or number; raises `InputError`."""
    if value is None:
        return None
    try:
        return mechanisms.mechanism_code(value)
    except ValueError as error:
        raise errors.InputError(option, str(error), value) from None


def numbers(option: str, values: t.Sequence[str] | None) -> tuple[int, ...] | None:
    """As `number`, for a list."""
    if values is None:
        return None
    codes = [code for code in (number(option, value) for value in values) if code is not None]
    if len(set(codes)) < len(codes):
        raise errors.InputError(option, "it names a mechanism twice", list(values))
    if not codes:
        raise errors.InputError(option, "it is empty, and a key that no mechanism may use is of no use")
    return tuple(codes)


def check(wish: Wish) -> None:
    """Known mechanisms must be of the key's type, and that which generates must be one that does."""
    if wish.family == "ecc" and wish.curve is None:
        return
    for code in wish.allowed_mechanisms or ():
        _check("allowed_mechanisms", code, wish, {wish.key_type})
    if wish.key_gen_mechanism is not None:
        # AWS CloudHSM makes Ed25519 keys by CKM_EC_KEY_PAIR_GEN.
        families = {wish.key_type, "ec"} if wish.curve else {wish.key_type}
        _check("key_gen_mechanism", wish.key_gen_mechanism, wish, families)


def _check(option: str, code: int, wish: Wish, families: t.Collection[str]) -> None:
    row, generates = mechanisms.MECHANISMS.get(mechanisms.mechanism_name(code)), option == "key_gen_mechanism"
    if row and row.family not in families:
        raise errors.InputError(option, f"it is not for keys of the type {wish.key_type}", row.name)
    if row and (row.use == "generate") != generates:
        rule = "it does not generate pairs" if generates else "it only generates pairs"
        raise errors.InputError(option, rule, row.name)
