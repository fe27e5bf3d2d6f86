# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""p11-kit, by whose proxy and remote client tokens of SoftHSM are reached, too: such tasks share its lock and files."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import TokenInfo
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm

_MARK = b"P11_KIT_STRICT"


class P11Kit:
    """What p11-kit may show of SoftHSM; nothing of it where the library at `path` is not p11-kit's.

    `folder`: where SoftHSM's tokens are, whether or not p11-kit shows them: its configuration says that, or that of a
    server at the other end. A lock too many makes a task wait, one too few spoils a token (trap T5).
    """

    def __init__(self, path: str, environment: t.Mapping[str, str]) -> None:
        self.folder = softhsm.token_folder(environment) if softhsm.holds(path, _MARK) else None

    @functools.cached_property
    def library(self) -> str | None:
        """The SoftHSM that p11-kit has loaded into this process; None where there is none, or it is in another one."""
        if not self.folder:
            return None
        try:
            with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
                rows = [line.rstrip("\n").split(None, 5) for line in maps]
        except OSError:  # Linux alone has it
            return None
        paths = {row[5] for row in rows if len(row) > 5 and ".so" in row[5]}
        return next((path for path in sorted(paths) if softhsm.is_softhsm(path, {})), None)

    def folder_of(self, token: TokenInfo) -> str | None:
        """Where the files of a token of SoftHSM are that this process itself reads and writes."""
        return self.folder if "SoftHSM" in token.manufacturer and self.library else None
