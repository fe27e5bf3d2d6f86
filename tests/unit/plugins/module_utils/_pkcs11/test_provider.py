# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tasks have in common that exclude each other on a host."""

from __future__ import annotations

import builtins
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.p11_kit import P11Kit
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.softhsm import lock_key
from ansible_collections.cryptoki.hsm.tests.support.task_options import params


def key_of(**given: t.Any) -> str:
    """The key of the lock of some vendor's library."""
    login = {"module_path": sys.executable, "token_label": "one", "pin": "1-pin-of-mine"}
    return Pkcs11Provider.connect(params("ecc", **{**login, **given}), any_token=False)[0].lock_key


def test_the_lock_of_a_library_tells_no_secret() -> None:
    """Everybody may read the name of its file, which is made of it."""
    harmless, secret = {"SOFTHSM2_CONF": "/etc/one.conf"}, {"FORTANIX_API_KEY": "secret-of-mine"}
    assert key_of(library_environment={**harmless, **secret}) == key_of(library_environment=harmless)
    assert key_of(library_environment=harmless) != key_of(library_environment={"SOFTHSM2_CONF": "/etc/two.conf"})
    folders = [f"configdir='sql:/{name}'" for name in ("one", "two")]
    assert len({key_of(library_parameters=folder) for folder in folders}) == 2
    assert key_of(library_parameters="connector=x password=secret-of-mine") == key_of()


def test_p11_kit_shares_the_lock_of_softhsm(tmp_path: Path) -> None:
    """It may show what SoftHSM has; where SoftHSM is not set up, it is a library as any other."""
    (tmp_path / "tokens").mkdir()
    kit, configuration = tmp_path / "kit.so", tmp_path / "softhsm2.conf"
    kit.write_bytes(b"...\0P11_KIT_STRICT\0...")
    configuration.write_text(f"directories.tokendir = {tmp_path}/tokens\n")
    there = {"SOFTHSM2_CONF": str(configuration)}
    assert key_of(module_path=str(kit), library_environment=there) == lock_key(str(tmp_path / "tokens"))
    assert key_of(library_environment=there) != lock_key(str(tmp_path / "tokens"))
    gone = key_of(module_path=str(kit), library_environment={"SOFTHSM2_CONF": str(tmp_path / "none")})
    assert gone == f"{kit} SOFTHSM2_CONF={tmp_path}/none"


def test_a_system_that_does_not_tell_what_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux tells it. Elsewhere, a token of SoftHSM behind p11-kit is one as any other."""
    kit, configuration = tmp_path / "kit.so", tmp_path / "softhsm2.conf"
    kit.write_bytes(b"...\0P11_KIT_STRICT\0...")
    configuration.write_text(f"directories.tokendir = {tmp_path}\n")
    found = P11Kit(str(kit), {"SOFTHSM2_CONF": str(configuration)})
    assert found.folder == str(tmp_path)

    def opened(path: str, **dummy: t.Any) -> t.NoReturn:
        raise FileNotFoundError(path)

    monkeypatch.setattr(builtins, "open", opened)
    assert found.library is None
