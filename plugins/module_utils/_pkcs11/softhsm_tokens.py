# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder of all tokens of SoftHSM, whole or damaged."""

from __future__ import annotations

import os
import re

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.softhsm import DATABASE, TOKEN_FILE
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.softhsm_store import (
    Damage,
    Store,
    content,
    entries,
    judged,
)

_MISSING = "it is missing"
_TOKEN_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class TokensFolder(Store):
    """The folder of all tokens, which has a folder a token."""

    def damaged(self) -> list[Damage]:
        """The tokens' own files that are damaged, so that the tokens are not seen; sorted."""
        return sorted(self._persisting(self._names()).values())

    def _names(self) -> set[str]:
        return {entry.name for entry in entries(self.folder) if entry.is_dir(follow_symlinks=False)}

    def _damage(self, name: str) -> Damage | None:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.softhsm_file import (
            database_damage,
            token_damage,
        )

        folder = os.path.join(self.folder, name)
        database, path = (os.path.join(folder, file) for file in (DATABASE, TOKEN_FILE))
        if os.path.exists(database):
            journal = os.path.exists(f"{database}-journal")
            return judged(database, lambda descriptor: database_damage(descriptor, journal))
        if os.path.isfile(path):
            return judged(path, lambda descriptor: token_damage(content(descriptor)))
        if not os.access(folder, os.R_OK | os.X_OK, effective_ids=True):  # it is told as that, or it is gone
            return None
        # SoftHSM gives every folder a file `generation`, whatever else is in it.
        files = [entry.name for entry in entries(folder)]
        was_token = _TOKEN_NAME.fullmatch(name) or any(file.endswith((".object", ".lock")) for file in files)
        return Damage(path, _MISSING) if was_token else None
