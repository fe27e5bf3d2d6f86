# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The choice of a token: none, one, two, dead slots, hidden files; and the pinned identity."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import (
    DeadSlot,
    LibraryInfo,
    TokenFlag,
    TokenInfo,
    TokenSelector,
    check_expected,
    choose_token,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.uri import PKCS11Uri
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.uri_parser import parse_uri
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal

LIBRARY = LibraryInfo("/lib.so", "SoftHSM", "Implementation of PKCS11", "2.6")
READY = TokenFlag.TOKEN_INITIALIZED | TokenFlag.LOGIN_REQUIRED
ONE = TokenInfo(7, "one", "Maker", "Model 3", "0001", "2.6", "1.0", READY, 4, 255)
TWO = dataclasses.replace(ONE, slot_id=8, label="two", serial="0002")
BLANK = dataclasses.replace(ONE, slot_id=9, label="", serial="", flags=TokenFlag.LOGIN_REQUIRED)
DEAD = DeadSlot(3, "CKR_DEVICE_ERROR")
END = ". Check the token's name, the library's configuration and the user that runs the task."


def never() -> t.NoReturn:
    raise AssertionError("storage was searched although the token is there")


def choose(
    selector: TokenSelector,
    *slots: TokenInfo | DeadSlot,
    overlooked: t.Callable[[], t.Sequence[str]] = list,
) -> TokenInfo:
    return choose_token(selector, slots, LIBRARY, overlooked)


@pytest.mark.parametrize(
    "selector",
    [
        TokenSelector(label="two"),
        TokenSelector(serial="0002"),
        TokenSelector(slot_id=8),
        TokenSelector(uri=PKCS11Uri(token="two")),
        TokenSelector(uri=PKCS11Uri(slot_id=8, model="Model 3")),
    ],
)
def test_one_match_is_chosen_whatever_else_there_is(selector: TokenSelector) -> None:
    for slots in ((ONE, TWO, DEAD, BLANK), (DEAD, BLANK, TWO, ONE), (TWO,)):
        assert choose(selector, *slots, overlooked=never) is TWO


@pytest.mark.parametrize(
    ("selector", "slots", "hidden", "message"),
    [
        (
            TokenSelector(label="three"),
            (ONE, TWO, BLANK),
            [],
            "Could not find a token labelled 'three' in /lib.so: it has 'one' (serial 0001, slot 7), 'two' (serial"
            f" 0002, slot 8){END}",
        ),
        (
            TokenSelector(serial="9"),
            (BLANK,),
            [],
            f"Could not find a token with serial '9' in /lib.so: it has no initialised token{END}",
        ),
        (
            TokenSelector(serial="9"),
            (),
            [],
            "Could not find a token with serial '9' in /lib.so: it has no token in any slot; the device, or the"
            f" connector or service that leads to it, may be down{END}",
        ),
        (
            TokenSelector(slot_id=3),
            (DEAD, DeadSlot(4, "CKR_0x80000001")),
            [],
            "Could not find a token in slot 3 in /lib.so: it has no initialised token; slot 3 answered"
            f" CKR_DEVICE_ERROR, slot 4 answered CKR_0x80000001{END}",
        ),
        (
            TokenSelector(uri=PKCS11Uri(token="three")),
            (ONE, DEAD),
            ["this user cannot read /var/lib/a, so that a token there stays unseen", "/var/lib/b"],
            "Could not find a token of the token_uri in /lib.so: it has 'one' (serial 0001, slot 7); slot 3 answered"
            f" CKR_DEVICE_ERROR; this user cannot read /var/lib/a, so that a token there stays unseen{END}",
        ),
        (
            TokenSelector(label="one"),
            (ONE, TWO, dataclasses.replace(ONE, slot_id=11, serial="")),
            [],
            "Could not choose a token labelled 'one' in /lib.so: 2 match: 'one' (serial 0001, slot 7), 'one' (serial"
            " none, slot 11). Choose one by token_serial, slot_id or token_uri.",
        ),
    ],
)
def test_refused_choices(
    selector: TokenSelector, slots: tuple[TokenInfo | DeadSlot, ...], hidden: list[str], message: str
) -> None:
    assert refusal(lambda: choose(selector, *slots, overlooked=lambda: hidden)) == message


def test_an_uninitialised_token_is_never_meant() -> None:
    for selector in (TokenSelector(label=""), TokenSelector(slot_id=9), TokenSelector(uri=PKCS11Uri())):
        assert not selector.matches(BLANK, LIBRARY)


@pytest.mark.parametrize("changed", [{"label": "x"}, {"flags": READY}, {"flags": TokenFlag.USER_PIN_INITIALIZED}])
def test_a_token_is_in_use_by_any_sign_of_it(changed: dict[str, t.Any]) -> None:
    assert dataclasses.replace(BLANK, **changed).in_use and not BLANK.in_use
    assert TokenSelector(slot_id=9).matches(dataclasses.replace(BLANK, **changed), LIBRARY)


@pytest.mark.parametrize(
    ("uri", "matches"),
    [
        ("pkcs11:", True),
        ("pkcs11:token=one;manufacturer=Maker;serial=0001;model=Model%203;slot-id=7", True),
        ("pkcs11:library-manufacturer=SoftHSM;library-version=2.6", True),
        ("pkcs11:library-description=Implementation%20of%20PKCS11", True),
        ("pkcs11:x-vendor=thing;token=one", True),
        ("pkcs11:token=One", False),
        ("pkcs11:token=", False),
        ("pkcs11:token=one;serial=0002", False),
        ("pkcs11:manufacturer=Other", False),
        ("pkcs11:model=Model", False),
        ("pkcs11:slot-id=8", False),
        ("pkcs11:library-manufacturer=Other", False),
        ("pkcs11:library-version=2", False),
        ("pkcs11:library-description=x", False),
    ],
)
def test_uris_that_match(uri: str, matches: bool) -> None:
    assert TokenSelector(uri=parse_uri(uri)).matches(ONE, LIBRARY) is matches


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)
TOKENS = st.builds(
    TokenInfo,
    st.integers(0, 3),
    *[st.sampled_from(["", "a", "b"])] * 4,
    *[st.just("1.0")] * 2,
    st.sampled_from([READY, TokenFlag(0)]),
    *[st.just(4)] * 2,
)
SELECTORS = (
    st.builds(TokenSelector, label=st.sampled_from("ab"))
    | st.builds(TokenSelector, serial=st.sampled_from("ab"))
    | st.builds(TokenSelector, slot_id=st.integers(0, 3))
    | st.builds(TokenSelector, uri=st.builds(PKCS11Uri, token=st.sampled_from([None, "a"]), model=st.just("b")))
)


@given(SELECTORS, st.lists(TOKENS | st.builds(DeadSlot, st.integers(0, 3), st.just("CKR_DEVICE_ERROR")), max_size=4))
def test_a_token_is_chosen_only_if_it_is_the_only_match(
    selector: TokenSelector, slots: list[TokenInfo | DeadSlot]
) -> None:
    matching = [slot for slot in slots if isinstance(slot, TokenInfo) and selector.matches(slot, LIBRARY)]
    if len(matching) == 1:
        assert choose(selector, *slots) is matching[0]
    else:
        message = refusal(lambda: choose(selector, *slots))
        assert message.startswith("Could not choose" if matching else "Could not find")


@given(st.builds(TokenInfo, st.just(1), *[TEXTS] * 6, st.just(READY), st.just(4), st.just(8)))
def test_the_uri_of_a_token_matches_it_and_holds_no_pin(token: TokenInfo) -> None:
    uri = parse_uri(token.uri)
    assert TokenSelector(uri=uri).matches(token, LIBRARY)
    assert {name: getattr(uri, name) for name in token.uri_attributes()} == token.uri_attributes()


ACTUAL = {"serial": "01", "model": "M", "library_sha256": "ab"}


def test_the_pinned_identity() -> None:
    check_expected("token 'demo'", {}, {})
    check_expected("token 'demo'", {"serial": "01", "model": "M"}, ACTUAL)
    assert refusal(lambda: check_expected("token 'demo'", {"model": "M", "serial": "1"}, ACTUAL)) == (
        "Refused to use the token 'demo': its serial is '01', expect_token says '1'. Nothing was done; find out why it"
        " is another one."
    )


def test_flags_are_those_of_the_standard() -> None:
    # PKCS#11 3.1, pkcs11t.h
    assert (TokenFlag.WRITE_PROTECTED, TokenFlag.LOGIN_REQUIRED, TokenFlag.USER_PIN_INITIALIZED) == (2, 4, 8)
    assert (TokenFlag.PROTECTED_AUTHENTICATION_PATH, TokenFlag.TOKEN_INITIALIZED) == (0x100, 0x400)
    assert (TokenFlag.USER_PIN_FINAL_TRY, TokenFlag.USER_PIN_LOCKED) == (0x20000, 0x40000)
    assert (TokenFlag.SO_PIN_FINAL_TRY, TokenFlag.SO_PIN_LOCKED) == (0x200000, 0x400000)


@pytest.mark.parametrize(
    ("selector", "name"),
    [
        (TokenSelector(label="demo"), "demo"),
        (TokenSelector(serial="01"), "01"),
        (TokenSelector(slot_id=0), "slot 0"),
        (TokenSelector(uri=PKCS11Uri(token="demo", serial="01")), "demo"),
        (TokenSelector(uri=PKCS11Uri(serial="01")), "01"),
        (TokenSelector(uri=PKCS11Uri(slot_id=0)), "the token of the token_uri"),
    ],
)
def test_a_tokens_name_in_results(selector: TokenSelector, name: str) -> None:
    assert selector.name == name
