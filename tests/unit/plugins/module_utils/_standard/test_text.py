# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How bytes are written, and secrets are not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.text import MASK, colon_hex, masked


@given(st.binary())
def test_colon_hex(value: bytes) -> None:
    shown = colon_hex(value)
    assert bytes.fromhex(shown.replace(":", "")) == value
    assert all(len(part) == 2 for part in shown.split(":") if shown)


def test_of_two_secrets_the_longer_one_is_masked_first() -> None:
    for secrets in (["ses", "sesame"], ["sesame", "ses"]):
        assert masked(b"open sesame, ses!", secrets).decode() == f"open {MASK}, {MASK}!"
