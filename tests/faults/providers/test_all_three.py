# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Identity and safety, on every provider: what a name means, and that nothing is guessed, doubled, lost or told."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.support.any_hsm import ClusterHsm, Half, Hsm, TokenHsm
from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken

ECC, RSA = "hsm_ecc_keypair", "hsm_rsa_keypair"
WISH: dict[str, t.Any] = {"label": "k", "curve": "P-256"}
PAIR = ["private", "public"]


@pytest.fixture(params=["pkcs11", "cloudhsm_cli", "key_mgmt_util"])
def hsm(request: pytest.FixtureRequest, tmp_path: Path) -> Hsm:
    if request.param == "pkcs11":
        token: FaultyToken = request.getfixturevalue("token")
        return TokenHsm(token)
    return ClusterHsm(tmp_path / "cluster", request.param)


def test_a_pair_is_made_once_and_removed_once(hsm: Hsm) -> None:
    """Check mode, for real, twice each; and only what was named is touched."""
    hsm.make("other", "0a")
    empty = hsm.content()
    for params, there in ((WISH, PAIR), ({"label": "k", "state": "absent"}, [])):
        before = hsm.content()
        foretold = hsm.run(ECC, check_mode=True, **params)
        assert foretold.result["changed"] and hsm.content() == before
        done = hsm.run(ECC, **params)
        assert done.result["changed"] and hsm.halves("k") == there
        after = hsm.content()
        again = [hsm.run(ECC, check_mode=check, **params).result for check in (True, False)]
        assert [run["changed"] for run in again] == [False, False] and hsm.content() == after
    assert hsm.content() == empty


def test_a_pair_of_another_program_is_found_by_label_and_type(hsm: Hsm) -> None:
    hsm.make("k", "0a")
    before = hsm.content()
    run = hsm.run(ECC, **WISH, verify=True)
    assert (run.result["changed"], run.key_pair["id_hex"]) == (False, "0a") and run.key_pair["verified"]
    assert hsm.content() == before
    assert hsm.run(RSA, label="k", modulus_bits=2048).result["changed"]  # of another type, it is another pair
    assert hsm.halves("k") == sorted(PAIR * 2)


@pytest.mark.parametrize(
    ("module", "params"),
    [
        (ECC, {"label": "other", "curve": "P-256"}),
        (RSA, {"label": "k", "modulus_bits": 2048}),
        (ECC, {"label": "other", "state": "absent"}),
    ],
)
def test_an_id_of_another_label_or_type_is_refused(hsm: Hsm, module: str, params: dict[str, t.Any]) -> None:
    hsm.make("k", "0a")
    before = hsm.content()
    run = hsm.run(module, id_hex="0a", **params)
    assert "its id belongs to (public ec key, on secp256r1, label 'k', id 0a" in run.msg and hsm.content() == before


def test_a_pair_without_an_id_is_no_stranger(hsm: Hsm) -> None:
    hsm.make("k")
    before = hsm.content()
    run = hsm.run(ECC, **WISH, id="one")
    assert "there is a pair of that label and type without an id" in run.msg and hsm.content() == before


def test_a_quorum_of_0_is_none(hsm: Hsm) -> None:
    """The default of the commands, which needs nobody to share with; in a list, too."""
    assert hsm.run(ECC, **WISH, quorum=0).result["changed"]
    again = hsm.run("hsm_keypairs", keypairs=[{"type": "ecc", **WISH, "m_value": 0}])
    assert again.result["changed"] is False and hsm.halves("k") == PAIR


@pytest.mark.parametrize("quorum", [1, 2])
def test_a_quorum_of_one_user_is_refused_before_the_login(hsm: Hsm, quorum: int) -> None:
    run = hsm.run(ECC, **WISH, quorum=quorum, pin="no-login-71")
    assert run.msg.startswith("quorum "), run.msg
    assert hsm.failed_logins() == 0 and hsm.halves("k") == []


def test_duplicates_are_refused_and_one_is_chosen_by_its_fingerprint(hsm: Hsm) -> None:
    hsm.make("k", "0a")
    first = hsm.run(ECC, **WISH).key_pair["fingerprint"]
    hsm.make("k", "0b")
    before = hsm.content()
    for params in (WISH, {"label": "k", "state": "absent"}, {**WISH, "on_mismatch": "replace", "curve": "P-384"}):
        run = hsm.run(ECC, **params)
        assert "2 ECC key pairs have that name" in run.msg and "Nothing was changed." in run.msg
    assert hsm.content() == before
    assert hsm.run(ECC, label="k", state="absent", fingerprint=first).result["changed"]
    assert hsm.halves("k") == PAIR and hsm.run(ECC, **WISH).key_pair["id_hex"] == "0b"


@pytest.mark.parametrize(("lost", "left"), [("private", "public"), ("public", "private")])
def test_a_half_pair_is_no_pair_and_no_absence(hsm: Hsm, lost: Half, left: Half) -> None:
    hsm.make("k", "0a")
    hsm.lose("k", lost)
    before = hsm.content()
    for check_mode in (True, False):
        run = hsm.run(ECC, **WISH, check_mode=check_mode)
        assert f"it is a {left} half without its {lost} half" in run.msg and hsm.content() == before
    if left == "public":
        assert "Name it by id or fingerprint to remove it." in hsm.run(ECC, label="k", state="absent").msg
        assert hsm.content() == before
    assert hsm.run(ECC, id_hex="0a", state="absent").result["changed"] and hsm.halves("k") == []


@pytest.mark.parametrize("there", [True, False])
def test_a_failed_search_is_no_absence(hsm: Hsm, there: bool) -> None:
    if there:
        hsm.make("k", "0a")
    before = hsm.content()
    hsm.broken = True
    for params in (WISH, {**WISH, "id": "two"}, {"label": "k", "state": "absent"}):
        run = hsm.run(ECC, **params)
        assert run.msg.startswith("Could not search for the ECC key pair"), run.msg
        assert run.result.get("ckr") or run.result.get("provider_error")
    hsm.broken = False
    assert hsm.content() == before


def test_tasks_at_once_make_one_pair(hsm: Hsm) -> None:
    tasks = [hsm.start(ECC, **WISH) for _count in range(4)]
    runs = [task.finish(timeout=120) for task in tasks]
    assert sorted(run.result.get("changed", run.stdout) for run in runs) == [False] * 3 + [True]
    assert len({run.key_pair["fingerprint"] for run in runs}) == 1 and hsm.halves("k") == PAIR


def test_a_wrong_password_is_tried_once_and_told_nowhere(hsm: Hsm) -> None:
    wrong = "50-wrong-6621"
    before = hsm.failed_logins()
    run = hsm.run(ECC, **WISH, pin=wrong)
    assert run.result["failed"] and wrong not in run.stdout + run.stderr and "Traceback" not in run.stdout
    assert hsm.failed_logins() == before + 1 and hsm.halves("k") == []


@pytest.mark.parametrize("moment", [0.6, 1.1])
def test_a_killed_task_leaves_what_the_next_one_finishes_or_finds(hsm: Hsm, moment: float) -> None:
    task = hsm.start(ECC, **WISH)
    try:
        task.finish(timeout=moment)
    except subprocess.TimeoutExpired:
        task.kill()
    run = hsm.run(ECC, **WISH, verify=True)
    assert not run.result.get("failed"), run.result.get("msg")
    assert hsm.halves("k") == PAIR and run.key_pair["verified"]


@pytest.mark.parametrize("provider", ["cloudhsm_cli", "key_mgmt_util"])
def test_a_handle_is_checked_against_the_name_beside_it(tmp_path: Path, provider: str) -> None:
    """After a restore it may be another key's."""
    hsm = ClusterHsm(tmp_path / "cluster", provider)
    pair = hsm.run(ECC, **WISH).key_pair
    handle, fingerprint = pair["private_key"]["handle"], pair["fingerprint"]
    before = hsm.content()
    for check_mode in (True, False):
        alone = hsm.run("hsm_key", handle=handle, state="absent", check_mode=check_mode)
        assert alone.msg.startswith(f"handle {handle} is refused: with state=absent give label, id or fingerprint"), (
            alone.msg
        )
        for name in ({"label": "x"}, {"id": "x"}, {"fingerprint": fingerprint[::-1]}):
            for task in ({"state": "absent"}, {"new_label": "y"}):
                other = hsm.run("hsm_key", handle=handle, **name, **task, check_mode=check_mode)
                assert f"handle {handle} is that of (private ec key, " in other.msg, other.msg
    assert hsm.content() == before
    gone = hsm.run("hsm_key", handle=handle, label="k", fingerprint=fingerprint, state="absent")
    assert gone.result["changed"] and hsm.halves("k") == ["public"]
    assert hsm.run("hsm_key", handle=handle, label="k", state="absent").result["changed"] is False
