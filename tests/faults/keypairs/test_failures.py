# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many pairs and a token that fails in the middle: what was made stays, is told, and is found by the next run."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.six_pairs import (
    LABELS,
    SIX,
    WHOLE,
    assert_converged,
    column,
    many,
    rows,
    there,
)
from ansible_collections.cryptoki.hsm.tests.support.small_disk import Disk

PARALLEL = [1, 4]
REMOVED = "C_GenerateKeyPair#4+ instead return 0x32"


def test_token_that_vanishes(token: FaultyToken) -> None:
    """One thread: three pairs are made, the fourth finds the token gone, the rest is not attempted."""
    progress = token.folder / "progress"
    run = many(token, REMOVED, parallel=1, progress_file=str(progress))
    assert run.calls["C_GenerateKeyPair"] == 4
    assert run.msg.startswith(
        "Could not do 6 of 6 key pairs on the token 'test token'. keypairs[0]: Made a new pair, and"
    )
    assert run.msg.endswith(
        " Failed as well, see key_pairs: keypairs[3] (the ECC key pair 'd'), keypairs[4] (the ECC key pair 'e'),"
        " keypairs[5] (the ECC key pair 'f')."
    )
    assert column(run, "changed") == [True] * 3 + [False] * 3
    assert column(run, "failed") == [True] * 6
    assert column(run, "ckr") == ["CKR_DEVICE_REMOVED"] * 6
    assert run.result["changed"] is True
    messages = column(run, "msg")
    assert messages[2].startswith(
        "Made a new pair, and did not finish the ECC key pair 'c', because of an earlier error."
    )
    assert messages[3].startswith("Could not generate the ECC key pair 'd', id ")
    assert messages[4].startswith("Did not begin with the ECC key pair 'e', because of an earlier error. Could not gen")
    words = [line.split(" ", 1)[1][:9] for line in progress.read_text().splitlines()]
    assert words == ["generated"] * 3 + ["failed: C", "failed: D", "failed: D"] + ["failed: M"] * 3
    assert there(token) == {label: WHOLE[label] for label in "abc"}
    assert_converged(token)


def test_token_that_vanishes_from_several_threads(token: FaultyToken) -> None:
    run = many(token, REMOVED, parallel=3)
    assert 4 <= run.calls["C_GenerateKeyPair"] <= 3 + 3
    assert column(run, "failed") == [True] * 6
    assert sum(column(run, "changed")) == 3
    made = {row["label"]: ["private", "public"] for row in rows(run) if row["changed"]}
    assert there(token) == made
    assert_converged(token)


def test_token_that_vanishes_while_it_is_looked_at_again(token: FaultyToken) -> None:
    """Every pair is made, and none could be looked for: each is taken back, or named as what remains."""
    run = many(token, "C_FindObjectsInit^C_SignInit instead return 0x32", parallel=1)
    assert column(run, "failed") == [True] * 6
    assert_converged(token)


@pytest.mark.parametrize("parallel", PARALLEL)
def test_one_pair_that_fails(token: FaultyToken, parallel: int) -> None:
    """An error of one pair stops no other; the next run makes that one alone."""
    run = many(token, "C_GenerateKeyPair#3 instead return 0x31", parallel=parallel)
    assert column(run, "failed").count(True) == 1
    (failed,) = [row for row in rows(run) if row["failed"]]
    assert failed["ckr"] == "CKR_DEVICE_MEMORY"
    assert token.text(run.msg).startswith("Could not do 1 of 6 key pairs on the token 'test token'. keypairs[")
    assert f"Could not generate the ECC key pair '{failed['label']}'" in run.msg
    assert run.calls["C_GenerateKeyPair"] == 6
    second = token.run("hsm_keypairs", keypairs=SIX)
    assert [row["label"] for row in rows(second) if row["changed"]] == [failed["label"]]
    assert_converged(token)


def test_differences_are_told_of_their_entry(token: FaultyToken) -> None:
    token.ecc(label="b", curve="P-384")
    run = many(token)
    assert column(run, "failed") == [False, True, False, False, False, False]
    difference = {"half": None, "name": "curve", "found": "secp384r1", "wished": "secp256r1"}
    assert rows(run)[1]["differences"] == [difference]


@pytest.fixture
def disk(token: FaultyToken) -> t.Iterator[Disk]:
    """A small file system with a copy of the empty token."""
    made = Disk(token)
    yield made
    made.close()


@pytest.mark.parametrize("parallel", PARALLEL)
def test_full_disk_in_the_middle(disk: Disk, parallel: int) -> None:
    """Some pairs have room, some have none, and of those nothing is left."""
    task: dict[str, t.Any] = {"label": None, "keypairs": SIX, "parallel": parallel}
    disk.fill(spare=24)
    run = disk.task("hsm_keypairs", **task)
    made = [row["label"] for row in rows(run) if not row["failed"]]
    assert 0 < len(made) < 6
    assert disk.listing() == sorted(2 * made)
    failed = [row["msg"] for row in rows(run) if row["failed"]]
    assert all("Nothing of it is left on the token." in message for message in failed)
    disk.sh(f"truncate -s 0 {disk.folder}/fill")
    second = disk.task("hsm_keypairs", **task)
    assert sorted([*made, *(row["label"] for row in rows(second) if row["changed"])]) == list(LABELS)
    assert disk.task("hsm_keypairs", **task, verify=True).result["changed"] is False
    assert disk.listing() == sorted(2 * LABELS)


def test_progress_in_no_regular_file(token: FaultyToken) -> None:
    """A full disk is no reason to fail (see the unit tests), a device is one before the login."""
    run = many(token, progress_file="/dev/full")
    assert run.msg == "progress_file '/dev/full' is refused: it is a device, not a regular file."
    assert not run.calls


def test_progress_that_cannot_be_written(token: FaultyToken) -> None:
    run = many(token, progress_file="/nonexistent/progress")
    assert run.msg == (
        "progress_file '/nonexistent/progress' is refused: it cannot be made, its folder does not exist."
    )
    assert not run.calls
