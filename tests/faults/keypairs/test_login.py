# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many pairs and the PIN: one login, whatever the sessions, and nothing of it is seen."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.pins import RIGHT, WRONG, assert_unseen
from ansible_collections.cryptoki.hsm.tests.support.six_pairs import SIX, ecc, many


@pytest.mark.parametrize("check_mode", [True, False])
def test_wrong_pin_is_one_login(token: FaultyToken, check_mode: bool) -> None:
    progress = token.folder / "progress"
    run = many(token, pin=WRONG, progress_file=str(progress), check_mode=check_mode)
    assert run.result["ckr"] == "CKR_PIN_INCORRECT"
    assert run.calls["C_Login"] == 1
    assert not run.writes
    assert_unseen(WRONG, run.stdout, run.stderr)
    assert not progress.exists(), "it is touched after the login"


def test_right_pin_is_one_login_whatever_the_sessions(make_token: t.Callable[..., FaultyToken]) -> None:
    token = make_token(pin=RIGHT)
    progress = token.folder / "progress"
    run = many(token, keypairs=[*SIX, ecc("half", id="x")], parallel=4, progress_file=str(progress))
    assert run.calls["C_Login"] == 1
    assert 1 < run.calls["C_OpenSession"] <= 4
    assert_unseen(RIGHT, run.stdout, run.stderr, progress.read_text())
    assert len(progress.read_text().splitlines()) == 7


def test_pin_that_occurs_in_labels(make_token: t.Callable[..., FaultyToken]) -> None:
    """What Ansible masks in the result is masked in the file, too, and a failure warns of it as a success does."""
    token = make_token(pin="4711")
    progress = token.folder / "progress"
    half = ["--keypairgen", "--key-type", "EC:prime256v1", "--label", "half 4711", "--id", "01"]
    token.pkcs11_tool(*half)
    token.pkcs11_tool("--delete-object", "--type", "privkey", "--id", "01")
    pairs = [ecc("ring 4711"), ecc("half 4711"), ecc("other")]
    run = many(token, keypairs=pairs, parallel=1, progress_file=str(progress))
    assert "it is a public half without its private half" in run.msg
    assert "4711" not in run.stdout + run.stderr + progress.read_text()
    assert progress.read_text().startswith("1/3 generated the ECC key pair 'ring ********'\n2/3 failed: Refused ")
    assert "key_pairs[0].label" in run.warning
