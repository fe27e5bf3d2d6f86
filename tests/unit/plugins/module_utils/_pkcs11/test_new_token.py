# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a library is given when a token is made; `test_on_softhsm.py` makes some."""

from __future__ import annotations

import types
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import new_token
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal


@pytest.mark.parametrize("label", ["beta", "bêta", "b" * 32])
def test_a_label_has_32_bytes_padded_with_blanks(label: str) -> None:
    """SoftHSM takes others as well."""
    given: list[t.Any] = []
    answers = [0, 0x30]

    def call(*arguments: t.Any) -> int:
        given.append(arguments)
        return answers[len(given) - 1]

    library = t.cast(t.Any, types.SimpleNamespace(functions=types.SimpleNamespace(call=call)))
    new_token.initialise(library, 3, label, "sö pin")
    (name, slot, so_pin, padded) = given[0]
    assert (name, slot, so_pin) == ("C_InitToken", 3, "sö pin".encode())
    assert padded.raw == label.encode() + b" " * (32 - len(label.encode())) and len(padded) == 32
    told = refusal(lambda: new_token.initialise(library, 3, label, "sö pin"))
    assert told.startswith(
        f"Could not initialise a token labelled '{label}' in slot 3: the HSM answered CKR_DEVICE_ERROR"
    )
