# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a pair is compared with a wish, and how differences are told."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.difference import (
    Difference,
    attribute_differences,
    key_differences,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, rsa_material
from ansible_collections.cryptoki.hsm.tests.support.scenarios import ec_pair

RSA = rsa_material(2**2047 + 1)


@pytest.mark.parametrize(
    ("difference", "text"),
    [
        (Difference(None, "modulus_bits", 2048, 3072), "modulus_bits is 2048, wished 3072"),
        (Difference(None, "curve", "unknown", "secp256r1"), "curve is unknown, wished secp256r1"),
        (Difference(PRIVATE, "sign", None, True), "private half's sign is missing, wished true"),
        (Difference(PUBLIC, "id", b"", b"\x01\xff"), "public half's id is empty, wished 01:ff"),
        (
            Difference(PRIVATE, "allowed_mechanisms", (0x1041,), (0x40, 0x80000001)),
            "private half's allowed_mechanisms is [CKM_ECDSA], wished [CKM_SHA256_RSA_PKCS, 0x80000001]",
        ),
    ],
)
def test_differences_in_messages(difference: Difference, text: str) -> None:
    assert str(difference) == text


def test_what_of_the_key_is_compared() -> None:
    pair = pair_of(RSA)
    assert key_differences(Wish("rsa", label="root"), pair) == []
    assert key_differences(Wish("rsa", modulus_bits=2048, public_exponent=65537), pair) == []
    assert key_differences(Wish("rsa", modulus_bits=3072, public_exponent=65539), pair) == [
        Difference(None, "modulus_bits", 2048, 3072),
        Difference(None, "public_exponent", 65537, 65539),
    ]
    curve = curve_by_name("ed25519")
    assert key_differences(Wish("ecc", curve=curve), ec_pair()) == [Difference(None, "curve", "secp256r1", "ed25519")]
    assert key_differences(Wish("ecc"), ec_pair()) == []


@given(st.lists(st.integers(0, 99), unique=True), st.randoms())
def test_the_order_of_mechanisms_is_no_difference(codes: list[int], random: t.Any) -> None:
    shuffled = random.sample(codes, len(codes))
    found = TokenObject(1, PRIVATE, {"allowed_mechanisms": tuple(codes)})
    assert attribute_differences(PRIVATE, found, {"allowed_mechanisms": tuple(shuffled)}) == []
    assert len(attribute_differences(PRIVATE, found, {"allowed_mechanisms": (*shuffled, 100)})) == 1
