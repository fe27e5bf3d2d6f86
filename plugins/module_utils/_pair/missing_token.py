# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of a token that is not there: what is there instead, and where it could be unseen."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import (
        DeadSlot,
        LibraryInfo,
        TokenInfo,
        TokenSelector,
    )


def missing_token(
    selector: TokenSelector,
    tokens: t.Sequence[TokenInfo],
    dead: t.Sequence[DeadSlot],
    library: LibraryInfo,
    hidden: t.Sequence[str],
) -> str:
    """The message for a token that was looked for in all slots."""
    there = [token for token in tokens if token.in_use]
    nothing = "no initialised token" if tokens or dead else "no token in any slot"
    parts = [f"it has {', '.join(map(str, there)) or nothing}"]
    if selector.slot_id in {token.slot_id for token in tokens} - {token.slot_id for token in there}:
        parts.append(f"the token in slot {selector.slot_id} is not initialised")
    if dead:
        parts.append(", ".join(map(str, dead)))
    parts += hidden[:1]
    if not tokens and not dead:
        parts.append("the device, or the connector or service that leads to it, may be down")
    advice = "Check the token's name, the library's configuration and the user that runs the task."
    return f"Could not find a token {selector} in {library.path}: {'; '.join(parts)}. {advice}"
