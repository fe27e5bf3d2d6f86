# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The structures that a PKCS#11 library fills, for ctypes: of PKCS#11 2.40 and 3.x for Unix (natural alignment)."""

from __future__ import annotations

import ctypes
import typing as t

CK_ULONG = ctypes.c_ulong
UNAVAILABLE = CK_ULONG(-1).value  # CK_UNAVAILABLE_INFORMATION, section 3.1


def ulongs(names: str) -> tuple[tuple[str, t.Any], ...]:
    """Members that are CK_ULONG, as most are."""
    return tuple((name, CK_ULONG) for name in names.split())


class CkVersion(ctypes.Structure):
    """CK_VERSION."""

    _fields_ = (("major", ctypes.c_ubyte), ("minor", ctypes.c_ubyte))


class FunctionList(ctypes.Structure):
    """CK_FUNCTION_LIST."""

    _fields_ = (("version", CkVersion), ("functions", ctypes.c_void_p * 68))


class CkTokenInfo(ctypes.Structure):
    """CK_TOKEN_INFO."""

    _fields_ = (
        ("label", ctypes.c_char * 32),
        ("manufacturer_id", ctypes.c_char * 32),
        ("model", ctypes.c_char * 16),
        ("serial_number", ctypes.c_char * 16),
        *ulongs("flags max_session_count session_count max_rw_session_count rw_session_count max_pin_len min_pin_len"),
        *ulongs("total_public_memory free_public_memory total_private_memory free_private_memory"),
        ("hardware_version", CkVersion),
        ("firmware_version", CkVersion),
        ("utc_time", ctypes.c_char * 16),
    )


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
