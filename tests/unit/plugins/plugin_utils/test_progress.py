# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the terminal shows of a long task, and when."""

from __future__ import annotations

import re

import pytest

from ansible_collections.cryptoki.hsm.plugins.plugin_utils._progress import (
    Watch,
    counted,
    duration,
    folder_in,
    look_in,
    text,
)


@pytest.mark.parametrize(
    ("last", "count", "tokens"),
    [
        ("", 0, ""),
        ("no line of ours", 0, ""),
        ("12/20 generated the ECC key pair 'a'", 12, ""),
        ("3/20 [root 3, backup 2] unchanged the ECC key pair 'a'", 3, "root 3, backup 2"),
        ("3/20 failed: [x] is no label", 3, ""),
        ("3/20 [ro\x1b[2Jot 3] generated", 3, "ro[2Jot 3"),
    ],
)
def test_the_last_line_of_the_file(last: str, count: int, tokens: str) -> None:
    assert counted(last) == (count, tokens)


@pytest.mark.parametrize("lines", ["{}", "{}\r\n", "We trust you have received the usual lecture.\r\n\r\n{}\r\nBye.\n"])
def test_an_answer_is_found_in_what_else_a_shell_tells(lines: str) -> None:
    assert folder_in(lines.format("/tmp/ansible-hsm-0aB1cD2eF3")) == "/tmp/ansible-hsm-0aB1cD2eF3"
    last = "2/4 failed: no"
    assert look_in(lines.format(f"407 31\n{last}\n1")) == ("407 31", last, 1)


@pytest.mark.parametrize("answer", ["", "Welcome", "/tmp/ansible-hsm-0aB1cD2eF3/x", "/home/ansible-hsm-0aB1cD2eF3"])
def test_what_is_no_answer(answer: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(answer)}$"):
        folder_in(answer)
    assert look_in(answer) == ("", "", 0)


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ((0, 1, 0, 12.2, "", 0.0), "0 of 1 key pair after 12 s"),
        ((50, 200, 0, 25.0, "", 2.0), "50 of 200 key pairs after 25 s; 2.0 a second, 1 min 15 s left"),
        ((1, 3, 0, 40.0, "", 1 / 40), "1 of 3 key pairs after 40 s; 1.5 a minute, 1 min 20 s left"),
        ((10, 20, 2, 10.0, "", 1.0), "10 of 20 key pairs after 10 s; 2 failed; 1.0 a second, 10 s left"),
        ((200, 200, 0, 61.0, "", 3.3), "200 of 200 key pairs after 1 min 1 s"),
        ((1, 20, 0, 10.0, "", -1.0), "1 of 20 key pairs after 10 s"),
        ((3, 4, 0, 3.0, "a 3, b 2", 1.0), "3 of 4 key pairs after 3 s; by token: a 3, b 2; 1.0 a second, 1 s left"),
    ],
)
def test_a_line(told: tuple[int, int, int, float, str, float], line: str) -> None:
    assert text(*told) == line


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (3599.0, "59 min 59 s"), (7384.0, "2 h 3 min")]
)
def test_a_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_what_is_new_is_told_and_what_is_not_when_the_time_has_doubled() -> None:
    told: list[str] = []
    watch = Watch(9, lambda: ("", 0), told.append)
    for seconds, count in enumerate([0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2], start=1):
        watch.look(f"{count}/9 generated", 0, float(seconds))
    words = [line.split(";")[0].replace(" of 9 key pairs after", "") for line in told]
    assert words == ["0 1 s", "0 2 s", "0 4 s", "1 5 s", "2 7 s", "2 14 s"]


def test_the_rate_is_that_of_the_later_half() -> None:
    """151 of these pairs were there already."""
    told: list[str] = []
    watch = Watch(160, lambda: ("", 0), told.append)
    for count, seconds in ((151, 6.0), (152, 9.0), (153, 12.0), (154, 15.0), (154, 18.0), (154, 30.0), (155, 33.0)):
        watch.look(f"{count}/160 generated", 0, seconds)
    assert [line.partition("; ")[2] for line in told] == [
        "25.2 a second, 0 s left",
        "16.9 a second, 0 s left",
        "20.0 a minute, 21 s left",
        "20.0 a minute, 18 s left",
        "",
        "3.3 a minute, 1 min 30 s left",
    ]
