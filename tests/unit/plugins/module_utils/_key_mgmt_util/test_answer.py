# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parsers of key_mgmt_util's answers, on every sample of its vendors and on mangled ones."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import (
    Answer,
    Node,
    Unreadable,
    parse_answer,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.dump import dumped_count
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.handles import found_keys, made_pair
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.users import key_users, listed_users
from ansible_collections.cryptoki.hsm.tests.support import key_mgmt_util_samples as samples

OK = "SUCCESS"

WELL = [
    ("genRSAKeyPair", samples.RSA_PAIR, [0, 1]),
    ("genRSAKeyPair", samples.SHARED_PAIR, [0, 1]),
    ("genECCKeyPair", samples.ECC_PAIR, [0, 1, 2]),
    ("genRSAKeyPair", samples.DSA_PAIR, [0]),
    ("genRSAKeyPair", samples.AZURE_SINGLE, [1, 2, 3]),
    ("genRSAKeyPair", samples.ALIBABA_PAIR, [0]),
    ("genRSAKeyPair", samples.ATTESTED, [0, 1]),
    ("loginHSM", samples.LOGIN, [0, 1, 2]),
    ("loginHSM", samples.ORACLE_LOGIN, [0, 1, 2]),
    ("findKey", samples.FOUND, [0, 1]),
    ("findKey", samples.FOUND_ONE, [0, 1]),
    ("findKey", samples.FOUND_OTHERWISE, []),
    ("findKey", samples.FOUND_NONE, [0, 1]),
    ("findKey", samples.FOUND_CAVIUM, [0]),
    ("findSingleKey", samples.FOUND_SINGLE, [0, 1, 2]),
    ("deleteKey", samples.DELETED, [1, 2]),
    ("getKeyInfo", samples.INFO_SHARED, []),
    ("getKeyInfo", samples.INFO_ALIBABA, []),
    ("listUsers", samples.USERS, []),
    ("getAttribute", samples.ATTRIBUTES_19, []),
    ("getAttribute", samples.ATTRIBUTES_26, []),
    ("sign", samples.SIGNED, [0, 1, 2]),
    ("sign", samples.SIGNED_ALIBABA, []),
]


@pytest.mark.parametrize(("command", "text", "nodes"), WELL)
def test_an_answer_of_success(command: str, text: str, nodes: list[int]) -> None:
    for printed in (text, text.replace("\n", "\r\n"), f"{command} -x 1\r\n{text}"):  # a terminal, and one that echoes
        answer = parse_answer(command, printed)
        assert (answer.code, answer.text) == (0, OK)
        assert [node.id for node in answer.nodes] == nodes
        assert answer.unwell == ()


def test_the_result_is_that_of_the_command_not_of_the_login() -> None:
    login_only = samples.AZURE_SINGLE[: samples.AZURE_SINGLE.index("Command:")]
    with pytest.raises(Unreadable, match="GenerateKeyPair returned"):
        parse_answer("genRSAKeyPair", login_only)
    failed = login_only + samples.CURVE_REFUSED
    assert parse_answer("genECCKeyPair", failed).code == 0xB3
    assert [node.id for node in parse_answer("genECCKeyPair", failed).nodes] == [0]


def test_without_an_echo_the_login_ends_with_its_nodes() -> None:
    for login in (samples.LOGIN, samples.ORACLE_LOGIN):
        (report,) = parse_answer("findKey", login + samples.FOUND_CAVIUM).reports
        assert [node.id for node in report] == [0]


def test_the_first_failure_is_the_result() -> None:
    lines = [f"Cfm3DeleteKey returned: 0x{code:02x} : HSM {code}" for code in (0, 0xA8, 0xB3)]
    for order in (lines, lines[1:]):
        assert parse_answer("deleteKey", "\n".join(order)).code == 0xA8


def test_a_node_counts_once_and_by_its_worst() -> None:
    answer = parse_answer(
        "findSingleKey",
        "Cfm3FindKey returned: 0x00 : HSM Return: SUCCESS\nNode id 0 status: 0x00000000 : HSM Return: SUCCESS\n"
        "Node id 0 status: 0x000000a8 : HSM Error: Invalid object handle\nNode id 1 status: 0x00000000\n",
    )
    assert answer.nodes == (Node(0, 0xA8, "Invalid object handle"), Node(1, 0, ""))
    assert answer.reports == ((Node(0, 0, OK), Node(0, 0xA8, "Invalid object handle"), Node(1, 0, "")),)
    assert answer.unwell == (Node(0, 0xA8, "Invalid object handle"),)


def test_control_characters_are_no_part_of_an_answer() -> None:
    text = "\x1b[?2004l\r\x1b[0mCfm3DeleteKey returned: 0x00 : HSM Return: SUCCESS\r\n\x07"
    assert parse_answer("deleteKey", text).code == 0


def test_what_the_tool_complains_of_is_told() -> None:
    with pytest.raises(Unreadable, match="^Error: Key label .-l. is missing$"):
        parse_answer("genRSAKeyPair", "\n\tError: Key label (-l) is missing.\n\nDescription\n===========\n")


READERS: list[tuple[str, str, t.Callable[[Answer], t.Any]]] = [
    *((command, text, made_pair) for command, text, _nodes in WELL if command.startswith("gen")),
    *((command, text, found_keys) for command, text, _nodes in WELL if command == "findKey"),
    ("listUsers", samples.USERS, listed_users),
    ("getKeyInfo", samples.INFO_SHARED, key_users),
    ("getKeyInfo", samples.INFO_QUORUM, key_users),
    ("getAttribute", samples.ATTRIBUTES_26, dumped_count),
]


def read(command: str, text: str, reader: t.Callable[[Answer], t.Any]) -> t.Any:
    """What is read of a text; None for what is no answer of success."""
    try:
        answer = parse_answer(command, text)
        return None if answer.code and reader is not made_pair else reader(answer)
    except Unreadable:
        return None


@st.composite
def mangled(draw: st.DrawFn, text: str) -> str:
    """A text cut short, with lines lost, doubled or exchanged, or with a character that is another one."""
    kind = draw(st.sampled_from(["cut", "beginning", "lines", "character", "inserted"]))
    place = draw(st.integers(0, len(text) - 1))
    if kind == "cut":
        return text[:place]
    if kind == "beginning":
        return text[place:]
    if kind == "lines":
        lines = text.split("\n")
        kept = draw(st.lists(st.sampled_from(range(len(lines))), max_size=2 * len(lines)))
        return "\n".join(lines[index] for index in kept)
    other = draw(st.characters(codec="utf-8"))
    return text[:place] + other + text[place + (kind == "character") :]


@given(st.data())
def test_what_is_mangled_is_never_absent(data: st.DataObject) -> None:
    command, text, reader = data.draw(st.sampled_from(READERS))
    whole = read(command, text, reader)
    mangling = data.draw(mangled(text))
    found = read(command, mangling, reader)
    if reader is found_keys and whole:
        assert found != ()
    if reader is listed_users and found is not None:
        assert {user.id for user in found} >= {1, 2, 3, 4} or len(found) >= 4


@given(st.sampled_from(READERS), st.text())
def test_any_text_is_read_or_refused(row: tuple[str, str, t.Callable[[Answer], t.Any]], text: str) -> None:
    command, whole, reader = row
    assert read(command, text, reader) is None
    lines = f"{whole}\n{text}"
    read(command, lines, reader)
