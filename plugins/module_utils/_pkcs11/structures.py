# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The structures that a PKCS#11 library fills, for ctypes: of PKCS#11 2.40 and 3.x for Unix (natural alignment)."""

from __future__ import annotations

import ctypes
import typing as t

CK_ULONG = ctypes.c_ulong
UNAVAILABLE = CK_ULONG(-1).value  # CK_UNAVAILABLE_INFORMATION, section 3.1


def _ulongs(names: str) -> tuple[tuple[str, t.Any], ...]:
    """Members that are CK_ULONG, as most are."""
    return tuple((name, CK_ULONG) for name in names.split())


class CkVersion(ctypes.Structure):
    """CK_VERSION."""

    _fields_ = (("major", ctypes.c_ubyte), ("minor", ctypes.c_ubyte))


class FunctionList(ctypes.Structure):
    """CK_FUNCTION_LIST."""

    _fields_ = (("version", CkVersion), ("functions", ctypes.c_void_p * 68))


class CkInfo(ctypes.Structure):
    """CK_INFO."""

    _fields_ = (
        ("cryptoki_version", CkVersion),
        ("manufacturer_id", ctypes.c_char * 32),
        ("flags", CK_ULONG),
        ("library_description", ctypes.c_char * 32),
        ("library_version", CkVersion),
    )


class CkSlotInfo(ctypes.Structure):
    """CK_SLOT_INFO."""

    _fields_ = (
        ("slot_description", ctypes.c_char * 64),
        ("manufacturer_id", ctypes.c_char * 32),
        ("flags", CK_ULONG),
        ("hardware_version", CkVersion),
        ("firmware_version", CkVersion),
    )


class CkMechanismInfo(ctypes.Structure):
    """CK_MECHANISM_INFO. All zero when it is made, which matters: SoftHSM 2.6.1 adds its flags to what is there."""

    _fields_ = _ulongs("min_key_size max_key_size flags")


class CkMechanism(ctypes.Structure):
    """CK_MECHANISM; keeps its parameter alive as long as it lives."""

    _fields_ = (("mechanism", CK_ULONG), ("parameter", ctypes.c_void_p), ("length", CK_ULONG))

    def __init__(self, mechanism: int, parameter: ctypes.Structure | None = None) -> None:
        super().__init__(mechanism)
        self.kept = parameter
        if parameter is not None:
            self.parameter, self.length = ctypes.addressof(parameter), ctypes.sizeof(parameter)


class CkPssParams(ctypes.Structure):
    """CK_RSA_PKCS_PSS_PARAMS."""

    _fields_ = _ulongs("hash mgf salt_length")


class CkOaepParams(ctypes.Structure):
    """CK_RSA_PKCS_OAEP_PARAMS."""

    _fields_ = (*_ulongs("hash mgf source"), ("source_data", ctypes.c_void_p), ("source_length", CK_ULONG))


class CkEcdhParams(ctypes.Structure):
    """CK_ECDH1_DERIVE_PARAMS."""

    _fields_ = (
        *_ulongs("kdf shared_length"),
        ("shared_data", ctypes.c_void_p),
        ("public_length", CK_ULONG),
        ("public_data", ctypes.c_char_p),
    )


class CkTokenInfo(ctypes.Structure):
    """CK_TOKEN_INFO."""

    _fields_ = (
        ("label", ctypes.c_char * 32),
        ("manufacturer_id", ctypes.c_char * 32),
        ("model", ctypes.c_char * 16),
        ("serial_number", ctypes.c_char * 16),
        *_ulongs("flags max_session_count session_count max_rw_session_count rw_session_count max_pin_len min_pin_len"),
        *_ulongs("total_public_memory free_public_memory total_private_memory free_private_memory"),
        ("hardware_version", CkVersion),
        ("firmware_version", CkVersion),
        ("utc_time", ctypes.c_char * 16),
    )


class CkSessionInfo(ctypes.Structure):
    """CK_SESSION_INFO."""

    _fields_ = _ulongs("slot_id state flags device_error")


def field_bytes(structure: ctypes.Structure, name: str) -> bytes:
    """All bytes of a `char` array; the attribute access of ctypes would end at the first NUL."""
    field = getattr(type(structure), name)
    return bytes(memoryview(structure).cast("B")[field.offset : field.offset + field.size])


def field_text(structure: ctypes.Structure, name: str) -> str:
    """A padded text of a structure; what is no UTF-8 in it is escaped."""
    return field_bytes(structure, name).rstrip(b" \0").decode(errors="backslashreplace")


def version(pair: CkVersion) -> str:
    """A CK_VERSION as `major.minor`."""
    return f"{pair.major}.{pair.minor}"
