# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The provider for key_mgmt_util and its relatives: azcloudhsm_util of Azure Cloud HSM, key_mgmt_tool of Alibaba.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.lock import LockError, LockTimeout, host_locks
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.dialogue import (
    PEXPECT_IMPORT_ERROR,
    Dialogue,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.session import KmuSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.tool import Tool, private_folder
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import ToolLogin, tool_login_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import (
    CRYPTOGRAPHY_IMPORT_ERROR,
    NO_SLOTS,
    NOT_FOR_TOOLS,
    Params,
    Provider,
    Unable,
    User,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.public_key import ASN1CRYPTO_IMPORT_ERROR

EXECUTABLE = "/opt/cloudhsm/bin/key_mgmt_util"


class KeyMgmtUtilProvider(Provider):
    """Clusters of LiquidSecurity HSMs, through the tool that their vendors make of key_mgmt_util."""

    name = "key_mgmt_util"
    persistent_handles = True
    requires = {
        "asn1crypto": ASN1CRYPTO_IMPORT_ERROR,
        "cryptography": CRYPTOGRAPHY_IMPORT_ERROR,
        "pexpect": PEXPECT_IMPORT_ERROR,
    }
    lacks = {"slots": NO_SLOTS}
    cannot = {
        **NOT_FOR_TOOLS,
        "token_label": Unable("the tool's client is configured for one cluster: choose it by executable", filters=True),
        "expect_token": Unable("the tool tells nothing to compare: use attest, which checks the firmware"),
    }

    def __init__(self, login: ToolLogin, lock_timeout: float) -> None:
        self._login = login
        self._lock_timeout = lock_timeout

    @classmethod
    def connect(cls, params: Params, any_token: bool) -> tuple[KeyMgmtUtilProvider, ToolLogin]:
        login = tool_login_from(params, EXECUTABLE, (), user_needed=True)  # every command needs a login
        return cls(login, params["lock_timeout"]), login

    @contextlib.contextmanager
    def session(self, *, writable: bool, threads: bool = False) -> t.Iterator[KmuSession]:
        user, _password = self._login.credentials()
        with self._locked(), self._tools() as tools:
            yield KmuSession(tools(), user, os.path.basename(self._login.executable), tools)

    @contextlib.contextmanager
    def _tools(self) -> t.Iterator[t.Callable[[], Tool]]:
        """Starts the tool and logs in, whenever it is called; in the end nothing of it is left."""
        with private_folder() as folder, contextlib.ExitStack() as stack:

            def start() -> Tool:
                dialogue = Dialogue(self._login.executable)
                stack.callback(dialogue.close)
                answer = dialogue.login(*self._login.credentials())
                return Tool(dialogue, answer.nodes, folder)

            yield start

    @contextlib.contextmanager
    def _locked(self) -> t.Iterator[None]:
        """The lock of this host for one tool, which knows one cluster."""
        executable = self._login.executable
        try:
            with host_locks([f"key_mgmt_util {os.path.realpath(executable)}"], self._lock_timeout):
                yield
        except LockTimeout as error:
            raise HsmError(
                f"Could not use {executable} within {self._lock_timeout:g} seconds: process"
                f" {error.holder_pid or 'unknown'} holds the lock {error.path}. Wait for it, or raise lock_timeout."
            ) from None
        except LockError as error:
            raise HsmError(f"Could not lock {executable} on this host: {error}.") from None

    def users(self) -> list[User]:
        with self._tools() as tools:
            return [
                User(
                    id=user.id,
                    name=user.name,
                    type=user.type,
                    two_factor=user.two_factor,
                    login_failures=user.login_failures,
                    quorum_key=user.quorum_key,
                )
                for user in tools().users()
            ]
