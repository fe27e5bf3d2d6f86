# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A SoftHSM token of its own for a test or a benchmark.

The token is made by softhsm2-util and looked at by pkcs11-tool: programs that are not ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.support.module_run import Run, run_module

PIN = "93-user-7415"
SO_PIN = "85-officer-2260"
LABEL = "test token"


def library() -> str:
    """Path of SoftHSM's library: as the testbed found it, else where Debian has it."""
    given = os.environ.get("SOFTHSM_LIBRARY")
    if given:
        return given
    testbed = Path(__file__).parents[2] / "build/testbed.json"  # ansible-test passes no variables on
    found: dict[str, str] = json.loads(testbed.read_text(encoding="utf-8")) if testbed.is_file() else {}
    return found.get("softhsm_library", "/usr/lib/softhsm/libsofthsm2.so")


class SoftToken:
    """A folder with a SoftHSM configuration and one token.

    `hurried`: the waits of modules are a twentieth as long, where nobody else works on the token.
    """

    hurried = False

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
        """Runs a module on this token; `params` win over the login's, None takes one away."""
        given = {name: value for name, value in {**self.login(), **params}.items() if value is not None}
        return run_module(module, given, check_mode=check_mode, hurried=self.hurried)

    def rsa(self, **params: t.Any) -> Run:
        """Runs hsm_rsa_keypair on this token."""
        return self.run("hsm_rsa_keypair", **params)

    def ecc(self, **params: t.Any) -> Run:
        """Runs hsm_ecc_keypair on this token."""
        return self.run("hsm_ecc_keypair", **params)
