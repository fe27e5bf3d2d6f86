# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables of mechanisms and of vendors, and how a row is chosen."""

from __future__ import annotations

import typing as t

import pkcs11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VENDORS, vendor_facts
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import ATTRIBUTES, PRIVATE, PUBLIC, Half
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
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


@pytest.mark.parametrize(
    ("descriptions", "name"),
    [
        (("SoftHSM", "Implementation of PKCS11", "SoftHSM project", "SoftHSM v2"), "softhsm"),
        (("PKCS#11 Kit", "PKCS#11 Kit Proxy Module", "SoftHSM project", "SoftHSM v2"), "softhsm"),
        (("Marvell Semiconductors, Inc.", "CloudHSM PKCS#11"), "cloudhsm"),
        (("Cavium", ""), "cloudhsm"),
        (("Yubico (www.yubico.com)", "YubiHSM PKCS#11 Library"), "yubihsm"),
        (("IBM", "openCryptoki"), "opencryptoki"),
        (("Mozilla Foundation", "NSS Internal Crypto Services"), "nss"),
        (("Transsecure", "Innssbruck HSM"), "generic"),
        (("", ""), "generic"),
        ((), "generic"),
    ],
)
def test_the_row_that_a_library_describes(descriptions: tuple[str, ...], name: str) -> None:
    assert vendor_facts("auto", *descriptions).name == name


@pytest.mark.parametrize("name", sorted(VENDORS))
def test_a_named_row_wins_over_the_description(name: str) -> None:
    assert vendor_facts(name, "SoftHSM", "NSS") is VENDORS[name]


@pytest.mark.parametrize("half", [PUBLIC, PRIVATE])
def test_what_is_sent(half: Half) -> None:
    cloud, nss = VENDORS["cloudhsm"], VENDORS["nss"]
    for value in (True, False, b"", ()):
        assert VENDORS["generic"].sends(half, "private", value)
        assert not nss.sends(half, "destroyable", value)
        assert cloud.sends(half, "private", value) is (value is True)
    assert cloud.sends(PUBLIC, "verify", True) and not cloud.sends(PUBLIC, "verify_recover", False)
    # The private half's rows are its own
    assert nss.sends(PUBLIC, "wrap_with_trusted", True) and not nss.sends(PRIVATE, "wrap_with_trusted", True)


def test_the_rows_name_what_exists() -> None:
    halves: tuple[t.Any, ...] = (PUBLIC, PRIVATE)
    for facts in VENDORS.values():
        for half, name in facts.not_sent | facts.only_true:
            assert half in halves and half in ATTRIBUTES[name].classes
        assert all(name in ATTRIBUTES for name in facts.fixed)
        assert all(curve_by_name(name).name == name for name in facts.curves)
        assert all(mark == mark.lower() and mark.isalnum() for mark in facts.marks)
        assert facts.id_length <= (facts.id_max or facts.id_length)
