# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all fault tests share. They need the collection on PYTHONPATH, SoftHSM, pkcs11-tool and a C compiler."""

from __future__ import annotations

import atexit
import os
import shutil
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import lock as _lock
from ansible_collections.cryptoki.hsm.tests.support.fault import SOURCE, FaultyToken, compile_library, open_folder
from ansible_collections.cryptoki.hsm.tests.support.nodes import NAMES, Nodes, pin_of

# The modules that the tests start find the collection where the tests found it.
ROOT = str(Path(_lock.__file__).absolute().parents[5])
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
os.environ["ANSIBLE_COLLECTIONS_PATH"] = ROOT
# Nothing of the caller's may reach them, and their stdout is buffered as it is on a target.
for variable in list(os.environ):
    if variable.startswith(("HSM_", "PKCS11", "SOFTHSM2_", "FAULT", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE")):
        del os.environ[variable]
# Hundreds of them are started: they compile once, and not into the sources.
_CACHE = open_folder()
os.environ["PYTHONPYCACHEPREFIX"] = str(_CACHE)
atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)


@pytest.fixture(scope="session")
def interposers() -> t.Iterator[dict[str, Path]]:
    """The library of pkcs11_fault.c: as SoftHSM, and twice as some vendor's, which have locks of their own."""
    folder = open_folder()
    yield {
        "softhsm": compile_library(folder, "softhsm.so"),
        "one": compile_library(folder, "one.so", "-DUNMARKED"),
        "two": compile_library(folder, "two.so", "-DUNMARKED"),
    }
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def killer() -> t.Iterator[Path]:
    """The library of kill_at_file.c."""
    folder = open_folder()
    yield compile_library(folder, "kill_at_file.so", source=SOURCE.with_name("kill_at_file.c"))
    shutil.rmtree(folder)


@pytest.fixture
def interposer(interposers: dict[str, Path]) -> Path:
    """The interposer that the collection takes for SoftHSM."""
    return interposers["softhsm"]


@pytest.fixture
def make_token(interposer: Path) -> t.Iterator[t.Callable[..., FaultyToken]]:
    """Makes tokens, each in a folder of its own that every user may enter."""
    made: list[FaultyToken] = []

    def make(**given: str) -> FaultyToken:
        made.append(FaultyToken(open_folder(), interposer, **given))
        return made[-1]

    yield make
    for token in made:
        for path in (token.lock_file(), *token.marks()):
            path.unlink(missing_ok=True)
        shutil.rmtree(token.folder)


@pytest.fixture
def token(make_token: t.Callable[..., FaultyToken]) -> FaultyToken:
    """A new token."""
    return make_token()


@pytest.fixture
def nodes(make_token: t.Callable[..., FaultyToken]) -> Nodes:
    """Three new tokens: alpha, beta and gamma."""
    return Nodes({name: make_token(label=name, pin=pin_of(name)) for name in NAMES})
