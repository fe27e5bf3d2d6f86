# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a replacement has from the pair whose place it takes: a key does not get weaker by what a task leaves out."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.inheritance import inherited
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, Sharing
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Action, decide_present
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VendorFacts
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import HALVES, PRIVATE, PUBLIC
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import USAGE, pair_of, private_key, rsa_material
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal

OLD_RSA, OLD_EC = rsa_material(2**2047 + 1), private_key("secp256r1")
EDDSA, ECDSA, SHA256_RSA = 0x1057, 0x1041, 0x40


def new(family: t.Any = "rsa", **wished: t.Any) -> Wish:
    key = {"modulus_bits": 3072} if family == "rsa" else {"curve": curve_by_name("P-384")}
    return Wish(family, label="root", on_mismatch="replace", **{**key, **wished})


def made(wish: Wish, old: KeyPair) -> dict[str, t.Any]:
    """All that the private half of the new pair gets, what is set last too."""
    plan = decide_present(wish, old, VendorFacts("some"), "demo")
    assert plan.action is Action.REPLACE and plan.wish
    return {**plan.wish.new_half(PRIVATE), **plan.wish.freezing(PRIVATE)}


def test_what_only_signs_and_may_not_leave_does_so_for_ever() -> None:
    got = made(new(), pair_of(OLD_RSA, private={"sign": True, "extractable": False}))
    assert (got["sign"], got["decrypt"], got["unwrap"], got["extractable"]) == (True, False, False, False)


def test_what_the_task_says_wins() -> None:
    old = pair_of(OLD_RSA, private={"sign": True, "sign_recover": True, "extractable": False})
    got = made(new(usage=("decrypt",), extractable=True, private_attributes={"unwrap": True}), old)
    assert (got["sign"], got["decrypt"], got["unwrap"], got["extractable"]) == (False, True, True, True)
    assert got["sign_recover"], "usage says nothing of it"


@pytest.mark.parametrize("name", ["modifiable", "copyable"])
def test_what_may_not_be_changed_or_copied_stays_so(name: str) -> None:
    assert made(new(), pair_of(OLD_RSA, private={name: False}))[name] is False


@pytest.mark.parametrize("name", ["wrap_with_trusted", "always_authenticate"])
def test_other_restrictions_stay(name: str) -> None:
    assert made(new(), pair_of(OLD_RSA, private={name: True}))[name] is True
    assert made(new(private_attributes={name: False}), pair_of(OLD_RSA, private={name: True}))[name] is False


def test_what_is_not_told_is_not_extractable_and_nothing_is_made_up() -> None:
    wish = inherited(new(), pair_of(OLD_RSA, private={"extractable": None, "sign": None}, public={"trusted": True}))
    assert wish.extractable is False and "sign" not in wish.private_attributes
    assert "trusted" not in wish.public_attributes, "only the security officer can set it"


def test_uses_that_the_new_type_has_not_are_left_out() -> None:
    ed25519 = new("ecc", curve=curve_by_name("ed25519"))
    got = made(ed25519, pair_of(OLD_EC, private={"sign": True, "derive": True}))
    assert (got["sign"], got["derive"]) == (True, False)
    assert refusal(lambda: made(ed25519, pair_of(OLD_EC, private={"derive": True}))) == (
        "Refused to replace the ECC key pair 'root' on the token 'demo': a key of the type ec_edwards can have none of"
        " the old pair's uses, derive; say usage. What differs: curve is secp256r1, wished ed25519."
    )
    assert made(dataclasses.replace(ed25519, usage=("sign",)), pair_of(OLD_EC, private={"derive": True}))["sign"]


def test_allowed_mechanisms() -> None:
    assert made(new(), pair_of(OLD_RSA, private={"allowed_mechanisms": (SHA256_RSA,)}))["allowed_mechanisms"] == (0x40,)
    old = pair_of(OLD_EC, private={"sign": True, "allowed_mechanisms": (ECDSA, 0x80000001)})
    ed25519 = new("ecc", curve=curve_by_name("ed25519"))
    assert refusal(lambda: made(ed25519, old)) == (
        "Refused to replace the ECC key pair 'root' on the token 'demo': the old pair's allowed_mechanisms CKM_ECDSA"
        " are not for keys of the type ec_edwards. What differs: curve is secp256r1, wished ed25519."
    )
    told = dataclasses.replace(ed25519, allowed_mechanisms=(EDDSA,))
    assert made(told, old)["allowed_mechanisms"] == (EDDSA,)


def shared(**sharing: t.Any) -> KeyPair:
    pair = pair_of(OLD_RSA, private={"sign": True})
    return pair.with_half(dataclasses.replace(pair.private, sharing=Sharing("owner", **sharing)))


def test_sharing() -> None:
    assert inherited(new(), shared(shared_with=("alice",))).users() == ("alice",)
    assert inherited(new(share_with=()), shared(shared_with=("alice",))).users() == ()


@pytest.mark.parametrize("quorum", [{"quorum": 2}, {"manage_quorum": 2}])
@pytest.mark.parametrize("wished", [{}, {"quorum": 0, "share_with": ()}])
def test_a_pair_with_a_quorum_is_never_replaced(quorum: dict[str, int], wished: dict[str, t.Any]) -> None:
    old = shared(shared_with=("alice",), **quorum)
    assert "a key with a quorum cannot be renamed" in refusal(lambda: made(new(**wished), old))


BITS = {half: st.fixed_dictionaries({name: st.booleans() for name in USAGE[half]}) for half in HALVES}


@given(BITS[PRIVATE], BITS[PUBLIC], st.booleans(), st.sampled_from(["rsa", "ec"]))
def test_no_new_pair_may_do_what_the_old_one_may_not(
    private: dict[str, bool], public: dict[str, bool], extractable: bool, kind: str
) -> None:
    old = pair_of(OLD_RSA if kind == "rsa" else OLD_EC, private={**private, "extractable": extractable}, public=public)
    wish = inherited(new("rsa" if kind == "rsa" else "ecc"), old)
    for half, bits in ((PRIVATE, {**private, "extractable": extractable}), (PUBLIC, public)):
        got = wish.new_half(half)
        assert all(bits[name] for name in bits if got[name]), got
