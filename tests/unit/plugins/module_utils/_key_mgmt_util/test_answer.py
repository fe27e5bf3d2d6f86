# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parsers of key_mgmt_util's answers, on every sample of its vendors and on mangled ones."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import codes as _kmu_codes
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import (
    Answer,
    Node,
    Unreadable,
    parse_answer,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.dump import dumped_count
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.handles import (
    Made,
    attested,
    found_keys,
    made_pair,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.users import KeyUsers, key_users, listed_users
from ansible_collections.cryptoki.hsm.tests.support import key_mgmt_util_samples as samples

OK = "SUCCESS"


def pair(answer: Answer) -> tuple[int, int]:
    """The handles of a new pair."""
    made = made_pair(answer)
    assert made and not made.rolled_back
    return made.public, made.private


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


@pytest.mark.parametrize(
    ("command", "text", "told"),
    [
        (
            "genECCKeyPair",
            samples.CURVE_REFUSED,
            "0xb3 (This operation violates the current configured/FIPS policies)",
        ),
        ("loginHSM", samples.LOGIN_REFUSED, "0xa3 (RET_USER_LOGIN_FAILURE)"),
        ("deleteKey", samples.DELETED_UNKNOWN, "0xa8 (Invalid object handle is passed to this operation)"),
        ("deleteKey", samples.DELETED_DENIED, "0xc6 (Key Access is denied)"),
        ("sign", "Cfm3Sign returned: 0x1b\n\nCSP Error: ERR_BAD_PKCS_DATA\n", "0x1b (ERR_BAD_PKCS_DATA)"),
        ("sign", "Cfm3Sign returned: 0xce\n", "0xce (This user doesn't exist)"),
        ("sign", "Cfm3Sign returned: 0x77\n", "0x77"),
        ("sign", "Cfm3Sign returned: 0x77 : HSM Error: Out of luck\n", "0x77 (Out of luck)"),
        # single-command mode: the login failed, and nothing else was tried
        ("findKey", samples.LOGIN_REFUSED, "0xa3 (RET_USER_LOGIN_FAILURE)"),
    ],
)
def test_an_answer_of_failure(command: str, text: str, told: str) -> None:
    answer = parse_answer(command, text)
    assert answer.code != 0
    assert _kmu_codes.said(answer) == told


def test_a_refusal_by_policy_is_not_called_an_outage() -> None:
    answer = parse_answer("genECCKeyPair", samples.CURVE_REFUSED)
    assert answer.nodes == (Node(0, 0x30000085, "Server in cluster is unavailable"),)
    assert "a refusal by policy" in _kmu_codes.hint(answer)
    assert "not an outage" in _kmu_codes.hint(answer)
    assert _kmu_codes.node_said(answer.nodes[0]) == "0x30000085 (Server in cluster is unavailable)"


def test_hints_for_known_codes_only() -> None:
    assert _kmu_codes.hint(parse_answer("sign", "Cfm3Sign returned: 0x77\n")) == ""
    assert "tried once" in _kmu_codes.hint(parse_answer("loginHSM", samples.LOGIN_REFUSED))


def test_the_result_is_that_of_the_command_not_of_the_login() -> None:
    login_only = samples.AZURE_SINGLE[: samples.AZURE_SINGLE.index("Command:")]
    with pytest.raises(Unreadable, match="GenerateKeyPair returned"):
        parse_answer("genRSAKeyPair", login_only)
    failed = login_only + samples.CURVE_REFUSED
    assert parse_answer("genECCKeyPair", failed).code == 0xB3
    assert [node.id for node in parse_answer("genECCKeyPair", failed).nodes] == [0]


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
        lines += ["\n\tCfm3DeleteKey returned: 0x00 : HSM Return: SUCCESS\n", report(False)] * 2
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


def test_what_the_tool_complains_of_is_told() -> None:
    with pytest.raises(Unreadable, match="^Error: Key label .-l. is missing$"):
        parse_answer("genRSAKeyPair", "\n\tError: Key label (-l) is missing.\n\nDescription\n===========\n")


def test_attestation_is_judged_by_its_line() -> None:
    assert attested(parse_answer("genRSAKeyPair", samples.ATTESTED))
    for text in (samples.RSA_PAIR, samples.ATTESTED.replace("PASS", "FAIL"), samples.ATTESTED.replace("PASS", "")):
        assert not attested(parse_answer("genRSAKeyPair", text))


def test_the_users_of_the_cluster() -> None:
    users = listed_users(parse_answer("listUsers", samples.USERS))
    assert [(user.id, user.type, user.name) for user in users] == [
        (1, "PCO", "admin"),
        (2, "AU", "app_user"),
        (3, "CU", "alice"),
        (4, "CU", "bob"),
        (5, "CU", "trent"),
    ]
    assert [user.quorum_key for user in users] == [False, False, True, False, True]
    assert {(user.login_failures, user.two_factor) for user in users} == {(0, False)}


def test_a_build_without_a_second_factor() -> None:
    text = "\n".join(
        line.rstrip().removesuffix("2FA").removesuffix("NO") if "0     " in line or "2FA" in line else line
        for line in samples.USERS.split("\n")
    )
    assert {user.two_factor for user in listed_users(parse_answer("listUsers", text))} == {None}


@pytest.mark.parametrize(
    "mend",
    [
        lambda text: text.replace("found 4", "found 6"),
        lambda text: text.replace("bob   ", "bob 7"),
        lambda text: text.replace("5                5", "5                4"),
        lambda text: text.replace("Number Of Users found 4", ""),
        lambda text: text.replace("Index", ""),
    ],
)
def test_a_broken_table_of_users(mend: t.Callable[[str], str]) -> None:
    with pytest.raises(Unreadable):
        listed_users(parse_answer("listUsers", mend(samples.USERS)))


@pytest.mark.parametrize(
    ("text", "users"),
    [
        (samples.INFO_SHARED, KeyUsers(3, (4, 5), 0)),
        (samples.INFO_ONE_LINE, KeyUsers(3, (4, 5), 0)),
        (samples.INFO_PUBLIC, KeyUsers(3, (), 0)),
        (samples.INFO_ALIBABA, KeyUsers(3, (), 0)),
        (samples.INFO_QUORUM, KeyUsers(3, (4,), 2)),
        (samples.INFO_CAVIUM, KeyUsers(3, (4,), 2)),
    ],
)
def test_the_users_of_a_key(text: str, users: KeyUsers) -> None:
    assert key_users(parse_answer("getKeyInfo", text)) == users


@pytest.mark.parametrize(
    "mend",
    [
        lambda text: text.replace("Owned by user 3", ""),
        lambda text: text.replace("following 2", "following 3"),
        lambda text: text.replace("following 2", "following"),
        lambda text: text.replace("                4\n", ""),
        lambda text: text.replace("                4\n", "                5\n"),
    ],
)
def test_a_broken_account_of_the_users_of_a_key(mend: t.Callable[[str], str]) -> None:
    with pytest.raises(Unreadable):
        key_users(parse_answer("getKeyInfo", mend(samples.INFO_SHARED)))


def test_the_count_of_attributes() -> None:
    assert dumped_count(parse_answer("getAttribute", samples.ATTRIBUTES_19)) == 19
    assert dumped_count(parse_answer("getAttribute", samples.ATTRIBUTES_26)) == 26
    with pytest.raises(Unreadable):
        dumped_count(parse_answer("getAttribute", samples.ATTRIBUTES_26.replace("count: 26", "count:")))


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
