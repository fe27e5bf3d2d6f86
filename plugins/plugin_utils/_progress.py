# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is shown of a task that takes long, and when."""

from __future__ import annotations

import re
import threading
import time
import typing as t

SHORTEST, SHARE = 3.0, 0.1  # seconds from line to line, which grow with the time that the task has taken so far
_COUNTED = re.compile(r"(\d+)/(\d+) (?:\[(.*?)\] )?")
# What is asked for is found in what else a login shell tells, or sudo for the first time.
_FOLDER = re.compile(r"^(/tmp/ansible-hsm-[A-Za-z0-9]{10})$", re.MULTILINE)
_LOOK = re.compile(r"^([0-9]+ [0-9]+)\n(.*)\n([0-9]+)$", re.MULTILINE)


class Watch:
    """Tells how far a task is; `read` returns the last line of the file and how many lines are of failures."""

    def __init__(self, total: int, read: t.Callable[[], tuple[str, int]], tell: t.Callable[[str], None]) -> None:
        self._total = total
        self._read = read
        self._tell = tell
        self._told, self._told_after = 0, 0.0
        self._looks = [(0.0, 0)]  # after how many seconds how many pairs were done

    def until(self, done: threading.Event) -> None:
        """Returns when the task is done."""
        start = time.monotonic()
        seconds = 0.0
        while not done.wait(max(SHORTEST, seconds * SHARE)):
            last, failed = self._read()
            if not done.is_set():
                seconds = time.monotonic() - start
                self.look(last, failed, seconds)

    def look(self, last: str, failed: int, seconds: float) -> None:
        """One line, of what is new; where nothing is, when the task has taken twice the time."""
        count, tokens = counted(last)
        if count != self._told or seconds >= 2 * self._told_after:
            self._told, self._told_after = count, seconds
            self._tell(text(count, self._total, failed, seconds, tokens, self._rate(count, seconds)))
        self._looks.append((seconds, count))

    def _rate(self, count: int, seconds: float) -> float:
        """Pairs a second in the later half of the time: those that were there already were done in no time."""
        then, done = max(look for look in self._looks if look[0] <= seconds / 2)
        return (count - done) / (seconds - then)


def folder_in(answer: str) -> str:
    """The new folder that `mktemp -d /tmp/ansible-hsm-XXXXXXXXXX` tells; raises `ValueError`."""
    found = _FOLDER.findall("\n".join(answer.splitlines()))
    if not found:
        raise ValueError(answer)
    return str(found[-1])


def look_in(answer: str) -> tuple[str, str, int]:
    """What cksum, tail and grep tell of the file: its sum, its last line, and how many lines are of failures."""
    found = _LOOK.findall("\n".join(answer.splitlines()))
    if not found:
        return "", "", 0
    cksum, last, failed = found[-1]
    return cksum, last, int(failed)


def counted(last: str) -> tuple[int, str]:
    """What the last line of the file tells: how many pairs are done, and on which token how many."""
    found = _COUNTED.match(last)
    if not found:
        return 0, ""
    return int(found[1]), "".join(letter for letter in found[3] or "" if letter.isprintable())


def text(count: int, total: int, failed: int, seconds: float, tokens: str, rate: float) -> str:
    """How far a task is after so many seconds; `rate`: how many pairs a second."""
    parts = [f"{count} of {total} key {'pair' if total == 1 else 'pairs'} after {duration(seconds)}"]
    if failed:
        parts.append(f"{failed} failed")
    if tokens:
        parts.append(f"by token: {tokens}")
    if rate > 0 and count < total:  # a file that was begun anew has fewer
        often = f"{rate:.1f} a second" if rate >= 1 else f"{60 * rate:.1f} a minute"
        parts.append(f"{often}, {duration((total - count) / rate)} left")
    return "; ".join(parts)


def duration(seconds: float) -> str:
    """A time as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
