# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets among unchecked options, and that the guide tells which variables are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import KEYPAIR, LOGIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.library_parameters import HARMLESS_PARAMETERS
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import HARMLESS_VARIABLES
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.raw_secrets import (
    HIDDEN,
    raw_secrets,
    without_secrets,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.uri import pins_in

SPEC = (LOGIN + KEYPAIR).spec
GUIDE = Path(__file__).parents[5] / "docs/docsite/rst/guide_login.rst"
URI = "pkcs11:token=a?pin-value=sesame"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*SPEC, "unknown", "l"]), JSON, max_size=6))
def test_no_form_of_options_is_too_strange(options: dict[str, object]) -> None:
    assert all(isinstance(secret, str) and secret for secret in raw_secrets(SPEC, options))
    assert set(without_secrets(SPEC, options)) == set(options)


@pytest.mark.parametrize(
    ("options", "secrets"),
    [
        ({"pin": "a", "label": "b", "private_attributes": "sign"}, {"a"}),
        ({"pin": 1234, "replicas": [{"pin": 5.5, "name": "x"}]}, {"1234", "5.5"}),
        ({"replicas": {"pin": "a"}}, {"a"}),
        ({"replicas": "name=x pin='a b', crypto_user=c"}, {"a b", "c"}),
        ({"replicas": ["{'pin': 'sesame'}"]}, {"sesame"}),
        ({"replicas": ["{'pin': sesame}"]}, {"{'pin':", "sesame}"}),
        ({"library_environment": {"A": 1, "B": "x"}}, {"1", "x"}),
        ({"library_environment": "A=sesame"}, {"A=sesame", "sesame"}),
        ({"pin": "a=b"}, {"a=b"}),
        ({"pin": True, "crypto_user": None, "label": "x"}, set()),
        ({"label": "pkcs11:a=b?pin-value=%41b"}, {"pkcs11:a=b?pin-value=%41b", "%41b", "Ab"}),
    ],
)
def test_what_is_a_secret(options: dict[str, object], secrets: set[str]) -> None:
    assert raw_secrets(SPEC, options) == secrets


def test_what_is_shown() -> None:
    options = {"pin": "a", "l": "b", "x": 1, "usage": ["sign"], "expect_token": {"model": "m", "y": 2}, "attest": True}
    shown = {**options, "pin": HIDDEN, "x": HIDDEN, "expect_token": {"model": "m", "y": HIDDEN}}
    assert without_secrets(SPEC, options) == shown
    assert without_secrets(SPEC, {"crypto_user": "ann", "pin": "bob"}, {"ann"})["crypto_user"] == "ann"
    assert without_secrets(SPEC, {"unknown": None, "pin": None, "x": True}) == {"unknown": None, "pin": None, "x": True}
    assert without_secrets(SPEC, {"replicas": ["a", 5]}) == {"replicas": [HIDDEN, HIDDEN]}
    pin = "pkcs11:token=a?pin-value=b"
    hidden = {"replicas": [{"name": HIDDEN, "slot_id": "1"}], "expect_token": {"serial": HIDDEN}, "usage": HIDDEN}
    told = {"replicas": [{"name": pin, "slot_id": "1"}], "expect_token": {"serial": pin}, "usage": ["sign", pin]}
    assert without_secrets(SPEC, told) == hidden


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({URI: None}, {HIDDEN: None}),
        ({"replicas": [{URI: None, "slot_id": "1"}]}, {"replicas": [{HIDDEN: None, "slot_id": "1"}]}),
        ({"expect_token": {URI: True}}, {"expect_token": {HIDDEN: True}}),
        ({"private_attributes": f'{{"{URI}": 1}}'}, {"private_attributes": HIDDEN}),
        ({"usage": {"a": [{URI: 1}]}}, {"usage": HIDDEN}),
        ({"library_environment": {URI: True}}, {"library_environment": {HIDDEN: True}}),
    ],
)
def test_a_name_that_is_a_uri_with_a_pin(options: dict[str, object], shown: dict[str, object]) -> None:
    assert {URI, "sesame"} <= raw_secrets(SPEC, options) and without_secrets(SPEC, options) == shown


@pytest.mark.parametrize("text", ["pkcs11:token=pin", "pkcs11:object=a;id=%01", "a?pin-value=x", "pin=4"])
def test_what_is_no_uri_with_a_pin(text: str) -> None:
    assert pins_in(text) == []


def test_the_guide_lists_the_variables_that_are_shown() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    assert [name for name in sorted(HARMLESS_VARIABLES | HARMLESS_PARAMETERS) if f"``{name}``" not in guide] == []
