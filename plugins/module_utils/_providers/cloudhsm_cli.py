# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The provider for the CloudHSM CLI of AWS (client SDK 5), in its single-command mode.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._login import ToolLogin, tool_login_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._proof import CRYPTOGRAPHY_IMPORT_ERROR
from ansible_collections.cryptoki.hsm.plugins.module_utils._providers.base import (
    NO_SLOTS,
    NOT_FOR_TOOLS,
    Params,
    Provider,
    TokenSession,
    Unable,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._public_key import ASN1CRYPTO_IMPORT_ERROR

EXECUTABLE = "/opt/cloudhsm/bin/cloudhsm-cli"
# Of `cluster hsm-info` (user guide, page cloudhsm_cli-cluster-hsm-info).
EXPECTABLE = (
    *("manufacturer", "model", "serial", "hardware_version", "firmware_version", "firmware_id", "fips_state"),
)


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
        "quorum": Unable("the CloudHSM CLI takes 0 or 2 to 8 (more than one user, or no quorum at all)", values=(1,)),
    }

    def __init__(self, login: ToolLogin, lock_timeout: float) -> None:
        self._login = login
        self._lock_timeout = lock_timeout

    @classmethod
    def connect(cls, params: Params, any_token: bool) -> tuple[CloudHsmCliProvider, ToolLogin]:
        login = tool_login_from(params, EXECUTABLE, EXPECTABLE, user_needed=not any_token)
        return cls(login, params["lock_timeout"]), login

    @contextlib.contextmanager
    def session(self, *, writable: bool, threads: bool = False) -> t.Iterator[TokenSession]:
        raise NotImplementedError
        yield
