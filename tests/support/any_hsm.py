# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One view of an HSM for tests that every provider must pass: what a module does, and what is there, seen past it."""

from __future__ import annotations

import abc
import os
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.support.cluster import OWNER, OWNER_PASSWORD, Cluster
from ansible_collections.cryptoki.hsm.tests.support.cluster_runs import ClusterRuns
from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.module_run import Run, module_input
from ansible_collections.cryptoki.hsm.tests.support.task import Task

Half = t.Literal["public", "private"]


class Hsm(abc.ABC):
    """An HSM behind one provider. `broken`: searches fail from now on."""

    broken = False

    @abc.abstractmethod
    def start(self, module: str, *, check_mode: bool = False, **params: t.Any) -> Task:
        """Starts a module; None takes an option away."""

    def run(self, module: str, *, check_mode: bool = False, **params: t.Any) -> Run:
        """Runs a module to its end."""
        return self.start(module, check_mode=check_mode, **params).finish()

    @abc.abstractmethod
    def make(self, label: str, id_hex: str = "") -> None:
        """A P-256 pair that signs, made by another program."""

    @abc.abstractmethod
    def lose(self, label: str, half: Half) -> None:
        """Another program deletes one half of the only pair of a label."""

    @abc.abstractmethod
    def halves(self, label: str) -> list[str]:
        """The halves that a label has, sorted."""

    @abc.abstractmethod
    def content(self) -> str:
        """Everything that is there; equal texts say that nothing was touched."""

    @abc.abstractmethod
    def failed_logins(self) -> int:
        """How many logins failed, or were tried with a wrong password."""


class TokenHsm(Hsm):
    """SoftHSM over PKCS#11, through the interposer."""

    def __init__(self, token: FaultyToken) -> None:
        self._token = token
        self._logins = 0

    def start(self, module: str, *, check_mode: bool = False, **params: t.Any) -> Task:
        rules = "C_FindObjects instead return 0x30" if self.broken else ""
        return self._token.start(module, rules, check_mode=check_mode, **params)

    def make(self, label: str, id_hex: str = "") -> None:
        key_id = ["--id", id_hex] if id_hex else []
        self._token.pkcs11_tool("--keypairgen", "--key-type", "EC:prime256v1", "--label", label, *key_id)

    def lose(self, label: str, half: Half) -> None:
        kind = {"public": "pubkey", "private": "privkey"}[half]
        row = next(row for row in self._token.listing() if row.get("label") == label)
        self._token.pkcs11_tool("--delete-object", "--type", kind, "--id", row["id"])

    def halves(self, label: str) -> list[str]:
        return self._token.halves(label)

    def content(self) -> str:
        return "\n".join(sorted(str(sorted(row.items())) for row in self._token.listing()))

    def failed_logins(self) -> int:
        self._logins += self._token.calls().get("C_Login", 0)
        return self._logins


class ClusterHsm(Hsm):
    """A simulated cluster through one of its tools; what another program does, the CloudHSM CLI does."""

    def __init__(self, folder: Path, provider: str) -> None:
        self._cluster = Cluster(folder, nodes=2)
        self._cli = self._cluster.install_cloudhsm_cli()
        tool = self._cli if provider == "cloudhsm_cli" else self._cluster.install_key_mgmt_util()
        self._runs = ClusterRuns(self._cluster, provider, tool)

    def start(self, module: str, *, check_mode: bool = False, **params: t.Any) -> Task:
        self._cluster.clear_faults()
        if self.broken:
            for command in ("key list", "findKey"):
                self._cluster.set_fault("half", command)
        given = {name: value for name, value in {**self._runs.login(), **params}.items() if value is not None}
        return Task(module, module_input(check_mode, given))

    def _other(self, *words: str) -> None:
        self._cluster.clear_faults()
        environment = {"CLOUDHSM_ROLE": "crypto-user", "CLOUDHSM_PIN": f"{OWNER}:{OWNER_PASSWORD}"}
        subprocess.run([self._cli, *words], env={**os.environ, **environment}, check=True, capture_output=True)

    def make(self, label: str, id_hex: str = "") -> None:
        words = ["key", "generate-asymmetric-pair", "ec", "--curve", "secp256r1"]
        words += ["--public-label", label, "--private-label", label]
        key_id = [f"id=0x{id_hex}"] if id_hex else []
        self._other(*words, "--public-attributes", "verify=true", *key_id, "--private-attributes", "sign=true", *key_id)

    def lose(self, label: str, half: Half) -> None:
        self._other("key", "delete", "--filter", f"attr.label={label}", f"attr.class={half}-key")

    def halves(self, label: str) -> list[str]:
        return sorted(key.key_class.removesuffix("-key") for key in self._cluster.held(label))

    def content(self) -> str:
        return "\n".join(str(key) for key in self._cluster.held())

    def failed_logins(self) -> int:
        return self._cluster.user(OWNER).failures
