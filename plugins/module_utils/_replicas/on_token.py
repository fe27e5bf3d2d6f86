# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work on a pair on one token of several: as on a single one, and nothing is looked up or proven twice."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair, session
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import reconcile

Proven = tuple[keypair.KeyPair, session.Proof]


@dataclasses.dataclass(frozen=True)
class OnToken(reconcile.Reconciliation):
    """`proven`: what this run has proven on the token already, and its proof.

    `looked`: what a look has just found there, a whole pair or nothing; the work begins with that, and looks by itself
    if it has to begin anew.
    """

    proven: Proven | None = None
    looked: list[keypair.KeyPair | None] = dataclasses.field(default_factory=list)

    def _look(self) -> tuple[keypair.KeyPair | None, bool, tuple[str, ...]]:
        if not self.looked:
            return super()._look()
        found = self.looked.pop()
        return found, False, self.settle_ids(found) if found else ()

    def _standing(self, found: keypair.KeyPair) -> session.Proof:
        """The proof of just these objects, as they are now, is not made a second time."""
        if self.proven and self.proven[0] == found and self.proven[1].method:
            return self.proven[1]
        return super()._standing(found)


def bring(
    token: session.TokenSession,
    wish: Wish,
    state: str,
    check_mode: bool,
    proven: Proven | None = None,
    looked: t.Iterable[keypair.KeyPair | None] = (),
) -> reconcile.Outcome:
    """As on a single token; see `OnToken`."""
    return reconcile.finished(OnToken(token, wish, check_mode, proven, [*looked]).stages(state))
