# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules that are run on a simulated cluster, through one of its tools."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.support.cluster import OWNER, OWNER_PASSWORD, Cluster
from ansible_collections.cryptoki.hsm.tests.support.module_run import Run, run_module


class ClusterRuns:
    """A cluster with an installed tool, and the provider that drives it."""

    def __init__(self, cluster: Cluster, provider: str, executable: Path) -> None:
        self.cluster = cluster
        self.provider = provider
        self.executable = executable

    def login(self) -> dict[str, t.Any]:
        """The options that reach the cluster."""
        return {
            "provider": self.provider,
            "executable": str(self.executable),
            "crypto_user": OWNER,
            "pin": OWNER_PASSWORD,
        }

    def run(self, module: str, *, check_mode: bool = False, **params: t.Any) -> Run:
        """Runs a module; `params` win over the login's, None takes one away. The calls of the tool are its own."""
        self.cluster.forget_calls()
        given = {name: value for name, value in {**self.login(), **params}.items() if value is not None}
        return run_module(module, given, check_mode=check_mode)

    def rsa(self, **params: t.Any) -> Run:
        """Runs hsm_rsa_keypair."""
        return self.run("hsm_rsa_keypair", **params)

    def ecc(self, **params: t.Any) -> Run:
        """Runs hsm_ecc_keypair."""
        return self.run("hsm_ecc_keypair", **params)

    def halves(self, label: str) -> list[str]:
        """The classes of the keys of a label, as the cluster itself has them."""
        return sorted(key.key_class for key in self.cluster.held(label))
