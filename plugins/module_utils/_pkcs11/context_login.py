# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The PIN for each use of a key with always_authenticate (PKCS#11 3.1, section 5.6.8, CKU_CONTEXT_SPECIFIC).

It is given once a use, and never again once the token refused it: some tokens have another PIN for this, and count.
Nobody stands at a PIN pad while a task runs, so that a key of such a token is not used at all.
"""

from __future__ import annotations

import contextlib
import threading
import weakref

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import token
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import signer
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.library import Library
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.mechanism import with_parameter
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors, mechanisms

ASKS = "always_authenticate asks for the PIN at each use"
NO_PIN = f"{ASKS}, and this task has none to give"
_CONTEXT_SPECIFIC = 2  # CKU_CONTEXT_SPECIFIC, section 3.4
_MAY_LOCK = token.TokenFlag.USER_PIN_LOCKED | token.TokenFlag.USER_PIN_FINAL_TRY
# A token that does not want it after all; what it does then is seen.
_NOT_WANTED = ("CKR_USER_ALREADY_LOGGED_IN", "CKR_OPERATION_NOT_INITIALIZED")
# Who was refused; threads share a library and ask one after the other.
_refused: weakref.WeakKeyDictionary[Library, errors.TokenError] = weakref.WeakKeyDictionary()
_one_asks = threading.Lock()


def pin_of(library: Library) -> str | None:
    """What it was logged in with; None where somebody did that at a PIN pad."""
    pin = library.login.get("user_pin")
    return pin if isinstance(pin, str) else None


class AskingSigner(signer.Pkcs11Signer):
    """A private half that wants the PIN at each use."""

    def barred(self) -> str | None:
        if pin_of(self._library) is None:
            return NO_PIN
        if self._library in _refused:
            return f"{ASKS}, and the token refused it ({_refused[self._library].ckr})"
        if self._library.token(self._token.slot_id).flags & _MAY_LOCK:
            return f"{ASKS}, and a wrong one would lock it now (CKF_USER_PIN_FINAL_TRY)"
        return None

    def _output(self, what: str, function: str, mechanism: mechanisms.Mechanism, data: bytes) -> bytes:
        self._session.call(what, f"{function}Init", with_parameter(mechanism), self._found.handle)
        try:
            with _one_asks:
                self._log_in()
        except errors.TokenError:
            with contextlib.suppress(errors.TokenError):
                self._session.output(what, function, data)  # it is refused, and that ends it for the session
            raise
        return self._session.output(what, function, data)

    def _log_in(self) -> None:
        """Gives the PIN for what was just begun; raises `TokenError`, which is final."""
        if self._library in _refused:
            raise _refused[self._library]
        try:
            what, pin = f"log in for one use of the private key '{self._found.label}'", pin_of(self._library)
            self._session.call(what, "C_Login", _CONTEXT_SPECIFIC, (pin or "").encode())
        except errors.TokenError as error:
            if error.ckr not in _NOT_WANTED:
                error.final = True
                _refused[self._library] = error
                raise
