# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many pairs and a token that fails in the middle: what was made stays, is told, and is found by the next run."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.faults.test_pin import RIGHT, WRONG, assert_unseen, warning_of
from ansible_collections.cryptoki.hsm.tests.faults.test_storage import Disk
from ansible_collections.cryptoki.hsm.tests.support.fault import FaultyRun, FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.softhsm import Run

LABELS = ("a", "b", "c", "d", "e", "f")
PARALLEL = [1, 4]


def ecc(label: str, **given: t.Any) -> dict[str, t.Any]:
    return {"type": "ecc", "label": label, "curve": "P-256", **given}


SIX = [ecc(label) for label in LABELS]


def many(token: FaultyToken, rules: str = "", **params: t.Any) -> FaultyRun:
    """Runs hsm_keypairs through the interposer, on the six pairs if nothing else is said."""
    return token.faulty("hsm_keypairs", rules, **{"keypairs": SIX, **params})


def rows(run: Run) -> list[dict[str, t.Any]]:
    return t.cast("list[dict[str, t.Any]]", run.result["key_pairs"])


def column(run: Run, name: str) -> list[t.Any]:
    return [row[name] for row in rows(run)]


def there(token: FaultyToken) -> dict[str, list[str]]:
    """What each label has, by pkcs11-tool; a kill may leave objects that had no label yet."""
    labels = {row["label"] for row in token.listing() if row.get("label")}
    return {label: token.halves(label) for label in sorted(labels)}


WHOLE = {label: ["private", "public"] for label in LABELS}


def assert_converged(token: FaultyToken, **params: t.Any) -> None:
    """The second run makes what is missing, the third finds all of it, whole and proven."""
    second = token.run("hsm_keypairs", **{"keypairs": SIX, **params})
    assert not second.result.get("failed"), second.stdout
    third = token.run("hsm_keypairs", **{"keypairs": SIX, **params, "verify": True})
    assert third.result["changed"] is False
    assert column(third, "fingerprint") == column(second, "fingerprint")
    assert column(third, "verified") == ["CKM_ECDSA"] * 6
    assert there(token) == WHOLE


# ---- the login ----


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
    assert "key_pairs[0].label" in warning_of(run)


# ---- what ends in the middle ----

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


# ---- sessions and threads ----


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
    assert warning_of(run) == "parallel is 1 on the token 'test token', its library does not allow threads."
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


# ---- others at the same token ----


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
