# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which key usages a key of a type never has."""

from __future__ import annotations

import typing as t

import pytest
from cryptography import x509

from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.forms import wrong_usage
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key

BITS = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


class Using:
    """A profile with a key usage, or without one."""

    def __init__(self, *bits: str) -> None:
        self.usage = x509.KeyUsage(**{bit: bit in bits for bit in BITS}) if bits else None

    def value_of(self, kind: t.Any) -> x509.KeyUsage | None:
        return self.usage


@pytest.mark.parametrize(
    ("bits", "wrong"),
    [
        ((), None),
        (("digital_signature", "key_cert_sign"), None),
        (("key_agreement", "encipher_only"), None),
        (("key_encipherment",), "keyEncipherment"),
        (("digital_signature", "data_encipherment"), "dataEncipherment"),
        (("key_agreement", "key_encipherment"), "keyEncipherment"),
    ],
)
def test_usages_of_an_ec_key(bits: tuple[str, ...], wrong: str | None) -> None:
    profile: t.Any = Using(*bits)
    told = wrong and f"{wrong} is no usage of a key of this type"
    assert wrong_usage(profile, private_key("secp256r1").public_key()) == told
