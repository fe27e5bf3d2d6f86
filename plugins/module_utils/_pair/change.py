# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wished of a pair, or of one half, that is there and was chosen otherwise."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair


@dataclasses.dataclass(frozen=True)
class Change(wish.Wish):
    """What is wished of a pair, or of one half, that was chosen otherwise: nothing else is compared.

    `chosen`: how messages name it; `chosen_exactly`: whether that names one key. `label` and `id` are the new ones.
    """

    chosen: str = ""
    chosen_exactly: bool = False
    proven_always: t.ClassVar[bool] = False
    remedy: t.ClassVar[str] = "leave out what the token does not let be changed"
    keeping: t.ClassVar[str] = remedy

    def __str__(self) -> str:
        return f"the key chosen by {self.chosen}"

    @property
    def exact(self) -> bool:
        return self.chosen_exactly

    @property
    def renames(self) -> bool:
        """Whether there is a new label or id."""
        return self.label is not None or self.id is not None

    def has_name(self, found: keypair.TokenObject) -> bool:
        """Whether a half was renamed already."""
        return self.renames and self.label in (None, found.label) and self.id in (None, found.id)

    def required(self, half: attributes.Half) -> dict[str, attributes.Value]:
        wished = super().required(half)
        wished.pop("sensitive", None)
        return wished
