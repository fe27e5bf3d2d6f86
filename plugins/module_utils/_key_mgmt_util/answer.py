# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What key_mgmt_util answers to a command: its return code, what it says beside it, and the state of each HSM.

Every vendor's build prints a line `Cfm3… returned: 0x..` for the command, and one line a node of the cluster. The
spellings differ: AWS CloudHSM user guide (2023), pages key_mgmt_util-…; Azure Cloud HSM, PKCS#11 certificate storage;
Alibaba Cloud HSM, key_mgmt_tool; Oracle Dedicated KMS, key management utility. The exit status tells nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

UNAVAILABLE = 0x30000085  # the state of a node: 'Server in cluster is unavailable' (AWS, genECCKeyPair)


class Unreadable(ValueError):
    """An answer that is not whole or not known: it proves nothing, least of all that something is not there."""


@contextlib.contextmanager
def readable(attempt: str) -> t.Iterator[None]:
    """For what reads an answer: one that cannot be read is a failure, never an absence."""
    try:
        yield
    except Unreadable as error:
        said = f"what cannot be read ({error})"
        raise errors.TokenError(attempt, said=said, hint="nothing was concluded from it") from None


@dataclasses.dataclass(frozen=True)
class Node:
    """What one HSM of the cluster said; `code` 0 is success."""

    id: int
    code: int
    text: str


@dataclasses.dataclass(frozen=True)
class Answer:
    """A whole answer: the `code` that counts and its `text`; `lines` is everything that was printed.

    `reports`: the states of the nodes as often as they were printed; usually once.
    """

    code: int
    text: str
    reports: tuple[tuple[Node, ...], ...]
    lines: tuple[str, ...]

    @property
    def body(self) -> str:
        """Everything that was printed, without control characters."""
        return "\n".join(self.lines)

    def number(self, pattern: re.Pattern[str], missing: str, default: int | None = None) -> int:
        """The number in the only line of a kind; raises `Unreadable` where there are more, or none and no default."""
        found = [int(match[1]) for match in map(pattern.fullmatch, self.lines) if match]
        if not found and default is not None:
            return default
        if len(found) != 1:
            raise Unreadable(missing)
        return found[0]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Each node once, as its last report tells it."""
        return merged(self.reports[-1:])

    @property
    def unwell(self) -> tuple[Node, ...]:
        """The nodes that did not succeed."""
        return tuple(node for node in self.nodes if node.code)

    @property
    def doubtful(self) -> tuple[Node, ...]:
        """As `unwell`, less the nodes that are off: the others have the same keys. Where all are, all of them."""
        all_unwell = len(self.unwell) == len(self.nodes)
        return tuple(node for node in self.unwell if all_unwell or node.code != UNAVAILABLE)


# The library call that each command ends with, from the pages of the commands. Where another call fails before it
# (deleteKey of an unknown handle answers 'Cfm3FindKey returned: 0xa8'), that one is the answer.
CALLS: dict[str, tuple[str, ...]] = {
    "deleteKey": ("DeleteKey",),
    "findKey": ("FindKey",),
    "findSingleKey": ("FindKey", "FindSingleKey"),
    "genECCKeyPair": ("GenerateKeyPair",),
    "genRSAKeyPair": ("GenerateKeyPair",),
    "getAttribute": ("GetAttribute",),
    "getKeyInfo": ("GetKey", "GetKeyInfo"),
    "listUsers": ("ListUsers",),
    "loginHSM": ("LoginHSM",),
    "shareKey": ("ShareKey",),
    "sign": ("Sign",),
}
(_LOGIN,) = CALLS["loginHSM"]

# 'Cfm3FindKey returned: 0x00 : HSM Return: SUCCESS'; 'Cfm3GenerateKeyPair: returned: …' (AWS, genDSAKeyPair);
# 'Cfm3Sign: sign returned: …' (Alibaba); 'KeyMgmtUtilsLoginHSM returned: …' (Oracle).
_RESULT = re.compile(
    r"[\s>*]*(?:Cfm[0-9]|KeyMgmtUtils)(?P<call>[A-Za-z]+):?(?:[ \t]+[A-Za-z]+)?[ \t]+returned ?:[ \t]*"
    r"0x(?P<code>[0-9A-Fa-f]{1,8})\b[ \t]*:?[ \t]*(?P<text>.*)"
)
# 'Node id 0 status: 0x00000000 : HSM Return: SUCCESS'; 'Node id 0 and err state 0x30000085 : HSM CLUSTER ERROR: …'
_NODE = re.compile(
    r"[\s>]*Node id (?P<id>[0-9]+) (?:status:|and err state)[ \t]*0x(?P<code>[0-9A-Fa-f]{1,8})\b"
    r"[ \t]*:?[ \t]*(?P<text>.*)"
)
_CLUSTER = re.compile(r"\s*Cluster (?:Error )?Status\b")
# What follows the result of a login and is still its own.
_OF_LOGIN = re.compile(rf"\s*|{_CLUSTER.pattern}.*|{_NODE.pattern}")
_ECHO = re.compile(r"[\s*]*Command:[ \t]*\S")
# '\tError: Key label (-l) is missing.', and the syntax of the command instead of an answer
_COMPLAINT = re.compile(r"\s*Error: \S")
_PREFIX = re.compile(r"(?:(?:HSM|CSP)(?: CLUSTER)? (?:Return|Error|ERROR):[ \t]*)")
# Terminal control sequences (ECMA-48, 5.4) and single control characters, tabs and newlines aside.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-Z\\-_]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def plain_lines(text: str) -> tuple[str, ...]:
    """The lines of what a terminal showed, without its control sequences."""
    return tuple(line.rstrip() for line in _CONTROL.sub("", text.replace("\r", "\n")).split("\n"))


def parse_answer(command: str, text: str) -> Answer:
    """The answer to `command` in what was printed from it to the next prompt; raises `Unreadable`.

    In single-command mode the login stands before it and is not the answer, unless it failed.
    """
    lines = plain_lines(text)
    if command != "loginHSM":
        lines = _after_login(lines)
    results = _results(lines)
    # Of the command's own call, or of another one that failed before it.
    answering = [row for row in results if row.call in CALLS[command]] or [row for row in results if row.code]
    if not answering:
        complaint = next(filter(_COMPLAINT.match, lines), "").strip(" \t.")
        raise Unreadable(complaint or f"it holds no line '{CALLS[command][0]} returned: 0x…'")
    result = max(answering, key=lambda row: row.code != 0)  # the first failure, else the first
    # 'Cfm3Verify returned: 0x1b', and the text on a line of its own
    text = result.text or next(filter(str.strip, lines[result.line + 1 :]), "")
    return Answer(result.code, _shown(text), reports_in(lines), lines)


class _Result(t.NamedTuple):
    """The result of one call, and where it stands."""

    line: int
    call: str
    code: int
    text: str


def _results(lines: t.Sequence[str]) -> list[_Result]:
    matches = enumerate(map(_RESULT.fullmatch, lines))
    return [_Result(line, match["call"], int(match["code"], 16), match["text"]) for line, match in matches if match]


def _shown(text: str) -> str:
    return _PREFIX.sub("", text).strip(" \t.>")


def _after_login(lines: tuple[str, ...]) -> tuple[str, ...]:
    """What follows a login that succeeded, and the echo of the command where there is one."""
    logins = [row for row in _results(lines) if row.call == _LOGIN]
    if not logins or logins[-1].code:
        return lines
    rest = range(logins[-1].line + 1, len(lines))
    echoes = [index for index in rest if _ECHO.match(lines[index])]
    if echoes:
        return lines[echoes[-1] + 1 :]
    return lines[next((index for index in rest if not _OF_LOGIN.fullmatch(lines[index])), len(lines)) :]


def reports_in(lines: t.Sequence[str]) -> tuple[tuple[Node, ...], ...]:
    """The nodes below each heading 'Cluster Status', or without one."""
    reports: list[list[Node]] = [[]]
    for line in lines:
        match = _NODE.fullmatch(line)
        if match:
            reports[-1].append(Node(int(match["id"]), int(match["code"], 16), _shown(match["text"])))
        elif _CLUSTER.match(line):
            reports.append([])
    return tuple(tuple(report) for report in reports if report)


def merged(reports: t.Iterable[t.Iterable[Node]]) -> tuple[Node, ...]:
    """Each node once, by its number; the worst that is said of it counts."""
    nodes: dict[int, Node] = {}
    for node in (node for report in reports for node in report):
        if node.id not in nodes or not nodes[node.id].code:
            nodes[node.id] = node
    return tuple(nodes[key] for key in sorted(nodes))
