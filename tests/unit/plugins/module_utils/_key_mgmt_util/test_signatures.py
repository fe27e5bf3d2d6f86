# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The signatures that key_mgmt_util writes."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.signatures import (
    KeyMgmtUtilSigner,
    mechanisms_for,
    side_by_side,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key


@given(st.integers(1, 2**384 - 1), st.integers(1, 2**384 - 1), st.binary(max_size=20))
def test_a_signature_of_two_numbers(r: int, s: int, rest: bytes) -> None:
    wanted = r.to_bytes(48, "big") + s.to_bytes(48, "big")
    assert side_by_side(encode_dss_signature(r, s) + rest, 48) == wanted
    if wanted[0] != 0x30:
        assert side_by_side(wanted + rest, 48) == wanted


@given(st.binary(max_size=200), st.sampled_from([28, 32, 48, 66]))
def test_any_bytes_give_some_signature(raw: bytes, size: int) -> None:
    side_by_side(raw, size)


class Signing:
    """A tool that signs, by ECDSA with the numbers 1 and 2."""

    def sign(self, *dummy: object) -> bytes:
        return encode_dss_signature(1, 2)


@pytest.mark.parametrize("untold", [PRIVATE, PUBLIC, None])
def test_the_curve_of_either_half_is_that_of_the_signature(untold: str | None) -> None:
    pair = pair_of(private_key("secp384r1"))
    for half in (pair.public, pair.private):
        if half.half == untold:
            values = {name: value for name, value in half.attributes.items() if name != "ec_params"}
            pair = pair.with_half(dataclasses.replace(half, attributes=values))
    signer = KeyMgmtUtilSigner(t.cast("t.Any", Signing()), "hsm", pair)
    assert signer.mechanisms == frozenset({MECHANISMS["CKM_ECDSA_SHA384"].code})
    assert signer.sign(MECHANISMS["CKM_ECDSA_SHA384"], b"") == (1).to_bytes(48, "big") + (2).to_bytes(48, "big")


def test_a_signature_of_rsa_stays_as_it_is() -> None:
    signer = KeyMgmtUtilSigner(t.cast("t.Any", Signing()), "hsm", pair_of(private_key("2048")))
    assert signer.sign(MECHANISMS["CKM_SHA256_RSA_PKCS"], b"") == encode_dss_signature(1, 2)


def test_the_hash_fits_the_curve() -> None:
    for name, code in (("P-224", 0x1044), ("secp256k1", 0x1044), ("P-384", 0x1045), ("P-521", 0x1046)):
        assert mechanisms_for(curve_by_name(name)) == frozenset({code})
    assert {0x40, 0x43} <= mechanisms_for(None)
