# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is marked of the pairs of a token."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.problems import problems
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key, rsa_material, without

KEYS = [private_key("secp256r1", number) for number in range(3)]
ONE, TWO = pair_of(KEYS[0], handle=1, label="a", id=b"1"), pair_of(KEYS[1], handle=11, label="b", id=b"2")
UNNAMED = pair_of(KEYS[2], handle=21, label="a", id=b"")
RSA = pair_of(rsa_material(2**2047 + 1), handle=31, label="a", id=b"")
OTHER_RSA = pair_of(rsa_material(2**2047 + 3), handle=41, label="a", id=b"9")
NAMELESS = pair_of(KEYS[0], label="", id=b"1")


def halves(pair: KeyPair) -> tuple[KeyPair, KeyPair]:
    return KeyPair(pair.publics), KeyPair((), pair.privates)


def with_id(pair: KeyPair, raw: bytes) -> KeyPair:
    publics, privates = (
        tuple(dataclasses.replace(found, attributes={**found.attributes, "id": raw}) for found in objects)
        for objects in (pair.publics, pair.privates)
    )
    return dataclasses.replace(pair, publics=publics, privates=privates)


HIDDEN = dataclasses.replace(without(ONE.private, "label", "id"), unreadable={"label": "no valid value"})


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([ONE, TWO], [[], []]),
        ([ONE, with_id(TWO, b"1")], [["duplicate"], ["duplicate"]]),
        ([ONE, pair_of(KEYS[1], label="a", id=b"2")], [[], []]),  # ids tell them apart
        ([ONE, UNNAMED], [[], ["duplicate"]]),  # the label names two, and only one of them has an id
        ([UNNAMED, RSA], [[], []]),  # another type
        ([UNNAMED, UNNAMED], [["duplicate"], ["duplicate"]]),
        (list(halves(ONE)), [["half", "duplicate"], ["half", "duplicate"]]),
        ([halves(ONE)[1], TWO], [["half"], []]),
        ([KeyPair(ONE.publics * 2, ONE.privates)], [["duplicate"]]),
        ([with_id(pair_of(KEYS[0], label=""), b"")], [["orphan"]]),
        ([KeyPair((without(ONE.public, "label", "id"),))], [["half", "orphan"]]),
        ([KeyPair((without(ONE.public, "key_type"),))], [["half", "unreadable"]]),
        ([KeyPair((), (HIDDEN,))], [["half", "unreadable"]]),  # that has perhaps a name
        ([KeyPair((), (TokenObject(1, PRIVATE, {}, {"class": "CKR_DEVICE_ERROR"}),))], [["half", "unreadable"]]),
        ([dataclasses.replace(RSA, publics=with_id(RSA, b"9").publics)], [["ids"]]),
        ([halves(ONE)[0], halves(with_id(ONE, b"9"))[1]], [["half", "ids"], ["half", "ids"]]),
        (
            [halves(ONE)[0], *halves(with_id(ONE, b"9"))[1:], *halves(with_id(ONE, b"8"))[1:]],
            [["half"], *[["half", "ids"]] * 2],
        ),
        ([KeyPair(with_id(RSA, b"1").publics), KeyPair((), OTHER_RSA.privates)], [["half"], ["half"]]),  # no curve
        ([halves(NAMELESS)[0], halves(with_id(NAMELESS, b"9"))[1]], [["half"], ["half"]]),
        ([], []),
    ],
)
def test_what_is_marked(pairs: list[KeyPair], expected: list[list[str]]) -> None:
    assert problems(pairs) == expected


@given(st.lists(st.sampled_from([ONE, TWO, UNNAMED, RSA, *halves(ONE), *halves(RSA)]), max_size=6), st.randoms())
def test_the_order_does_not_matter(pairs: list[KeyPair], random: t.Any) -> None:
    marked = list(zip(map(id, pairs), map(tuple, problems(pairs)), strict=True))
    shuffled = list(pairs)
    random.shuffle(shuffled)
    assert sorted(zip(map(id, shuffled), map(tuple, problems(shuffled)), strict=True)) == sorted(marked)


def test_a_half_is_not_compared_with_all_the_others() -> None:
    """Ten thousand halves on a token would take half a minute."""
    looks = 0

    class Counted(TokenObject):
        @property
        def label(self) -> str | None:
            nonlocal looks
            looks += 1
            return super().label

    lone = [KeyPair((), (Counted(handle, PRIVATE, ONE.private.attributes),)) for handle in range(100)]
    assert problems(lone) == [["half", "duplicate"]] * 100
    assert looks < 1000
