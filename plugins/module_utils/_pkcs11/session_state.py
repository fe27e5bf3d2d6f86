# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a session says of its login."""

from __future__ import annotations

import ctypes

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import functions, structures

# Section 5.6.4: CK_SESSION_INFO, state.
_STATES = ("ro_public", "ro_user", "rw_public", "rw_user", "rw_so")


class CkSessionInfo(ctypes.Structure):
    """CK_SESSION_INFO."""

    _fields_ = structures.ulongs("slot_id state flags device_error")


def asked(library: functions.Functions, session: int) -> tuple[int, str]:
    """C_GetSessionInfo (section 5.6.4), its state as a word."""
    info = CkSessionInfo()
    return library.call("C_GetSessionInfo", session, info), word(info.state)


def word(state: int) -> str:
    """Read-only or read/write, and who has logged in."""
    return _STATES[state] if state < len(_STATES) else f"0x{state:x}"
