# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What python-pkcs11 raises, as this collection tells it; and which options a falsy value chooses by."""

from __future__ import annotations

import pkcs11
import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.calls import attempt, check
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError


@pytest.mark.parametrize(
    ("error", "ckr", "said"),
    [
        (pkcs11.PinIncorrect(), "CKR_PIN_INCORRECT", "PinIncorrect"),
        (pkcs11.PinIncorrect("told"), "CKR_PIN_INCORRECT", "told"),
        (pkcs11.PKCS11Error("Unmapped error code 0x30"), "CKR_DEVICE_ERROR", "Unmapped error code 0x30"),
        (pkcs11.PKCS11Error("new"), None, "new"),
        (UnicodeDecodeError("utf-8", b"", 0, 1, "bad"), None, "a text that is no UTF-8"),
    ],
)
def test_what_python_pkcs11_raises(error: Exception, ckr: str | None, said: str) -> None:
    with pytest.raises(TokenError, match="Could not do it") as caught, attempt("do it"):
        raise error
    assert (caught.value.ckr, caught.value.said) == (ckr, said)


def test_only_what_is_no_success_is_raised() -> None:
    check(0, "do it")
    with pytest.raises(TokenError, match="Could not do it: the HSM answered CKR_DEVICE_ERROR"):
        check(0x30, "do it")


def test_a_filter_is_refused_whatever_its_value() -> None:
    assert {name for name, row in Pkcs11Provider.cannot.items() if row.asked_for(0)} == {"handle", "shared_with"}
