# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token of SoftHSM that belongs to another user: nothing is made there that its owner could not read."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.folder import give_to_nobody
from ansible_collections.cryptoki.hsm.tests.support.module_process import NOBODY
from ansible_collections.cryptoki.hsm.tests.support.module_run import Run
from ansible_collections.cryptoki.hsm.tests.support.nodes import Nodes
from ansible_collections.cryptoki.hsm.tests.support.soft_token import SO_PIN

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can work on another user's token")
KEY: dict[str, t.Any] = {"label": "k", "curve": "P-256"}
ADVICE = "Run the task as the owner (become: true, become_user: nobody)."


def inner(token: FaultyToken) -> Path:
    """The folder of the only token."""
    (folder,) = token.tokens.iterdir()
    return folder


def files(token: FaultyToken) -> set[Path]:
    """The files of the token's objects."""
    return set(inner(token).glob("*.object"))


@pytest.fixture
def foreign(token: FaultyToken) -> FaultyToken:
    """A token of nobody's with the pair k; the tasks are root's."""
    token.ecc(**KEY)
    give_to_nobody(token.folder)
    return token


def as_owner(token: FaultyToken, **params: t.Any) -> Run:
    """Runs hsm_ecc_keypair as the owner."""
    return token.faulty("hsm_ecc_keypair", as_nobody=True, **{**KEY, **params})


@pytest.mark.parametrize("check_mode", [False, True])
def test_nothing_is_made_that_the_owner_could_not_read(foreign: FaultyToken, check_mode: bool) -> None:
    there = files(foreign)
    run = foreign.run("hsm_ecc_keypair", label="new", curve="P-256", check_mode=check_mode)
    assert foreign.text(run.msg).replace(inner(foreign).name, "TOKEN") == (
        "Refused to generate the ECC key pair 'new' on the token 'test token' (serial SERIAL, slot N): its folder"
        " FOLDER/tokens/TOKEN belongs to the user 'nobody', who could not read what the user 'root' makes there."
        f" {ADVICE}"
    )
    tasks: list[tuple[str, dict[str, t.Any]]] = [
        ("hsm_ecc_keypair", {**KEY, "curve": "P-384", "on_mismatch": "replace"}),
        ("hsm_ecc_keypair", {**KEY, "private_attributes": {"modifiable": False}}),
        ("hsm_key", {"label": "k", "public_attributes": {"destroyable": False}}),
        ("hsm_keypairs", {"keypairs": [{**KEY, "type": "ecc"}, {**KEY, "label": "new", "type": "ecc"}]}),
    ]
    for module, params in tasks:
        assert ADVICE in foreign.run(module, **params, check_mode=check_mode).msg, module
    assert files(foreign) == there
    assert {path.stat().st_uid for path in inner(foreign).iterdir()} == {NOBODY}
    assert as_owner(foreign, verify=True).result["changed"] is False


def test_what_makes_nothing_goes_on(foreign: FaultyToken) -> None:
    assert foreign.ecc(**KEY, verify=True).result["changed"] is False
    assert len(foreign.run("hsm_key_info").result["objects"]) == 2
    assert foreign.run("hsm_token_info", login=True).result["session"]["objects"]["private_key"] == 1
    assert foreign.run("hsm_key", label="k", new_label="renamed").result["changed"] is True
    assert as_owner(foreign, label="renamed", verify=True).result["changed"] is False
    assert foreign.ecc(label="renamed", state="absent").result["changed"] is True
    assert as_owner(foreign).result["changed"] is True


def test_owner_without_a_name(foreign: FaultyToken) -> None:
    for path in [inner(foreign), *inner(foreign).iterdir()]:
        os.chown(path, 424242, 424242)
    run = foreign.ecc(label="new", curve="P-256")
    assert "belongs to the user number 424242, who could not read" in run.msg
    assert run.msg.endswith("become_user: '#424242').")


def test_folder_above_is_no_reason(token: FaultyToken) -> None:
    """Debian's belongs to root and the group softhsm; a token belongs to who made it."""
    os.chown(token.tokens, NOBODY, NOBODY)
    assert token.ecc(**KEY).result["changed"] is True
    assert token.run("hsm_token", token_label="new", so_pin=SO_PIN).result["changed"] is True
    os.chown(token.tokens, 0, NOBODY)
    assert token.ecc(label="l", curve="P-256").result["changed"] is True


def test_root_reads_what_others_make(token: FaultyToken) -> None:
    """A token of root's in which another user may write, as far as SoftHSM lets him."""
    token.ecc(**KEY)
    folder = inner(token)
    for path in [folder, *folder.iterdir()]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    assert as_owner(token, label="new").result["changed"] is True
    assert token.ecc(label="new", curve="P-256", verify=True).result["changed"] is False


@pytest.mark.parametrize("check_mode", [False, True])
def test_replica_of_another_user(nodes: Nodes, check_mode: bool) -> None:
    """No copy is stored where its owner could not read it, and no pair is left anywhere."""
    beta = nodes.tokens["beta"]
    give_to_nobody(inner(beta))
    there = files(beta)
    run = nodes.run("hsm_ecc_keypair", **KEY, check_mode=check_mode)
    assert ADVICE in run.msg
    assert files(beta) == there
    assert nodes.tokens["alpha"].listing() == []
