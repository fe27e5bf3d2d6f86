# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A disk that is soon full."""

from __future__ import annotations

import os
import subprocess
import time
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.module_process import module_command
from ansible_collections.cryptoki.hsm.tests.support.module_run import Run, module_input, run_from

ROOT = os.geteuid() == 0


class Disk:
    """A file system of 256 KiB in a mount namespace of its own, which has a copy of a token."""

    def __init__(self, token: FaultyToken) -> None:
        self.folder = token.folder / "disk"
        self.folder.mkdir()
        ready = token.folder / "ready"
        script = f"mount -t tmpfs -o size=256k tmpfs {self.folder} && touch {ready} && exec sleep 300"
        options = ["-m"] if ROOT else ["-r", "-m"]
        self._holder = subprocess.Popen(["unshare", *options, "sh", "-c", script], stderr=subprocess.PIPE)
        while not ready.exists():
            if self._holder.poll() is not None:
                said = self._holder.communicate()[1].decode(errors="replace").strip()
                pytest.skip(f"this machine lets nobody mount a small file system: {said}")
            time.sleep(0.02)
        self.token = token
        configuration = token.configuration.read_text().replace(str(token.tokens), f"{self.folder}/tokens")
        self.sh(f"cp -r {token.tokens} {self.folder}/tokens; printf '%s' '{configuration}' > {self.folder}/conf")

    def _inside(self, *command: str) -> list[str]:
        options = ["-m"] if ROOT else ["-U", "--preserve-credentials", "-m"]
        return ["nsenter", "-t", str(self._holder.pid), *options, "--", *command]

    def sh(self, script: str) -> str:
        """Output of a shell script in there."""
        environment = {**os.environ, "SOFTHSM2_CONF": f"{self.folder}/conf"}
        return subprocess.run(
            self._inside("sh", "-c", script), env=environment, capture_output=True, check=True, text=True
        ).stdout

    def fill(self, spare: int = 0) -> None:
        """Leaves `spare` KiB."""
        self.sh(
            f"dd if=/dev/zero of={self.folder}/fill bs=1k count=999 2>/dev/null;"
            f" truncate -s -{spare}k {self.folder}/fill; test $(df -k --output=avail {self.folder} | tail -1) = {spare}"
        )

    def task(self, module: str = "hsm_ecc_keypair", **params: t.Any) -> Run:
        """Runs a module in there."""
        login = {**self.token.login(), "library_environment": {"SOFTHSM2_CONF": f"{self.folder}/conf"}}
        said = {name: value for name, value in {**login, "label": "k", **params}.items() if value is not None}
        given = module_input(False, said)
        done = subprocess.run(self._inside(*module_command(module)), input=given, capture_output=True, check=False)
        return run_from(done.stdout, done.stderr, done.returncode)

    def listing(self) -> list[str]:
        """The labels of all objects in there, by pkcs11-tool."""
        listed = self.sh(self.token.tool_command("--list-objects").partition(" ")[2].replace(">/dev/null", ""))
        return sorted(line.split()[-1] for line in listed.splitlines() if "label:" in line)

    def close(self) -> None:
        """The file system goes with its namespace."""
        self._holder.kill()
        self._holder.communicate()
