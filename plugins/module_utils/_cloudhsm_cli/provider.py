# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The provider for the CloudHSM CLI of AWS (client SDK 5), in its single-command mode."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli import lists
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.session import CloudHsmCliSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.tool import Tool
from ansible_collections.cryptoki.hsm.plugins.module_utils._cluster_tool import provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import token
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Unable
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.user import User
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

# The first version with commands for keys (release notes of the client SDK, 5.10.0).
_KEY_COMMANDS = (5, 10)


class CloudHsmCliProvider(provider.ToolProvider):
    """AWS CloudHSM, through the CloudHSM CLI."""

    name = "cloudhsm_cli"
    executable = "/opt/cloudhsm/bin/cloudhsm-cli"
    # Of `cluster hsm-info` (user guide of AWS CloudHSM, page cloudhsm_cli-cluster-hsm-info).
    expectable = (
        *("manufacturer", "model", "serial", "hardware_version", "firmware_version", "firmware_id", "fips_state"),
    )
    answers_anybody = True
    cannot = {
        **provider.ToolProvider.cannot,
        "replicas": Unable(
            "the cluster copies its keys itself: use min_servers; what copies them to another cluster (key replicate)"
            " needs a login to both in one command, and is for people"
        ),
        "attest": Unable(
            "the CloudHSM CLI has no attestation: pin the HSMs' firmware_id and fips_state with expect_token"
        ),
    }

    @contextlib.contextmanager
    def session(self, *, writable: bool, threads: bool = False) -> t.Iterator[CloudHsmCliSession]:
        with self.locked():
            tool = self._tool()
            hsms = self._hsms(tool)
            users = tool.users()
            self._check_user(users)
            yield CloudHsmCliSession(tool, self._login, hsms, users)

    def users(self) -> list[User]:
        tool = self._tool()
        if self._login.expect:
            self._hsms(tool)
        return tool.users()

    def identities(self) -> list[dict[str, str]]:
        return [dict(hsm.identity) for hsm in self._hsms(self._tool())]

    def _tool(self) -> Tool:
        tool = Tool(self._login)
        tool.require(_KEY_COMMANDS, "the management of keys")
        return tool

    def _hsms(self, tool: Tool) -> list[lists.Hsm]:
        """The HSMs of the cluster, each of which must be as expected; of a FIPS state its number is enough."""
        hsms = tool.hsms()
        for hsm in hsms:
            actual = dict(hsm.identity)
            number = actual["fips_state"].split(" ", 1)[0]
            if self._login.expect.get("fips_state") == number:
                actual["fips_state"] = number
            token.check_expected(f"HSM {hsm.serial}", self._login.expect, actual)
        return hsms

    def _check_user(self, users: t.Sequence[User]) -> None:
        """Refuses a login that cannot succeed, before it counts as a failure: after five the user is locked."""
        name, _password = self._login.credentials()
        named = [user for user in users if user.name == name]
        if not any(user.type == "CU" for user in named):
            kind = f"a user of the type {named[0].type}" if named else "no user"
            raise errors.HsmError(
                f"Refused to log in as '{name}': the cluster has {kind} of that name, and no crypto user."
            )
        if any(user.two_factor for user in named):
            raise errors.HsmError(
                f"Refused to log in as '{name}': that user has a second factor, which needs a token that is signed"
                " during the login, and a single command cannot wait for one; use a crypto user without."
            )
        if any(user.locked for user in named if user.type == "CU"):
            raise errors.HsmError(
                f"Refused to log in as '{name}': that user is locked; let an admin set a new password."
            )
