# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that name mechanisms, which few tasks give."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors, mechanisms, text


def number(option: str, value: str | None) -> int | None:
    """The number of a mechanism given by name (with or without `CKM_`, any case) or by number for vendors' own.

    Raises `InputError` for anything else.
    """
    if value is None:
        return None
    name = value.upper()
    row = mechanisms.MECHANISMS.get(name) or mechanisms.MECHANISMS.get(f"CKM_{name}")
    if row:
        return row.code
    with contextlib.suppress(ValueError):
        code = int(name, 0)
        if 0 <= code < 1 << 32:
            return code
    rule = "give the name of an RSA or EC mechanism, for instance CKM_ECDSA_SHA256, or its number as 0x…"
    question = text.did_you_mean(f"CKM_{name.removeprefix('CKM_')[:60]}", mechanisms.MECHANISMS)
    raise errors.InputError(option, f"{question} G{rule[1:]}" if question else rule, value)


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
