# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A wish: what is required of each half, and what is sent for a new one."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC, Half, pack
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import USAGE

BITS: dict[Half, dict[str, str]] = {
    PRIVATE: {"sign": "sign", "decrypt": "decrypt", "unwrap": "wrap", "derive": "derive"},
    PUBLIC: {"verify": "sign", "encrypt": "decrypt", "wrap": "wrap"},
}


@given(st.lists(st.sampled_from(["sign", "decrypt", "wrap", "derive"]), unique=True).map(tuple))
def test_usage_says_every_bit_and_own_attributes_win(usage: tuple[str, ...]) -> None:
    wish = Wish("ecc", label="x", usage=usage)
    for half, bits in BITS.items():
        expected: dict[str, t.Any] = {bit: word in usage for bit, word in bits.items()}
        expected |= {"label": "x", **({"sensitive": True} if half == PRIVATE else {})}
        assert wish.required(half) == expected
    assert Wish("ecc", usage=usage, private_attributes={"sign": False}).required(PRIVATE)["sign"] is False
    assert Wish("ecc", usage=usage, public_attributes={"verify": True}).template(PUBLIC)["verify"] is True


@pytest.mark.parametrize(("family", "may"), [("rsa", ("sign", "decrypt", "unwrap")), ("ecc", ("sign",))])
def test_a_new_pair_gets_every_bit_said(family: t.Any, may: tuple[str, ...]) -> None:
    wish = Wish(family, label="x", curve=curve_by_name("P-256") if family == "ecc" else None, modulus_bits=2048)
    private = wish.new_half(PRIVATE)
    assert {name for name in USAGE[PRIVATE] if private.pop(name)} == {*may}
    assert private == {"token": True, "private": True, "sensitive": True, "extractable": True, "label": "x"}
    public = wish.new_half(PUBLIC)
    assert {public.pop(name) for name in USAGE[PUBLIC]} == {True, False}
    key = {"modulus_bits": 2048, "public_exponent": b"\1\0\1"}
    if wish.curve:
        key = {"ec_params": wish.curve.ec_params()}
    assert public == {"token": True, "private": False, "label": "x", **key}


@given(st.dictionaries(st.sampled_from(["trusted", "modifiable", "copyable", "destroyable", "private"]), st.booleans()))
def test_what_freezes_and_what_is_compared_only_is_not_sent(own: dict[str, bool]) -> None:
    wish = Wish("rsa", label="x", modulus_bits=2048, session=True, public_attributes=own)
    sent = wish.new_half(PUBLIC)
    frozen = [name for name in ("destroyable", "copyable", "modifiable") if own.get(name) is False]
    if frozen == ["copyable"]:
        frozen = []  # needs no copy, and so it is set at birth
    assert list(wish.freezing(PUBLIC)) == frozen and wish.freezing(PRIVATE) == {}
    assert "trusted" not in sent and not set(frozen) & set(sent) and sent["token"] is False
    assert all(sent[name] is value for name, value in own.items() if name != "trusted" and name not in frozen)
    assert own.items() <= wish.required(PUBLIC).items()
    for name, value in sent.items():
        pack(name, value)
    later = wish.unfrozen()
    assert later.freezing(PUBLIC) == {} and later.new_half(PUBLIC) == sent
    assert dataclasses.replace(later, public_attributes=own) == wish
