# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder of all tokens of SoftHSM, whole or damaged."""

from __future__ import annotations

import os
import re

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm, softhsm_store

_MISSING = "it is missing"
_TOKEN_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class TokensFolder(softhsm_store.Store):
    """The folder of all tokens, which has a folder a token."""

    def damaged(self) -> list[softhsm_store.Damage]:
        """The tokens' own files that are damaged, so that the tokens are not seen; sorted."""
        return sorted(self._persisting(self._names()).values())

    def _names(self) -> set[str]:
        return {entry.name for entry in softhsm_store.entries(self.folder) if entry.is_dir(follow_symlinks=False)}

    def _damage(self, name: str) -> softhsm_store.Damage | None:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm_file

        folder = os.path.join(self.folder, name)
        database, path = (os.path.join(folder, file) for file in (softhsm.DATABASE, softhsm.TOKEN_FILE))
        if os.path.exists(database):
            journal = os.path.exists(f"{database}-journal")
            return softhsm_store.judged(database, lambda descriptor: softhsm_file.database_damage(descriptor, journal))
        if os.path.isfile(path):
            return softhsm_store.judged(
                path, lambda descriptor: softhsm_file.token_damage(softhsm_store.content(descriptor))
            )
        if not os.access(folder, os.R_OK | os.X_OK, effective_ids=True):  # it is told as that, or it is gone
            return None
        # SoftHSM gives every folder a file `generation`, whatever else is in it.
        files = [entry.name for entry in softhsm_store.entries(folder)]
        was_token = _TOKEN_NAME.fullmatch(name) or any(file.endswith((".object", ".lock")) for file in files)
        return softhsm_store.Damage(path, _MISSING) if was_token else None
