# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a library and its slots answer when they are asked all that needs no login: the C structures, and the errors."""

from __future__ import annotations

import ctypes
import dataclasses

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import functions, mechanism_list, structures


class CkInfo(ctypes.Structure):
    """CK_INFO."""

    _fields_ = (
        ("cryptoki_version", structures.CkVersion),
        ("manufacturer_id", ctypes.c_char * 32),
        ("flags", structures.CK_ULONG),
        ("library_description", ctypes.c_char * 32),
        ("library_version", structures.CkVersion),
    )


class CkSlotInfo(ctypes.Structure):
    """CK_SLOT_INFO."""

    _fields_ = (
        ("slot_description", ctypes.c_char * 64),
        ("manufacturer_id", ctypes.c_char * 32),
        ("flags", structures.CK_ULONG),
        ("hardware_version", structures.CkVersion),
        ("firmware_version", structures.CkVersion),
    )


@dataclasses.dataclass(frozen=True)
class CallError:
    """A function that answered with an error."""

    call: str
    ckr: str


@dataclasses.dataclass(frozen=True)
class LibraryAnswers:
    """What a library tells of itself, and the numbers of its slots in order."""

    info: CkInfo
    slot_ids: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class SlotAnswers:
    """What one slot tells; None where it answered with one of the `errors`, or where no token is in the slot.

    `mechanisms` is None where nobody asked for them.
    """

    slot_id: int
    slot: CkSlotInfo | None
    token: structures.CkTokenInfo | None
    mechanisms: dict[int, mechanism_list.CkMechanismInfo | None] | None
    errors: tuple[CallError, ...]


def library_info(calls: functions.Functions) -> tuple[int, CkInfo]:
    """C_GetInfo (section 5.4.3)."""
    info = CkInfo()
    return calls.call("C_GetInfo", info), info


def slot_list(calls: functions.Functions) -> tuple[int, list[int]]:
    """C_GetSlotList (section 5.5.1): the numbers of all slots, those without a token too."""
    return mechanism_list.numbers(calls, "C_GetSlotList", ctypes.c_ubyte(False))


def slot_info(calls: functions.Functions, slot_id: int) -> tuple[int, CkSlotInfo]:
    """C_GetSlotInfo (section 5.5.2)."""
    info = CkSlotInfo()
    return calls.call("C_GetSlotInfo", slot_id, info), info


def ask_library(calls: functions.Functions) -> tuple[LibraryAnswers, int]:
    """What the library tells, and the first return value that is an error."""
    info_rv, info = library_info(calls)
    rv, slot_ids = slot_list(calls)
    return LibraryAnswers(info, tuple(sorted(slot_ids))), info_rv or rv


def ask_slot(calls: functions.Functions, slot_id: int, with_mechanisms: bool = True) -> SlotAnswers:
    """All that a slot tells; an error ends only what depends on its answer."""
    errors: list[CallError] = []

    def told(call: str, rv: int) -> bool:
        if rv not in (functions.CKR_OK, functions.CKR_TOKEN_NOT_PRESENT):
            errors.append(CallError(call, functions.rv_name(rv)))
        return rv == functions.CKR_OK

    rv, slot = slot_info(calls, slot_id)
    slot_told = told("C_GetSlotInfo", rv)
    rv, token = calls.token_info(slot_id)
    token_told = told("C_GetTokenInfo", rv)
    mechanisms: dict[int, mechanism_list.CkMechanismInfo | None] = {}
    if token_told and with_mechanisms:
        codes: list[int] = []
        try:
            rv, codes = mechanism_list.asked(calls, slot_id)
            told("C_GetMechanismList", rv)
        except functions.Nonsense as error:
            errors.append(CallError("C_GetMechanismList", str(error)))
        mechanisms = dict.fromkeys(sorted(codes))
        for code in mechanisms:
            rv, info = mechanism_list.info(calls, slot_id, code)
            if told("C_GetMechanismInfo", rv):
                mechanisms[code] = info
            elif rv != functions.CKR_MECHANISM_INVALID:
                break  # each further call to a dead slot may wait for its time-out
    return SlotAnswers(
        slot_id,
        slot if slot_told else None,
        token if token_told else None,
        mechanisms if with_mechanisms else None,
        tuple(dict.fromkeys(errors)),
    )
