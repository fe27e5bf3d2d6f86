# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who lost a race waits before the next attempt; here nobody does."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import reconcile


@pytest.fixture(autouse=True, scope="module")
def _no_waiting() -> t.Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconcile.time, "sleep", lambda seconds: None)
        yield
