# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_token_info makes of the structures that a library filled."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import TokenFlag, TokenInfo
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VENDORS
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import (
    mechanism_list,
    slots,
    structures,
    token_description,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.slots import SlotAnswers
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.token_description import (
    MechanismFlag,
    any_mechanism_name,
    describe_slot,
)

RSA, EC, SHA256, VENDOR = 0x00, 0x1040, 0x250, 0x80001234


def described(mechanism: int = RSA, **sizes_and_flags: int) -> dict[str, t.Any]:
    """What is told of one mechanism."""
    info = mechanism_list.CkMechanismInfo(**sizes_and_flags)
    answers = SlotAnswers(1, None, structures.CkTokenInfo(), {mechanism: info}, ())
    (row,) = describe_slot(answers, lambda token: {})["token"]["mechanisms"]
    return t.cast("dict[str, t.Any]", row)


@pytest.mark.parametrize(
    ("mechanism", "flags", "words"),
    [
        (RSA, 0x10001, ["hw", "generate_key_pair"]),
        (RSA, 0, []),
        (EC, 0x1910000, ["generate_key_pair", "ec_f_p", "ec_oid", "ec_uncompress"]),
        (RSA, 0x1910000, ["generate_key_pair"]),  # curves mean nothing there
        (RSA, 0xC8010080, ["generate_key_pair"]),  # bits that the standard does not define
        (RSA, 0x7F75F9E81300, None),  # a pointer
        (SHA256, 0x400, ["digest"]),
    ],
)
def test_flags_of_a_mechanism(mechanism: int, flags: int, words: list[str] | None) -> None:
    assert described(mechanism, flags=flags)["flags"] == words


@pytest.mark.parametrize(
    ("flags", "user_pin", "so_pin"),
    [
        (TokenFlag(0), "not_set", "not_set"),
        (TokenFlag.TOKEN_INITIALIZED, "not_set", "ok"),
        (TokenFlag.TOKEN_INITIALIZED | TokenFlag.SO_PIN_FINAL_TRY, "not_set", "final_try"),
        (TokenFlag.TOKEN_INITIALIZED | TokenFlag.USER_PIN_INITIALIZED, "ok", "ok"),
        (TokenFlag.USER_PIN_INITIALIZED | TokenFlag.USER_PIN_LOCKED | TokenFlag.USER_PIN_COUNT_LOW, "locked", "ok"),
    ],
)
def test_state_of_the_pins(flags: TokenFlag, user_pin: str, so_pin: str) -> None:
    answers = SlotAnswers(1, None, structures.CkTokenInfo(flags=flags), {}, ())
    token = describe_slot(answers, lambda token: {})["token"]
    assert (token["user_pin"], token["so_pin"]) == (user_pin, so_pin)


def test_every_flag_has_a_bit_of_its_own() -> None:
    assert sum(MechanismFlag) == 0x37FFFF7F


@pytest.mark.parametrize(
    ("smallest", "largest", "told"),
    [
        (512, 16384, (512, 16384)),
        (0, 256, (0, 256)),
        (1, 0x80000000, (1, 0x80000000)),
        (0, 0, (None, None)),
        (16, 0, (None, None)),
        (512, 256, (None, None)),
        (structures.UNAVAILABLE, structures.UNAVAILABLE, (None, None)),
        (0, 0x7F75F9E81300, (None, None)),
    ],
)
def test_sizes_of_a_mechanism(smallest: int, largest: int, told: tuple[int | None, int | None]) -> None:
    row = described(min_key_size=smallest, max_key_size=largest)
    assert (row["min_key_size"], row["max_key_size"]) == told


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0x1054, "CKM_RSA_AES_KEY_WRAP"),  # this collection knows it, python-pkcs11 does not
        (0x1087, "CKM_AES_GCM"),
        (0x122, "CKM_DES_CBC"),  # python-pkcs11 calls it _DES_CBC
        (0x220, "CKM_SHA_1"),
        (VENDOR, "0x80001234"),
        (0x7FFFFFFF, "0x7fffffff"),
    ],
)
def test_names_of_mechanisms(code: int, name: str) -> None:
    assert any_mechanism_name(code) == name


def test_what_is_no_utf8_is_shown_nevertheless() -> None:
    slot = slots.CkSlotInfo(slot_description=b"caf\xe9 \0 ".ljust(64), manufacturer_id=b"M\xc3\xbcller".ljust(32))
    shown = describe_slot(SlotAnswers(1, slot, None, {}, ()), lambda token: {})
    assert (shown["description"], shown["manufacturer"]) == ("caf\\xe9", "Müller")


def test_numbers_that_the_token_does_not_know() -> None:
    assert [token_description._known(count) for count in (0, 7, structures.UNAVAILABLE)] == [0, 7, None]
    assert [token_description._limit(count) for count in (0, 7, structures.UNAVAILABLE)] == ["unlimited", 7, None]


def test_what_is_empty_cannot_be_pinned() -> None:
    token = TokenInfo(7, "one", "Maker", "", "", "2.6", "1.0", TokenFlag(0), 4, 255)
    told = token_description.options_of(token, "ab:cd", VENDORS["generic"], {})
    pinned = {"library_sha256": "ab:cd", "manufacturer": "Maker", "hardware_version": "2.6", "firmware_version": "1.0"}
    assert told["expect_token"] == pinned and told["vendor"] == VENDORS["generic"].name
