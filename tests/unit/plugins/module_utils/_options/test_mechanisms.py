# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mechanisms as a user names them, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.mechanisms import number
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import InputError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS, mechanism_name

RULE = "give the name of an RSA or EC mechanism, for instance CKM_ECDSA_SHA256, or its number as 0x…"


def code_of(text: str) -> int | None:
    """What the option `key_gen_mechanism` takes it for."""
    return number("key_gen_mechanism", text)


@pytest.mark.parametrize("name", sorted(MECHANISMS))
def test_each_spelling_of_a_name(name: str) -> None:
    code = MECHANISMS[name].code
    short = name.removeprefix("CKM_")
    for text in (name, name.lower(), short, short.lower(), f"0x{code:x}", f"0X{code:08X}"):
        assert code_of(text) == code
    assert mechanism_name(code) == name


@given(st.integers(0, 2**32 - 1))
def test_vendors_numbers(code: int) -> None:
    assert code_of(f"0x{code:x}") == code_of(f"0X{code:X}") == code_of(str(code)) == code
    assert code_of(mechanism_name(code)) == code


@pytest.mark.parametrize("text", ["", "CKM_", "CKM_AES_GCM", "0x", "0xg", "0x100000000", "0x-1", "-1", "1.5"])
def test_what_is_no_mechanism(text: str) -> None:
    with pytest.raises(InputError) as caught:
        code_of(text)
    assert str(caught.value) == f"key_gen_mechanism {text!r} is refused: {RULE}."


@pytest.mark.parametrize("text", ["ECDSA SHA256", "CKM_ECDSA_SHA_256", "ecdsa-sha256"])
def test_a_near_mechanism_is_asked_for(text: str) -> None:
    with pytest.raises(InputError) as caught:
        code_of(text)
    told = f"did you mean CKM_ECDSA_SHA256? G{RULE[1:]}"
    assert str(caught.value) == f"key_gen_mechanism {text!r} is refused: {told}."


@given(st.text())
def test_any_text_is_a_mechanism_or_refused(text: str) -> None:
    try:
        code = code_of(text)
    except InputError as error:
        assert str(error).endswith(f"{RULE[1:]}.")
    else:
        assert code is not None and 0 <= code < 2**32
