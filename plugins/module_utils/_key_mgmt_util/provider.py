# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The provider for key_mgmt_util and its relatives: azcloudhsm_util of Azure Cloud HSM, key_mgmt_tool of Alibaba."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._cluster_tool import provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import dialogue
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.session import KeyMgmtUtilSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.tool import Tool, private_folder
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Unable
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.user import User


class KeyMgmtUtilProvider(provider.ToolProvider):
    """Clusters of LiquidSecurity HSMs, through the tool that their vendors make of key_mgmt_util."""

    name = "key_mgmt_util"
    executable = "/opt/cloudhsm/bin/key_mgmt_util"
    answers_anybody = False
    requires = {**provider.ToolProvider.requires, "pexpect": dialogue.PEXPECT_IMPORT_ERROR}
    cannot = {
        **provider.ToolProvider.cannot,
        "token_label": Unable("the tool's client is configured for one cluster: choose it by executable", filters=True),
        "management_quorum": Unable("the tool has one value for use and management: use quorum"),
        "expect_token": Unable("the tool tells nothing to compare: use attest, which checks the firmware"),
    }

    @contextlib.contextmanager
    def session(self, *, writable: bool, threads: bool = False) -> t.Iterator[KeyMgmtUtilSession]:
        user, _password = self._login.credentials()
        with self.locked(), self._tools() as tools:
            yield KeyMgmtUtilSession(tools(), user, os.path.basename(self._login.executable), tools)

    def users(self) -> list[User]:
        with self._tools() as tools:
            return list(tools().users())

    @contextlib.contextmanager
    def _tools(self) -> t.Iterator[t.Callable[[], Tool]]:
        """Starts the tool and logs in, whenever it is called; in the end nothing of it is left."""
        with private_folder() as folder, contextlib.ExitStack() as stack:

            def start() -> Tool:
                tool = Tool(self._login.executable, folder)
                stack.callback(tool.close)
                tool.login(*self._login.credentials())
                return tool

            yield start
