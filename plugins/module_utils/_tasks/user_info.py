# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_user_info does: from options to the result.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import LOGIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.edge import HsmModule, Result
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.providers import provider_from

OPTIONS = LOGIN


def run() -> t.NoReturn:
    """Runs the module."""
    HsmModule(OPTIONS).run(_work)


def _work(module: HsmModule) -> Result:
    provider, login = provider_from(module.params, needs="users", any_token=True)
    module.know(login)
    module.require_libraries(provider)
    return {"changed": False, "users": [dataclasses.asdict(user) for user in provider.users()]}
