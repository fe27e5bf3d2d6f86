# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens of SoftHSM by way of p11-kit: each caller of its libraries gets a function list, and an instance, of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.lock import host_locks
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.softhsm import lock_key
from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.folder import give_to_nobody
from ansible_collections.cryptoki.hsm.tests.support.module_run import Run
from ansible_collections.cryptoki.hsm.tests.support.soft_token import LABEL, library

KEY: dict[str, t.Any] = {"label": "k", "curve": "P-256"}
MODULES = "ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11"
NO_GUESS = f"import {MODULES}.other_list as other_list; other_list.list_of = lambda part: None\n"


def proxy(name: str = "p11-kit-proxy.so") -> Path:
    """A library of p11-kit, beside its proxy."""
    return Path(os.environ["P11_KIT_PROXY"]).with_name(name)


def client() -> Path:
    """p11-kit's client, which reaches a server."""
    return proxy("pkcs11") / "p11-kit-client.so"


def server_command() -> list[str]:
    """The command of p11-kit's server; p11-kit itself would look for it where Debian installs it only."""
    tool = Path(shutil.which("p11-kit") or "p11-kit")
    found = tool.parent.parent / "libexec/p11-kit/p11-kit-server"
    return [str(found)] if found.is_file() else [str(tool), "server"]


class KitToken:
    """A token that p11-kit's proxy shows by a configuration of the test; as root p11-kit reads the system's only."""

    def __init__(self, token: FaultyToken) -> None:
        self.token = token
        modules = token.folder / "config/pkcs11/modules"
        modules.mkdir(parents=True)
        (modules.parent / "pkcs11.conf").write_text("user-config: only\n")
        (modules / "softhsm.module").write_text(f"module: {library()}\n")
        self._as_nobody = os.geteuid() == 0
        if self._as_nobody:
            give_to_nobody(token.folder)

    def run(self, module: str, path: Path | None = None, **params: t.Any) -> Run:
        """Runs a module through p11-kit."""
        environment = {"XDG_CONFIG_HOME": str(self.token.folder / "config")}
        given = {"module_path": str(path or proxy()), **params}
        return self.token.start(module, as_nobody=self._as_nobody, environment=environment, **given).finish()


@pytest.fixture
def kit(token: FaultyToken) -> KitToken:
    """A new token behind p11-kit's proxy."""
    return KitToken(token)


@pytest.fixture
def served(token: FaultyToken) -> t.Iterator[FaultyToken]:
    """A new token behind p11-kit's server; its tasks go by p11-kit's client unless they name another library."""
    socket = token.folder / "socket"
    command = [*server_command(), "--foreground", "--name", str(socket), "--provider", library()]
    environment = {**os.environ, **token.environment}
    token.environment["P11_KIT_SERVER_ADDRESS"] = f"unix:path={socket}"
    with subprocess.Popen(
        [*command, f"pkcs11:token={LABEL.replace(' ', '%20')}"], env=environment, stdout=subprocess.PIPE
    ) as server:
        try:
            assert server.stdout is not None
            assert b"P11_KIT_SERVER_ADDRESS=" in server.stdout.readline()  # it listens
            yield token
        finally:
            server.terminate()


def test_a_pair_through_the_proxy(kit: KitToken) -> None:
    assert kit.run("hsm_ecc_keypair", **KEY).result["changed"] is True
    assert kit.token.halves("k") == ["private", "public"]
    again = kit.run("hsm_ecc_keypair", **KEY, verify=True)
    assert again.result["changed"] is False and again.key_pair["fingerprint"]
    pairs = [{"label": f"k{number}", "type": "ecc", "curve": "P-256"} for number in range(6)]
    many = kit.run("hsm_keypairs", keypairs=pairs, parallel=3)
    assert many.result["changed"] is True and not many.result.get("warnings"), many.stdout
    assert kit.run("hsm_ecc_keypair", label="k", state="absent").result["changed"] is True
    assert sorted({row["label"] for row in kit.token.listing()}) == [pair["label"] for pair in pairs]


def test_a_key_that_softhsm_would_overlook_is_none_that_is_absent(kit: KitToken) -> None:
    """The files of the token are known through the proxy, too; libp11-kit.so.0 is the same library."""
    assert kit.run("hsm_ecc_keypair", proxy("libp11-kit.so.0"), **KEY).result["changed"] is True
    for hidden in kit.token.tokens.glob("*/*.object"):
        if hidden.name != "token.object":
            os.chown(hidden, os.geteuid(), os.getegid())
            hidden.chmod(0)
    assert "cannot read" in kit.run("hsm_ecc_keypair", **KEY).msg


def test_a_pair_through_a_server(served: FaultyToken) -> None:
    params = {**KEY, "module_path": str(client())}
    assert served.run("hsm_ecc_keypair", **params).result["changed"] is True
    assert served.halves("k") == ["private", "public"]
    assert served.run("hsm_ecc_keypair", **params, verify=True).result["changed"] is False
    twice = [{**served.login(), "name": "again"}]
    assert "are the same token" in served.run("hsm_ecc_keypair", **params, replicas=twice).msg
    assert served.run("hsm_ecc_keypair", **{**params, "state": "absent"}).result["changed"] is True
    assert served.listing() == []


def test_a_direct_task_and_one_through_p11_kit_exclude_each_other(token: FaultyToken) -> None:
    with host_locks([lock_key(str(token.tokens))], 1):
        for path in (proxy(), client()):
            held = token.run("hsm_ecc_keypair", **KEY, module_path=str(path), lock_timeout=1)
            assert f"process {os.getpid()} holds the lock {token.lock_file()}" in held.msg


def test_a_python_pkcs11_that_is_not_known(token: FaultyToken) -> None:
    """Where its inside is not as expected, two instances of one library are refused, and others go on."""
    through = token.start("hsm_ecc_keypair", popen={"before": NO_GUESS}, module_path=str(proxy()), **KEY).finish()
    assert "Could not use" in through.msg and "give the path of the module behind it" in through.msg
    direct = token.start("hsm_ecc_keypair", popen={"before": NO_GUESS}, module_path=library(), **KEY).finish()
    assert direct.result["changed"] is True
