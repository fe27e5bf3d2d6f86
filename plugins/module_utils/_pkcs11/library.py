# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one adapter over python-pkcs11: everything that this collection asks of a PKCS#11 library goes through here.

T1 to T14 in comments are the traps of python-pkcs11 0.10 and of tokens that `docs/traps.md` tells, with what is done
about each. What no comment can say: a library is finalised and never unloaded, since unloading leaves dangling
pointers (T10), and a PIN is encoded here first and no exception is chained to another, since it may hold the PIN (T13).
"""

from __future__ import annotations

import ctypes
import os
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import (
    DeadSlot,
    LibraryInfo,
    TokenFlag,
    TokenInfo,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import calls, functions, structures
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.gate import Gate
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

try:
    import pkcs11
    from pkcs11._pkcs11 import lib as _Lib
except ImportError:
    _Lib = object  # type: ignore[assignment,misc]


# Who logs in, as messages call them, with the CK_USER_TYPE: PKCS#11 3.1, section 3.4, and Luna's CKU_LIMITED_USER.
USERS = {"security officer": 0, "user": 1, "limited user": 0x80000001}


def token_info(slot_id: int, info: structures.CkTokenInfo) -> TokenInfo:
    """What this collection goes by of a token."""
    return TokenInfo(
        slot_id=slot_id,
        label=structures.field_text(info, "label"),
        manufacturer=structures.field_text(info, "manufacturer_id"),
        model=structures.field_text(info, "model"),
        serial=structures.field_text(info, "serial_number"),
        hardware_version=structures.version(info.hardware_version),
        firmware_version=structures.version(info.firmware_version),
        flags=TokenFlag(info.flags & sum(TokenFlag)),
        pin_length_min=info.min_pin_len,
        pin_length_max=info.max_pin_len,
    )


class _InitialisedLib(_Lib):
    """python-pkcs11's part of a library that is initialised by us, as python-pkcs11 cannot (T1)."""

    def initialize(self) -> None:
        """Called by its constructor for C_Initialize."""


class Library:
    """A loaded and initialised PKCS#11 library; close it when all sessions are closed.

    `threads`: several shall work with it at once; afterwards, whether they may.
    `parameters`: the text that the library is initialised with, where it wants one.
    """

    def __init__(
        self, path: str, environment: t.Mapping[str, str], threads: bool = False, parameters: str | None = None
    ) -> None:
        os.environ.update(environment)
        try:
            self.functions = functions.Functions(path)
        except (OSError, AttributeError) as error:
            raise errors.HsmError(f"Could not load the PKCS#11 library {path}: {error}. Check module_path.") from None
        self.threads = threads
        self._gate = Gate()
        try:
            self._lib = self._initialised(path, parameters)
        except errors.TokenError as error:
            from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import failed_start

            raise failed_start.start_failure(path, error, parameters) from None
        major, minor = self._lib.library_version
        self.info = LibraryInfo(path, self._lib.manufacturer_id, self._lib.library_description, f"{major}.{minor}")
        self._slots: dict[int, t.Any] = {}
        self.login: dict[str, t.Any] = {}
        self._refused: errors.TokenError | None = None

    def _initialised(self, path: str, parameters: str | None) -> t.Any:
        """The library, with locking if threads want it and it has any (PKCS#11 3.1, section 5.4.1)."""
        part: t.Any = _InitialisedLib
        with calls.attempt(f"initialise the PKCS#11 library {path}"):
            lib = part.__new__(part, path)
            # One reference that nobody drops: python-pkcs11 would unload it (T10), or fail to, at the end of Python.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(lib))
            self.functions.share(lib)
            if self.threads:
                rv = self.functions.initialize(functions.CKF_OS_LOCKING_OK, parameters)
                self.threads = rv not in (functions.CKR_CANT_LOCK, functions.CKR_ARGUMENTS_BAD)
            if not self.threads:
                rv = self.functions.initialize(0, parameters)
            calls.check(rv, f"initialise the PKCS#11 library {path}")
            lib.__init__(path)
        return lib

    def close(self) -> None:
        """C_Finalize, never more (T10); what it answers changes nothing any more."""
        self.functions.call("C_Finalize", None)

    def slots(self) -> list[TokenInfo | DeadSlot]:
        """What each slot holds; slots without a token are left out, dead ones are told (T7)."""
        what = f"list the slots of {self.info.path}"
        with calls.attempt(what):
            calls.check(self.functions.slot_count(), what)  # python-pkcs11 walks through as many as the library says
            self._slots = {slot.slot_id: slot for slot in self._lib.get_slots()}
        empty = (functions.CKR_TOKEN_NOT_PRESENT, functions.CKR_TOKEN_NOT_RECOGNIZED)
        answers = [(slot_id, *self.functions.token_info(slot_id)) for slot_id in self._slots]
        return [
            token_info(slot_id, info) if rv == functions.CKR_OK else DeadSlot(slot_id, functions.rv_name(rv))
            for slot_id, rv, info in answers
            if rv not in empty
        ]

    def token(self, slot_id: int) -> TokenInfo:
        """The token in one slot, read again."""
        rv, info = self.functions.token_info(slot_id)
        calls.check(rv, f"read the token in slot {slot_id}")
        return token_info(slot_id, info)

    def open(self, token: TokenInfo, pin: str | None, *, rw: bool, user: str = "user") -> calls.Session:
        """The one session of this process with a token (T4), logged in when there is a PIN.

        A failed login is final: it is not tried again, and leaves no session behind (T3).
        """
        self.login = {"user_pin": pin, "user_type": USERS[user]}
        if pin is None:
            pin_pad = token.flags & TokenFlag.PROTECTED_AUTHENTICATION_PATH
            self.login = {**self.login, "user_pin": pkcs11.PROTECTED_AUTH} if pin_pad else {}
        try:
            with calls.attempt(f"log in as {user} to the token {token}" if self.login else f"open the token {token}"):
                session = self._opened(token, rw, self.login)
        except errors.TokenError as error:
            self.functions.call("C_CloseAllSessions", token.slot_id)
            error.final = True
            raise
        return calls.Session(self.functions, session, str(token), self._gate)

    def open_further(self, token: TokenInfo, *, rw: bool, login: bool = False) -> calls.Session:
        """Another session with a token that this process is logged in to, which holds for all of them (T4).

        `login`: it does not on this token, so that each session logs in. Once one was refused, none is tried again.
        """
        if self._refused:
            raise self._refused
        try:
            with calls.attempt(f"open another session with the token {token}"):
                session = self._opened(token, rw, self.login if login else {})
        except errors.TokenError as error:
            if login and error.ckr == "CKR_USER_ALREADY_LOGGED_IN":  # it does hold for all
                self.login = {}  # nor is it tried again, since each refused one leaves a session (T3)
                return self.open_further(token, rw=rw)
            if login and error.ckr != "CKR_SESSION_COUNT":
                self._refused = error
            raise
        return calls.Session(self.functions, session, str(token), self._gate)

    def _opened(self, token: TokenInfo, rw: bool, login: t.Mapping[str, t.Any]) -> t.Any:
        return self._slots[token.slot_id].get_token().open(rw=rw, **login)
