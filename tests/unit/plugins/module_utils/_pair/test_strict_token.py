# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens that are stricter than the defaults: what stands, and what is advised."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.expectation import dishonoured
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.strict_token import stands, with_options_to_try
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VENDORS
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession

RSA = Wish("rsa", label="root", modulus_bits=2048)
ECC = Wish("ecc", label="root", curve=curve_by_name("P-256"))


def made(wish: Wish, private: dict[str, t.Any], public: dict[str, t.Any]) -> KeyPair:
    """What a token makes of a wish that has a will of its own about these attributes."""
    pair = MemorySession().generate(wish)
    for found, own in ((pair.private, private), (pair.public, public)):
        pair = pair.with_half(dataclasses.replace(found, attributes={**found.attributes, **own}))
    return pair


@pytest.mark.parametrize(
    ("wish", "private", "public", "good"),
    [
        (RSA, {"extractable": False}, {}, True),
        (RSA, {"unwrap": False}, {"wrap": False}, True),
        (RSA, {"extractable": False, "sign": False, "unwrap": False}, {"verify": False}, True),
        (RSA, {"sign": False, "decrypt": False, "unwrap": False}, {}, False),  # no use that was asked for is left
        (ECC, {"sign": False}, {}, False),
        (ECC, {"extractable": False}, {"derive": True}, False),  # weaker in one thing
        (ECC, {"derive": True}, {}, False),
        (ECC, {"private": False}, {}, False),
        (ECC, {"sensitive": False}, {}, False),
        (dataclasses.replace(RSA, extractable=True), {"extractable": False}, {}, False),  # asked for by name
        (dataclasses.replace(RSA, usage=("sign", "wrap")), {"unwrap": False}, {}, False),
        (dataclasses.replace(RSA, private_attributes={"unwrap": True}), {"unwrap": False}, {}, False),
        (dataclasses.replace(RSA, usage=("sign",)), {"extractable": False}, {}, True),
    ],
)
def test_a_pair_that_is_only_stricter_stands(
    wish: Wish, private: dict[str, t.Any], public: dict[str, t.Any], good: bool
) -> None:
    pair = made(wish, private, public)
    rows = dishonoured(wish, pair, VENDORS["generic"])
    assert rows and stands(wish, pair, rows) is good


@pytest.mark.parametrize(
    ("wish", "ckr", "options"),
    [
        (RSA, "CKR_TEMPLATE_INCONSISTENT", "'extractable: false' and 'usage: [sign, decrypt]'"),
        (RSA, "CKR_ATTRIBUTE_VALUE_INVALID", "'extractable: false' and 'usage: [sign, decrypt]'"),
        (ECC, "CKR_ATTRIBUTE_VALUE_INVALID", "'extractable: false'"),
        (dataclasses.replace(RSA, extractable=False), "CKR_TEMPLATE_INCONSISTENT", "'usage: [sign, decrypt]'"),
        (dataclasses.replace(ECC, extractable=True), "CKR_TEMPLATE_INCONSISTENT", ""),
        (RSA, "CKR_DEVICE_ERROR", ""),
    ],
)
def test_what_strict_tokens_want_is_named(wish: Wish, ckr: str, options: str) -> None:
    error = with_options_to_try(TokenError("generate", ckr, remains="Nothing is left."), wish)
    assert (error.ckr, error.remains) == (ckr, "Nothing is left.")
    assert error.hint.endswith(f"; a strict token may want these options of the task: {options}") is bool(options)
    assert error.msg.endswith(f"{options}. Nothing is left.")
