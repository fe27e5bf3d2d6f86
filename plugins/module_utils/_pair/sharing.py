# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The users of a key beside those that are wished, where the HSM has users: loaded for such HSMs only."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors


def compared(wish: Wish, sharing: keypair.Sharing) -> t.Iterator[tuple[str, t.Any, t.Any]]:
    """The users and the quorums of a key beside those that are wished; one quorum alone is wished for both."""
    yield "shared_with", sharing.shared_with, wish.users(sharing.shared_with)
    quorum: t.Any = sharing.quorum
    if wish.management_quorum is not None:
        yield "management_quorum", sharing.manage_quorum, wish.management_quorum
    elif sharing.manage_quorum not in (0, quorum):
        quorum = f"{quorum} to use it and {sharing.manage_quorum} to change it"
    if wish.quorum is not None:
        yield "quorum", quorum, wish.quorum


def refuse_below_quorum(wish: Wish, pair: keypair.KeyPair, token: str) -> None:
    """Refuses to change the users to fewer than must approve a use: the key could never be used again."""
    sharing = pair.private.sharing if pair.privates else None
    users = wish.users(sharing.shared_with) if sharing else ()
    if sharing and users != sharing.shared_with and len(users) + 1 < sharing.quorum:
        raise errors.HsmError.refused(
            f"share {wish.on(token)} with [{', '.join(users)}]",
            f"{sharing.quorum} users must approve each use of it, the owner among them, and so many would not be left",
        )
