# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects and pairs: how halves are joined, what they tell of their key, and how they are named in messages."""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject, pair_up
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import (
    SPKI,
    pair_of,
    private_key,
    rsa_material,
    usual,
    without,
)

RSA = rsa_material(2**2047 + 1)
OTHER_RSA = rsa_material(2**2047 + 3)


def ec_pair(number: int = 0, told: bool = False, curve: str = "secp256r1", handle: int = 1, **both: t.Any) -> KeyPair:
    """A pair on a curve; `told`: its private half has CKA_PUBLIC_KEY_INFO."""
    key = private_key(curve, number)
    info = key.public_key().public_bytes(*SPKI)
    return pair_of(key, private={"public_key_info": info} if told else None, handle=handle, **both)


def colons(digits: str | None) -> str:
    return bytes.fromhex(digits or "").hex(":")


def names(pairs: t.Sequence[KeyPair]) -> set[tuple[frozenset[int], str | None]]:
    """Which objects stand together, and what joined them."""
    return {(frozenset(found.handle for found in pair.objects), pair.pairing) for pair in pairs}


def joined(*pairs: KeyPair) -> set[tuple[frozenset[int], str | None]]:
    return names(pair_up([found for pair in pairs for found in pair.objects]))


ZOO = (
    pair_of(RSA, handle=1),
    pair_of(OTHER_RSA, handle=3, id=b""),
    ec_pair(1, told=True, handle=5, id=b"same"),
    ec_pair(2, told=True, handle=7, id=b"same"),
    ec_pair(3, handle=9, id=b"a"),
    ec_pair(4, handle=11, id=b"b"),
    ec_pair(5, handle=13, id=b"b", curve="secp384r1"),
    ec_pair(6, handle=15, id=b"b", curve="ed25519"),
)


def test_halves_that_belong_together_are_joined_by_what_tells_them() -> None:
    by_material, by_id = "material", "id"
    expected = [by_material] * 4 + [by_id] * 4
    assert joined(*ZOO) == {(frozenset((1 + 2 * row, 2 + 2 * row)), how) for row, how in enumerate(expected)}
    assert all(pair.whole for pair in pair_up([found for pair in ZOO for found in pair.objects]))


@given(st.permutations([found for pair in ZOO for found in pair.objects]), st.integers(0, 16))
def test_any_order_and_any_part_give_the_same_pairs(objects: list[TokenObject], count: int) -> None:
    part = objects[:count]
    expected = names(pair_up(sorted(part, key=lambda found: found.handle)))
    assert names(pair_up(part)) == expected
    assert sorted(handle for group, _how in expected for handle in group) == sorted(found.handle for found in part)


def test_an_rsa_private_half_without_exponent_is_joined_by_its_modulus() -> None:
    pair = pair_of(RSA)
    lone = without(pair.private, "public_exponent")
    assert names(pair_up([pair.public, lone])) == {(frozenset((1, 2)), "id")}
    other = pair_of(rsa_material(2**2047 + 1, 1), handle=3)
    assert names(pair_up([pair.public, other.public, lone])) == {(frozenset((1, 2, 3)), "id")}


def test_another_exponent_is_another_key() -> None:
    """Whoever can write public objects can make one of the same modulus, whose exponent is 1."""
    own, stranger = pair_of(RSA), pair_of(rsa_material(2**2047 + 1, 1), handle=3)
    assert names(pair_up([stranger.public, own.private])) == {(frozenset((3,)), None), (frozenset((2,)), None)}
    assert names(pair_up([*own.objects, stranger.public])) == {(frozenset((1, 2)), "material"), (frozenset((3,)), None)}


def test_equal_ids_do_not_join_what_tells_another_key() -> None:
    one, two = ec_pair(1, told=True, handle=5), ec_pair(2, handle=7)
    assert names(pair_up([one.private, two.public])) == {(frozenset((6,)), None), (frozenset((7,)), None)}
    assert len(pair_up([pair_of(RSA).public, pair_of(OTHER_RSA).private])) == 2


def test_other_ids_do_not_part_what_tells_the_same_key() -> None:
    pair = ec_pair(1, told=True)
    renamed = dataclasses.replace(pair.private, attributes={**pair.private.attributes, "id": b"other", "label": "x"})
    assert names(pair_up([pair.public, renamed])) == {(frozenset((1, 2)), "material")}


def test_a_curve_is_part_of_what_joins() -> None:
    one, two = ec_pair(1), ec_pair(1, curve="secp384r1", handle=3)
    assert len(pair_up([one.public, two.private])) == 2
    unknown = [
        TokenObject(9, half, {**usual(half), "key_type": "ec", "ec_params": b"\x06\x03\x01\x02\x03"})
        for half in (PUBLIC, PRIVATE)
    ]
    assert names(pair_up(unknown)) == {(frozenset((9,)), "id")}


def test_duplicates_stay_in_one_group() -> None:
    pair = ec_pair(1)
    (group,) = pair_up([*pair.objects, dataclasses.replace(pair.private, handle=3)])
    assert not group.whole and group.lone is None and len(group.objects) == 3


def test_a_lone_half_is_one() -> None:
    pair = ec_pair(1)
    (half,) = pair_up([pair.private])
    assert half.lone is pair.private and half.pairing is None and half.spki is None and half.fingerprint is None
    assert pair.lone is None and pair.half(PUBLIC) is pair.public and pair.half(PRIVATE) is pair.private
    spki = private_key("secp256r1", 1).public_key().public_bytes(*SPKI)
    assert pair.fingerprint == pair.public.fingerprint == hashlib.sha256(spki).hexdigest()


def test_what_an_object_tells_of_its_key() -> None:
    rsa, ec = pair_of(RSA), ec_pair(1)
    assert (rsa.private.modulus_bits, rsa.private.public_exponent, rsa.private.curve) == (2048, 65537, None)
    assert (ec.private.modulus_bits, ec.private.public_exponent, ec.private.key_type) == (None, None, "ec")
    assert ec.private.curve is curve_by_name("P-256")
    bare = TokenObject(1, PUBLIC, {"key_type": 0x80000001, "label": None, "modulus_bits": 4096})
    assert (bare.key_type, bare.label, bare.id, bare.modulus_bits) == ("0x80000001", None, b"", 4096)
    assert TokenObject(1, PUBLIC, {"modulus": b"\0" + RSA[PUBLIC]["modulus"]}).modulus_bits == 2048  # type: ignore[operator]
    assert TokenObject(1, PUBLIC, {}).modulus_bits is TokenObject(1, PUBLIC, {}).public_exponent is None


def test_objects_and_wishes_in_messages() -> None:
    rsa, ec = pair_of(RSA), ec_pair(1, id=b"\x00\xff", label="é")
    assert str(rsa.public) == (
        f"(public rsa key, of 2048 bits, label 'root', id 01, fingerprint {colons(rsa.public.fingerprint)})"
    )
    assert str(ec.private) == "(private ec key, on secp256r1, label 'é', id 00:ff, fingerprint unknown)"
    assert str(ec) == f"{ec.public} and {ec.private}"
    bare = TokenObject(1, PRIVATE, {"key_type": 0x80000001})
    assert str(bare) == "(private 0x80000001 key, label unreadable, id none, fingerprint unknown)"
    assert str(Wish("rsa", label="root")) == "the RSA key pair 'root'"
    wish = Wish("ecc", label="root", id=b"\x01\x02", fingerprint="abcd")
    assert str(wish) == "the ECC key pair 'root', id 01:02, fingerprint ab:cd"
