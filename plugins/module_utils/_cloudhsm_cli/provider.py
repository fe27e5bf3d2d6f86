# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The provider for the CloudHSM CLI of AWS (client SDK 5), in its single-command mode.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.lists import Hsm
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.session import CliSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.tool import Tool, too_old
from ansible_collections.cryptoki.hsm.plugins.module_utils._host.lock import LockError, LockTimeout, host_locks
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
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import check_expected
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.public_key import ASN1CRYPTO_IMPORT_ERROR

EXECUTABLE = "/opt/cloudhsm/bin/cloudhsm-cli"
# Of `cluster hsm-info` (user guide of AWS CloudHSM, page cloudhsm_cli-cluster-hsm-info).
EXPECTABLE = (
    *("manufacturer", "model", "serial", "hardware_version", "firmware_version", "firmware_id", "fips_state"),
)
# The first version with commands for keys (release notes of the client SDK, 5.10.0).
_KEY_COMMANDS = (5, 10)


class CloudHsmCliProvider(Provider):
    """AWS CloudHSM, through the CloudHSM CLI."""

    name = "cloudhsm_cli"
    persistent_handles = True
    requires = {"asn1crypto": ASN1CRYPTO_IMPORT_ERROR, "cryptography": CRYPTOGRAPHY_IMPORT_ERROR}
    lacks = {"slots": NO_SLOTS}
    cannot = {
        **NOT_FOR_TOOLS,
        "attest": Unable(
            "the CloudHSM CLI has no attestation: pin the HSMs' firmware_id and fips_state with expect_token"
        ),
        "quorum": Unable("the CloudHSM CLI takes 0, or 2 to 8: one user alone is no quorum", values=(1,)),
    }

    def __init__(self, login: ToolLogin, lock_timeout: float) -> None:
        self._login = login
        self._lock_timeout = lock_timeout

    @classmethod
    def connect(cls, params: Params, any_token: bool) -> tuple[CloudHsmCliProvider, ToolLogin]:
        login = tool_login_from(params, EXECUTABLE, EXPECTABLE, user_needed=not any_token)
        return cls(login, params["lock_timeout"]), login

    @contextlib.contextmanager
    def session(self, *, writable: bool, threads: bool = False) -> t.Iterator[CliSession]:
        with self._locked():
            tool = Tool(self._login)
            version = self._version(tool)
            hsms = tool.hsms()
            self._check_identity(hsms)
            users = tool.users()
            self._check_user(users)
            yield CliSession(tool, self._login, version, hsms, users)

    def users(self) -> list[User]:
        tool = Tool(self._login)
        self._version(tool)
        self._check_identity(tool.hsms() if self._login.expect else [])
        return tool.users()

    def identities(self) -> list[dict[str, str]]:
        tool = Tool(self._login)
        self._version(tool)
        hsms = tool.hsms()
        self._check_identity(hsms)
        return [dict(hsm.identity) for hsm in hsms]

    @staticmethod
    def _version(tool: Tool) -> tuple[int, ...]:
        version = tool.version()
        refusal = too_old(version, _KEY_COMMANDS, "the management of keys")
        if refusal:
            raise refusal
        return version

    @contextlib.contextmanager
    def _locked(self) -> t.Iterator[None]:
        """The lock of this host for one cluster."""
        key = f"cloudhsm_cli {os.path.realpath(self._login.executable)} {self._login.cluster or ''}"
        try:
            with host_locks([key], self._lock_timeout):
                yield
        except LockTimeout as error:
            raise HsmError(
                f"Could not use {self._login.executable} within {self._lock_timeout:g} seconds: process"
                f" {error.holder_pid or 'unknown'} holds the lock {error.path}. Wait for it, or raise lock_timeout."
            ) from None
        except LockError as error:
            raise HsmError(f"Could not lock {self._login.executable} on this host: {error}.") from None

    def _check_identity(self, hsms: t.Sequence[Hsm]) -> None:
        """Every HSM of the cluster must be as expected; of a FIPS state its number is enough."""
        for hsm in hsms:
            actual = dict(hsm.identity)
            number = actual["fips_state"].split(" ", 1)[0]
            if self._login.expect.get("fips_state") == number:
                actual["fips_state"] = number
            check_expected(f"HSM {hsm.serial}", self._login.expect, actual)

    def _check_user(self, users: t.Sequence[User]) -> None:
        """Refuses a login that cannot succeed, before it counts as a failure: after five the user is locked."""
        name, _password = self._login.credentials()
        named = [user for user in users if user.name == name]
        if not any(user.type == "CU" for user in named):
            kind = f"a user of the type {named[0].type}" if named else "no user"
            raise HsmError(f"Refused to log in as '{name}': the cluster has {kind} of that name, and no crypto user.")
        if any(user.locked for user in named if user.type == "CU"):
            raise HsmError(f"Refused to log in as '{name}': that user is locked; let an admin set a new password.")
