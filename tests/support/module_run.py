# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules run as Ansible runs them, one process each."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.cryptoki.hsm.tests.support.module_process import start_module


@dataclasses.dataclass(frozen=True)
class Run:
    """What a module did: its JSON answer, everything that it wrote, and its exit status."""

    result: dict[str, t.Any]
    stdout: str
    stderr: str
    status: int

    @property
    def key_pair(self) -> dict[str, t.Any]:
        """The returned pair; the failure's message if there is none."""
        if self.result.get("failed"):
            raise AssertionError(self.result["msg"])
        return t.cast("dict[str, t.Any]", self.result["key_pair"])

    @property
    def msg(self) -> str:
        """The message of a failure that was expected."""
        if not self.result.get("failed"):
            raise AssertionError(f"did not fail: {self.stdout}")
        return t.cast(str, self.result["msg"])

    @property
    def warning(self) -> str:
        """The text of the only warning; since ansible-core 2.19 it comes in a structure."""
        (warning,) = self.result["warnings"]
        return t.cast(str, warning if isinstance(warning, str) else warning["event"]["msg"])


def module_input(check_mode: bool, params: t.Mapping[str, t.Any]) -> bytes:
    """What a module reads on its standard input."""
    return json.dumps({"ANSIBLE_MODULE_ARGS": {"_ansible_check_mode": check_mode, **params}}).encode()


def run_module(
    name: str,
    params: t.Mapping[str, t.Any],
    *,
    check_mode: bool = False,
    environment: t.Mapping[str, str] | None = None,
    hurried: bool = False,
) -> Run:
    """Runs a module with exactly `params`; see `start_module`."""
    process = start_module(name, module_input(check_mode, params), environment, hurried=hurried)
    stdout, stderr = process.communicate()
    return run_from(stdout, stderr, process.returncode)


def run_from(stdout: bytes, stderr: bytes, status: int) -> Run:
    """What a module did, from what it wrote."""
    try:
        result = json.loads(stdout)
    except ValueError:
        raise AssertionError(f"no JSON, status {status}: {stdout!r} {stderr!r}") from None
    return Run(result, stdout.decode(), stderr.decode(), status)
