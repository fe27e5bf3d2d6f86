# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SoftHSM's files, damaged: it passes over them, and nothing is taken for absent because of that."""

from __future__ import annotations

import json
import os
import shutil
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.softhsm_store import mark_path
from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.module_process import NOBODY
from ansible_collections.cryptoki.hsm.tests.support.module_run import Run
from ansible_collections.cryptoki.hsm.tests.support.nodes import Nodes
from ansible_collections.cryptoki.hsm.tests.support.soft_token import SO_PIN

ADVICE = "Restore it from a backup, or move it away if what it held is given up."
NO_KEY = "the key itself is missing in it"
Content = t.Callable[[bytes], bytes]
# What becomes of a file's content. An object whose records end early at the right place is whole for SoftHSM.
DAMAGES: dict[str, Content] = {
    "empty": lambda _whole: b"",
    "cut": lambda whole: whole[:300],
    "cut after the third attribute": lambda whole: whole[:66],
    "garbage": lambda whole: b"\x5a" * len(whole),
}
KEY: dict[str, t.Any] = {"label": "k", "curve": "P-256"}
OTHER: dict[str, t.Any] = {"label": "other", "curve": "P-256"}
HALVES = {2: "public", 3: "private"}


@pytest.fixture
def token(make_token: t.Callable[..., FaultyToken]) -> FaultyToken:
    """A new token, on which nobody else works: what looks again after a while does so soon."""
    made = make_token()
    made.hurried = True
    return made


def inner(token: FaultyToken) -> Path:
    """The folder of the only token."""
    (folder,) = (path for path in token.tokens.iterdir() if path.is_dir())
    return folder


def objects(token: FaultyToken) -> dict[Path, bytes]:
    """The files of the token's objects, with their content."""
    return {path: path.read_bytes() for path in inner(token).glob("*.object") if path.name != "token.object"}


def halves(token: FaultyToken, label: str) -> dict[str, Path]:
    """Makes an ECC pair; the files of its halves."""
    before = objects(token)
    token.ecc(label=label, curve="P-256")
    made = {path: content for path, content in objects(token).items() if path not in before}
    return {HALVES[int.from_bytes(content[24:32], "big")]: path for path, content in made.items()}


def damage(content: Content, *paths: Path) -> None:
    """Damages files."""
    for path in paths:
        path.write_bytes(content(path.read_bytes()))


def warnings(run: Run) -> str:
    """All warnings, as one text."""
    assert not run.result.get("failed"), run.result
    return json.dumps(run.result.get("warnings", ""))


@pytest.mark.parametrize(
    ("content", "which"),
    [
        ("empty", "private"),
        ("empty", "both"),
        ("cut", "public"),
        ("cut after the third attribute", "public"),
        ("cut after the third attribute", "private"),
        ("garbage", "both"),
    ],
)
def test_every_act_beside_a_damaged_pair(token: FaultyToken, content: str, which: str) -> None:
    """No second pair gets an old name, no key is lost, and what does not depend on the damaged file is done."""
    other = token.ecc(**OTHER).key_pair["fingerprint"]
    files = halves(token, "k")
    whole = {path: path.read_bytes() for path in files.values()}
    there = set(objects(token))
    old = token.ecc(label="k", curve="P-256").key_pair["fingerprint"]
    damaged = list(files.values()) if which == "both" else [files[which]]
    damage(DAMAGES[content], *damaged)

    def refused(run: Run) -> None:
        assert any(str(path) in run.msg for path in damaged), run.msg
        assert ADVICE in run.msg
        assert set(objects(token)) == there

    for check_mode in (True, False):
        run = token.run("hsm_ecc_keypair", label="k", curve="P-256", check_mode=check_mode)
        assert run.msg.startswith("Refused to take a key for absent on the token 'test token' (serial ")
        refused(run)
        refused(token.run("hsm_ecc_keypair", label="k", state="absent", check_mode=check_mode))
        refused(token.run("hsm_key", label="other", state="absent", check_mode=check_mode))
    refused(token.run("hsm_key", label="other", new_label="k"))
    refused(token.run("hsm_ecc_keypair", label="k", curve="P-256", session=True, id="x"))
    wished: list[dict[str, t.Any]] = [{**OTHER, "type": "ecc"}, {"label": "k", "type": "ecc", "curve": "P-256"}]
    many = token.run("hsm_keypairs", keypairs=wished)
    refused(many)
    assert [row["failed"] for row in many.result["key_pairs"]] == [False, True]
    assert many.result["changed"] is False
    refused(token.run("hsm_ecc_keypair", **{**OTHER, "curve": "P-384"}, on_mismatch="replace"))
    refused(token.run("hsm_ecc_keypair", label="other", state="absent"))
    refused(
        token.run("hsm_keypairs", keypairs=[{"label": f"new{n}", "type": "ecc", "curve": "P-256"} for n in range(4)])
    )

    run = token.ecc(**OTHER, verify=True)
    assert run.result["changed"] is False and run.key_pair["fingerprint"] == other
    assert (str(damaged[0]) in warnings(run)) is (content == "empty")  # contents are read before absence only
    run = token.ecc(**OTHER, private_attributes={"derive": True})
    assert run.result["changed"] is True and run.key_pair["fingerprint"] == other
    told = token.run("hsm_key_info")
    assert all(str(path) in warnings(told) for path in damaged)
    assert [row["attributes"].get("label") for row in told.result["objects"]].count("other") == 2
    told = token.run("hsm_token_info", login=True)
    assert all(str(path) in warnings(told) for path in damaged)
    assert token.run("hsm_token", token_label=token.label, so_pin=SO_PIN).result["changed"] is False
    refused(token.ecc(label="k", curve="P-256"))  # SoftHSM has added empty attributes to some when they were listed

    for path, content_before in whole.items():
        path.write_bytes(content_before)
    run = token.ecc(label="k", curve="P-256", verify=True)
    assert run.result["changed"] is False and run.key_pair["fingerprint"] == old
    assert "warnings" not in run.result
    assert token.halves("k") == token.halves("other") == ["private", "public"]


@pytest.mark.parametrize("content", [*DAMAGES, "missing"])
def test_every_act_on_a_damaged_token(token: FaultyToken, content: str) -> None:
    """No second token gets its label; when the file is back, all keys are."""
    token.ecc(**OTHER)
    path = inner(token) / "token.object"
    whole = path.read_bytes()
    path.unlink() if content == "missing" else damage(DAMAGES[content], path)
    making: dict[str, t.Any] = {"so_pin": SO_PIN, "check_mode": False}
    for run in (
        token.run("hsm_token", **making),
        token.run("hsm_token", **{**making, "check_mode": True}),
        token.run("hsm_token", **making, token_label="another"),
        token.ecc(**OTHER),
        token.ecc(label="other", state="absent"),
        token.run("hsm_keypairs", keypairs=[{**OTHER, "type": "ecc"}]),
        token.run("hsm_key_info"),
    ):
        assert f"{path} is damaged (it is " in run.msg
        assert "so that a token there stays unseen (restore it from a backup, or move its folder away)" in run.msg
    told = token.run("hsm_token_info", token_label=None, pin=None)
    assert str(path) in warnings(told)
    assert [folder.name for folder in token.tokens.iterdir() if folder.is_dir()] == [path.parent.name]
    path.write_bytes(whole)
    assert token.ecc(**OTHER, verify=True).result["changed"] is False
    assert token.run("hsm_token", **making).result["changed"] is False
    assert token.run("hsm_token", **making, token_label="another").result["changed"] is True


def test_token_beside_a_damaged_one(token: FaultyToken) -> None:
    """A token that is found is used; one that is not found is not made."""
    token.initialise("damaged")
    (path,) = (path for path in token.tokens.glob("*/token.object") if b"damaged " in path.read_bytes())
    damage(DAMAGES["cut"], path)
    assert token.ecc(**OTHER).result["changed"] is True
    assert token.run("hsm_token", so_pin=SO_PIN).result["changed"] is False
    assert str(path) in token.run("hsm_token", token_label="damaged", so_pin=SO_PIN).msg
    shutil.rmtree(path.parent)
    assert token.run("hsm_token", token_label="damaged", so_pin=SO_PIN).result["changed"] is True


def test_folder_that_is_gone(token: FaultyToken) -> None:
    """SoftHSM answers that it finds nothing."""
    token.ecc(label="k", curve="P-256")
    for params in (KEY, {"label": "k", "curve": None, "state": "absent"}):
        run = token.faulty_ecc(f"C_FindObjectsInit#1 before run mv {token.tokens} {token.folder}/away", **params)
        (token.folder / "away").rename(token.tokens)
        assert f"its folder {inner(token)} is gone" in run.msg
    assert token.ecc(**KEY, verify=True).result["changed"] is False


def test_folder_that_was_never_a_token(token: FaultyToken) -> None:
    """What an administrator keeps there is no damaged token."""
    (token.tokens / "backup").mkdir()
    (token.tokens / "backup" / "notes.txt").write_text("of last week\n")
    (token.tokens / "lost+found").mkdir(mode=0o700)
    assert token.run("hsm_token", token_label="new", so_pin=SO_PIN).result["changed"] is True


@pytest.mark.parametrize("halves_left", ["public", "private"])
def test_half_is_not_called_lone(token: FaultyToken, halves_left: str) -> None:
    """Where the other half may be in a damaged file, nothing advises to remove the one that is seen."""
    files = halves(token, "k")
    damage(DAMAGES["empty"], *(path for half, path in files.items() if half != halves_left))
    run = token.ecc(label="k", curve="P-256")
    assert "Refused to take a key for absent" in run.msg
    assert "remove" not in run.msg
    assert token.halves("k") == [halves_left]


def test_half_that_tells_too_little_is_not_called_a_strangers(token: FaultyToken) -> None:
    """The private half is found by its label and id, and has no modulus any more."""
    assert token.rsa(label="k", modulus_bits=2048).result["changed"] is True
    (private,) = (path for path, content in objects(token).items() if content[24:32] == (3).to_bytes(8, "big"))
    whole = private.read_bytes()
    head = (0x102).to_bytes(8, "big") + (3).to_bytes(8, "big")  # the id, a byte string
    begin = whole.index(head) + len(head)
    private.write_bytes(whole[: begin + 8 + int.from_bytes(whole[begin : begin + 8], "big")])
    for params in ({"modulus_bits": 2048}, {"state": "absent"}):
        run = token.rsa(label="k", **params)
        assert f"{private} is damaged ({NO_KEY})" in run.msg
        assert "remove" not in run.msg
    private.write_bytes(whole)
    assert token.rsa(label="k", modulus_bits=2048, verify=True).result["changed"] is False


# What happens in the second pause between two looks, which no other work on the machine delays.
SECOND_PAUSE = """
import os, time
paused = []
def sleep(seconds):
    if seconds == 0.5:
        paused.append(seconds)
    if len(paused) == 2:
        {}
time.sleep = sleep
"""


@pytest.mark.parametrize("digits", ["", "00000000"])
def test_file_that_is_unfinished_for_a_moment(token: FaultyToken, digits: str) -> None:
    """Other programs write an object attribute by attribute: a look or two meet that, the third does not."""
    token.hurried = False
    path = inner(token) / "11111111-2222-3333-4444-555555555555.object"
    write = f"printf '{digits}' > {path}"
    removed = token.folder / "removed"
    before = SECOND_PAUSE.format(f"os.rename({str(path)!r}, {str(removed)!r})")
    run = token.faulty_ecc(f"C_GetTokenInfo#1 before run {write}", label="k", popen={"before": before})
    assert removed.exists()
    assert run.result["changed"] is True
    assert "warnings" not in run.result
    run = token.faulty_ecc(f"C_GetTokenInfo#1 before run {write}", label="new")
    assert f"{path} is damaged (" in run.msg


def unfinished(token: FaultyToken) -> list[str]:
    """The list of what killed tasks left."""
    path = inner(token) / "cryptoki-hsm.unfinished"
    return path.read_text().splitlines()[1:] if path.exists() else []


def killed(token: FaultyToken, killer: Path, moment: int, module: str = "hsm_ecc_keypair", **params: t.Any) -> None:
    """Runs a task that is killed before an operation on the objects' files."""
    environment = {"LD_PRELOAD": str(killer), "KILL_AT": str(moment)}
    assert token.start(module, environment=environment, **params).died()


@pytest.mark.parametrize("moment", [3, 10, 60])
def test_what_a_killed_generation_leaves_is_no_damage(token: FaultyToken, killer: Path, moment: int) -> None:
    """It is known by what was there before, from then on, and nothing else is taken for it."""
    token.hurried = False
    killed(token, killer, moment, label="k", curve="P-256")
    left = set(objects(token))
    assert left
    assert "warnings" not in token.ecc(**OTHER, check_mode=True).result
    assert token.ecc(**OTHER).result["changed"] is True
    assert set(unfinished(token)) <= {path.name for path in left}
    assert not any(mark.exists() for mark in token.marks())
    if unfinished(token):
        no_pause = {"before": "import time\ntime.sleep = None\n"}
        again = token.faulty_ecc(label="new", popen=no_pause).result
        assert again["changed"] is True and "warnings" not in again, again  # and nobody waits for it again
    files = [path for path in objects(token) if path not in left]
    damage(DAMAGES["empty"], files[0])
    assert str(files[0]) in token.ecc(label="newer", curve="P-256").msg


def test_key_that_a_killed_change_leaves_empty_is_damage(
    make_token: t.Callable[..., FaultyToken], killer: Path
) -> None:
    """SoftHSM cuts an object's file to nothing before it writes it: the key was there before, and is lost."""
    seen = set()
    for moment in range(38, 56):
        token = make_token()
        token.hurried = True
        token.ecc(label="k", curve="P-256")
        environment = {"LD_PRELOAD": str(killer), "KILL_AT": str(moment)}
        task = token.start("hsm_key", label="k", new_label="l", environment=environment)
        if not task.died():
            break
        empty = [path for path, content in objects(token).items() if not content]
        if empty:
            seen.add(moment)
            for label in ("k", "l"):
                assert str(empty[0]) in token.ecc(label=label, curve="P-256").msg
            if len(seen) == 2:
                break
    assert seen


def test_pair_of_a_killed_task_that_is_damaged_later(token: FaultyToken) -> None:
    """The pair was whole when the next task came: from then on it is like any other."""
    assert token.start("hsm_ecc_keypair", "C_GenerateKeyPair after kill", label="k", curve="P-256").died()
    assert any(mark.exists() for mark in token.marks())
    assert token.ecc(label="k", curve="P-256").result["changed"] is False
    assert unfinished(token) == []
    damage(DAMAGES["cut"], *objects(token))
    assert "Refused to take a key for absent" in token.ecc(label="k", curve="P-256").msg


def test_mark_of_another_user_is_not_believed(token: FaultyToken) -> None:
    """Everybody may write beside the lock, and nobody can call a live key unfinished there."""
    token.ecc(label="k", curve="P-256")
    damage(DAMAGES["empty"], *objects(token))
    mark = Path(mark_path(str(inner(token))))
    mark.write_text(str(inner(token)))
    os.chown(mark, NOBODY, NOBODY)
    assert "Refused to take a key for absent" in token.ecc(label="k", curve="P-256").msg
    mark.unlink()
    mark.symlink_to("/dev/zero")
    assert "Refused to take a key for absent" in token.ecc(label="k", curve="P-256").msg


def test_killed_making_of_a_token_does_not_block(token: FaultyToken) -> None:
    """What it leaves is known as unfinished; the next run makes the token."""
    making: dict[str, t.Any] = {"token_label": "new", "so_pin": SO_PIN}
    assert token.start("hsm_token", "C_InitToken after kill", **making).died()
    (made,) = (path for path in token.tokens.iterdir() if path != inner_of(token, token.label))
    damage(DAMAGES["empty"], made / "token.object")
    assert token.run("hsm_token", **making).result["changed"] is True
    assert (token.tokens / "cryptoki-hsm.unfinished").read_text().splitlines()[1:] == [made.name]
    assert token.run("hsm_token", **making).result["changed"] is False
    assert token.ecc(label="k", curve="P-256", token_label="new").result["changed"] is True


def inner_of(token: FaultyToken, label: str) -> Path:
    """The folder of the token with this label."""
    (path,) = (path for path in token.tokens.glob("*/token.object") if label.encode() in path.read_bytes())
    return path.parent


def test_replica_whose_store_is_damaged(nodes: Nodes) -> None:
    """No copy is stored beside what may be the pair already, and none is removed."""
    pair = nodes.run("hsm_ecc_keypair", label="k", curve="P-256").key_pair["fingerprint"]
    beta = nodes.tokens["beta"]
    beta.hurried = True
    whole = objects(beta)
    damage(DAMAGES["cut"], *whole)
    wishes: tuple[dict[str, t.Any], ...] = ({"curve": "P-256"}, {"state": "absent"})
    for params in wishes:
        run = nodes.run("hsm_ecc_keypair", label="k", **params)
        assert "Refused to take a key for absent" in run.msg
        assert any(str(path) in run.msg for path in whole)
        assert set(objects(beta)) == set(whole)
    for path, content in whole.items():
        path.write_bytes(content)
    run = nodes.run("hsm_ecc_keypair", label="k", curve="P-256")
    assert run.result["changed"] is False and run.key_pair["fingerprint"] == pair
