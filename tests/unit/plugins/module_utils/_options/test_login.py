# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a token is reached: the environment's groups, the choice of the token, and that no PIN is told."""

from __future__ import annotations

import tempfile
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import (
    UNUSED_PIN,
    Login,
    give_pin,
    login_from,
    with_environment,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import TokenSelector
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.uri import PKCS11Uri
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.task_options import params

LEAST: dict[str, t.Any] = {"module_path": "/lib.so", "token_label": "demo"}
ALL = {
    "PKCS11_MODULE": "/env.so",
    "HSM_TOKEN_LABEL": "env token",
    "HSM_CRYPTO_USER": "env user",
    "HSM_PIN": "env pin",
}
READABLE = st.characters(exclude_categories=["Cs", "Cc"])
PINS = st.text(READABLE, min_size=4, max_size=20)


def login(**given_options: t.Any) -> Login:
    return login_from(params("ecc", **{**LEAST, **given_options}))


def filled(environ: t.Mapping[str, str], **given_options: t.Any) -> dict[str, t.Any]:
    """What the environment adds to these options."""
    before = params("ecc", **given_options)
    after = with_environment(before, environ)
    assert params("ecc", **given_options) == before, "the parameters stay as they were"
    return {name: value for name, value in after.items() if value != before.get(name)}


def test_the_environment_stands_in_where_nothing_is_given() -> None:
    assert filled(ALL) == {
        "module_path": "/env.so",
        "token_label": "env token",
        "crypto_user": "env user",
        "pin": "env pin",
    }
    assert filled({"HSM_PIN_FILE": "/env.pin"}) == {"pin_file": "/env.pin"}
    assert filled({}) == {}
    assert filled(dict.fromkeys(ALL, "")) == {}, "an empty variable is none"


@pytest.mark.parametrize(
    ("option", "group"),
    [
        ("module_path", {"module_path"}),
        ("token_label", {"token_label"}),
        ("token_serial", {"token_label"}),
        ("slot_id", {"token_label"}),
        ("token_uri", {"token_label"}),
        ("crypto_user", {"crypto_user", "pin"}),
        ("pin", {"crypto_user", "pin"}),
        ("pin_file", {"crypto_user", "pin"}),
    ],
)
def test_one_given_option_keeps_the_environment_out_of_its_group(option: str, group: set[str]) -> None:
    names = {"module_path", "token_label", "crypto_user", "pin"}
    value = 0 if option == "slot_id" else "pkcs11:token=a" if option == "token_uri" else "given"
    told = {UNUSED_PIN} if option == "crypto_user" else set()
    assert set(filled(ALL, **{option: value})) == names - group | told
    assert set(filled({**ALL, "HSM_PIN": "", "HSM_PIN_FILE": "/f"}, **{option: value})) == (
        {"module_path", "token_label", "crypto_user", "pin_file"} - group - ({"pin_file"} if "pin" in group else set())
        | told
    )


def test_the_library_of_a_token_uri_wins_over_the_environment() -> None:
    uri = "pkcs11:token=a?module-path=%2Fgiven.so"
    assert login_from(with_environment(params("ecc", token_uri=uri), ALL)).module_path == "/given.so"


def test_the_environment_is_not_for_replicas() -> None:
    assert "replicas" not in filled(ALL, replicas=[{"name": "b"}])


def test_two_pins_in_the_environment() -> None:
    message = refusal(lambda: filled({"HSM_PIN": "sesame", "HSM_PIN_FILE": "/f"}))
    assert message == "HSM_PIN is refused: the environment holds HSM_PIN_FILE as well; set one of them."
    assert filled({"HSM_PIN": "sesame", "HSM_PIN_FILE": "/f"}, pin="mine") == {}


def test_the_least_login() -> None:
    least = login()
    assert (least.module_path, least.selector) == ("/lib.so", TokenSelector(label="demo"))
    assert (least.crypto_user, least.pin, least.vendor, least.force_login) == (None, None, "auto", False)
    assert (least.environment, least.expect, least.secrets(), least.login_pin(False)) == ({}, {}, [], None)
    assert not least.limited and login(user_type="limited_user").limited


@pytest.mark.parametrize(
    ("option", "value", "selector"),
    [
        ("token_label", "demo", TokenSelector(label="demo")),
        ("token_serial", "0123", TokenSelector(serial="0123")),
        ("slot_id", 0, TokenSelector(slot_id=0)),
        ("token_uri", "pkcs11:token=a%20b;slot-id=7", TokenSelector(uri=PKCS11Uri(token="a b", slot_id=7))),
    ],
)
def test_the_token_is_chosen(option: str, value: t.Any, selector: TokenSelector) -> None:
    assert login(**{"token_label": None, option: value}).selector == selector


CHOICE = "give exactly one of token_label, token_serial, slot_id and token_uri, or set HSM_TOKEN_LABEL"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"module_path": None},
            "module_path is refused: it is missing; name the vendor's PKCS#11 library, or set PKCS11_MODULE.",
        ),
        ({"module_path": "lib.so"}, "module_path 'lib.so' is refused: give an absolute path."),
        ({"token_label": None}, f"token_label is refused: {CHOICE}."),
        (
            {"token_label": "a "},
            "token_label 'a ' is refused: it ends with a blank, which a token cannot tell from its padding.",
        ),
        (
            {"token_label": 5},
            "token_label 5 is refused: it came as a number;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        (
            {"token_label": None, "token_serial": 123},
            "token_serial 123 is refused: it came as a number;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        (
            {"pin": 42798},
            "pin is refused: it came as a number;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        (
            {"pin": True},
            "pin is refused: it came as a boolean;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        ({"pin": ""}, "pin is refused: it is empty."),
        ({"pin": "a\0b"}, "pin is refused: it holds a NUL character."),
        ({"pin": "p\udcffn"}, "pin is refused: it is not valid UTF-8."),
        (
            {"crypto_user": 1.5},
            "crypto_user 1.5 is refused: it came as a number;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        (
            {"crypto_user": "ann:sesame"},
            "crypto_user is refused: it holds a colon, which ends the user's name in a PKCS#11 PIN.",
        ),
        (
            {"crypto_user": True},
            "crypto_user True is refused: it came as a boolean;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        (
            {"library_environment": {"A=B": "x"}},
            "library_environment 'A=B' is refused: no variable has such a name.",
        ),
        (
            {"library_environment": {"A": 1}},
            "library_environment.A 1 is refused: it came as a number;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        ({"library_parameters": {"configdir": "/x"}}, "library_parameters is refused: it is no text."),
        (
            {"vendor_facts": {"id_max": -1}},
            "vendor_facts.id_max -1 is refused: give a number of bytes, or 0.",
        ),
        (
            {"vendor_facts": {"not_sent_private": ["sensitive"]}},
            "vendor_facts.not_sent_private 'sensitive' is refused: choose from allowed_mechanisms, always_authenticate,"
            " copyable, decrypt, derive, destroyable, modifiable, sign, sign_recover, unwrap, wrap_with_trusted.",
        ),
        (
            {"vendor_facts": {"only_true_public": ["unwrap"]}},
            "vendor_facts.only_true_public 'unwrap' is refused: choose from copyable, derive, destroyable, encrypt,"
            " modifiable, private, trusted, verify, verify_recover, wrap.",
        ),
        ({"library_parameters": ""}, "library_parameters is refused: it is empty."),
        (
            {"expect_token": {"hardware_version": 2.6}},
            "expect_token.hardware_version 2.6 is refused: it came as a number;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        (
            {"expect_token": {"fips_state": "2"}},
            "expect_token.fips_state is refused: this provider does not tell it; choose from library_sha256,"
            " manufacturer, model, serial, hardware_version, firmware_version.",
        ),
        (
            {"expect_token": {"library_sha256": "AB"}},
            "expect_token.library_sha256 'ab' is refused: give 64 hexadecimal digits.",
        ),
        (
            {"token_label": None, "token_uri": "pkcs11:?module-path=/x"},
            "token_uri is refused: it names no token; give token, serial, model, manufacturer or slot-id in it.",
        ),
        (
            {"token_label": None, "token_uri": "pkcs11:token=a?pin-value=sesame"},
            "token_uri is refused: pin-value in a URI is refused: give the PIN by the option pin or pin_file.",
        ),
        (
            {"token_label": None, "token_uri": "pkcs11:token=a%2"},
            "token_uri is refused: token has a '%' that two hexadecimal digits do not follow; '%' itself is %25.",
        ),
    ],
)
def test_refused_logins(options: dict[str, t.Any], message: str) -> None:
    assert refusal(lambda: login(**options)) == message


def test_the_library_may_stand_in_the_uri() -> None:
    uri = "pkcs11:token=a?module-path=%2Ffrom%20uri.so"
    assert login(module_path=None, token_label=None, token_uri=uri).module_path == "/from uri.so"
    assert login(token_label=None, token_uri="pkcs11:token=a?module-path=/lib.so").module_path == "/lib.so"
    assert refusal(lambda: login(token_label=None, token_uri=uri)) == (
        "module_path '/lib.so' is refused: the module-path of token_uri names another library; leave one of them out."
    )


def test_what_is_expected_is_pinned_as_text() -> None:
    given_options = {"library_sha256": "AB" * 32, "serial": "01", "model": None}
    assert login(expect_token=given_options).expect == {"library_sha256": "ab" * 32, "serial": "01"}
    given_options["library_sha256"] = ":".join(["AB"] * 32)
    assert login(expect_token=given_options).expect["library_sha256"] == "ab" * 32


def test_only_who_asks_for_it_may_leave_the_token_open() -> None:
    options = params("ecc", module_path="/lib.so")
    assert not login_from(options, any_token=True).selector.chooses
    assert "give exactly one of token_label" in refusal(lambda: login_from(options))
    assert login_from(params("ecc", **LEAST), any_token=True).selector == TokenSelector(label="demo")


@pytest.mark.parametrize("part", ["slot-description=x", "slot-manufacturer=x", "object=x", "type=cert", "id=%00"])
def test_no_attribute_of_a_uri_is_passed_over(part: str) -> None:
    message = refusal(lambda: login(token_label=None, token_uri=f"pkcs11:token=a;{part}"))
    assert message == f"token_uri is refused: {part.partition('=')[0]} does not choose a token here; leave it out."
    message = refusal(lambda: login(token_label=None, token_uri="pkcs11:token=a?module-name=x"))
    assert message == "token_uri is refused: module-name does not choose a token here; leave it out."


def test_what_may_be_seen_once_it_is_checked() -> None:
    environment = {"SOFTHSM2_CONF": "/etc/x", "X_PIN": "sesame", "MyPassword": "sesame", "FORTANIX_API_KEY": "t"}
    one = login(crypto_user="ann", pin="sesame", library_environment=environment)
    assert one.harmless() == ["ann", "/etc/x"] and {"sesame", "t"} <= set(one.secrets())
    assert login(token_label=None, token_uri="pkcs11:token=a").harmless() == ["pkcs11:token=a"]


@pytest.mark.parametrize(
    ("parameters", "hidden"),
    [
        ("configdir='sql:/etc/pki/nssdb' certPrefix='' secmod=\"secmod.db\" flags=", set()),
        ("configdir=/etc/pki flags=readOnly", set()),
        ("configdir='/etc/pki' password=sesame", {"sesame"}),
        ("url='http://ann:sesame@host' flags=", {"http://ann:sesame@host"}),
        ("open sesame", {"open", "sesame"}),
        ("configdir='a b' a=1 xy", set()),  # masked as a whole; its parts are too short to be masked elsewhere
    ],
)
def test_what_may_be_seen_of_parameters(parameters: str, hidden: set[str]) -> None:
    one = login(library_parameters=parameters)
    seen = not hidden and parameters != "configdir='a b' a=1 xy"
    assert one.library_parameters == parameters
    assert one.harmless() == ([parameters] if seen else [])
    assert set(one.secrets()) == (set() if seen else {parameters, *hidden})


@given(PINS, st.text(READABLE.filter(lambda sign: sign != ":"), min_size=1, max_size=9) | st.integers(0, 99))
def test_a_crypto_users_pin_is_composite(pin: str, user: str | int) -> None:
    for composite in (False, True):
        assert login(pin=pin, crypto_user=user).login_pin(composite) == f"{user}:{pin}"
    assert login(pin=pin, crypto_user=user).secrets() == [pin, f"{user}:{pin}"]
    assert login(pin=pin).login_pin(False) == pin and set(login(pin=pin).secrets()) == {pin}


def test_a_vendor_whose_pins_are_composite() -> None:
    assert login(pin="ann:sesame").login_pin(True) == "ann:sesame"
    message = refusal(lambda: login(pin="sesame").login_pin(True))
    assert message == "Refused to log in: this library's PINs are user:password; give the user as crypto_user."


@given(PINS)
def test_no_representation_tells_a_pin(pin: str) -> None:
    pin = f"{pin}§§§"
    one = login(pin=pin, crypto_user="ann")
    assert one.pin and one.pin.reveal() == pin
    for shown in (repr(one), str(one), f"{one.pin}", f"{[one.pin]}", repr(vars(one))):
        assert pin not in shown


@given(st.text(READABLE, min_size=4).map(lambda text: f"{text}§§§"), st.sampled_from(["pin", "file", "user", "uri"]))
def test_no_refusal_tells_a_pin(pin: str, where: str) -> None:
    for spoilt in (f"{pin}\0", f"\udcff{pin}", [pin], {pin: 1}):
        with pytest.raises(HsmError) as caught:
            if where == "user":  # what others call a PIN: CU_user:password
                login(crypto_user=f"ann:{pin}")
            elif where == "uri":
                login(token_label=None, token_uri=f"pkcs11:token=a?pin-source={pin}")
            elif where == "file":
                with tempfile.NamedTemporaryFile() as file:
                    file.write(str(spoilt).encode(errors="surrogateescape") + b"\xff\0")
                    file.flush()
                    login(pin_file=file.name)
            else:
                login(pin=spoilt)
        assert pin not in caught.value.msg and pin not in repr(caught.value.data)
        assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_a_pin_in_the_environment_that_does_not_count() -> None:
    given_options = with_environment(params("ecc", **LEAST, crypto_user="ann"), {"HSM_PIN_FILE": "/f"})
    assert login_from(given_options).unused_pin == "HSM_PIN_FILE" and login_from(given_options).pin is None
    assert give_pin("HSM_PIN_FILE").startswith("HSM_PIN_FILE is set and does not count, because the option crypto_user")
    assert give_pin(None) == "give pin or pin_file, or set HSM_PIN_FILE"


def test_an_empty_dictionary_of_expectations_expects_nothing() -> None:
    assert login(expect_token={}).expect == {} == login(expect_token={"model": None}).expect


@pytest.mark.parametrize(
    ("value", "slot"), [("7", 7), (7, 7), ("0x1F", 31), ("0X1f", 31), ("010", 10), (1 << 63, 1 << 63)]
)
def test_slots_by_number(value: t.Any, slot: int) -> None:
    assert login(token_label=None, slot_id=value).selector == TokenSelector(slot_id=slot)


@pytest.mark.parametrize("value", ["-1", "x", "0x", "1.5", "true", "0x1ffffffffffffffff", "99999999999999999999"])
def test_what_is_no_slot(value: str) -> None:
    assert refusal(lambda: login(token_label=None, slot_id=value)).startswith(f"slot_id {value!r} is refused: ")


def test_a_uri_with_what_looks_like_a_pin_is_never_shown() -> None:
    one = login(token_label=None, token_uri="pkcs11:token=a?x-pin=s3cr3t")
    assert one.harmless() == [] and {"s3cr3t", "pkcs11:token=a?x-pin=s3cr3t"} <= set(one.secrets())
