# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many pairs and what a library allows: sessions and threads."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.six_pairs import SIX, WHOLE, column, many, there


def test_token_without_further_sessions(token: FaultyToken) -> None:
    run = many(token, "C_OpenSession#2+ instead return 0xb1", parallel=4)
    assert column(run, "changed") == [True] * 6
    assert "warnings" not in run.result
    assert there(token) == WHOLE


CANNOT_LOCK = "C_Initialize#1 instead return 0xa"


def test_library_that_cannot_lock(token: FaultyToken) -> None:
    """It works with one thread, and is initialised as for one."""
    run = many(token, f"{CANNOT_LOCK}\nC_Initialize#2 before arguments", parallel=4)
    assert column(run, "changed") == [True] * 6
    assert run.warning == "parallel is 1 on the token 'test token', its library does not allow threads."
    assert run.stderr.strip() == "C_Initialize without arguments"
    assert (run.calls["C_OpenSession"], run.calls["C_Login"]) == (1, 1)
    assert there(token) == WHOLE


def test_library_that_cannot_lock_and_nobody_asked_for_it(token: FaultyToken) -> None:
    run = many(token, CANNOT_LOCK)
    assert column(run, "changed") == [True] * 6
    assert "warnings" not in run.result


def test_library_that_does_not_start(token: FaultyToken) -> None:
    run = many(token, "C_Initialize instead return 0x5", parallel=4)
    assert token.text(run.msg) == (
        "Could not initialise the PKCS#11 library LIBRARY: the HSM answered CKR_GENERAL_ERROR; check the library's"
        " configuration and that this user may read it."
    )
    assert run.calls["C_Initialize"] == 1


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"parallel": 4}, "C_Initialize with flags 0x2"),
        ({}, "C_Initialize with flags 0x2"),
        ({"parallel": 1}, "C_Initialize without arguments"),
        ({"parallel": 4, "check_mode": True}, "C_Initialize without arguments"),
        ({"parallel": 4, "keypairs": SIX[:1]}, "C_Initialize without arguments"),
    ],
)
def test_what_the_library_is_told_of_threads(token: FaultyToken, params: dict[str, t.Any], said: str) -> None:
    """CKF_OS_LOCKING_OK where threads are to work, nothing where not."""
    run = many(token, "C_Initialize before arguments", **params)
    assert run.stderr.strip() == said
    assert run.calls["C_Initialize"] == 1 == run.calls["C_Finalize"]


@pytest.mark.parametrize("parallel", [0, 65, -1])
def test_parallel_that_is_refused(token: FaultyToken, parallel: int) -> None:
    assert many(token, parallel=parallel).msg == f"parallel {parallel} is refused: it must be from 1 to 64."
