# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The provider of a cluster's tool: its login, its lock, and what no such tool can do."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._cluster_tool.login import ToolLogin, tool_login_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._host import lock
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import session
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors, public_key

_LIBRARY_ONLY = "it is for PKCS#11 libraries, and the cluster's tool has nothing like it; leave it out"
_NO_QUORUM = session.Unable("it takes 0, or 2 to 8: one user alone is no quorum", values=(1,))
_NO_CERTIFICATES = "the tools of clusters store no certificates; use the provider pkcs11, or keep them in files"
_ITSELF = "the cluster copies its keys itself: use min_servers"


class ToolProvider(session.Provider):
    """A cluster of HSMs, through the tool that its vendor installs on this host."""

    # The tool's usual path.
    executable: t.ClassVar[str]
    # What expect_token can pin of an HSM of the cluster.
    expectable: t.ClassVar[tuple[str, ...]] = ()
    # Whether some commands need no login.
    answers_anybody: t.ClassVar[bool]
    persistent_handles = True
    requires = {
        "asn1crypto": public_key.ASN1CRYPTO_IMPORT_ERROR,
        "cryptography >= 41": session.CRYPTOGRAPHY_IMPORT_ERROR,
    }
    lacks = {"slots": session.NO_SLOTS, "certificates": _NO_CERTIFICATES}
    # What every tool refuses, because it drives no library and knows no mechanisms.
    cannot = {
        "module_path": session.Unable(_LIBRARY_ONLY),
        "token_serial": session.Unable(_LIBRARY_ONLY, filters=True),
        "slot_id": session.Unable(_LIBRARY_ONLY, filters=True),
        "token_uri": session.Unable(_LIBRARY_ONLY),
        "library_environment": session.Unable(_LIBRARY_ONLY),
        "library_parameters": session.Unable(_LIBRARY_ONLY),
        "vendor_facts": session.Unable(_LIBRARY_ONLY),
        "vendor": session.Unable(_LIBRARY_ONLY, usual="auto"),
        "user_type": session.Unable(_LIBRARY_ONLY, usual="user"),
        "force_login": session.Unable(_LIBRARY_ONLY),
        "allowed_mechanisms": session.Unable("its tool has no such attribute: use usage"),
        "key_gen_mechanism": session.Unable(_LIBRARY_ONLY),
        "complete": session.Unable("its tool stores no public key; only the provider pkcs11 can"),
        # The tool tells no quorum of 1, and the HSMs of the CloudHSM CLI take none.
        "quorum": _NO_QUORUM,
        "management_quorum": _NO_QUORUM,
        "replicas": session.Unable(_ITSELF),
        "wrapping_key": session.Unable(_ITSELF),
    }

    def __init__(self, login: ToolLogin, lock_timeout: float) -> None:
        self._login = login
        self._lock_timeout = lock_timeout

    @classmethod
    def connect(cls, params: session.Params, any_token: bool) -> tuple[ToolProvider, ToolLogin]:
        login = tool_login_from(params, cls.executable, cls.expectable)
        if not (any_token and cls.answers_anybody):
            login.credentials()
        return cls(login, params["lock_timeout"]), login

    @contextlib.contextmanager
    def locked(self) -> t.Iterator[None]:
        """Holds the lock of this host for one tool and cluster."""
        executable = self._login.executable
        key = f"{self.name} {os.path.realpath(executable)} {self._login.cluster or ''}"
        try:
            with lock.host_locks([key], self._lock_timeout):
                yield
        except lock.LockTimeout as error:
            raise errors.HsmError(
                f"Could not use {executable} within {self._lock_timeout:g} seconds: process"
                f" {error.holder_pid or 'unknown'} holds the lock {error.path}. Wait for it, or raise lock_timeout."
            ) from None
        except lock.LockError as error:
            raise errors.HsmError(f"Could not lock {executable} on this host: {error}.") from None
