# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a library and its slots answer when they are asked all that needs no login: the C structures, and the errors."""

from __future__ import annotations

import dataclasses

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import functions, structures

# Section 5.6.4: CK_SESSION_INFO, state.
_STATES = ("ro_public", "ro_user", "rw_public", "rw_user", "rw_so")


@dataclasses.dataclass(frozen=True)
class CallError:
    """A function that answered with an error."""

    call: str
    ckr: str


@dataclasses.dataclass(frozen=True)
class LibraryAnswers:
    """What a library tells of itself, and the numbers of its slots in order."""

    info: structures.CkInfo
    slot_ids: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class SlotAnswers:
    """What one slot tells; None where it answered with one of the `errors`, or where no token is in the slot.

    `mechanisms` is None where nobody asked for them.
    """

    slot_id: int
    slot: structures.CkSlotInfo | None
    token: structures.CkTokenInfo | None
    mechanisms: dict[int, structures.CkMechanismInfo | None] | None
    errors: tuple[CallError, ...]


def ask_library(calls: functions.Functions) -> tuple[LibraryAnswers, int]:
    """What the library tells, and the first return value that is an error."""
    info_rv, info = calls.info()
    rv, slot_ids = calls.slot_list()
    return LibraryAnswers(info, tuple(sorted(slot_ids))), info_rv or rv


def ask_slot(calls: functions.Functions, slot_id: int, with_mechanisms: bool = True) -> SlotAnswers:
    """All that a slot tells; an error ends only what depends on its answer."""
    errors: list[CallError] = []

    def told(call: str, rv: int) -> bool:
        if rv not in (functions.CKR_OK, functions.CKR_TOKEN_NOT_PRESENT):
            errors.append(CallError(call, functions.rv_name(rv)))
        return rv == functions.CKR_OK

    rv, slot = calls.slot_info(slot_id)
    slot_told = told("C_GetSlotInfo", rv)
    rv, token = calls.token_info(slot_id)
    token_told = told("C_GetTokenInfo", rv)
    mechanisms: dict[int, structures.CkMechanismInfo | None] = {}
    if token_told and with_mechanisms:
        codes: list[int] = []
        try:
            rv, codes = calls.mechanism_list(slot_id)
            told("C_GetMechanismList", rv)
        except functions.Nonsense as error:
            errors.append(CallError("C_GetMechanismList", str(error)))
        mechanisms = dict.fromkeys(sorted(codes))
        for code in mechanisms:
            rv, info = calls.mechanism_info(slot_id, code)
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


def session_state(info: structures.CkSessionInfo) -> str:
    """The state of a session as a word: read-only or read/write, and who has logged in."""
    return _STATES[info.state] if info.state < len(_STATES) else f"0x{info.state:x}"
