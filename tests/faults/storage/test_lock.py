# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock is that of the folder of tokens, by whatever path it is reached."""

from __future__ import annotations

import os
import subprocess
import time
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.lock import host_locks
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.softhsm import lock_key
from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.module_process import module_command
from ansible_collections.cryptoki.hsm.tests.support.module_run import Run, module_input, run_from

AS_ROOT = ["-m"] if os.geteuid() == 0 else ["-r", "-m"]
INTO = ["-m"] if os.geteuid() == 0 else ["-U", "--preserve-credentials", "-m"]


class OtherPath:
    """A mount namespace in which the token's folder has a second path, which is no symbolic link."""

    def __init__(self, token: FaultyToken) -> None:
        self._token = token
        self._configuration = token.folder / "other.conf"
        tokens, ready = token.folder / "other", token.folder / "ready"
        tokens.mkdir()
        self._configuration.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\n")
        script = f"mount --bind {token.tokens} {tokens} && touch {ready} && exec sleep 300"
        self._holder = subprocess.Popen(["unshare", *AS_ROOT, "sh", "-c", script], stderr=subprocess.PIPE)
        while not ready.exists():
            if self._holder.poll() is not None:
                said = self._holder.communicate()[1].decode(errors="replace").strip()
                pytest.skip(f"this machine lets nobody mount a folder: {said}")
            time.sleep(0.02)

    def task(self, **params: t.Any) -> Run:
        """Runs hsm_ecc_keypair in there, on the other path."""
        login = {**self._token.login(), "library_environment": {"SOFTHSM2_CONF": str(self._configuration)}}
        command = ["nsenter", "-t", str(self._holder.pid), *INTO, "--", *module_command("hsm_ecc_keypair")]
        given = module_input(False, {**login, "label": "k", "curve": "P-256", **params})
        done = subprocess.run(command, input=given, capture_output=True, check=False)
        return run_from(done.stdout, done.stderr, done.returncode)

    def close(self) -> None:
        """The mount goes with its namespace."""
        self._holder.kill()
        self._holder.communicate()


@pytest.fixture
def other(token: FaultyToken) -> t.Iterator[OtherPath]:
    """The token by another path."""
    made = OtherPath(token)
    yield made
    made.close()


def test_two_paths_to_one_folder_are_one_lock(token: FaultyToken, other: OtherPath) -> None:
    assert other.task().result["changed"] is True
    assert token.ecc(label="k", curve="P-256").result["changed"] is False
    with host_locks([lock_key(str(token.tokens))], 1):
        held = other.task(lock_timeout=1)
    assert f"process {os.getpid()} holds the lock {token.lock_file()}" in held.msg
