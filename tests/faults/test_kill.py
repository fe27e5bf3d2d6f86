# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SIGKILL at any moment: the lock is free at once, and the next run finishes, finds, or names what is there."""

from __future__ import annotations

import re
import shutil
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.support.fault import FaultyToken, Task

KEYS: dict[str, dict[str, t.Any]] = {
    "hsm_ecc_keypair": {"curve": "P-256"},
    "hsm_rsa_keypair": {"modulus_bits": 2048},
}
WISH: dict[str, t.Any] = {"label": "k", "curve": "P-256", "lock_timeout": 1}
FREEZE: dict[str, t.Any] = {"private_attributes": {"modifiable": False}, "public_attributes": {"modifiable": False}}
REPLACE: dict[str, t.Any] = {**WISH, "curve": "P-384", "on_mismatch": "replace"}


def named(msg: str) -> dict[str, t.Any]:
    """What the message names to be removed, in the way that it names."""
    half = re.search(
        r"it is a (?:public|private) half without its (?:public|private) half: \(.*, id ([0-9a-f:]+), ", msg
    )
    if half:
        assert "state=absent with its id or fingerprint" in msg
        return {"id_hex": half[1]}
    strangers = re.search(r"its halves do not belong together: \(public .*, fingerprint ([0-9a-f:]{95})\), ", msg)
    assert strangers, msg
    assert "remove what is not wanted by state=absent named so" in msg
    return {"fingerprint": strangers[1]}


def converges(token: FaultyToken, module: str, label: str) -> str:
    """The pair is there in the end, alone, whole and proven; the answer tells how."""
    wish = {"label": label, "lock_timeout": 1, "verify": True, **KEYS[module]}
    run, how = token.run(module, **wish), "found"
    for _half in ("public", "private"):
        if run.result.get("failed"):
            removal = token.run(module, state="absent", lock_timeout=1, **named(run.msg))
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
        assert not task.ended()
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
        ("C_Logout before kill", "found"),
        ("C_Finalize after kill", "found"),
    ],
)
def test_exact_moment(token: FaultyToken, rule: str, how: str) -> None:
    assert token.start("hsm_ecc_keypair", rule, label="k", curve="P-256").died()
    assert converges(token, "hsm_ecc_keypair", "k") == how


def test_exact_moment_of_an_rsa_pair(token: FaultyToken) -> None:
    assert token.start("hsm_rsa_keypair", "C_GenerateKeyPair after kill", label="k", modulus_bits=2048).died()
    assert converges(token, "hsm_rsa_keypair", "k") == "found"


@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("function", ["C_CopyObject", "C_DestroyObject"])
def test_kill_while_a_pair_is_frozen(token: FaultyToken, function: str, moment: str, call: int) -> None:
    """Between the copy of a half and the destruction of its original both are there: the next run removes that."""
    assert token.start("hsm_ecc_keypair", f"{function}#{call} {moment} kill", **WISH, **FREEZE).died()
    finished = (function, moment, call) == ("C_DestroyObject", "after", 2)
    assert token.ecc(**WISH, **FREEZE).result["changed"] is not finished
    run = token.ecc(**WISH, **FREEZE, verify=True)
    assert run.result["changed"] is False
    for half in ("private_key", "public_key"):
        assert run.key_pair[half]["attributes"]["modifiable"] is False
    assert token.halves("k") == ["private", "public"]


@pytest.mark.parametrize("call", [1, 2])
def test_kill_while_a_pair_is_changed(token: FaultyToken, call: int) -> None:
    token.ecc(**WISH)
    usage: dict[str, t.Any] = {"usage": ["derive"]}
    assert token.start("hsm_ecc_keypair", f"C_SetAttributeValue#{call} before kill", **WISH, **usage).died()
    assert token.ecc(**WISH, **usage).result["changed"] is True
    assert token.ecc(**WISH, **usage, verify=True).result["changed"] is False


def test_kill_while_a_pair_is_removed(token: FaultyToken) -> None:
    """The private half is gone: the public one is named, and removed when it is."""
    token.ecc(**WISH)
    absent: dict[str, t.Any] = {"label": "k", "state": "absent", "lock_timeout": 1}
    assert token.start("hsm_ecc_keypair", "C_DestroyObject#2 before kill", **absent).died()
    assert token.halves("k") == ["public"]
    run = token.ecc(**absent)
    assert "Name it by id or fingerprint to remove it." in run.msg
    key_id = token.listing()[0]["id"]
    assert key_id in run.msg.replace(":", "")
    assert token.ecc(**absent, id_hex=key_id).result["changed"] is True
    assert token.ecc(**absent).result["changed"] is False
    assert token.listing() == []


@pytest.mark.parametrize(
    "rule",
    [
        "C_GenerateKeyPair after kill",
        "C_Sign before kill",
        "C_SetAttributeValue#1 before kill",
        "C_SetAttributeValue#2 after kill",
        "C_DestroyObject#1 before kill",
    ],
)
def test_kill_while_the_old_pair_is_there(token: FaultyToken, rule: str) -> None:
    """The new pair beside it may as well be the work of another host: it is named, and removed by its label."""
    old = token.ecc(**WISH).key_pair["fingerprint"]
    assert token.start("hsm_ecc_keypair", rule, **REPLACE).died()
    run = token.ecc(**REPLACE)
    assert run.msg.startswith(
        "Refused to touch the ECC key pair 'k' on the token 'test token': a replacement of it was broken off, or another"
        " host is at it: the old pair is there, and beside it the new one, (public ec key, on secp384r1, label 'repl"
    )
    label = re.search(r"remove the new one \(state=absent, label '(replacement [0-9a-f]{16})'\)\.$", run.msg)
    assert label, run.msg
    assert token.ecc(**WISH, verify=True).key_pair["fingerprint"] == old
    assert token.ecc(state="absent", label=label[1]).result["changed"] is True
    assert token.ecc(**REPLACE).result["changed"] is True
    assert token.ecc(**REPLACE, verify=True).result["changed"] is False
    assert [row["label"] for row in token.listing()] == ["k", "k"]


@pytest.mark.parametrize(
    "rule",
    [
        "C_DestroyObject#2 after kill",
        "C_SetAttributeValue#3 before kill",
        "C_SetAttributeValue#4 before kill",
        "C_SetAttributeValue#4 after kill",
    ],
)
def test_kill_when_the_old_pair_is_gone(token: FaultyToken, rule: str) -> None:
    """The next run goes on with the new pair where the killed one stopped; there is no second new one."""
    token.ecc(**WISH)
    assert token.start("hsm_ecc_keypair", rule, **REPLACE).died()
    (made,) = {row["id"] for row in token.listing()}
    run = token.ecc(**REPLACE)
    assert run.result["changed"] is (rule != "C_SetAttributeValue#4 after kill")
    assert run.key_pair["id_hex"].replace(":", "") == made
    assert token.ecc(**REPLACE, verify=True).result["changed"] is False
    assert [row["label"] for row in token.listing()] == ["k", "k"]


def test_kill_between_the_old_halves(token: FaultyToken) -> None:
    """What is left of the old pair is named; when it is removed, the next run goes on with the new one."""
    token.ecc(**WISH)
    assert token.start("hsm_ecc_keypair", "C_DestroyObject#2 before kill", **REPLACE).died()
    new = {row["id"] for row in token.listing() if row["label"].startswith("replacement ")}
    left = named(token.ecc(**REPLACE).msg)
    assert token.ecc(state="absent", **left).result["changed"] is True
    run = token.ecc(**REPLACE, verify=True)
    assert {run.key_pair["id_hex"].replace(":", "")} == new
    assert [row["label"] for row in token.listing()] == ["k", "k"]
    assert token.ecc(**REPLACE).result["changed"] is False


def test_kill_between_the_ids_of_the_new_pair(token: FaultyToken) -> None:
    """A wished id that only one half has got: the next run says how to go on, and that works."""
    token.ecc(**WISH, id="one")
    assert token.start("hsm_ecc_keypair", "C_SetAttributeValue#3 after kill", **REPLACE, id="one").died()
    assert token.ecc(**REPLACE, id="one").msg.endswith(
        "That is the new pair of a replacement that was broken off while it was renamed, and the old pair is gone."
        " Give both its halves the wished id and label with hsm_key, each named by its uri."
    )
    for key in token.run("hsm_key_info").result["objects"]:
        token.run("hsm_key", uri=key["uri"], new_id="one", new_label="k")
    run = token.ecc(**REPLACE, id="one", verify=True)
    assert run.result["changed"] is False and run.key_pair["verified"]
    assert [row["label"] for row in token.listing()] == ["k", "k"]
