# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is too old is told in one line, before the login, in every module."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import floors, versions
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.floors import cryptography_problem, python_problem
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.versions import is_below
from ansible_collections.cryptoki.hsm.tests.support.module_call import call_module

LOGIN = {"module_path": "/nonexistent.so", "token_label": "demo", "pin": "sesame-4711"}
MODULES: dict[str, dict[str, t.Any]] = {
    "hsm_rsa_keypair": {"label": "k", "modulus_bits": 2048},
    "hsm_ecc_keypair": {"label": "k", "curve": "P-256"},
    "hsm_keypairs": {"keypairs": []},
    "hsm_key_info": {},
    "hsm_key": {"label": "k"},
    "hsm_token": {"so_pin": "sesame-4712"},
    "hsm_token_info": {},
}


def test_python() -> None:
    assert python_problem() is None and python_problem((3, 10, 0)) is None and python_problem((4, 0)) is None
    assert python_problem((3, 9, 2, "final", 0)) == (
        f"Found Python 3.9.2 as {sys.executable}, and Python 3.10 or later is needed on the target; name one by"
        " ansible_python_interpreter."
    )


@pytest.mark.parametrize(
    ("about", "problem"),
    [
        ('__version__ = "40.0.2"', "cryptography 40 is too old"),
        ('__version__ = "3.4.8"', "cryptography 3 is too old"),
        ('__version__ = "41.0.0"', None),
        ("", None),
        (None, None),
    ],
)
def test_cryptography(about: str | None, problem: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "cryptography"
    package.mkdir()
    (package / "__init__.py").touch()
    if about is not None:
        (package / "__about__.py").write_text(f"{about}\n", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "cryptography", raising=False)
    assert cryptography_problem() == problem


@pytest.mark.parametrize("module", MODULES)
def test_every_module_names_what_is_too_old(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    requires = {"python-pkcs11 >= 0.10": "an old one", "cryptography >= 41": None}
    monkeypatch.setattr(Pkcs11Provider, "requires", requires)
    monkeypatch.setattr(versions, "found_version", lambda name: "0.9.3")
    told = call_module(module, {**LOGIN, **MODULES[module]}).result["msg"]
    assert told.startswith(f"Found python-pkcs11 0.9.3 for {sys.executable}, and python-pkcs11 >= 0.10 is needed; ")
    for version in (None, "0.10.1"):  # not there, or broken
        monkeypatch.setattr(versions, "found_version", lambda name, version=version: version)
        told = call_module(module, {**LOGIN, **MODULES[module]}).result["msg"]
        assert told.startswith("Failed to import the required Python library (python-pkcs11 >= 0.10) on ")
    monkeypatch.setattr(floors, "python_problem", lambda: "Found Python 3.9.2.")
    assert call_module(module, {**LOGIN, **MODULES[module]}).result["msg"] == "Found Python 3.9.2."


@pytest.mark.parametrize(
    ("version", "floor", "below"),
    [
        ("0.9.3", "0.10", True),
        ("0.10.0", "0.10", False),
        ("3.4.8", "41", True),
        ("41", "41", False),
        ("4.9.0", "", False),
    ],
)
def test_below_a_floor(version: str, floor: str, below: bool) -> None:
    assert is_below(version, floor) is below
