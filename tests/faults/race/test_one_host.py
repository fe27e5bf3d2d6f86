# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several tasks at once on one host, under its lock."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken

KEYS: dict[str, dict[str, t.Any]] = {
    "hsm_ecc_keypair": {"curve": "P-256"},
    "hsm_rsa_keypair": {"modulus_bits": 2048},
}


@pytest.mark.parametrize("module", KEYS)
def test_eight_tasks_for_one_label(token: FaultyToken, module: str) -> None:
    tasks = [token.start(module, label="k", **KEYS[module]) for _count in range(8)]
    runs = [task.finish() for task in tasks]
    assert sorted(run.result.get("changed", run.stdout) for run in runs) == [False] * 7 + [True]
    # All but what only the run that made the pair knows, and the handles of its own process.
    told = ("label", "id_hex", "key_type", "fingerprint", "public_key_pem", "uri", "pairing")
    assert len({tuple(str(run.key_pair[name]) for name in told) for run in runs}) == 1
    assert token.halves("k") == ["private", "public"]


def test_eight_tasks_for_eight_labels(token: FaultyToken) -> None:
    labels = [f"k{number}" for number in range(8)]
    tasks = [token.start("hsm_ecc_keypair", label=label, curve="P-256") for label in labels]
    runs = [task.finish() for task in tasks]
    assert [run.result.get("changed", run.stdout) for run in runs] == [True] * 8
    assert len({run.key_pair["fingerprint"] for run in runs}) == 8
    for label in labels:
        assert token.halves(label) == ["private", "public"]


def test_present_and_absent_at_once(token: FaultyToken) -> None:
    """Whoever is last wins; nobody fails and no half is left."""
    token.ecc(label="k", curve="P-256")
    wishes: list[dict[str, t.Any]] = [{"curve": "P-256"}, {"state": "absent"}] * 4
    runs = [task.finish() for task in [token.start("hsm_ecc_keypair", label="k", **wish) for wish in wishes]]
    assert [run.result.get("failed", False) for run in runs] == [False] * 8
    assert token.halves("k") in ([], ["private", "public"])


def wait_for(condition: t.Callable[[], bool]) -> None:
    """Until the condition holds; a minute is a failure."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_lock_that_is_held(token: FaultyToken) -> None:
    """The holder hangs in its library; who waits is told its PID, and goes on when it is gone."""
    holder = token.start("hsm_ecc_keypair", "C_FindObjectsInit before sleep 600", label="k", curve="P-256")
    wait_for(lambda: "C_FindObjectsInit" in token.calls())
    for module in KEYS:
        begin = time.monotonic()
        run = token.run(module, label="k", lock_timeout=1, **KEYS[module])
        assert 1 <= time.monotonic() - begin < 60
        assert run.msg == (
            f"Could not use the token labelled 'test token' within 1 seconds: process {holder.pid} holds the lock"
            f" {token.lock_file()}. Wait for it, or raise lock_timeout."
        )
    waiting = token.start("hsm_ecc_keypair", label="k", curve="P-256")
    time.sleep(0.5)
    assert not waiting.ended()
    holder.kill()
    assert waiting.finish().result["changed"] is True
    assert token.lock_file().read_text() == ""


def test_lock_of_another_token_folder(token: FaultyToken, make_token: t.Callable[..., FaultyToken]) -> None:
    holder = token.start("hsm_ecc_keypair", "C_FindObjectsInit before sleep 600", label="k", curve="P-256")
    wait_for(lambda: "C_FindObjectsInit" in token.calls())
    assert make_token().ecc(label="k", curve="P-256", lock_timeout=1).result["changed"] is True
    holder.kill()


def test_lock_that_is_no_file(token: FaultyToken) -> None:
    """Somebody laid a folder there: it is named, and the token is not touched without the lock."""
    token.lock_file().mkdir()
    run = token.faulty("hsm_ecc_keypair", label="k", curve="P-256")
    assert "Could not lock the token labelled 'test token' on this host: the lock file " in run.msg
    assert str(token.lock_file()) in run.msg
    assert not run.calls
    token.lock_file().rmdir()
