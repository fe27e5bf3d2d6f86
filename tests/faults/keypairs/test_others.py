# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many pairs and others at the same token: another host, other tasks, pairs of a session."""

from __future__ import annotations

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.six_pairs import (
    SIX,
    WHOLE,
    assert_converged,
    column,
    ecc,
    many,
    rows,
    there,
)


def test_pair_of_another_host(token: FaultyToken) -> None:
    """Made between our generation and our second look: ours goes, theirs is found, the other pairs are not disturbed."""
    made = token.tool_command("--keypairgen", "--key-type", "EC:prime256v1", "--label", "c", "--id", "01")
    run = many(token, f"C_GenerateKeyPair#6 after run {made} ; {token.reread_command()}", parallel=1)
    assert column(run, "changed") == [True, True, False, True, True, True]
    assert rows(run)[2]["id_hex"] == "01"
    assert run.writes == {"C_GenerateKeyPair": 6, "C_DestroyObject": 2}
    assert_converged(token)


def test_four_tasks_at_once(token: FaultyToken) -> None:
    """Under one host's lock: one of them makes all pairs."""
    tasks = [token.start("hsm_keypairs", keypairs=SIX, parallel=4) for _count in range(4)]
    runs = [task.finish() for task in tasks]
    assert sorted(run.result.get("changed", run.stdout) for run in runs) == [False] * 3 + [True]
    assert len({tuple(column(run, "fingerprint")) for run in runs}) == 1
    assert there(token) == WHOLE


def test_session_pair_beside_one_that_stays(token: FaultyToken) -> None:
    """It is gone when the module ends, and is not what the other entry wishes."""
    run = many(token, keypairs=[ecc("a", session=True), ecc("a"), ecc("b"), ecc("b", session=True)], parallel=1)
    assert column(run, "changed") == [True] * 4
    assert there(token) == {label: WHOLE[label] for label in "ab"}


def test_check_mode_writes_nothing(token: FaultyToken) -> None:
    progress = token.folder / "progress"
    run = many(token, check_mode=True, progress_file=str(progress), parallel=4)
    assert column(run, "changed") == [True] * 6
    assert not run.writes and not progress.exists()
    assert token.listing() == []
