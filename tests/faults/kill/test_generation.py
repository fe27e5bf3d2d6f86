# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SIGKILL while a pair is made: the lock is free at once, and the next run finishes, finds, or names what is there."""

from __future__ import annotations

import shutil
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.remains import removed
from ansible_collections.cryptoki.hsm.tests.support.task import Task

KEYS: dict[str, dict[str, t.Any]] = {
    "hsm_ecc_keypair": {"curve": "P-256"},
    "hsm_rsa_keypair": {"modulus_bits": 2048},
}
WISH: dict[str, t.Any] = {"label": "k", "curve": "P-256", "lock_timeout": 1}


def converges(token: FaultyToken, module: str, label: str) -> str:
    """The pair is there in the end, alone, whole and proven; the answer tells how."""
    wish = {"label": label, "lock_timeout": 1, "verify": True, **KEYS[module]}
    run, how = token.run(module, **wish), "found"
    for _half in ("public", "private"):
        if run.result.get("failed"):
            removal = removed(token, module, run.msg)
            assert removal.result["changed"] is True, removal.stdout
            run, how = token.run(module, **wish), "named"
    if run.result["changed"]:
        how = "made" if how == "found" else how
        again = token.run(module, **wish)
        assert again.result["changed"] is False
        assert again.key_pair["fingerprint"] == run.key_pair["fingerprint"]
    assert token.halves(label) == ["private", "public"]
    return how


def wait_for_call(token: FaultyToken, function: str, task: Task) -> float:
    """When the module called the function."""
    while function not in token.calls():
        assert not task.ended() or function in token.calls()
        time.sleep(0.001)
    return time.monotonic()


@pytest.mark.parametrize("module", KEYS)
def test_ten_moments_of_a_generation(token: FaultyToken, module: str) -> None:
    """All on one token, so that what one kill leaves lies about while the next runs."""
    lengths = []
    for number in range(3):
        task = token.start(module, label=f"measured {number}", **KEYS[module])
        begin = wait_for_call(token, "C_GenerateKeyPair", task)
        assert task.finish().result["changed"] is True
        lengths.append(time.monotonic() - begin)
    length = sorted(lengths)[1]
    died = []
    for moment in range(10):
        task = token.start(module, label=f"k{moment}", **KEYS[module])
        begin = wait_for_call(token, "C_GenerateKeyPair", task)
        time.sleep(max(0, begin + length * moment / 10 - time.monotonic()))
        task.kill()
        died.append(converges(token, module, f"k{moment}"))
    assert set(died) <= {"found", "named", "made"}
    assert len(died) == 10
    assert token.run(module, label="measured 0", verify=True, **KEYS[module]).result["changed"] is False


def operations(token: FaultyToken, killer: Path, module: str) -> int:
    """How often a generation that is not killed touches the files of its objects."""
    told = token.folder / "count"
    environment = {"LD_PRELOAD": str(killer), "KILL_COUNT": str(told)}
    assert token.start(module, label="k", environment=environment, **KEYS[module]).finish().result["changed"] is True
    return int(told.read_text())


def test_kill_at_the_files_of_a_generation(make_token: t.Callable[..., FaultyToken], killer: Path) -> None:
    """SoftHSM stores a pair attribute by attribute: empty files, objects without name, halves without a key.

    It writes the private key itself last, some 30 operations before the end.
    """
    module = "hsm_ecc_keypair"
    count = operations(make_token(), killer, module)
    assert count > 100
    last = {count - 36, count - 33, count - 31, count - 30}
    hows = []
    for moment in sorted({*range(2, count, count // 9), *last}):
        token = make_token()
        environment = {"LD_PRELOAD": str(killer), "KILL_AT": str(moment)}
        assert token.start(module, label="k", environment=environment, **KEYS[module]).died(), moment
        hows.append(converges(token, module, "k"))
    assert set(hows) == {"made", "named", "found"}


def test_orphans_do_not_break_a_run(make_token: t.Callable[..., FaultyToken], killer: Path) -> None:
    """What kills left without a name is passed over, by the search for one pair and by that for all of a type."""
    token = make_token()
    for moment in (2, 4, 10, 13, 40, 70):
        other = make_token()
        environment = {"LD_PRELOAD": str(killer), "KILL_AT": str(moment)}
        assert other.start("hsm_ecc_keypair", label="k", curve="P-256", environment=environment).died()
        (orphan,) = [path for path in other.tokens.glob("*/*.object") if path.name != "token.object"]
        (folder,) = token.tokens.iterdir()
        token.call_unfinished(Path(shutil.copy(orphan, folder / f"11111111-2222-3333-4444-{moment:012}.object")))
    assert token.listing()
    assert token.ecc(**WISH).result["changed"] is True
    assert token.ecc(**WISH, verify=True).result["changed"] is False
    assert token.rsa(label="k", modulus_bits=2048).result["changed"] is True
    fingerprint = token.ecc(**WISH).key_pair["fingerprint"]
    assert token.ecc(state="absent", fingerprint=fingerprint).result["changed"] is True
    assert token.ecc(label="k", state="absent").result["changed"] is False


@pytest.mark.parametrize(
    ("rule", "how"),
    [
        ("C_Initialize after kill", "made"),
        ("C_Login after kill", "made"),
        ("C_FindObjectsInit after kill", "made"),
        ("C_GenerateKeyPair before kill", "made"),
        ("C_GenerateKeyPair after kill", "found"),
        ("C_SignInit before kill", "found"),
        ("C_Sign after kill", "found"),
        ("C_FindObjectsInit^C_Sign before kill", "found"),
        ("C_CloseSession before kill", "found"),
        ("C_Finalize after kill", "found"),
    ],
)
def test_exact_moment(token: FaultyToken, rule: str, how: str) -> None:
    assert token.start("hsm_ecc_keypair", rule, label="k", curve="P-256").died()
    assert converges(token, "hsm_ecc_keypair", "k") == how


def test_exact_moment_of_an_rsa_pair(token: FaultyToken) -> None:
    assert token.start("hsm_rsa_keypair", "C_GenerateKeyPair after kill", label="k", modulus_bits=2048).died()
    assert converges(token, "hsm_rsa_keypair", "k") == "found"
