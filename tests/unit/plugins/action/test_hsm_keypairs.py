# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The second connection of a task that is watched: what it adds to the module's options, and that nothing stays."""

from __future__ import annotations

import os
import threading
import time
import types
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.plugins.action.normal import ActionModule as Normal
from ansible.plugins.loader import connection_loader

from ansible_collections.cryptoki.hsm.plugins.action import hsm_keypairs

Local: t.Any = connection_loader.get("local", class_only=True)
LECTURE = b"We trust you have received the usual lecture from the local system administrator.\n"


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[Local]:
    """The connections that are closed by a task on a terminal."""
    ended: list[Local] = []
    monkeypatch.setattr(hsm_keypairs, "TERMINAL", True)

    def close(self: Local) -> None:
        ended.append(self)

    monkeypatch.setattr(Local, "close", close)
    return ended


def run(
    monkeypatch: pytest.MonkeyPatch, how: t.Mapping[str, t.Any] = types.MappingProxyType({}), **given: t.Any
) -> tuple[t.Any, dict[str, t.Any]]:
    """The file that the module is told to write, and the result; the task's options are as before."""
    told = []

    def module(action: t.Any, *_arguments: t.Any) -> dict[str, t.Any]:
        path = action._task.args.get("progress_file")
        told.append(path)
        assert given or path is None or os.path.isdir(os.path.dirname(path))
        return {"invocation": {"module_args": {"progress_file": os.path.expandvars(path) if path else None}}}

    monkeypatch.setattr(Normal, "run", module)
    context = PlayContext()
    first = connection_loader.get("local", context)
    first.set_options()
    first.ansible_name = "local"  # its full name is known where collections can be loaded
    args = {"keypairs": [{"label": "a"}], **given}
    task: t.Any = types.SimpleNamespace(
        **{"args": dict(args), "async_val": 0, "check_mode": False, "action": "cryptoki.hsm.hsm_keypairs", **how}
    )
    action = hsm_keypairs.ActionModule(task, first, context, DataLoader(), t.cast(t.Any, None), None)
    result = action.run(None, {"inventory_hostname": "here"})
    assert task.args == args
    return told[0], result["invocation"]["module_args"]


@pytest.mark.parametrize("told_before", [b"", LECTURE])
def test_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch, closed: list[Local], told_before: bytes) -> None:
    real = Local.exec_command

    def exec_command(self: Local, *arguments: t.Any, **named: t.Any) -> tuple[int, bytes, bytes]:
        status, output, errors = real(self, *arguments, **named)
        return status, told_before + output, errors

    monkeypatch.setattr(Local, "exec_command", exec_command)
    path, arguments = run(monkeypatch)
    assert path.startswith("/tmp/ansible-hsm-") and not os.path.lexists(os.path.dirname(path))
    assert arguments == {"progress_file": None} and len(closed) == 1


def test_a_file_that_is_named(monkeypatch: pytest.MonkeyPatch, closed: list[Local], tmp_path: Path) -> None:
    monkeypatch.setenv("FOLDER", str(tmp_path))
    path = f"{tmp_path}/progress"
    assert run(monkeypatch, progress_file=path) == (path, {"progress_file": path}) and len(closed) == 1


@pytest.mark.parametrize("path", ["/$FOLDER/progress", "progress"])
def test_a_file_whose_name_only_the_module_can_tell(
    monkeypatch: pytest.MonkeyPatch, closed: list[Local], path: str
) -> None:
    monkeypatch.setenv("FOLDER", "tmp")
    assert run(monkeypatch, progress_file=path) == (path, {"progress_file": os.path.expandvars(path)})
    assert not closed


@pytest.mark.parametrize("answer", [(127, b"", b"mktemp: not found"), (0, b"Welcome\n", b"")])
def test_where_no_folder_can_be_made_nothing_is_told(
    monkeypatch: pytest.MonkeyPatch, closed: list[Local], answer: tuple[int, bytes, bytes]
) -> None:
    monkeypatch.setattr(Local, "exec_command", lambda *_arguments, **_named: answer)
    assert run(monkeypatch) == (None, {"progress_file": None}) and not closed


@pytest.mark.parametrize("how", [{"check_mode": True}, {"async_val": 60}])
def test_in_check_mode_and_in_the_background_nothing_is_told(
    monkeypatch: pytest.MonkeyPatch, closed: list[Local], how: dict[str, t.Any]
) -> None:
    assert run(monkeypatch, how) == (None, {"progress_file": None}) and not closed


def test_where_no_other_connection_can_be_had_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hsm_keypairs, "TERMINAL", True)
    monkeypatch.setattr(hsm_keypairs.connection_loader, "get", lambda *_arguments: None)
    action: t.Any = types.SimpleNamespace(
        _task=types.SimpleNamespace(args={"keypairs": [{}]}, async_val=0, check_mode=False),
        _connection=types.SimpleNamespace(ansible_name="local", _play_context=None),
    )
    assert hsm_keypairs.ActionModule._beside(action) is None


def test_a_refused_password_is_tried_once(monkeypatch: pytest.MonkeyPatch, closed: list[Local]) -> None:
    tried = []

    def exec_command(self: Local, *_arguments: t.Any, **_named: t.Any) -> tuple[int, bytes, bytes]:
        tried.append(self)
        raise AnsibleConnectionFailure("Incorrect su password")

    monkeypatch.setattr(Local, "exec_command", exec_command)
    with pytest.raises(AnsibleConnectionFailure, match="^Incorrect su password$"):
        run(monkeypatch)
    assert len(tried) == 1 and not closed


def test_a_short_task_has_its_own_connection_alone(
    monkeypatch: pytest.MonkeyPatch, closed: list[Local], tmp_path: Path
) -> None:
    real, used = Local.exec_command, []

    def exec_command(self: Local, *arguments: t.Any, **named: t.Any) -> t.Any:
        used.append(self)
        return real(self, *arguments, **named)

    monkeypatch.setattr(Local, "exec_command", exec_command)
    run(monkeypatch)
    assert len(used) == 2 and set(used).isdisjoint(closed)
    run(monkeypatch, progress_file=f"{tmp_path}/progress")
    assert len(used) == 3 and set(used).isdisjoint(closed)


def test_a_connection_that_hangs_after_the_module_does_not_hold_up_the_task(
    monkeypatch: pytest.MonkeyPatch, closed: list[Local]
) -> None:
    """As where the task was ended by its `timeout` because the host answers no more."""
    real, hanging = Local.exec_command, threading.Event()

    def exec_command(self: Local, command: str, *arguments: t.Any, **named: t.Any) -> t.Any:
        if "rm -rf" in command:
            hanging.wait(30)
        return real(self, command, *arguments, **named)

    monkeypatch.setattr(Local, "exec_command", exec_command)
    monkeypatch.setattr(hsm_keypairs, "PATIENCE", 0.1)
    start = time.monotonic()
    run(monkeypatch)
    assert time.monotonic() - start < 10 and closed
    hanging.set()


def test_a_client_that_both_connections_have_stays_open(monkeypatch: pytest.MonkeyPatch, closed: list[Local]) -> None:
    """As paramiko's: a loop goes on using it."""
    monkeypatch.setattr(Local, "ssh", object(), raising=False)
    path, _arguments = run(monkeypatch)
    assert path and not os.path.lexists(os.path.dirname(path)) and not closed
