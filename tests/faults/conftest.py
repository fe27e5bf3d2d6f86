# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all fault tests share. They need the collection on PYTHONPATH, SoftHSM, pkcs11-tool and a C compiler."""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import pytest

# What they assert in there is told as in a test.
pytest.register_assert_rewrite("ansible_collections.cryptoki.hsm.tests.support")

from ansible_collections.cryptoki.hsm.tests.support.compiled import SOURCE, compile_library
from ansible_collections.cryptoki.hsm.tests.support.environment import clean_environment
from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.folder import open_folder
from ansible_collections.cryptoki.hsm.tests.support.nodes import NAMES, Nodes, pin_of

clean_environment()


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

    def make(**given: t.Any) -> FaultyToken:
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
