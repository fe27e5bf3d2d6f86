# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules without Ansible, whose provider pkcs11 finds tokens in memory."""

from __future__ import annotations

import contextlib
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import OptionGroup
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import Login
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Credentials, Provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas import options as _options
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import providers as _providers
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.edge import HsmModule
from ansible_collections.cryptoki.hsm.tests.support.memory_nodes import MemoryNode
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.task_options import taken


class Asked(HsmModule):
    """A module with these options; what it would tell Ansible is kept."""

    def __init__(self, group: OptionGroup, check_mode: bool = False, **given: t.Any) -> None:
        self.params = taken(group, {"module_path": "/lib.so", "token_label": "alpha", **given})
        self.check_mode = check_mode
        self.known: list[t.Any] = []
        self.warnings: list[str] = []
        self.required: list[str] = []

    def know(self, login: Credentials) -> None:
        self.known.append(login)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def masked(self, text: str) -> str:
        return text

    def require_libraries(self, provider: Provider) -> None:
        self.required.append(provider.name)


def use_token(monkeypatch: pytest.MonkeyPatch, session: MemorySession) -> list[tuple[bool, bool]]:
    """Lets every task find this session; the answer is how each asked for it: writable, for threads."""
    asked: list[tuple[bool, bool]] = []

    class Found(Pkcs11Provider):
        @contextlib.contextmanager
        def session(self, *, writable: bool, threads: bool = False, lock: bool = True) -> t.Iterator[t.Any]:
            asked.append((writable, threads))
            yield session

    monkeypatch.setitem(_providers.PROVIDERS, "pkcs11", lambda: Found)
    return asked


def use_nodes(monkeypatch: pytest.MonkeyPatch, *nodes: MemoryNode) -> None:
    """Lets a task with replicas find these, by the names of its options."""
    named = {node.name: node for node in nodes}

    def found(login: Login, _lock_timeout: float) -> MemoryNode:
        return named[login.selector.name]

    monkeypatch.setattr(_options, "Pkcs11Provider", found)


def replicas(*nodes: MemoryNode) -> list[dict[str, t.Any]]:
    """The option."""
    return [{"name": node.name, "module_path": "/lib.so", "token_label": node.name} for node in nodes]
