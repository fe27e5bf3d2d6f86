# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The users in key_mgmt_util's answers: of the cluster, and of a key."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import Unreadable, parse_answer
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.users import KeyUsers, key_users, listed_users
from ansible_collections.cryptoki.hsm.tests.support import key_mgmt_util_samples as samples


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


def test_a_global_key_has_no_owner() -> None:
    assert key_users(parse_answer("getKeyInfo", samples.INFO_GLOBAL)) == KeyUsers(None, (), 0)
    with pytest.raises(Unreadable):
        key_users(parse_answer("getKeyInfo", samples.INFO_GLOBAL + "\n\tOwned by user: 3\n"))


def test_of_eight_users_seven_are_printed() -> None:
    text = samples.INFO_MANY
    assert key_users(parse_answer("getKeyInfo", text)) == KeyUsers(3, tuple(range(4, 11)), 0, more=1)
    with pytest.raises(Unreadable):
        key_users(parse_answer("getKeyInfo", text.replace("\t\t 10\n", "")))


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
