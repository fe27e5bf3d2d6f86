# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking back what was made, and what is told of what remains."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import session
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

NOTHING_LEFT = "Nothing of it is left on the token."


class Undoing(t.NamedTuple):
    """One object to take back: what it is, where it is (its handle or reference), and how it goes."""

    what: str
    where: str
    destroy: t.Callable[[], object]


def undone(steps: t.Iterable[Undoing]) -> str:
    """Takes back what was made; the answer tells what remains, and the HSM's reason for each."""
    left = []
    for step in steps:
        try:
            step.destroy()
        except errors.TokenError as error:
            if error.ckr != session.NOT_THERE:
                left.append(f"{step.what} ({step.where}; {error.ckr or error.said})")
    return f"What remains on the token: {' and '.join(left)}." if left else NOTHING_LEFT
