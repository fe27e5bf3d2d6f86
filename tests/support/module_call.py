# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module called in this process, with everything that it shows: what thousands of inputs need."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
import json
import os
import traceback
import typing as t
from unittest import mock

from ansible.module_utils import basic
from ansible.module_utils.common import warnings

_MODULES = "ansible_collections.cryptoki.hsm.plugins.modules"
# What Ansible adds to the options at -vvv, and where it was told to return the invocation.
_LOUD = {"_ansible_verbosity": 3, "_ansible_inject_invocation": True, "_ansible_tracebacks_for": ["error", "warning"]}


@dataclasses.dataclass(frozen=True)
class Shown:
    """What a module showed: its answer, its outputs, and what went to the system's log."""

    stdout: str
    stderr: str
    log: str

    @property
    def result(self) -> dict[str, t.Any]:
        """The answer, which must be the last line and JSON."""
        return t.cast("dict[str, t.Any]", json.loads(self.stdout.strip().splitlines()[-1]))

    @property
    def everything(self) -> str:
        """All of it, and the answer's texts as they are without JSON."""
        return "\n".join([self.stdout, self.stderr, self.log, *texts_of(self.result)])


def _log_to(messages: list[str]) -> t.Callable[[t.Any, str], None]:
    return lambda dummy, message: messages.append(message)


def texts_of(value: t.Any) -> t.Iterator[str]:
    """Every text, key and number in an answer."""
    if isinstance(value, dict):
        for name, entry in value.items():
            yield str(name)
            yield from texts_of(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from texts_of(entry)
    else:
        yield str(value)


def call_module(name: str, options: t.Any, environment: t.Mapping[str, str] | None = None) -> Shown:
    """Runs a module with these options as Ansible does at -vvv; what it does to the environment is undone.

    `name` has dots for a module of another collection.
    """
    module = importlib.import_module(name if "." in name else f"{_MODULES}.{name}")
    logged: list[str] = []
    out, err = io.StringIO(), io.StringIO()
    known = {f"_ansible_{name}" for name in basic.PASS_VARS}
    loud = {name: value for name, value in _LOUD.items() if name in known}
    given = json.dumps({"ANSIBLE_MODULE_ARGS": {**options, **loud}}).encode()
    before = dict(os.environ)
    warnings._global_warnings.clear()
    with contextlib.ExitStack() as entered:
        entered.enter_context(mock.patch.object(basic, "_ANSIBLE_ARGS", given))
        entered.enter_context(mock.patch.object(basic, "_ANSIBLE_PROFILE", "legacy", create=True))
        entered.enter_context(mock.patch.object(basic, "has_journal", False))
        entered.enter_context(
            mock.patch.object(basic.AnsibleModule, "_log_to_syslog", lambda dummy, msg: logged.append(msg))
        )
        entered.enter_context(mock.patch.dict(os.environ, environment or {}))
        entered.enter_context(contextlib.redirect_stdout(out))
        entered.enter_context(contextlib.redirect_stderr(err))
        try:
            module.main()
        except SystemExit:
            pass
        except BaseException:
            err.write(traceback.format_exc())
    os.environ.clear()
    os.environ.update(before)
    return Shown(out.getvalue(), err.getvalue(), "\n".join(logged))
