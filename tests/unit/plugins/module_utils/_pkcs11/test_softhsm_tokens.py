# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which folders of SoftHSM's store were tokens whose own file is damaged or gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm_store
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.softhsm_tokens import TokensFolder


def test_a_link_is_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SoftHSM passes over it."""
    monkeypatch.setattr(softhsm_store, "_PAUSE", 0)  # seconds between two looks
    tokens, elsewhere = tmp_path / "tokens", tmp_path / "elsewhere"
    for folder in (tokens / "lost", elsewhere):
        folder.mkdir(parents=True)
        (folder / "a.object").touch()
    (tokens / "link").symlink_to(elsewhere)
    with TokensFolder(str(tokens), lasting=False) as store:
        assert [damage.path for damage in store.damaged()] == [str(tokens / "lost" / "token.object")]
