# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A SoftHSM token of its own for a test or a benchmark, and modules run as Ansible runs them, one process each.

The token is made by softhsm2-util and looked at by pkcs11-tool: programs that are not ours.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.support.module_process import start_module

PIN = "93-user-7415"
SO_PIN = "85-officer-2260"
LABEL = "test token"


def library() -> str:
    """Path of SoftHSM's library: as the testbed found it, else where Debian has it."""
    return os.environ.get("SOFTHSM_LIBRARY", "/usr/lib/softhsm/libsofthsm2.so")


@dataclasses.dataclass(frozen=True)
class Run:
    """What a module did: its JSON answer, everything that it wrote, and its exit status."""

    result: dict[str, t.Any]
    stdout: str
    stderr: str
    status: int

    @property
    def key_pair(self) -> dict[str, t.Any]:
        """The returned pair; the failure's message if there is none."""
        if self.result.get("failed"):
            raise AssertionError(self.result["msg"])
        return t.cast("dict[str, t.Any]", self.result["key_pair"])

    @property
    def msg(self) -> str:
        """The message of a failure that was expected."""
        if not self.result.get("failed"):
            raise AssertionError(f"did not fail: {self.stdout}")
        return t.cast(str, self.result["msg"])


def module_input(check_mode: bool, params: t.Mapping[str, t.Any]) -> bytes:
    """What a module reads on its standard input."""
    return json.dumps({"ANSIBLE_MODULE_ARGS": {"_ansible_check_mode": check_mode, **params}}).encode()


def run_module(
    name: str,
    params: t.Mapping[str, t.Any],
    *,
    check_mode: bool = False,
    environment: t.Mapping[str, str] | None = None,
) -> Run:
    """Runs a module with exactly `params`; `environment` is added to this process's."""
    process = start_module(name, module_input(check_mode, params), environment)
    stdout, stderr = process.communicate()
    return run_from(stdout, stderr, process.returncode)


def run_from(stdout: bytes, stderr: bytes, status: int) -> Run:
    """What a module did, from what it wrote."""
    try:
        result = json.loads(stdout)
    except ValueError:
        raise AssertionError(f"no JSON, status {status}: {stdout!r} {stderr!r}") from None
    return Run(result, stdout.decode(), stderr.decode(), status)


class SoftToken:
    """A folder with a SoftHSM configuration and one token."""

    def __init__(self, folder: Path, label: str = LABEL, pin: str = PIN, initialise: bool = True) -> None:
        self.folder = folder
        self.label = label
        self.pin = pin
        self.tokens = folder / "tokens"
        self.tokens.mkdir(parents=True, exist_ok=True)
        self.configuration = folder / "softhsm2.conf"
        self.configuration.write_text(f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\n")
        self.environment = {"SOFTHSM2_CONF": str(self.configuration)}
        if initialise:
            self.initialise(label)

    def initialise(self, label: str) -> None:
        """Makes a token, by softhsm2-util."""
        self.tool("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", SO_PIN, "--pin", self.pin)

    def tool(self, *command: str, **options: t.Any) -> str:
        """The output of a program that looks at this token."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, env=environment, capture_output=True, check=False, **options)
        if done.returncode:
            raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout!r} {done.stderr!r}")
        return t.cast(str, done.stdout.decode(errors="replace"))

    def pkcs11_tool(self, *arguments: str) -> str:
        """Output of OpenSC's pkcs11-tool, logged in."""
        return self.tool(
            "pkcs11-tool", "--module", library(), "--token-label", self.label, "--login", "--pin", self.pin, *arguments
        )

    def objects(self) -> str:
        """The listing of all objects by pkcs11-tool."""
        return self.pkcs11_tool("--list-objects")

    def login(self) -> dict[str, t.Any]:
        """The options that reach this token."""
        return {
            "module_path": library(),
            "token_label": self.label,
            "pin": self.pin,
            "library_environment": self.environment,
        }

    def run(self, module: str, *, check_mode: bool = False, **params: t.Any) -> Run:
        """Runs a module on this token; C(params) win over the login's, None takes one away."""
        given = {name: value for name, value in {**self.login(), **params}.items() if value is not None}
        return run_module(module, given, check_mode=check_mode)

    def rsa(self, **params: t.Any) -> Run:
        """Runs hsm_rsa_keypair on this token."""
        return self.run("hsm_rsa_keypair", **params)

    def ecc(self, **params: t.Any) -> Run:
        """Runs hsm_ecc_keypair on this token."""
        return self.run("hsm_ecc_keypair", **params)
