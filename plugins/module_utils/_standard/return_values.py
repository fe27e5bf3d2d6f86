# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of the PKCS#11 return values (PKCS#11 3.2, pkcs11t.h), and what a user can do about each."""

from __future__ import annotations

import re

CKR_NAMES: dict[int, str] = {
    0x00000000: "CKR_OK",
    0x00000001: "CKR_CANCEL",
    0x00000002: "CKR_HOST_MEMORY",
    0x00000003: "CKR_SLOT_ID_INVALID",
    0x00000005: "CKR_GENERAL_ERROR",
    0x00000006: "CKR_FUNCTION_FAILED",
    0x00000007: "CKR_ARGUMENTS_BAD",
    0x00000008: "CKR_NO_EVENT",
    0x00000009: "CKR_NEED_TO_CREATE_THREADS",
    0x0000000A: "CKR_CANT_LOCK",
    0x00000010: "CKR_ATTRIBUTE_READ_ONLY",
    0x00000011: "CKR_ATTRIBUTE_SENSITIVE",
    0x00000012: "CKR_ATTRIBUTE_TYPE_INVALID",
    0x00000013: "CKR_ATTRIBUTE_VALUE_INVALID",
    0x0000001B: "CKR_ACTION_PROHIBITED",
    0x00000020: "CKR_DATA_INVALID",
    0x00000021: "CKR_DATA_LEN_RANGE",
    0x00000030: "CKR_DEVICE_ERROR",
    0x00000031: "CKR_DEVICE_MEMORY",
    0x00000032: "CKR_DEVICE_REMOVED",
    0x00000040: "CKR_ENCRYPTED_DATA_INVALID",
    0x00000041: "CKR_ENCRYPTED_DATA_LEN_RANGE",
    0x00000042: "CKR_AEAD_DECRYPT_FAILED",
    0x00000050: "CKR_FUNCTION_CANCELED",
    0x00000051: "CKR_FUNCTION_NOT_PARALLEL",
    0x00000054: "CKR_FUNCTION_NOT_SUPPORTED",
    0x00000060: "CKR_KEY_HANDLE_INVALID",
    0x00000062: "CKR_KEY_SIZE_RANGE",
    0x00000063: "CKR_KEY_TYPE_INCONSISTENT",
    0x00000064: "CKR_KEY_NOT_NEEDED",
    0x00000065: "CKR_KEY_CHANGED",
    0x00000066: "CKR_KEY_NEEDED",
    0x00000067: "CKR_KEY_INDIGESTIBLE",
    0x00000068: "CKR_KEY_FUNCTION_NOT_PERMITTED",
    0x00000069: "CKR_KEY_NOT_WRAPPABLE",
    0x0000006A: "CKR_KEY_UNEXTRACTABLE",
    0x00000070: "CKR_MECHANISM_INVALID",
    0x00000071: "CKR_MECHANISM_PARAM_INVALID",
    0x00000082: "CKR_OBJECT_HANDLE_INVALID",
    0x00000090: "CKR_OPERATION_ACTIVE",
    0x00000091: "CKR_OPERATION_NOT_INITIALIZED",
    0x000000A0: "CKR_PIN_INCORRECT",
    0x000000A1: "CKR_PIN_INVALID",
    0x000000A2: "CKR_PIN_LEN_RANGE",
    0x000000A3: "CKR_PIN_EXPIRED",
    0x000000A4: "CKR_PIN_LOCKED",
    0x000000B0: "CKR_SESSION_CLOSED",
    0x000000B1: "CKR_SESSION_COUNT",
    0x000000B3: "CKR_SESSION_HANDLE_INVALID",
    0x000000B4: "CKR_SESSION_PARALLEL_NOT_SUPPORTED",
    0x000000B5: "CKR_SESSION_READ_ONLY",
    0x000000B6: "CKR_SESSION_EXISTS",
    0x000000B7: "CKR_SESSION_READ_ONLY_EXISTS",
    0x000000B8: "CKR_SESSION_READ_WRITE_SO_EXISTS",
    0x000000C0: "CKR_SIGNATURE_INVALID",
    0x000000C1: "CKR_SIGNATURE_LEN_RANGE",
    0x000000D0: "CKR_TEMPLATE_INCOMPLETE",
    0x000000D1: "CKR_TEMPLATE_INCONSISTENT",
    0x000000E0: "CKR_TOKEN_NOT_PRESENT",
    0x000000E1: "CKR_TOKEN_NOT_RECOGNIZED",
    0x000000E2: "CKR_TOKEN_WRITE_PROTECTED",
    0x000000F0: "CKR_UNWRAPPING_KEY_HANDLE_INVALID",
    0x000000F1: "CKR_UNWRAPPING_KEY_SIZE_RANGE",
    0x000000F2: "CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT",
    0x00000100: "CKR_USER_ALREADY_LOGGED_IN",
    0x00000101: "CKR_USER_NOT_LOGGED_IN",
    0x00000102: "CKR_USER_PIN_NOT_INITIALIZED",
    0x00000103: "CKR_USER_TYPE_INVALID",
    0x00000104: "CKR_USER_ANOTHER_ALREADY_LOGGED_IN",
    0x00000105: "CKR_USER_TOO_MANY_TYPES",
    0x00000110: "CKR_WRAPPED_KEY_INVALID",
    0x00000112: "CKR_WRAPPED_KEY_LEN_RANGE",
    0x00000113: "CKR_WRAPPING_KEY_HANDLE_INVALID",
    0x00000114: "CKR_WRAPPING_KEY_SIZE_RANGE",
    0x00000115: "CKR_WRAPPING_KEY_TYPE_INCONSISTENT",
    0x00000120: "CKR_RANDOM_SEED_NOT_SUPPORTED",
    0x00000121: "CKR_RANDOM_NO_RNG",
    0x00000130: "CKR_DOMAIN_PARAMS_INVALID",
    0x00000140: "CKR_CURVE_NOT_SUPPORTED",
    0x00000150: "CKR_BUFFER_TOO_SMALL",
    0x00000160: "CKR_SAVED_STATE_INVALID",
    0x00000170: "CKR_INFORMATION_SENSITIVE",
    0x00000180: "CKR_STATE_UNSAVEABLE",
    0x00000190: "CKR_CRYPTOKI_NOT_INITIALIZED",
    0x00000191: "CKR_CRYPTOKI_ALREADY_INITIALIZED",
    0x000001A0: "CKR_MUTEX_BAD",
    0x000001A1: "CKR_MUTEX_NOT_LOCKED",
    0x000001B0: "CKR_NEW_PIN_MODE",
    0x000001B1: "CKR_NEXT_OTP",
    0x000001B5: "CKR_EXCEEDED_MAX_ITERATIONS",
    0x000001B6: "CKR_FIPS_SELF_TEST_FAILED",
    0x000001B7: "CKR_LIBRARY_LOAD_FAILED",
    0x000001B8: "CKR_PIN_TOO_WEAK",
    0x000001B9: "CKR_PUBLIC_KEY_INVALID",
    0x00000200: "CKR_FUNCTION_REJECTED",
    0x00000201: "CKR_TOKEN_RESOURCE_EXCEEDED",
    0x00000202: "CKR_OPERATION_CANCEL_FAILED",
    0x00000203: "CKR_KEY_EXHAUSTED",
    0x00000204: "CKR_PENDING",
    0x00000205: "CKR_SESSION_ASYNC_NOT_SUPPORTED",
    0x00000206: "CKR_SEED_RANDOM_REQUIRED",
    0x00000207: "CKR_OPERATION_NOT_VALIDATED",
    0x00000208: "CKR_TOKEN_NOT_INITIALIZED",
    0x00000209: "CKR_PARAMETER_SET_NOT_SUPPORTED",
}

# The exception classes of python-pkcs11 carry neither a text nor the return value (trap T11): only the class tells. Its
# name is that of the value, but for these.
SPELT_OTHERWISE: dict[str, str] = {
    "AnotherUserAlreadyLoggedIn": "CKR_USER_ANOTHER_ALREADY_LOGGED_IN",
    "FunctionCancelled": "CKR_FUNCTION_CANCELED",
    "RandomNoRNG": "CKR_RANDOM_NO_RNG",
    "SessionReadWriteSOExists": "CKR_SESSION_READ_WRITE_SO_EXISTS",
    "SlotIDInvalid": "CKR_SLOT_ID_INVALID",
    "TokenNotRecognised": "CKR_TOKEN_NOT_RECOGNIZED",
}
CKR_OF_EXCEPTION: dict[str, str] = {
    **{name.removeprefix("CKR_").title().replace("_", ""): name for name in CKR_NAMES.values()},
    **SPELT_OTHERWISE,
}

# What it raises without a class of its own, by its text.
_TEXTS = {
    "Buffer was too small": "CKR_BUFFER_TOO_SMALL",
    "(already initialized)": "CKR_CRYPTOKI_ALREADY_INITIALIZED",
    "(not initialized)": "CKR_CRYPTOKI_NOT_INITIALIZED",
    "Parallel not supported": "CKR_SESSION_PARALLEL_NOT_SUPPORTED",
    "User type invalid": "CKR_USER_TYPE_INVALID",
}
_UNMAPPED = re.compile(r"Unmapped error code (0x[0-9a-f]+)", re.IGNORECASE)

_HINTS: dict[str, str] = {
    "CKR_ACTION_PROHIBITED": "the object's modifiable, copyable or destroyable is false",
    "CKR_ATTRIBUTE_READ_ONLY": "the token does not let this attribute be set",
    "CKR_ATTRIBUTE_TYPE_INVALID": "the token does not know one of the attributes; leave it out",
    "CKR_ATTRIBUTE_VALUE_INVALID": "the token refuses one of the values; check label, id, curve and attributes",
    "CKR_CURVE_NOT_SUPPORTED": "choose a curve that the token has",
    "CKR_DEVICE_ERROR": "check the HSM and its connection",
    "CKR_DEVICE_MEMORY": "the token is full; remove objects or enlarge it",
    "CKR_DEVICE_REMOVED": "check the HSM and its connection",
    "CKR_DOMAIN_PARAMS_INVALID": "choose a curve that the token has",
    "CKR_FUNCTION_FAILED": "the token gives no reason (policy, storage, availability); see the log of its library",
    "CKR_GENERAL_ERROR": "check that this user may read and write the token and that its storage is not full",
    "CKR_HOST_MEMORY": "free memory on the host or storage of the token",
    "CKR_KEY_SIZE_RANGE": "choose a size that the token has",
    "CKR_MECHANISM_INVALID": "the token does not have this mechanism; hsm_token_info lists those that it has",
    "CKR_OBJECT_HANDLE_INVALID": "another process removed the object; run the task again",
    "CKR_PIN_EXPIRED": "set a new PIN with the vendor's tool",
    "CKR_PIN_INCORRECT": "check the PIN; the login was tried once and is never repeated, because PINs lock",
    "CKR_PIN_INVALID": "the PIN holds a character that the token refuses",
    "CKR_PIN_LEN_RANGE": "the length of the PIN is outside what the token takes",
    "CKR_PIN_LOCKED": "the PIN is locked; let the security officer set it anew",
    "CKR_SESSION_COUNT": "the token has no free session; close other clients",
    "CKR_SESSION_READ_ONLY": "the token lets this client only read",
    "CKR_TEMPLATE_INCONSISTENT": "the token refuses this set of attributes; leave out what it does not have",
    "CKR_TOKEN_NOT_PRESENT": "check that the token is there",
    "CKR_TOKEN_WRITE_PROTECTED": "the token is write-protected",
    "CKR_USER_PIN_NOT_INITIALIZED": "the token has no user PIN yet; the security officer must set it",
    "CKR_USER_TYPE_INVALID": (
        "the token has no such user (crypto_user, user_type), or the PIN is wrong, which NetHSM's module tells so"
    ),
}


def ckr_name(value: int) -> str:
    """Name of the return value `value`; vendors' own values by their number, as `CKR_0x80000001`."""
    return CKR_NAMES.get(value, f"CKR_0x{value:08X}")


def ckr_of(error: Exception) -> str | None:
    """Name of the return value for which python-pkcs11 raises `error`; None where nobody answered anything."""
    text, kind = str(error), type(error).__name__
    unmapped = _UNMAPPED.search(text)
    if unmapped:
        return ckr_name(int(unmapped[1], 16))
    if kind in CKR_OF_EXCEPTION:
        return CKR_OF_EXCEPTION[kind]
    return next((name for part, name in _TEXTS.items() if part in text), None)


def ckr_hint(name: str) -> str:
    """What to do about the return value `name`, or an empty text where nothing general can be said."""
    return _HINTS.get(name, "")
