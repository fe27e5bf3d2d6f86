# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a refusal says."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError


def refusal(work: t.Callable[[], t.Any]) -> str:
    """The message of the `HsmError` that `work` raises; it is one line."""
    try:
        work()
    except HsmError as error:
        assert error.msg == str(error) and "\n" not in error.msg
        return error.msg
    raise AssertionError("it was not refused")
