# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mechanisms of the token in a slot; a pair that stays as it is needs to know nothing of them."""

from __future__ import annotations

import ctypes
import functools
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import calls, functions, structures


class CkMechanismInfo(ctypes.Structure):
    """CK_MECHANISM_INFO. All zero when it is made, which matters: SoftHSM 2.6.1 adds its flags to what is there."""

    _fields_ = structures.ulongs("min_key_size max_key_size flags")


def numbers(library: functions.Functions, name: str, first: t.Any) -> tuple[int, list[int]]:
    """What a function lists in two calls, the first for the count; once more where it has grown in between."""
    for _dummy in range(2):
        rv, size = library.size(name, first)
        listed, count = (structures.CK_ULONG * size)(), structures.CK_ULONG(size)
        if listed:
            rv = library.call(name, first, listed, ctypes.byref(count))
        if rv != functions.CKR_BUFFER_TOO_SMALL:
            break
    return rv, listed[: count.value] if rv == functions.CKR_OK else []


def asked(library: functions.Functions, slot_id: int) -> tuple[int, list[int]]:
    """C_GetMechanismList (section 5.5.5)."""
    return numbers(library, "C_GetMechanismList", slot_id)


def info(library: functions.Functions, slot_id: int, mechanism: int) -> tuple[int, CkMechanismInfo]:
    """C_GetMechanismInfo (section 5.5.6)."""
    told = CkMechanismInfo()
    return library.call("C_GetMechanismInfo", slot_id, mechanism, told), told


@functools.cache
def codes(library: functions.Functions, slot_id: int) -> frozenset[int]:
    """The codes of all, asked for once."""
    what = f"list the mechanisms of slot {slot_id}"
    with calls.attempt(what):
        rv, listed = asked(library, slot_id)
    calls.check(rv, what)
    return frozenset(listed)


@functools.cache
def key_sizes(library: functions.Functions, slot_id: int, mechanism: int) -> tuple[int, int]:
    """The smallest and largest key of a mechanism, in bits for RSA and EC (PKCS#11 3.1, sections 6.1 and 6.3)."""
    rv, told = info(library, slot_id, mechanism)
    calls.check(rv, f"read the mechanism 0x{mechanism:x} of slot {slot_id}")
    return told.min_key_size, told.max_key_size
