# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module of the same name, unchanged, and meanwhile on a terminal how far it is.

A module tells nothing before it ends. So this reads its `progress_file` every few seconds, through a second connection
as the same user, which opens once the task takes so long. Whatever goes wrong with that is no concern of the task.
"""

from __future__ import annotations

import contextlib
import contextvars
import copy
import shlex
import sys
import threading
import typing as t

from ansible.plugins.action.normal import ActionModule as Normal
from ansible.plugins.loader import become_loader, connection_loader
from ansible.utils.display import Display

from ansible_collections.cryptoki.hsm.plugins.plugin_utils._progress import Watch, folder_in, look_in

# Ansible loads this file before it forks its workers, whose output is no terminal.
TERMINAL = sys.stdout is not None and sys.stdout.isatty()
PATIENCE = 10.0  # seconds that a task which is done waits for each of its connections
_FAILED = r"^[0-9]+/[0-9]+ (\[[^]]*\] )?failed: "

display = Display()


class Beside:
    """The file on the target, and the second connection to it, as the user that the module runs as.

    `path` None: the file is to be in a new folder, which only that user sees and which goes with the task. What is done
    before and after the module goes through the task's own connection: a password that is refused must not be tried
    by another one, too.
    """

    def __init__(self, action: ActionModule, second: ActionModule, path: str | None) -> None:
        self._first = action
        self._second = second
        # Not where the user's TMPDIR is, which may be another one for the module.
        self._folder = "" if path else folder_in(_run(action, "mktemp -d /tmp/ansible-hsm-XXXXXXXXXX"))
        self.path = path or f"{self._folder}/progress"
        self._earlier = self._look(action)[0] if path else ""

    def _look(self, action: ActionModule) -> tuple[str, str, int]:
        file = shlex.quote(self.path)
        looks = f"cksum < {file}; tail -n 1 {file}; grep -cE '{_FAILED}' {file}"
        return look_in(_run(action, f"if test -f {file}; then {looks}; fi; true"))

    def read(self) -> tuple[str, int]:
        """The last line of the file and how many are of failures; nothing where they are of an earlier task."""
        cksum, last, failed = self._look(self._second)
        return ("", 0) if cksum == self._earlier else (last, failed)

    def close(self) -> None:
        """Ends the second connection."""
        second = self._second._connection
        client = getattr(second, "ssh", None)
        # paramiko has one client for all connections to a host, which a loop goes on using.
        if client is None or client is not getattr(self._first._connection, "ssh", None):
            second.close()

    def remove(self) -> None:
        """Removes the folder that was made."""
        if self._folder:
            with contextlib.suppress(Exception):
                _run(self._first, f"rm -rf {shlex.quote(self._folder)}")


def another(action: ActionModule) -> ActionModule:
    """The same with a connection of its own, which opens when it is used."""
    first = action._connection
    second = connection_loader.get(first.ansible_name, first._play_context)
    second.set_options(direct=first.get_options())
    second._shell = copy.copy(first._shell)
    if first.become:
        become = become_loader.get(first.become.ansible_name)
        become.set_options(direct=first.become.get_options())
        second.set_become_plugin(become)
    made = copy.copy(action)
    made._connection = second
    return made


def _run(action: ActionModule, command: str) -> str:
    answer = action._low_level_execute_command(command)
    if answer["rc"]:
        raise OSError(answer["stderr"])
    text: str = answer["stdout"]
    return text


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
        follower = _aside(_follow, beside, len(given["keypairs"]), host, done)
        try:
            result = super().run(tmp, task_vars)
        finally:
            self._task.args = given
            done.set()
            follower.join(PATIENCE)
            _aside(beside.remove).join(PATIENCE)
        arguments = result.get("invocation", {}).get("module_args", {})
        if arguments.get("progress_file") == beside.path and not given.get("progress_file"):
            arguments["progress_file"] = None
        return t.cast("dict[str, t.Any]", result)

    def _beside(self) -> Beside | None:
        """A second connection, where somebody looks and there is something to see."""
        pairs, path = self._task.args.get("keypairs"), self._task.args.get("progress_file")
        if not TERMINAL or self._task.async_val or self._task.check_mode or not isinstance(pairs, list) or not pairs:
            return None
        if path is not None and (not str(path).startswith("/") or "$" in str(path)):
            return None  # what it means, the module's own process knows
        second = None
        with contextlib.suppress(Exception):
            second = another(self)
        with contextlib.suppress(OSError, ValueError):  # where there is no login, the task must not try another one
            return Beside(self, second, path) if second else None
        return None


def _aside(work: t.Callable[..., None], *arguments: t.Any) -> threading.Thread:
    """In the context that Ansible keeps of the task; a daemon, since no connection may keep its process alive."""
    thread = threading.Thread(target=contextvars.copy_context().run, args=(work, *arguments), daemon=True)
    thread.start()
    return thread


def _follow(beside: Beside, total: int, host: str, done: threading.Event) -> None:
    def tell(line: str) -> None:
        display.display(f"progress: [{host}] => {line}", screen_only=True)

    with contextlib.suppress(Exception):
        Watch(total, beside.read, tell).until(done)
    done.wait()
    with contextlib.suppress(Exception):
        beside.close()
