# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of single values: what passes, what is refused in which words, and that no secret is ever echoed."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import values as _values
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import InputError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.text import colon_hex
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(TEXTS)
def test_text_comes_back_as_it_was(value: str) -> None:
    assert _values.text("x", value) == value
    assert {type(_values.text("x", type("Tagged", (str,), {})(value)))} == {str}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            42798,
            "label 42798 is refused: it came as a number;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        (
            0,
            "label 0 is refused: it came as a number;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        (
            1.5,
            "label 1.5 is refused: it came as a number;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        (
            True,
            "label True is refused: it came as a boolean;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        (
            False,
            "label False is refused: it came as a boolean;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        (["a"], "label is refused: it is no text."),
        ({"a": "b"}, "label is refused: it is no text."),
        ("", "label is refused: it is empty."),
        ("a\0b", "label is refused: it holds a NUL character."),
        ("a\udcff", "label is refused: it is not valid UTF-8."),
        ("x" * 128, f"label '{'x' * 128}' is refused: it has 128 bytes of UTF-8, at most 127 are allowed."),
        ("é" * 64, f"label '{'é' * 64}' is refused: it has 128 bytes of UTF-8, at most 127 are allowed."),
    ],
)
def test_refused_labels(value: t.Any, message: str) -> None:
    assert refusal(lambda: _values.label("label", value)) == message


@pytest.mark.parametrize("value", ["x", "x" * 127, "é" * 63 + "x", "密钥", "🔑" * 31 + "abc", " ", "0123456", "yes"])
def test_labels_that_pass(value: str) -> None:
    assert _values.label("label", value) == value


@given(TEXTS, st.integers(1, 40))
def test_a_label_is_measured_in_bytes(value: str, longest: int) -> None:
    if len(value.encode()) <= longest:
        assert _values.label("label", value, longest) == value
    else:
        message = refusal(lambda: _values.label("label", value, longest))
        assert message.endswith(
            f" is refused: it has {len(value.encode())} bytes of UTF-8, at most {longest} are allowed."
        )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("x" * 33, f"token_label '{'x' * 33}' is refused: it has 33 bytes of UTF-8, at most 32 are allowed."),
        ("a ", "token_label 'a ' is refused: it ends with a blank, which a token cannot tell from its padding."),
        (
            5,
            "token_label 5 is refused: it came as a number;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
    ],
)
def test_refused_labels_of_tokens(value: t.Any, message: str) -> None:
    assert refusal(lambda: _values.token_label(value)) == message
    assert _values.token_label(" é" * 10 + "xy") == " é" * 10 + "xy"


@given(
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=4),
    st.sampled_from(["{}\0", "{}\udcff", "\ud800{}"]),
    st.integers(10**8, 10**12) | st.floats(min_value=10**6, max_value=10**9),
)
def test_no_secret_is_echoed(pin: str, spoilt: str, number: float) -> None:
    secrets = (spoilt.format(pin), number, [pin], {pin: pin}, (pin,))
    for value in secrets:
        with pytest.raises(InputError) as caught:
            _values.text("pin", value, secret=True)
        assert caught.value.msg.startswith("pin is refused: ")
        assert caught.value.__context__ is None or caught.value.__suppress_context__
        rule = caught.value.msg.removeprefix("pin is refused: ")
        assert rule in (
            "it came as a number; quote it, in an INI inventory twice, or end its template in | string.",
            "it is no text.",
            "it is not valid UTF-8.",
            "it holds a NUL character.",
        )
        assert not caught.value.data


@given(TEXTS)
def test_an_id_of_text_is_its_utf8(value: str) -> None:
    assert _values.identifier({"id": value}) == value.encode()


@given(st.binary(min_size=1))
def test_an_id_of_digits_is_its_bytes(value: bytes) -> None:
    for digits in (value.hex(), value.hex().upper(), value.hex(":")):
        assert _values.identifier({"id": None, "id_hex": digits}) == value


def test_no_id() -> None:
    assert _values.identifier({"id": None, "id_hex": None}) is None
    assert _values.identifier({}) is None


@pytest.mark.parametrize("digits", ["0", "012", "0g", ":01", "01:", "01::02", "0x01", "01 02", "01\n", "٠١"])
def test_refused_digits_of_an_id(digits: str) -> None:
    rule = "give pairs of hexadecimal digits, with or without colons"
    assert refusal(lambda: _values.identifier({"id_hex": digits})) == f"id_hex {digits!r} is refused: {rule}."


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"id": 7},
            "id 7 is refused: it came as a number;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        ({"id": ""}, "id is refused: it is empty."),
        (
            {"id": False},
            "id False is refused: it came as a boolean;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        (
            {"id_hex": 1234},
            "id_hex 1234 is refused: it came as a number;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        ({"id_hex": ""}, "id_hex is refused: it is empty."),
    ],
)
def test_refused_ids(params: dict[str, t.Any], message: str) -> None:
    assert refusal(lambda: _values.identifier(params)) == message


@given(st.binary(min_size=32, max_size=32))
def test_a_fingerprint_in_each_spelling(digest: bytes) -> None:
    for given_as in (digest.hex(), digest.hex(":"), digest.hex().upper(), f"SHA256:{digest.hex()}"):
        assert _values.fingerprint(given_as) == digest.hex()
    assert _values.fingerprint(colon_hex(digest)) == digest.hex()


@pytest.mark.parametrize("value", ["ab" * 31, "ab" * 33, "gg" * 32, "SHA1:" + "ab" * 32, "ab" * 32 + "\n"])
def test_refused_fingerprints(value: str) -> None:
    rule = "give the SHA-256 of the public key as 64 hexadecimal digits"
    assert refusal(lambda: _values.fingerprint(value)) == f"fingerprint {value!r} is refused: {rule}."


def test_a_fingerprint_that_yaml_made_a_number_of() -> None:
    assert _values.fingerprint(None) is None
    message = refusal(lambda: _values.fingerprint(int("1" * 64)))
    assert (
        message == f"fingerprint {'1' * 64} is refused: it came as a number;"
        f" quote it, in an INI inventory twice, or end its template in | string."
    )


@pytest.mark.parametrize("bits", [None, 2048, 2049, 3072, 4096, 16384])
def test_sizes_that_pass(bits: int | None) -> None:
    assert _values.modulus_bits(bits) == bits


@pytest.mark.parametrize("bits", [2047, 1024, 512, 1, 0, -2048])
def test_refused_sizes(bits: int) -> None:
    assert refusal(lambda: _values.modulus_bits(bits)) == f"modulus_bits {bits} is refused: it must be at least 2048."


@pytest.mark.parametrize("bits", [1 << 32, 1 << 70])
def test_sizes_that_no_attribute_holds(bits: int) -> None:
    assert _values.modulus_bits((1 << 32) - 2)
    assert refusal(lambda: _values.modulus_bits(bits)) == f"modulus_bits {bits} is refused: it must be below 2^32."


@given(st.integers(32768, 2**255 - 1).map(lambda half: 2 * half + 1))
def test_exponents_that_pass(exponent: int) -> None:
    assert _values.public_exponent(exponent) == exponent


@pytest.mark.parametrize(
    ("exponent", "rule"),
    [
        (65536, "it must be at least 65537"),
        (65535, "it must be at least 65537"),
        (3, "it must be at least 65537"),
        (0, "it must be at least 65537"),
        (-65537, "it must be at least 65537"),
        (65538, "it must be odd"),
        (2**255, "it must be odd"),
        (2**256 + 1, "it must be below 2^256"),
        (2**4096 + 1, "it must be below 2^256"),
    ],
)
def test_refused_exponents(exponent: int, rule: str) -> None:
    message = refusal(lambda: _values.public_exponent(exponent))
    assert message == f"public_exponent {exponent} is refused: {rule}."


def test_no_exponent_and_its_bounds() -> None:
    assert _values.public_exponent(None) is None
    assert _values.public_exponent(65537) == 65537
    assert _values.public_exponent(2**256 - 1) == 2**256 - 1
