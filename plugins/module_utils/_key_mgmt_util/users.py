# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users in key_mgmt_util's answers: all of the cluster (listUsers), and those of one key (getKeyInfo)."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import Answer, Unreadable
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.user import User

_FOUND = re.compile(r"\s*Number Of Users found:?[ \t]*([0-9]+)\s*", re.IGNORECASE)
_HEADER = re.compile(r"\s*Index\s+User ID\s+User Type\s+User Name\b.*")
_YES_NO = {"YES": True, "NO": False}
_ROW = re.compile(
    r"\s*[0-9]+\s+(?P<id>[0-9]+)\s+(?P<type>[A-Z]+)\s+(?P<name>\S+)\s+(?P<key>YES|NO)\s+(?P<failures>[0-9]+)"
    r"(?:\s+(?P<second>YES|NO))?\s*"
)
# 'Also, global Key, accessible by all users' (Cavium): nobody owns it
_GLOBAL = re.compile(r"\s*(?:Also,\s*)?global Key, accessible by all users\s*", re.IGNORECASE)
_OWNER = re.compile(r"\s*Owned by user:?[ \t]*([0-9]+)\s*")  # with a colon: Alibaba
# 'also, shared to following 2 user(s):' (AWS); 'Shared with following 2 user(s):' (Cavium)
_SHARED = re.compile(r"\s*(?:also, shared to|Shared with) following ([0-9]+) user\(s\):\s*(.*)")
_IDS = re.compile(r"\s*([0-9]+(?:\s*,\s*[0-9]+)*)\s*,?\s*")  # one a line (AWS, getKeyInfo) or '4, 5' (AWS, genSymKey)
_QUORUM = re.compile(r"\s*([0-9]+) Users? needs? to approve to use/manage this key\s*")
# As many are printed, however many are told (Cavium: MAX_USERS_SHARED, less the owner).
_MOST_PRINTED = 7


@dataclasses.dataclass(frozen=True)
class KeyUsers:
    """Who may use a key: ids of users, None for an owner that it does not have; `quorum` 0: without approvals.

    `more`: how many share it and are not printed.
    """

    owner: int | None
    shared: tuple[int, ...]
    quorum: int
    more: int = 0


def listed_users(answer: Answer) -> tuple[User, ...]:
    """All rows of listUsers; raises `Unreadable`.

    More rows than told are taken: AWS's own sample tells four users and lists five.
    """
    told = answer.number(_FOUND, "it holds no table of users")
    heads = [index for index, line in enumerate(answer.lines) if _HEADER.fullmatch(line)]
    if len(heads) != 1:
        raise Unreadable("it holds no table of users")
    users = []
    for line in answer.lines[heads[0] + 1 :]:
        row = _ROW.fullmatch(line)
        if row:
            users.append(
                User(
                    id=int(row["id"]),
                    type=row["type"],
                    name=row["name"],
                    quorum_key=_YES_NO[row["key"]],
                    login_failures=int(row["failures"]),
                    two_factor=_YES_NO.get(row["second"]),
                )
            )
        elif line.strip()[:1].isdigit():
            raise Unreadable("a row of its table of users is broken")
    if len(users) < told or len({user.id for user in users}) < len(users):
        raise Unreadable(f"it tells {told} users and lists {len(users)}")
    return tuple(users)


def key_users(answer: Answer) -> KeyUsers:
    """Owner, sharers and quorum of one key, from getKeyInfo; raises `Unreadable`."""
    broken = "it does not tell one owner of the key"
    owned = not any(map(_GLOBAL.fullmatch, answer.lines))
    if not owned and any(map(_OWNER.fullmatch, answer.lines)):
        raise Unreadable(broken)
    owner = answer.number(_OWNER, broken) if owned else None
    shared, told = _shared(answer)
    return KeyUsers(owner, shared, answer.number(_QUORUM, broken, default=0), told - len(shared))


def _shared(answer: Answer) -> tuple[tuple[int, ...], int]:
    """The users that are printed, and how many are told."""
    heads = [(index, match) for index, match in enumerate(map(_SHARED.fullmatch, answer.lines)) if match]
    if not heads:
        if "shared" in answer.body.lower():
            raise Unreadable("what it tells of sharing is broken")
        return (), 0
    index, match = heads[0]
    told = int(match[1])
    ids = _ids((match[2], *answer.lines[index + 1 :]))
    printed = len(ids) if told > len(ids) == _MOST_PRINTED else told
    if len(heads) > 1 or len(ids) != printed or len(set(ids)) != len(ids):
        raise Unreadable(f"it tells that the key is shared to {told} users and lists {len(ids)}")
    return tuple(ids), told


def _ids(lines: t.Iterable[str]) -> list[int]:
    """The ids of users at the beginning of these lines."""
    ids: list[int] = []
    for line in lines:
        row = _IDS.fullmatch(line)
        if row:
            ids += map(int, re.findall(r"[0-9]+", row[1]))
        elif line.strip():
            break
    return ids
