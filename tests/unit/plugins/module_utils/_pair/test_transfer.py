# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a key is carried: the mechanisms that both tokens have, and helpers that can do nothing but their work."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.transfer import (
    NOT_COPIED,
    Able,
    Way,
    choose_way,
    copied,
    kek,
    not_as_original,
    transport_pair,
    transport_public,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VENDORS
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    ALL_USAGE_BITS,
    COMPARE_ONLY,
    FREEZING,
    HALVES,
    PRIVATE,
    PUBLIC,
    Value,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key

RSA = ("CKM_RSA_PKCS_KEY_PAIR_GEN", "CKM_RSA_PKCS_OAEP", "CKM_AES_KEY_GEN")
ECDH = ("CKM_EC_KEY_PAIR_GEN", "CKM_ECDH1_DERIVE")
KWP, PAD, KW = "CKM_AES_KEY_WRAP_KWP", "CKM_AES_KEY_WRAP_PAD", "CKM_AES_KEY_WRAP"
CAPABILITIES = ("encrypt", "decrypt", "wrap", "unwrap", "sign", "verify", "derive", "sign_recover", "verify_recover")
WISH = Wish("ecc", label="root")


def able(vendor: str, *names: str, token: str = "t") -> Able:
    return Able(token, frozenset(MECHANISMS[name].code for name in names), VENDORS[vendor])


def way(kind: str, source: Able, replica: Able, wrapping_key: str | None = None) -> Way:
    return choose_way(pair_of(private_key(kind)), source, replica, wrapping_key)


@pytest.mark.parametrize(
    ("ours", "theirs", "chosen"),
    [
        (("generic", KWP, PAD, KW), ("generic", KWP, PAD, KW), (KWP, KWP)),
        (("generic", PAD, KW), ("generic", KWP, PAD, KW), (PAD, PAD)),
        (("generic", KW), ("generic", KWP, PAD, KW), (KW, KW)),
        (("softhsm", PAD, KW), ("softhsm", PAD, KW), (PAD, PAD)),
        # What SoftHSM calls CKM_AES_KEY_WRAP_PAD is CKM_AES_KEY_WRAP_KWP elsewhere, and nothing else.
        (("softhsm", PAD, KW), ("nss", KWP, PAD, KW), (PAD, KWP)),
        (("nss", KWP, PAD, KW), ("softhsm", PAD, KW), (KWP, PAD)),
        (("softhsm", PAD, KW), ("nss", PAD, KW), (KW, KW)),
        (("softhsm", PAD), ("nss", PAD), None),
        (("generic", PAD), ("generic", KW), None),
        (("generic",), ("generic", KWP, PAD, KW), None),
        (("opencryptoki",), ("softhsm", PAD, KW), None),
    ],
)
def test_key_wrap(ours: t.Any, theirs: t.Any, chosen: tuple[str, str] | None) -> None:
    source, replica = able(*ours, *RSA, *ECDH, token="one"), able(*theirs, *RSA, *ECDH, token="two")
    if chosen:
        found = way("2048", source, replica)
        assert (found.wraps, found.unwraps) == chosen
    else:
        with pytest.raises(HsmError, match="from the token 'one' to 'two': they have no AES key wrap .* wrapping_key"):
            way("2048", source, replica)


@pytest.mark.parametrize(
    ("kind", "bits"),
    [("2048", 3072), ("3072", 3072), ("4096", 4096), ("secp256r1", 3072), ("secp256k1", 3072), ("secp224r1", 3072)],
)
def test_rsa_transport_key_is_as_strong(kind: str, bits: int) -> None:
    everything, only_rsa = able("generic", KWP, *RSA, *ECDH), able("generic", KWP, *RSA)
    for one, other in ((everything, only_rsa), (only_rsa, everything)):
        found = way(kind, one, other)
        assert (found.kind, found.rsa_bits) == ("rsa", bits)
    assert way(kind, everything, everything).kind == "ecdh"


@pytest.mark.parametrize("kind", ["secp384r1", "secp521r1", "brainpoolP512r1"])
def test_stronger_curves_need_ecdh(kind: str) -> None:
    everything = able("generic", KWP, *RSA, *ECDH)
    assert way(kind, everything, everything).kind == "ecdh"
    only_rsa = able("generic", KWP, *RSA)
    for one, other in ((everything, only_rsa), (only_rsa, everything)):
        with pytest.raises(HsmError, match="neither RSA-OAEP nor ECDH to agree on a key that is strong enough"):
            way(kind, one, other)


def test_each_side_needs_its_part() -> None:
    """The replica makes the transport pair, the source the AES key; without ECDH, what is missing is fatal."""
    source, replica = able("generic", KWP, *RSA[1:]), able("generic", KWP, *RSA[:2])
    assert way("2048", source, replica).kind == "rsa"
    with pytest.raises(HsmError, match="neither RSA-OAEP nor ECDH"):
        way("2048", replica, source)
    both = able("generic", KWP, *RSA[:2], *ECDH)
    assert way("2048", both, both).kind == "ecdh"


def test_wrapping_key_wins() -> None:
    only_wraps = able("generic", KW)
    found = way("secp521r1", only_wraps, only_wraps, "kek")
    assert found == Way("trusted", KW, KW, wrapping_key="kek")
    with pytest.raises(HsmError, match="no AES key wrap"):
        way("2048", able("generic", *RSA), only_wraps, "kek")


def can(values: t.Mapping[str, Value]) -> set[str]:
    return {name for name in CAPABILITIES if values.get(name)}


def test_transport_pair_of_rsa() -> None:
    halves = transport_pair(Way("rsa", KW, KW, rsa_bits=3072))
    assert can(halves[PUBLIC]) == {"wrap"}
    assert can(halves[PRIVATE]) == {"unwrap"}
    assert halves[PUBLIC]["modulus_bits"] == 3072


def test_transport_pair_of_ecdh() -> None:
    halves = transport_pair(Way("ecdh", KW, KW))
    assert can(halves[PUBLIC]) == set()
    assert can(halves[PRIVATE]) == {"derive"}
    assert "ec_params" in halves[PUBLIC]


@pytest.mark.parametrize("kind", ["rsa", "ecdh"])
def test_transport_private_half_never_leaves(kind: t.Any) -> None:
    halves = transport_pair(Way(kind, KW, KW, rsa_bits=3072))
    private = halves[PRIVATE]
    assert (private["sensitive"], private["extractable"], private["private"]) == (True, False, True)
    for half in HALVES:
        assert halves[half]["token"] is False
        # Every bit is said, because a token's own default may be true.
        assert set(ALL_USAGE_BITS[half]) <= set(halves[half])


def test_transport_public_only_wraps() -> None:
    values = transport_public(b"\x01" * 384)
    assert values["private"] is False
    assert can(values) == {"wrap"}
    assert values["token"] is False
    assert set(ALL_USAGE_BITS[PUBLIC]) <= set(values)


@pytest.mark.parametrize("extractable", [False, True])
@pytest.mark.parametrize("wraps", [False, True])
def test_kek_wraps_or_unwraps(wraps: bool, extractable: bool) -> None:
    values = kek(wraps=wraps, extractable=extractable)
    assert can(values) == {"wrap" if wraps else "unwrap"}
    assert values["token"] is False
    assert values["sensitive"] is True
    assert values["extractable"] is extractable
    assert {"encrypt", "decrypt", "sign", "verify", "wrap", "unwrap", "derive"} <= set(values)


def test_kek_stays_where_it_need_not_leave() -> None:
    for wraps in (False, True):
        assert kek(wraps=wraps)["extractable"] is False


def test_copy_is_as_the_source_and_as_wished() -> None:
    pair = pair_of(private_key("secp256r1"), private={"sign": True, "derive": True, "extractable": True})
    values = copied(dataclasses.replace(WISH, extractable=False, private_attributes={"derive": False}), pair, PRIVATE)
    assert (values["sign"], values["derive"], values["extractable"], values["sensitive"]) == (True, False, False, True)
    assert values["label"] == "root"
    assert values["token"] is True
    assert copied(WISH, pair, PRIVATE)["extractable"] is True


@pytest.mark.parametrize("half", HALVES)
def test_copy_holds_nothing_that_cannot_be_set(half: t.Any) -> None:
    """Neither what only generation gives, nor what freezes: that comes last."""
    frozen = dict.fromkeys(FREEZING, False)
    pair = pair_of(private_key("2048"), private={**frozen, "local": True}, public={**frozen, "trusted": True})
    wish = dataclasses.replace(WISH, private_attributes=frozen, public_attributes=frozen)
    values = copied(wish, pair, half)
    assert not set(values) & {*NOT_COPIED, *FREEZING, *COMPARE_ONLY}
    assert "private_exponent" not in values
    assert ("modulus" in values) is (half == PUBLIC)


def test_empty_list_of_mechanisms_is_not_sent() -> None:
    for listed, sent in (((), None), ((0x1041,), (0x1041,))):
        pair = pair_of(private_key("secp256r1"), private={"allowed_mechanisms": listed})
        assert copied(WISH, pair, PRIVATE).get("allowed_mechanisms") == sent


def test_not_as_original() -> None:
    made = pair_of(private_key("secp256r1"), private={"local": True, "always_sensitive": True})
    copy = pair_of(private_key("secp256r1"), private={"local": False, "always_sensitive": True})
    assert not_as_original(made, made) == []
    assert not_as_original(made, copy) == ["local"]
