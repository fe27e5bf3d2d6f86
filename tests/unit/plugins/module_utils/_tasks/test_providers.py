# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which provider a task has, and what it must say of its token."""

from __future__ import annotations

from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.providers import provider_from
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.task_options import params


def test_a_token_is_named_unless_any_will_do() -> None:
    given = params("rsa", module_path="/lib.so", pin="1234")
    assert refusal(lambda: provider_from(given)).startswith("token_label is refused: give exactly one of token_label,")
    provider, login = provider_from(given, any_token=True)
    assert provider.name == "pkcs11" and login.secrets() == ["1234", "1234"]
