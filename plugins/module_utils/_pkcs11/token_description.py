# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_token_info returns, made of what a library answered. What no library can mean is not told."""

from __future__ import annotations

import enum
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import facts_told, said_facts, vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import TokenFlag, TokenInfo
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import (
    library,
    mechanism_list,
    provider,
    slots,
    structures,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import mechanisms, text

Described = dict[str, t.Any]

_WORD = 1 << 32  # no flag and no size of the standard needs more bits
_EC_MECHANISMS = range(0x1040, 0x1060)  # CKM_EC_KEY_PAIR_GEN to CKM_EC_MONTGOMERY_KEY_PAIR_GEN and their neighbours


class SlotFlag(enum.IntFlag):
    """CK_SLOT_INFO flags (PKCS#11 3.1, table 5)."""

    TOKEN_PRESENT = 0x1
    REMOVABLE_DEVICE = 0x2
    HW_SLOT = 0x4


class MechanismFlag(enum.IntFlag):
    """CK_MECHANISM_INFO flags (PKCS#11 3.2, pkcs11t.h)."""

    HW = 0x1
    MESSAGE_ENCRYPT = 0x2
    MESSAGE_DECRYPT = 0x4
    MESSAGE_SIGN = 0x8
    MESSAGE_VERIFY = 0x10
    MULTI_MESSAGE = 0x20
    FIND_OBJECTS = 0x40
    ENCRYPT = 0x100
    DECRYPT = 0x200
    DIGEST = 0x400
    SIGN = 0x800
    SIGN_RECOVER = 0x1000
    VERIFY = 0x2000
    VERIFY_RECOVER = 0x4000
    GENERATE = 0x8000
    GENERATE_KEY_PAIR = 0x10000
    WRAP = 0x20000
    UNWRAP = 0x40000
    DERIVE = 0x80000
    EC_F_P = 0x100000
    EC_F_2M = 0x200000
    EC_ECPARAMETERS = 0x400000
    EC_OID = 0x800000
    EC_UNCOMPRESS = 0x1000000
    EC_COMPRESS = 0x2000000
    EC_CURVENAME = 0x4000000
    ENCAPSULATE = 0x10000000
    DECAPSULATE = 0x20000000


_EC_FLAGS = sum(flag for flag in MechanismFlag if str(flag.name).startswith("EC_"))


def describe_library(path: str, sha256: str, answers: slots.LibraryAnswers) -> Described:
    """`library` of the documentation."""
    return {
        "path": path,
        "sha256": sha256,
        "manufacturer": structures.field_text(answers.info, "manufacturer_id"),
        "description": structures.field_text(answers.info, "library_description"),
        "version": structures.version(answers.info.library_version),
        "cryptoki_version": structures.version(answers.info.cryptoki_version),
    }


def library_sha256(path: str) -> str:
    """The digest of the library's file, in a form in which Ansible finds no PIN by chance."""
    return text.colon_hex(bytes.fromhex(provider.library_digest(path)))


def options_of(token: TokenInfo, sha256: str, row: vendors.VendorFacts, said: said_facts.Said) -> Described:
    """What the options expect_token and vendor_facts take, as it is now, and where the facts come from.

    What is empty cannot be pinned.
    """
    pins = {"library_sha256": sha256, **token.identity()}
    return {"expect_token": {name: value for name, value in pins.items() if value}, **facts_told.tell(row, said)}


def describe_slot(answers: slots.SlotAnswers, tell: t.Callable[[TokenInfo], Described]) -> Described:
    """One of `slots` of the documentation; `tell` gives what options can say of a token."""
    slot = answers.slot
    return {
        "slot_id": answers.slot_id,
        "description": structures.field_text(slot, "slot_description") if slot else None,
        "manufacturer": structures.field_text(slot, "manufacturer_id") if slot else None,
        "hardware_version": structures.version(slot.hardware_version) if slot else None,
        "firmware_version": structures.version(slot.firmware_version) if slot else None,
        "flags": _words(slot.flags, SlotFlag) if slot else None,
        "errors": [{"call": error.call, "ckr": error.ckr} for error in answers.errors],
        "token": _token(answers, answers.token, tell) if answers.token else None,
    }


def _token(
    answers: slots.SlotAnswers, info: structures.CkTokenInfo, tell: t.Callable[[TokenInfo], Described]
) -> Described:
    token = library.token_info(answers.slot_id, info)
    return {
        "label": token.label,
        "serial": token.serial,
        "manufacturer": token.manufacturer,
        "model": token.model,
        "hardware_version": token.hardware_version,
        "firmware_version": token.firmware_version,
        "uri": token.uri,
        "initialized": token.in_use,
        "flags": _words(token.flags, TokenFlag),
        "user_pin": _pin_state(token, "USER"),
        "so_pin": _pin_state(token, "SO"),
        "pin_length_min": token.pin_length_min,
        "pin_length_max": token.pin_length_max,
        "sessions": {
            "open": _known(info.session_count),
            "open_rw": _known(info.rw_session_count),
            "max": _limit(info.max_session_count),
            "max_rw": _limit(info.max_rw_session_count),
        },
        "memory": {
            "public_total": _known(info.total_public_memory),
            "public_free": _known(info.free_public_memory),
            "private_total": _known(info.total_private_memory),
            "private_free": _known(info.free_private_memory),
        },
        **tell(token),
        **_mechanisms(answers),
    }


def _mechanisms(answers: slots.SlotAnswers) -> Described:
    if answers.mechanisms is None:
        return {}
    return {"mechanisms": [_mechanism(code, told) for code, told in answers.mechanisms.items()]}


def _words(flags: int, kind: type[enum.IntFlag]) -> list[str]:
    return [str(flag.name).lower() for flag in kind if flag & flags]


def _pin_state(token: TokenInfo, who: str) -> str:
    """The flag that says most of a PIN; a token without the flag for it has no user PIN yet."""
    if not token.in_use or (who == "USER" and not token.flags & TokenFlag.USER_PIN_INITIALIZED):
        return "not_set"
    states = ("LOCKED", "FINAL_TRY", "COUNT_LOW", "TO_BE_CHANGED")
    return next((state.lower() for state in states if token.flags & TokenFlag[f"{who}_PIN_{state}"]), "ok")


def _known(count: int) -> int | None:
    """A number, or None for CK_UNAVAILABLE_INFORMATION."""
    return None if count == structures.UNAVAILABLE else count


def _limit(count: int) -> int | str | None:
    """A limit, which may be CK_EFFECTIVELY_INFINITE."""
    return "unlimited" if count == 0 else _known(count)


def _mechanism(code: int, info: mechanism_list.CkMechanismInfo | None) -> Described:
    """One mechanism; sizes that are none, and flags that are memory which nobody wrote (trap T12), are None."""
    flags = sizes = None
    if info and info.flags < _WORD:
        allowed = sum(MechanismFlag) if code in _EC_MECHANISMS else sum(MechanismFlag) & ~_EC_FLAGS
        flags = _words(info.flags & allowed, MechanismFlag)
    if info and 0 < info.max_key_size < _WORD and info.min_key_size <= info.max_key_size:
        sizes = (info.min_key_size, info.max_key_size)
    return {
        "name": any_mechanism_name(code),
        "min_key_size": sizes[0] if sizes else None,
        "max_key_size": sizes[1] if sizes else None,
        "flags": flags,
    }


def any_mechanism_name(code: int) -> str:
    """The name of a mechanism that this collection or python-pkcs11 knows, else its number as `0x…`."""
    import pkcs11

    own = mechanisms.mechanism_name(code)
    if own.startswith("CKM_") or code not in {member.value for member in pkcs11.Mechanism}:
        return own
    return f"CKM_{pkcs11.Mechanism(code).name.lstrip('_')}"  # it marks what is obsolete by an underscore
