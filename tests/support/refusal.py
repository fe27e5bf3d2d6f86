# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a refusal says."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import ROW, HsmError


def refusal(work: t.Callable[[], t.Any]) -> str:
    """The message of the `HsmError` that `work` raises; it is one line, and one for each pair of a list."""
    try:
        work()
    except HsmError as error:
        first, *rows = error.msg.split(ROW)
        assert error.msg == str(error) and "\n" not in first
        assert all(row.startswith("(") and "\n" not in row for row in rows)
        return error.msg
    raise AssertionError("it was not refused")
