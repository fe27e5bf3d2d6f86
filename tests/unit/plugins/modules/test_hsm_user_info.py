# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hsm_user_info: refused by what a provider lacks, and what one that has users would return."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import LOGIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import Login
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Credentials
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.user import User
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import providers as _provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.edge import HsmModule
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.providers import provider_from
from ansible_collections.cryptoki.hsm.plugins.modules.hsm_user_info import users
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.task_options import taken

ALICE = User(3, "alice", "CU", two_factor=False, login_failures=0, quorum_key=True)


class Asked(HsmModule):
    """A module with options, and without Ansible."""

    def __init__(self, **given: t.Any) -> None:
        self.params = taken(LOGIN, given)
        self.known: list[Credentials] = []

    def know(self, login: Credentials) -> None:
        self.known.append(login)


def test_pkcs11_is_refused_before_its_login_is_looked_at() -> None:
    for given in ({}, {"pin_file": "/nonexistent/pin"}, {"executable": "/x"}):
        module = Asked(**given)
        assert refusal(lambda asked=module: users(asked)) == (  # type: ignore[misc]
            "provider 'pkcs11' is refused: PKCS#11 tells nothing of users; use the provider cloudhsm_cli or"
            " key_mgmt_util, which drive the cluster's own tool."
        )
        assert not module.known


def test_only_who_needs_users_is_refused() -> None:
    params = taken(LOGIN, {"module_path": "/lib.so"})
    provider, login = provider_from(params, any_token=True)
    assert provider.name == "pkcs11" and isinstance(login, Login) and not login.selector.chooses


def test_users_of_a_provider_that_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cluster(Pkcs11Provider):
        name = "key_mgmt_util"
        lacks = {}

        def users(self) -> list[User]:
            return [ALICE]

    monkeypatch.setitem(_provider.PROVIDERS, "key_mgmt_util", lambda: Cluster)
    module = Asked(provider="key_mgmt_util", module_path="/lib.so")
    assert users(module) == {
        "changed": False,
        "users": [
            {
                "id": 3,
                "name": "alice",
                "type": "CU",
                "two_factor": False,
                "login_failures": 0,
                "quorum_key": True,
                "locked": None,
            }
        ],
    }
    assert len(module.known) == 1
