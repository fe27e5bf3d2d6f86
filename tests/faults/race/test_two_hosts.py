# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks at once on two hosts that share nothing but the token."""

from __future__ import annotations

import time
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.task import Task


def rival(token: FaultyToken, label: str = "k", curve: str = "prime256v1") -> str:
    """Rules by which another host generates a pair between our search and our generation."""
    made = token.tool_command("--keypairgen", "--key-type", f"EC:{curve}", "--label", label, "--id", "01")
    return f"C_GenerateKeyPair before run {made}\nC_GenerateKeyPair after run {token.reread_command()}"


def test_pair_of_another_host(token: FaultyToken) -> None:
    """It appears between the search and the generation: ours goes, and theirs is found."""
    run = token.faulty_ecc(rival(token), label="k")
    assert run.result["changed"] is False
    assert run.key_pair["id_hex"] == "01"
    assert run.writes == {"C_GenerateKeyPair": 1, "C_DestroyObject": 2}
    assert token.halves("k") == ["private", "public"]
    assert {row["id"] for row in token.listing()} == {"01"}


def test_pair_of_another_host_after_ours(token: FaultyToken) -> None:
    """Theirs is younger; that does not matter, because nobody can tell."""
    made = token.tool_command("--keypairgen", "--key-type", "EC:prime256v1", "--label", "k", "--id", "01")
    run = token.faulty_ecc(f"C_GenerateKeyPair after run {made}", label="k")
    assert run.result["changed"] is False
    assert {row["id"] for row in token.listing()} == {"01"}
    assert token.halves("k") == ["private", "public"]


def test_pair_of_another_host_with_the_same_id(token: FaultyToken) -> None:
    """Both have the id of the wish; only the objects of the own call are destroyed."""
    run = token.faulty_ecc(rival(token), label="k", id_hex="01")
    assert run.result["changed"] is False
    assert run.writes == {"C_GenerateKeyPair": 1, "C_DestroyObject": 2}
    proven = token.ecc(label="k", curve="P-256", id_hex="01", verify=True)
    assert proven.key_pair["verified"] == "CKM_ECDSA"
    assert proven.key_pair["fingerprint"] == run.key_pair["fingerprint"]


def test_another_key_of_the_id_from_another_host(token: FaultyToken) -> None:
    """The rival has our id and another label: this ends with a refusal, and theirs alone is there."""
    run = token.faulty_ecc(rival(token, label="theirs"), label="k", id_hex="01")
    assert "its id belongs to (public ec key, on secp256r1, label 'theirs', id 01" in run.msg
    assert token.halves("k") == []
    assert token.halves("theirs") == ["private", "public"]


def test_pair_of_another_host_that_differs(token: FaultyToken) -> None:
    """Theirs is on another curve: it wins nevertheless, and the difference is reported."""
    run = token.faulty_ecc(rival(token, curve="secp384r1"), label="k")
    assert "curve is secp384r1, wished secp256r1" in run.msg
    assert {row["id"] for row in token.listing()} == {"01"}
    assert token.halves("k") == ["private", "public"]


def test_another_host_that_always_wins(token: FaultyToken) -> None:
    """Each time another host generates, and takes its pair away again: this gives up in the end, with nothing left."""
    gone = [token.tool_command("--delete-object", "--type", kind, "--id", "01") for kind in ("privkey", "pubkey")]
    again = f"C_DestroyObject after run {gone[0]} ; {gone[1]} ; {token.reread_command()}"
    run = token.faulty_ecc(f"{rival(token)}\n{again}", label="k")
    assert run.msg == (
        "Could not generate the ECC key pair 'k' on the token 'test token': 5 times another host generated a pair of the"
        " same name at the same moment. Nothing of this task's is left; run it on one host."
    )
    assert run.calls["C_GenerateKeyPair"] == 5
    assert token.listing() == []


def meet(token: FaultyToken, point: str, me: str, other: str) -> str:
    """A shell command by which two hosts wait for each other."""
    return f"touch {token.folder}/{point}-{me}; while ! test -e {token.folder}/{point}-{other}; do sleep 0.01; done"


def test_two_hosts_that_meet(token: FaultyToken, interposers: dict[str, Path]) -> None:
    """Both find nothing, generate, and see each other: both give way, and one pair results in the end."""
    tasks: list[Task] = []
    for me, other in (("one", "two"), ("two", "one")):
        # SoftHSM is not safe while another process logs in (trap T5).
        while tasks and not (token.folder / f"searched-{other}").exists():
            assert not tasks[0].ended()
            time.sleep(0.01)
        rules = [
            f"C_GenerateKeyPair#1 before run {meet(token, 'searched', me, other)}",
            f"C_GenerateKeyPair#1 after run {meet(token, 'generated', me, other)}",
        ]
        interposer = interposers[me]
        tasks.append(token.start("hsm_ecc_keypair", "\n".join(rules), interposer=interposer, label="k", curve="P-256"))
    runs = [task.finish() for task in tasks]
    assert len({run.key_pair["fingerprint"] for run in runs}) == 1
    assert True in {run.result["changed"] for run in runs}
    assert token.halves("k") == ["private", "public"]
    assert token.ecc(label="k", curve="P-256", verify=True).key_pair["fingerprint"] == runs[0].key_pair["fingerprint"]


def test_half_of_a_pair_that_another_host_is_making(token: FaultyToken) -> None:
    """The search falls between the two halves: a second look finds the pair whole."""
    made = token.tool_command("--keypairgen", "--key-type", "EC:prime256v1", "--label", "k", "--id", "01")
    run = token.faulty_ecc(f"C_FindObjectsInit#2 before run {made}", label="k")
    assert run.result["changed"] is False
    assert run.key_pair["id_hex"] == "01"
    assert "C_GenerateKeyPair" not in run.calls
