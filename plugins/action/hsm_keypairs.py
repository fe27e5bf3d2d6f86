# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module of the same name, unchanged, and meanwhile on a terminal how far it is.

A module tells nothing before it ends. So this reads its `progress_file` every few seconds, through a second connection
as the same user. Whatever goes wrong with that is no concern of the task.
"""

from __future__ import annotations

import contextlib
import contextvars
import copy
import functools
import re
import shlex
import sys
import threading
import time
import typing as t

from ansible.plugins.action.normal import ActionModule as Normal
from ansible.plugins.loader import become_loader, connection_loader
from ansible.utils.display import Display

# Ansible loads this file before it forks its workers, whose output is no terminal.
TERMINAL = sys.stdout is not None and sys.stdout.isatty()
SHORTEST, SHARE = 3.0, 0.1  # seconds from line to line, which grow with the time that the task has taken so far
PATIENCE = 10.0  # seconds that a task which is done waits for the second connection
_ANSWERS = 3
_FAILED = r"^[0-9]+/[0-9]+ (\[[^]]*\] )?failed: "
_COUNTED = re.compile(r"(\d+)/(\d+) (?:\[(.*?)\] )?")

display = Display()


class Watch:
    """Tells how far a task is; `read` returns the last line of the file and how many lines are of failures."""

    def __init__(self, total: int, read: t.Callable[[], tuple[str, int]], tell: t.Callable[[str], None]) -> None:
        self._total = total
        self._read = read
        self._tell = tell
        self._told, self._told_after = 0, 0.0

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
            self._tell(text(count, self._total, failed, seconds, tokens))


def counted(last: str) -> tuple[int, str]:
    """What the last line of the file tells: how many pairs are done, and on which token how many."""
    found = _COUNTED.match(last)
    if not found:
        return 0, ""
    return int(found[1]), "".join(letter for letter in found[3] or "" if letter.isprintable())


def text(count: int, total: int, failed: int, seconds: float, tokens: str = "") -> str:
    """How far a task is after so many seconds."""
    parts = [f"{count} of {total} key pairs after {duration(seconds)}"]
    if failed:
        parts.append(f"{failed} failed")
    if tokens:
        parts.append(f"by token: {tokens}")
    if 0 < count < total:
        rate = count / seconds
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


class Beside:
    """The second connection, to the file on the target, as the user that the module runs as.

    `path` None: the file is to be in a new folder, which only that user sees and which goes with the connection.
    """

    def __init__(self, action: ActionModule, path: str | None) -> None:
        first = action._connection
        second = connection_loader.get(first._load_name, first._play_context)
        second.set_options(direct=first.get_options())
        second._shell = copy.copy(first._shell)
        if first.become:
            become = become_loader.get(first.become._load_name)
            become.set_options(direct=first.become.get_options())
            second.set_become_plugin(become)
        self._action = copy.copy(action)
        self._action._connection = second
        # Not where the user's TMPDIR is, which may be another one for the module.
        self._folder = None if path else self._run("mktemp -d /tmp/ansible-hsm-XXXXXXXXXX").strip()
        self.path = path or f"{self._folder}/progress"
        self._earlier = self._look()

    def _run(self, command: str) -> str:
        answer = self._action._low_level_execute_command(command)
        if answer["rc"]:
            raise OSError(answer["stderr"])
        text: str = answer["stdout"]
        return text

    def _look(self) -> list[str]:
        file = shlex.quote(self.path)
        looks = f"cksum < {file}; tail -n 1 {file}; grep -cE '{_FAILED}' {file}"
        return self._run(f"if test -f {file}; then {looks}; fi; true").splitlines()

    def read(self) -> tuple[str, int]:
        """The last line of the file and how many are of failures; nothing where they are of an earlier task."""
        found = self._look()
        return (
            (found[1], int(found[2])) if len(found) == _ANSWERS and found[0] != "".join(self._earlier[:1]) else ("", 0)
        )

    def close(self) -> None:
        """Ends it, and what was made for it."""
        if self._folder:
            self._run(f"rm -rf {shlex.quote(self._folder)}")
        self._action._connection.close()


class ActionModule(Normal):
    """Runs the module, and tells of it."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """The module's result."""
        beside = self._beside()
        if not beside:
            return t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        given, done = self._task.args, threading.Event()
        self._task.args = {**given, "progress_file": beside.path}
        host = str((task_vars or {}).get("inventory_hostname"))
        # In the context that Ansible keeps of the task; a daemon, since no connection may keep its process alive.
        follow = functools.partial(contextvars.copy_context().run, _follow, beside, len(given["keypairs"]), host, done)
        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        try:
            result = super().run(tmp, task_vars)
        finally:
            self._task.args = given
            done.set()
            follower.join(PATIENCE)
        arguments = result.get("invocation", {}).get("module_args", {})
        if "progress_file" in arguments:
            arguments["progress_file"] = given.get("progress_file")
        return t.cast("dict[str, t.Any]", result)

    def _beside(self) -> Beside | None:
        """A second connection, where somebody looks and there is something to see."""
        pairs, path = self._task.args.get("keypairs"), self._task.args.get("progress_file")
        if not TERMINAL or self._task.async_val or self._task.check_mode or not isinstance(pairs, list) or not pairs:
            return None
        if path is not None and not str(path).startswith("/"):
            return None  # what it means, the module's own process knows
        with contextlib.suppress(Exception):
            return Beside(self, path)
        return None


def _follow(beside: Beside, total: int, host: str, done: threading.Event) -> None:
    def tell(line: str) -> None:
        display.display(f"progress: [{host}] => {line}", screen_only=True)

    with contextlib.suppress(Exception):
        Watch(total, beside.read, tell).until(done)
    done.wait()
    with contextlib.suppress(Exception):
        beside.close()
