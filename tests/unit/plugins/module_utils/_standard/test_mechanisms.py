# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of mechanisms: their names, their numbers, and what is none."""

from __future__ import annotations

import pkcs11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import (
    KEY_GEN,
    MECHANISMS,
    mechanism_code,
    mechanism_name,
)

RULE = "give the name of an RSA or EC mechanism, for instance CKM_ECDSA_SHA256, or its number as 0x…"


@pytest.mark.parametrize("name", sorted(MECHANISMS))
def test_each_spelling_of_a_name(name: str) -> None:
    code = MECHANISMS[name].code
    short = name.removeprefix("CKM_")
    for text in (name, name.lower(), short, short.lower(), f"0x{code:x}", f"0X{code:08X}"):
        assert mechanism_code(text) == code
    assert mechanism_name(code) == name


def test_the_numbers_are_those_of_python_pkcs11_where_it_has_them() -> None:
    known = {f"CKM_{name}": int(member) for name, member in pkcs11.Mechanism.__members__.items()}
    # python-pkcs11's names differ from the header's here
    known |= {"CKM_EC_EDWARDS_KEY_PAIR_GEN": known.get("CKM_EC_EDWARDS_KEY_PAIR_GEN", 0x1055)}
    both = set(known) & set(MECHANISMS)
    assert len(both) > 20
    assert {name: known[name] for name in both} == {name: MECHANISMS[name].code for name in both}
    assert len({row.code for row in MECHANISMS.values()}) == len(MECHANISMS)


@given(st.integers(0, 2**32 - 1))
def test_vendors_numbers(code: int) -> None:
    assert mechanism_code(f"0x{code:x}") == mechanism_code(f"0X{code:X}") == mechanism_code(str(code)) == code
    assert mechanism_code(mechanism_name(code)) == code


@pytest.mark.parametrize("text", ["", "CKM_", "CKM_AES_GCM", "0x", "0xg", "0x100000000", "0x-1", "-1", "1.5"])
def test_what_is_no_mechanism(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        mechanism_code(text)
    assert str(caught.value) == RULE


@pytest.mark.parametrize("text", ["ECDSA SHA256", "CKM_ECDSA_SHA_256", "ecdsa-sha256"])
def test_a_near_mechanism_is_asked_for(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        mechanism_code(text)
    assert str(caught.value) == f"did you mean CKM_ECDSA_SHA256? G{RULE[1:]}"


@given(st.text())
def test_any_text_is_a_mechanism_or_refused(text: str) -> None:
    try:
        code = mechanism_code(text)
    except ValueError as error:
        assert str(error).endswith(RULE[1:])
    else:
        assert 0 <= code < 2**32


def test_the_table_fits_itself() -> None:
    for key_type, name in KEY_GEN.items():
        assert (MECHANISMS[name].use, MECHANISMS[name].family) == ("generate", key_type)
    for row in MECHANISMS.values():
        words = [word for word in row.name.removeprefix("CKM_").split("_") if word.startswith("SHA")]
        assert row.hash == (words[0].lower() if words else "")
