# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An error of a search is never absence: nothing is generated, changed or removed after one."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken

SEARCH = ("C_FindObjectsInit instead", "C_FindObjects after", "C_FindObjectsFinal after")
TASKS: dict[str, dict[str, t.Any]] = {
    "present": {},
    "with an id": {"id": "one"},
    "replace": {"curve": "P-384", "on_mismatch": "replace"},
    "session pair with an id": {"id": "one", "session": True},
    "absent": {"curve": None, "state": "absent"},
    "absent by id": {"curve": None, "state": "absent", "label": None, "id": "one"},
}


@pytest.mark.parametrize(("moment", "check_mode"), [*((moment, False) for moment in SEARCH), (SEARCH[1], True)])
@pytest.mark.parametrize("task", TASKS)
def test_failed_search(token: FaultyToken, task: str, moment: str, check_mode: bool) -> None:
    run = token.faulty_ecc(f"{moment} return 0x30", check_mode=check_mode, **{"label": "k", **TASKS[task]})
    assert token.text(run.msg).endswith(
        " on the token 'test token': the HSM answered CKR_DEVICE_ERROR; check the HSM and its connection."
    )
    assert run.msg.startswith("Could not search for the ECC key pair ")
    assert run.result["ckr"] == "CKR_DEVICE_ERROR"
    assert not run.writes


@pytest.mark.parametrize("moment", SEARCH)
@pytest.mark.parametrize("task", ["present", "absent"])
def test_failed_search_for_the_second_half(token: FaultyToken, task: str, moment: str) -> None:
    """The public half is found and the search for the private one fails: that is no lone public half."""
    token.ecc(label="k", curve="P-256")
    function, when = moment.split()
    run = token.faulty_ecc(f"{function}#2+ {when} return 0x30", **{"label": "k", **TASKS[task]})
    assert run.msg.startswith("Could not search for the ECC key pair 'k'")
    assert not run.writes
    assert token.halves("k") == ["private", "public"]


def test_failed_search_of_a_whole_token(token: FaultyToken) -> None:
    """What is searched for by a fingerprint alone, too."""
    run = token.faulty(
        "hsm_rsa_keypair", "C_FindObjects instead return 0x30", state="absent", fingerprint=":".join(["ab"] * 32)
    )
    assert run.msg.startswith("Could not search for the RSA key pair fingerprint ab:ab")
    assert not run.writes


def test_failed_reading(token: FaultyToken) -> None:
    """An object that is found and cannot be read is not absent either."""
    token.ecc(label="k", curve="P-256")
    for params in ({}, {"curve": None, "state": "absent"}):
        run = token.faulty_ecc("C_GetAttributeValue instead return 0x30", label="k", **params)
        assert run.msg.startswith("Could not search for the ECC key pair 'k'")
        assert run.result["ckr"] == "CKR_DEVICE_ERROR"
        assert not run.writes


def test_object_that_vanishes_while_it_is_read(token: FaultyToken) -> None:
    token.ecc(label="k", curve="P-256")
    run = token.faulty_ecc("C_GetAttributeValue instead return 0x82", label="k")
    assert token.text(run.msg) == (
        "Could not search for the ECC key pair 'k' on the token 'test token': the HSM answered"
        " CKR_OBJECT_HANDLE_INVALID; another process removed the object; run the task again."
    )
    assert not run.writes


def test_object_that_vanishes_before_it_is_read(token: FaultyToken) -> None:
    """Another host removed it between the search and the read, so that it is searched for again."""
    token.ecc(label="k", curve="P-256")
    run = token.faulty_ecc("C_GetAttributeValue#1 instead return 0x82", label="k")
    assert run.result["changed"] is False and run.calls["C_FindObjectsInit"] == 3
    assert token.halves("k") == ["private", "public"]


def test_failed_second_look(token: FaultyToken) -> None:
    """A pair that was made and may not be alone, for all that is known, is taken back."""
    run = token.faulty_ecc("C_FindObjectsInit^C_GenerateKeyPair instead return 0x30", label="k")
    assert token.text(run.msg) == (
        "Could not search for the ECC key pair 'k' on the token 'test token': the HSM answered CKR_DEVICE_ERROR; check"
        " the HSM and its connection. The new pair was removed again."
    )
    assert run.writes == {"C_GenerateKeyPair": 1, "C_DestroyObject": 2}
    assert token.listing() == []
