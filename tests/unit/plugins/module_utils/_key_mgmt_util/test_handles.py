# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The handles of keys in key_mgmt_util's answers: of a new pair, and of those that a search found."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import (
    Answer,
    Node,
    Unreadable,
    parse_answer,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.handles import (
    Made,
    attested,
    found_keys,
    made_pair,
)
from ansible_collections.cryptoki.hsm.tests.support import key_mgmt_util_samples as samples

OK = "SUCCESS"


def pair(answer: Answer) -> tuple[int, int]:
    """The handles of a new pair."""
    made = made_pair(answer)
    assert made and not made.rolled_back
    return made.public, made.private


@pytest.mark.parametrize(
    ("command", "text", "handles"),
    [
        ("genRSAKeyPair", samples.RSA_PAIR, (2100177, 2100426)),
        ("genRSAKeyPair", samples.SHARED_PAIR, (27, 28)),
        ("genECCKeyPair", samples.ECC_PAIR, (262179, 262177)),
        ("genRSAKeyPair", samples.AZURE_SINGLE, (262151, 262152)),
        ("genRSAKeyPair", samples.ALIBABA_PAIR, (14, 15)),
        ("genRSAKeyPair", samples.DSA_PAIR, (12, 14)),
    ],
)
def test_the_handles_of_a_pair(command: str, text: str, handles: tuple[int, int]) -> None:
    assert pair(parse_answer(command, text)) == handles


@pytest.mark.parametrize(
    "handles",
    [
        "",
        "Cfm3GenerateKeyPair:    public key handle: 7    private key handle: 7",
        "Cfm3GenerateKeyPair:    public key handle: 0    private key handle: 7",
        "Cfm3GenerateKeyPair:    public key handle: 7",
        "public key handle: 7    private key handle: 8\npublic key handle: 7    private key handle: 9",
    ],
)
def test_handles_that_are_none_of_a_pair(handles: str) -> None:
    text = f"Cfm3GenerateKeyPair returned: 0x00 : HSM Return: SUCCESS\n{handles}\n"
    with pytest.raises(Unreadable):
        pair(parse_answer("genRSAKeyPair", text))


@pytest.mark.parametrize(
    ("text", "handles"),
    [
        (samples.FOUND, samples.FOUND_HANDLES),
        (samples.FOUND_ONE, (262162,)),
        (samples.FOUND_OTHERWISE, (262162,)),
        (samples.FOUND_CAVIUM, tuple(range(1, 18))),
        (samples.FOUND_NONE, ()),
    ],
)
def test_the_handles_that_find_key_lists(text: str, handles: tuple[int, ...]) -> None:
    assert found_keys(parse_answer("findKey", text)) == handles


def test_a_list_in_several_parts() -> None:
    text = (
        "Total number of keys present 4\n number of keys matched from start index 0::1\n6, 7,\n"
        " number of keys matched from start index 2::3\n8\n9\nCfm3FindKey returned: 0x00 : HSM Return: SUCCESS\n"
    )
    assert found_keys(parse_answer("findKey", text)) == (6, 7, 8, 9)


def test_numbers_before_the_list_are_no_handles() -> None:
    assert found_keys(parse_answer("findKey", f"5, 6\n{samples.FOUND_ONE}")) == (262162,)


@pytest.mark.parametrize(
    "mend",
    [
        lambda text: text.replace("present 13", "present 12"),
        lambda text: text.replace("present 13", "present 0"),
        lambda text: text.replace("present 13", "present"),
        lambda text: text.replace("Total number of keys present 13", ""),
        lambda text: text.replace("Total number", "Total number of keys present 13\nTotal number"),
        lambda text: text.replace("6, 7, 524296", "6, 7, 7"),
        lambda text: text.replace("6, 7, 524296", "6, x, 524296"),
        lambda text: text.replace("6, 7, 524296, 9, 26215", "26215"),
    ],
)
def test_a_broken_list_is_no_list(mend: t.Callable[[str], str]) -> None:
    with pytest.raises(Unreadable):
        found_keys(parse_answer("findKey", mend(samples.FOUND)))


@pytest.mark.parametrize("rest", ["::1 x\n6, 7\n", "::1\n6, 7\n8 x\n"])
def test_a_line_that_is_no_part_of_the_list_breaks_it(rest: str) -> None:
    """Although so many handles are listed as are told."""
    text = (
        f"Total number of keys present 2\n number of keys matched from start index 0{rest}Cfm3FindKey returned: 0x00\n"
    )
    with pytest.raises(Unreadable, match="its list of handles is broken"):
        found_keys(parse_answer("findKey", f"{text}Cfm3FindKey returned: 0x00\n"))


def test_no_key_is_no_proof_where_an_hsm_did_not_look() -> None:
    both = "Node id 0 and err state 0x00000000", "Node id 1 and err state 0x00000000"
    off = [line.replace("0x00000000", "0x30000085") for line in both]
    one = samples.FOUND_NONE.replace(both[0], off[0])
    assert found_keys(parse_answer("findKey", one)) == ()  # it is off, and the others have the same keys
    for text in (one.replace(both[1], off[1]), one.replace("0x30000085", "0x000000b4")):
        with pytest.raises(Unreadable, match="did not look"):
            found_keys(parse_answer("findKey", text))


def waited(seconds: int, synced: int | None, code: str = "0x3000008a") -> str:
    """What the tool prints while it waits for three HSMs, of which one follows after some seconds or never."""
    handles = "\n\tCfm3GenerateKeyPair:    public key handle: 7    private key handle: 8\n"
    lines = [f"\n\tCfm3GenerateKeyPair returned: {code} \n\n\tHSM CLUSTER ERROR: not on all\n", handles]

    def report(there: bool) -> str:
        last = "0x00000000 : HSM Return: SUCCESS" if there else "0x000000a8 : HSM Error: Invalid object handle"
        first = "".join(f"\tNode id {node} status: 0x00000000 : HSM Return: SUCCESS\n" for node in (0, 1))
        return f"\n\tCluster Status:\n{first}\tNode id 2 status: {last}\n"

    lines.append(report(False))
    for second in range(seconds):
        for half in ("private", "public"):
            lines.append(f"\n\tChecking {half} key status ({second} seconds)..\n")
            lines.append(report(synced is not None and second >= synced))
    if synced is None:
        lines.append("Couldn't verify key sync on 3 servers\nRolling back\n")
        lines += ["\n\tCfm3DeleteKey returned: 0x00 : HSM Return: SUCCESS\n", report(True)] * 2
    else:
        lines.append(handles)
    return "".join(lines)


def test_a_pair_that_came_to_the_last_server_later() -> None:
    made = made_pair(parse_answer("genRSAKeyPair", waited(3, 2)))
    assert made == Made(7, 8, (Node(0, 0, OK), Node(1, 0, OK), Node(2, 0, OK)), False)


def test_a_pair_that_was_rolled_back() -> None:
    made = made_pair(parse_answer("genRSAKeyPair", waited(3, None)))
    assert made and made.rolled_back
    assert [node.code for node in made.nodes] == [0, 0, 0xA8]


def test_a_pair_that_is_not_on_every_server() -> None:
    text = waited(0, 0)
    made = made_pair(parse_answer("genECCKeyPair", text))
    assert made and not made.rolled_back
    assert [node.code for node in made.nodes] == [0, 0, 0xA8]


def test_a_refusal_makes_no_pair() -> None:
    assert made_pair(parse_answer("genECCKeyPair", samples.CURVE_REFUSED)) is None


def test_attestation_is_judged_by_its_line() -> None:
    assert attested(parse_answer("genRSAKeyPair", samples.ATTESTED))
    for text in (samples.RSA_PAIR, samples.ATTESTED.replace("PASS", "FAIL"), samples.ATTESTED.replace("PASS", "")):
        assert not attested(parse_answer("genRSAKeyPair", text))
