# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was done to a pair, value by value: all that changed, nothing that did not, nothing that nobody knows."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.expectation import predicted
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, Sharing
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.outcome import (
    WORDS,
    born_values,
    changed_fields,
    changed_values,
    gone_values,
    main_action,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Action, Plan
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import ALL_USAGE_BITS, HALVES, PRIVATE
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, rsa_material
from ansible_collections.cryptoki.hsm.tests.support.scenarios import WISH, ec_pair

PAIR = ec_pair()
PRINT = bytes.fromhex(str(PAIR.fingerprint)).hex(":")
Row = tuple[t.Any, ...]


def rsa_pair(bits: int) -> KeyPair:
    """One of which only the numbers matter."""
    return pair_of(rsa_material(1 << (bits - 1) | 1))


def rows(before: KeyPair | None, after: KeyPair | None) -> list[Row]:
    return [dataclasses.astuple(row) for row in changed_values(before, after)]


def without(pair: KeyPair, half: str) -> KeyPair:
    return KeyPair(pair.publics, ()) if half == PRIVATE else KeyPair((), pair.privates)


def test_a_pair_that_stays_as_it_is_and_none_at_all() -> None:
    elsewhere = PAIR.with_half(dataclasses.replace(PAIR.private, handle=77))
    assert rows(PAIR, PAIR) == rows(None, None) == rows(PAIR, elsewhere) == []


def test_a_pair_that_comes_or_goes_is_its_fingerprint() -> None:
    assert rows(None, PAIR) == [(None, "fingerprint", None, PRINT)]
    assert rows(PAIR, None) == [(None, "fingerprint", PRINT, None)]
    assert rows(None, predicted(WISH, Plan(Action.GENERATE))) == [(None, "fingerprint", None, "not known")]


def test_a_half_that_comes_or_goes_is_named() -> None:
    public, private = without(PAIR, PRIVATE), without(PAIR, "public")
    assert rows(public, None) == [(None, "fingerprint", PRINT, None), ("public", "class", "public_key", None)]
    assert rows(private, None) == [(None, "fingerprint", "not known", None), ("private", "class", "private_key", None)]
    assert rows(public, PAIR) == [("private", "class", None, "private_key")]
    rsa = rsa_pair(2048)
    assert rows(without(rsa, "public"), rsa) == [("public", "class", None, "public_key")]


@given(st.sets(st.sampled_from([(half, name) for half in HALVES for name in ALL_USAGE_BITS[half]])))
def test_every_bit_that_changed_is_a_row_and_no_other_one(flipped: set[tuple[t.Any, str]]) -> None:
    changed = PAIR
    for half, name in flipped:
        found = changed.half(half)
        values = {**found.attributes, name: not found.attributes[name]}
        changed = changed.with_half(dataclasses.replace(found, attributes=values))
    told = {(half, name): (before, after) for half, name, before, after in rows(PAIR, changed)}
    assert told == {
        (half, name): (PAIR.half(half).attributes[name], changed.half(half).attributes[name]) for half, name in flipped
    }


def test_what_both_halves_share_is_told_once() -> None:
    renamed = ec_pair(label="new", id=b"\x02")  # the same key: it is the first of its kind
    assert rows(PAIR, renamed) == [(None, "id_hex", "01", "02"), (None, "label", "root", "new")]
    one = PAIR.with_half(renamed.private)
    assert rows(PAIR, one) == [("private", "id_hex", "01", "02"), ("private", "label", "root", "new")]


def test_who_may_use_it() -> None:
    shared, other = (
        PAIR.with_half(dataclasses.replace(PAIR.private, sharing=Sharing("me", users))) for users in ((), ("alice",))
    )
    assert rows(shared, other) == [(PRIVATE, "shared_with", [], ["alice"])]


def test_what_check_mode_cannot_foresee_is_no_change() -> None:
    foretold = predicted(WISH, Plan(Action.REPLACE))
    assert foretold and "local" not in foretold.private.attributes
    old = PAIR.with_half(dataclasses.replace(PAIR.private, attributes={**PAIR.private.attributes, "local": True}))
    (change,) = rows(old, foretold)
    assert change == (None, "fingerprint", PRINT, "not known")


def test_what_nobody_could_read_is_no_change() -> None:
    values = {name: value for name, value in PAIR.private.attributes.items() if name != "sign"}
    unread = dataclasses.replace(PAIR.private, attributes=values, unreadable={"sign": "CKR_DEVICE_ERROR"})
    assert rows(PAIR, PAIR.with_half(unread)) == rows(PAIR.with_half(unread), PAIR) == []
    assert rows(PAIR, PAIR.with_half(dataclasses.replace(unread, unreadable={}))) == [(PRIVATE, "sign", True, None)]


def test_another_key_is_told_by_its_size_and_fingerprint() -> None:
    small, large = rsa_pair(2048), rsa_pair(3072)
    told = {name: (before, after) for _half, name, before, after in rows(small, large)}
    assert set(told) == {"modulus_bits", "fingerprint"} and told["modulus_bits"] == (2048, 3072)


def test_a_new_pair_is_its_wish() -> None:
    wish = dataclasses.replace(WISH, private_attributes={"wrap_with_trusted": True, "modifiable": False})
    foretold = predicted(wish, Plan(Action.GENERATE))
    assert foretold
    told = [dataclasses.astuple(row) for row in born_values(wish, foretold)]
    assert {before for _half, _name, before, _after in told} == {None}
    values = {(half, name): after for half, name, _before, after in told}
    assert values == {
        (None, "label"): "root",
        (None, "key_type"): "ec",
        (None, "curve"): "secp256r1",
        ("public", "verify"): True,
        (PRIVATE, "sign"): True,
        (PRIVATE, "extractable"): True,
        (PRIVATE, "sensitive"): True,
        (PRIVATE, "wrap_with_trusted"): True,
        (PRIVATE, "modifiable"): False,
    }
    made = [(row.name, row.after) for row in born_values(dataclasses.replace(WISH, session=True), PAIR)]
    assert ("fingerprint", PRINT) in made and ("session", True) in made


def test_a_removed_pair_is_what_names_it() -> None:
    told = {(row.half, row.name): (row.before, row.after) for row in gone_values(PAIR)}
    assert {after for _before, after in told.values()} == {None} and (None, "fingerprint") in told
    assert {name for _half, name in told} == {"label", "id_hex", "key_type", "curve", "fingerprint"}
    assert ("public", "class") in {(row.half, row.name) for row in gone_values(without(PAIR, PRIVATE))}


def test_fields_of_a_token() -> None:
    made = {"label": "demo", "serial": None, "user_pin_initialized": True}
    assert [dataclasses.astuple(row) for row in changed_fields({"label": "", "serial": "1"}, made)] == [
        (None, "label", "", "demo"),
        (None, "user_pin_initialized", None, True),
    ]
    assert changed_fields(made, made) == []


def test_each_action_has_a_word_of_its_own() -> None:
    assert set(WORDS) == set(Action) and len(set(WORDS.values())) == len(Action)


@pytest.mark.parametrize("action", Action)
def test_one_action_alone_is_the_main_one(action: Action) -> None:
    assert main_action({action, Action.NOTHING}) is action and main_action({action, Action.REMOVE}) is Action.REMOVE
