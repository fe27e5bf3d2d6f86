# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated cluster of HSMs for a test: its tools installed as executables, its users, nodes, settings and faults.

The tools are tests/simulators/; they need nothing but Python, SoftHSM, OpenSC's pkcs11-tool and OpenSSL.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.simulators.cluster import keys, material
from ansible_collections.cryptoki.hsm.tests.simulators.cluster import state as cluster_state
from ansible_collections.cryptoki.hsm.tests.simulators.cluster.faults import KINDS

TESTS = Path(__file__).absolute().parents[1]
OWNER = "crypto_user"
OWNER_PASSWORD = "74-owner-9315"
_PROGRAMS = ("pkcs11-tool", "softhsm2-util", "openssl")


class Cluster:
    """A cluster in a folder, made there if there is none.

    A new one has `nodes` HSMs, an admin, the appliance's user and one crypto user, whose id is 3 as in the
    documentation of key_mgmt_util.
    """

    def __init__(self, folder: Path, nodes: int = 2, *, first_node: int = 0, **settings: t.Any) -> None:
        self.folder = folder
        if not (folder / "state.json").exists():
            self._make([*range(first_node, first_node + nodes)])
        self.set(**settings)

    def _make(self, nodes: list[int]) -> None:
        tokens = self.folder / "tokens"
        tokens.mkdir(parents=True)
        configuration = f"directories.tokendir = {tokens}\nobjectstore.backend = file\n"
        (self.folder / "softhsm2.conf").write_text(configuration)
        state = cluster_state.State(folder=self.folder, tools=_tools())
        state.users = [cluster_state.User(1, "admin", "PCO"), cluster_state.User(2, "app_user", "AU")]
        # the serial numbers of the sample in AWS cloudhsm_cli-cluster-hsm-info are of this form
        serials = (f"5.3G1941-ICM{590 + 35 * index:06d}" for index in range(len(nodes)))
        state.nodes = [cluster_state.Node(number, serial) for number, serial in zip(nodes, serials, strict=True)]
        pins = ("--so-pin", "cluster-officer", "--pin", material.PIN)
        material.run(state, "softhsm2-util", "--init-token", "--free", "--label", material.LABEL, *pins)
        state.save()
        self.add_user(OWNER, OWNER_PASSWORD)

    def install(self, simulator: str, path: Path, **variables: str) -> Path:
        """Puts a launcher of a simulator at a path; it carries all that the simulator needs to know."""
        given = {cluster_state.FOLDER_VARIABLE: str(self.folder), **variables}
        words = " ".join(f"{name}={shlex.quote(value)}" for name, value in given.items())
        start = f"import sys; sys.path[0] = {str(TESTS)!r}; from simulators import {simulator} as tool"
        code = f"{start}; sys.exit(tool.main(sys.argv[1:]))"
        # the tool sees nothing of the caller's environment; what is compiled goes where the tests want it
        cache = os.environ.get("PYTHONPYCACHEPREFIX")
        options = ["-ES", *(["-X", f"pycache_prefix={cache}"] if cache else [])]
        command = " ".join(map(shlex.quote, (sys.executable, *options, "-c", code)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\n{words} exec {command} "$@"\n')
        path.chmod(0o755)
        return path

    def install_cloudhsm_cli(self, folder: Path | None = None, name: str = "cloudhsm-cli", **variables: str) -> Path:
        """Installs CloudHSM CLI; returns the executable."""
        return self.install("cloudhsm_cli", (folder or self.folder / "bin") / name, **variables)

    def install_key_mgmt_util(
        self, folder: Path | None = None, name: str = "key_mgmt_util", spelling: str = "aws", **variables: str
    ) -> Path:
        """Installs key_mgmt_util or one of its relatives; `spelling` chooses how its outputs are written."""
        given = {"CLUSTER_SIMULATOR_SPELLING": spelling, **variables}
        return self.install("key_mgmt_util", (folder or self.folder / "bin") / name, **given)

    def set(self, **settings: t.Any) -> None:
        """Changes settings; cluster/state.py lists them."""
        unknown = set(settings) - set(cluster_state.SETTINGS)
        if unknown:
            raise ValueError(f"There are no settings {unknown}")
        with cluster_state.opened(self.folder) as state:
            state.settings.update(settings)

    def add_user(
        self, name: str, password: str = "", kind: str = "CU", number: int | None = None, coverage: str = "full"
    ) -> int:
        """Adds a user; returns the id, which key_mgmt_util wants."""
        with cluster_state.opened(self.folder) as state:
            number = number or max(user.id for user in state.users) + 1
            state.users.append(
                cluster_state.User(number, name.lower(), kind, cluster_state.hash_of(password), coverage=coverage)
            )
            return number

    def user(self, name: str) -> cluster_state.User:
        """A user as the cluster has it."""
        found = self.state().user(name)
        if found is None:
            raise ValueError(f"There is no user {name}")
        return found

    def unlock(self, name: str, password: str) -> None:
        """What an admin does after a lock-out: a new password."""
        with cluster_state.opened(self.folder) as state:
            user = state.user(name)
            assert user is not None
            user.password, user.locked, user.failures = cluster_state.hash_of(password), False, 0

    def stop_node(self, number: int) -> None:
        """An HSM that cannot be reached; it keeps what it has and gets nothing new."""
        with cluster_state.opened(self.folder) as state:
            next(node for node in state.nodes if node.id == number).running = False

    def start_node(self, number: int) -> None:
        """It comes back, and gets what it lacks after the delay of the synchronisation."""
        with cluster_state.opened(self.folder) as state:
            next(node for node in state.nodes if node.id == number).running = True
            keys.synchronise(state, number)

    def next_handles(self, *handles: int) -> None:
        """Handles that the next keys get: public half first."""
        with cluster_state.opened(self.folder) as state:
            state.handles += handles

    def set_fault(self, kind: str, command: str = "", **values: t.Any) -> None:
        """Adds a fault for commands that start so; cluster/faults.py lists kinds and values (times, skip, after, …)."""
        if kind not in KINDS:
            raise ValueError(f"There is no fault {kind}")
        with cluster_state.opened(self.folder) as state:
            state.faults.append({"kind": kind, "command": command, **values})

    def clear_faults(self) -> None:
        """Everything works again."""
        with cluster_state.opened(self.folder) as state:
            state.faults.clear()

    def state(self) -> cluster_state.State:
        """Everything that the cluster holds, to look at."""
        return cluster_state.read(self.folder)

    def held(self, label: str | None = None) -> list[cluster_state.Key]:
        """The keys, or those of a label."""
        return [key for key in self.state().keys if label in (None, key.label)]

    def calls(self, command: str = "") -> list[str]:
        """The commands that were run, as `tool: command`."""
        return [call for call in self.state().calls if command in call]

    def forget_calls(self) -> None:
        """Starts to count anew."""
        with cluster_state.opened(self.folder) as state:
            state.calls.clear()

    def pkcs11_tool(self, *arguments: str) -> str:
        """Output of pkcs11-tool, logged in to the token with the real keys (ids there are `Key.material`)."""
        return material.token_tool(self.state(), *arguments).decode(errors="replace")

    def public_key(self, label: str) -> str:
        """The public key of a pair in PEM, as the token has it."""
        return material.pem(next(key for key in self.held(label)).public["der"])

    def sign(self, label: str, data: bytes, mechanism: str, hash_name: str = "sha256") -> bytes:
        """A signature by the real private key, past all rules of the cluster."""
        key = next(key for key in self.held(label) if key.key_class == "private-key")
        return material.sign(self.state(), key.material, mechanism, hash_name, data)


def run(executable: Path, *words: str, **options: t.Any) -> subprocess.CompletedProcess[str]:
    """Runs an installed tool as a person would in a shell."""
    return subprocess.run([str(executable), *words], text=True, capture_output=True, check=False, **options)


def _tools() -> dict[str, str]:
    """Where the programs are; they are called by a child with an environment of its own."""
    found = {name: shutil.which(name) or name for name in _PROGRAMS}
    found["library"] = os.environ.get("SOFTHSM_LIBRARY", "/usr/lib/softhsm/libsofthsm2.so")
    if "LD_LIBRARY_PATH" in os.environ:
        found["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    return found
