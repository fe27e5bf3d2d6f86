# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is taken back, and what remains."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import NOT_THERE
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.undoing import Undoing, undone
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError


def test_what_is_taken_back_and_what_remains() -> None:
    def fail(error: TokenError) -> t.NoReturn:
        raise error

    gone: list[str] = []
    assert (
        undone([])
        == undone([Undoing("a", "handle 1", lambda: gone.append("a"))])
        == ("Nothing of it is left on the token.")
    )
    steps = [
        Undoing("the one half", "handle 1", lambda: fail(TokenError("do it", "CKR_DEVICE_ERROR"))),
        Undoing("a", "handle 2", lambda: gone.append("b")),
        Undoing("the other half", "handle 3", lambda: fail(TokenError("do it", said="no"))),
        Undoing("what another host was faster with", "handle 4", lambda: fail(TokenError("do it", NOT_THERE))),
    ]
    told = "What remains on the token: the one half (handle 1; CKR_DEVICE_ERROR) and the other half (handle 3; no)."
    assert undone(steps) == told and gone == ["a", "b"]
