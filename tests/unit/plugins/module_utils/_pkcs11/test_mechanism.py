# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mechanisms with their parameters, as a library reads them: compared with what python-pkcs11 knows of them."""

from __future__ import annotations

import ctypes
import gc
import struct

import pkcs11
import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.derivation import ecdh
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.mechanism import CkMechanism, with_parameter
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS

PSS = [name for name, row in MECHANISMS.items() if name.endswith("_PSS") and row.hash]
PLAIN = ["CKM_RSA_PKCS", "CKM_SHA256_RSA_PKCS", "CKM_ECDSA", "CKM_EDDSA", "CKM_AES_KEY_WRAP_PAD"]


def parameter(mechanism: CkMechanism) -> bytes:
    """The bytes that the library reads, long after the mechanism was made."""
    gc.collect()
    return ctypes.string_at(mechanism.parameter, mechanism.length)


@pytest.mark.parametrize("name", PSS)
def test_pss_takes_its_own_hash_and_a_salt_as_long(name: str) -> None:
    mechanism = with_parameter(MECHANISMS[name])
    hash_name = MECHANISMS[name].hash.upper()
    bits = {"SHA1": 160}.get(hash_name) or int(hash_name[3:])
    told = pkcs11.Mechanism["SHA_1" if hash_name == "SHA1" else hash_name], pkcs11.MGF[hash_name], bits // 8
    assert mechanism.mechanism == MECHANISMS[name].code
    assert parameter(mechanism) == struct.pack("@3L", *told)


def test_oaep_takes_sha1_and_no_source() -> None:
    mechanism = with_parameter(MECHANISMS["CKM_RSA_PKCS_OAEP"])
    assert mechanism.mechanism == pkcs11.Mechanism.RSA_PKCS_OAEP
    data_specified = 1
    told = pkcs11.Mechanism.SHA_1, pkcs11.MGF.SHA1, data_specified, 0, 0
    assert parameter(mechanism) == struct.pack("@3LPL", *told)


@pytest.mark.parametrize("name", PLAIN)
def test_others_take_nothing(name: str) -> None:
    mechanism = with_parameter(MECHANISMS[name])
    assert (mechanism.mechanism, mechanism.length) == (MECHANISMS[name].code, 0)
    assert not mechanism.parameter


def test_ecdh_takes_the_point_and_no_derivation_function() -> None:
    point = bytes(range(4, 69))
    mechanism = ecdh(bytes(point))
    kdf, shared_length, shared, length, address = struct.unpack("@2LPLP", parameter(mechanism))
    assert (mechanism.mechanism, kdf) == (pkcs11.Mechanism.ECDH1_DERIVE, pkcs11.KDF.NULL)
    assert (shared_length, shared, length) == (0, 0, 65)
    assert ctypes.string_at(address, length) == point  # NUL bytes of a point do not end it
    assert struct.unpack("@2LPLP", parameter(ecdh(b"\x04\x00\x01")))[3] == 3
