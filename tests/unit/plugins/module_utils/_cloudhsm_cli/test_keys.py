# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys as the CloudHSM CLI tells of them, and what is said of a key on its command line."""

from __future__ import annotations

import copy
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.answer import Unclear
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.keys import (
    attributes_there,
    key_from,
    name_there,
    reference,
    reference_of,
    value_there,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import Sharing, pair_up
from ansible_collections.cryptoki.hsm.tests.support.cloudhsm_cli_samples import EC_PAIR, RSA_PRIVATE
from ansible_collections.cryptoki.hsm.tests.support.task_options import wished


def test_a_documented_pair() -> None:
    keys = [key_from(EC_PAIR[name]) for name in ("public_key", "private_key")]
    (pair,) = pair_up([key.found for key in keys])
    assert pair.whole and pair.pairing == "material"
    assert (pair.public.handle, pair.private.handle) == (0x2806EB, 0x280C82)
    assert pair.public.curve and pair.public.curve.name == "secp224r1"
    assert pair.private.sharing == Sharing("cu1", ("cu2", "cu3", "cu4"), quorum=2, manage_quorum=4)
    assert pair.public.sharing == Sharing("cu1")
    assert pair.private.attributes["check_value"] == bytes.fromhex("edef86")
    assert (pair.private.attributes["sign"], pair.private.attributes["value_len"]) == (True, 122)
    assert [key.synchronised for key in keys] == [True, True] and keys[0].owners == ("cu1",)


def test_a_point_in_der_is_the_same_point() -> None:
    entry = copy.deepcopy(EC_PAIR["public_key"])
    point = bytes.fromhex(entry["attributes"]["ec-point"][2:])
    entry["attributes"]["ec-point"] = "0x" + (b"\x04" + bytes([len(point)]) + point).hex()
    assert key_from(entry).found.spki == key_from(EC_PAIR["public_key"]).found.spki


def test_a_list_before_quorums() -> None:
    """Samples before 5.14 have no key-quorum-values."""
    entry = copy.deepcopy(RSA_PRIVATE)
    del entry["key-info"]["key-quorum-values"]
    assert key_from(entry).found.sharing == Sharing("cu1", ("alice",))


@pytest.mark.parametrize("empty", ["", "0x"])
def test_a_key_without_an_id(empty: str) -> None:
    entry = copy.deepcopy(RSA_PRIVATE)
    entry["attributes"]["id"] = empty
    assert key_from(entry).found.id == b""


@pytest.mark.parametrize(
    ("path", "name"),
    [(("attributes", "sign"), "sign"), (("attributes", "id"), "id"), (("attributes", "key-type"), "key_type")],
)
def test_what_the_hsms_do_not_agree_on_is_unreadable(path: tuple[str, str], name: str) -> None:
    entry = copy.deepcopy(RSA_PRIVATE)
    entry[path[0]][path[1]] = "inconsistent"
    key = key_from(entry)
    assert key.found.unreadable == {name: "inconsistent"} and name not in key.found.attributes
    assert not key.synchronised


@pytest.mark.parametrize("where", ["cluster", "owner", "user"])
def test_coverage_that_is_not_full(where: str) -> None:
    entry = copy.deepcopy(RSA_PRIVATE)
    info = entry["key-info"]
    if where == "cluster":
        info["cluster-coverage"] = "inconsistent"
    else:
        info["key-owners" if where == "owner" else "shared-users"][0]["key-coverage"] = "inconsistent"
    assert not key_from(entry).synchronised


@pytest.mark.parametrize("token", [True, False])
def test_the_coverage_of_a_session_key_is_whole(token: bool) -> None:
    """As in the sample of cloudhsm_cli-key-generate-asymmetric-pair-ec; a persistent key has to be everywhere."""
    entry = copy.deepcopy(RSA_PRIVATE)
    entry["key-info"]["cluster-coverage"] = "session"
    entry["attributes"]["token"] = token
    assert key_from(entry).synchronised is not token


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"key-reference": "1835654"}, "'1835654' as a key-reference"),
        ({"key-reference": 5}, "no str 'key-reference'"),
        ({"attributes": {"label": "only"}}, "no str 'class'"),
        ({"attributes": {**RSA_PRIVATE["attributes"], "class": "my_test_key"}}, "a key of the class 'my_test_key'"),
        ({"attributes": {**RSA_PRIVATE["attributes"], "class": "inconsistent"}}, "a key of the class 'inconsistent'"),
        ({"attributes": {**RSA_PRIVATE["attributes"], "sign": "yes"}}, "the value 'yes' of the attribute sign"),
        ({"attributes": {**RSA_PRIVATE["attributes"], "id": "0x123"}}, "the value '0x123' of the attribute id"),
        ({"key-info": {}}, "no list 'key-owners'"),
        ({"key-info": None}, "no dict 'key-info'"),
    ],
)
def test_what_is_no_key(change: dict[str, t.Any], why: str) -> None:
    with pytest.raises(Unclear, match=why):
        key_from({**RSA_PRIVATE, **change})


@given(st.integers(0, 2**64 - 1))
def test_a_reference_is_a_handle(handle: int) -> None:
    assert reference_of(reference(handle).removeprefix("key-reference=")) == handle


def test_names_and_values_on_the_command_line() -> None:
    assert [name_there(name) for name in ("wrap_with_trusted", "modulus_bits", "id")] == [
        "wrap-with-trusted",
        "modulus-size-bits",
        "id",
    ]
    assert [value_there(value) for value in (True, False, b"rsa_mv2", "a label")] == [
        "true",
        "false",
        "0x7273615f6d7632",
        "a label",
    ]


def test_every_usage_bit_of_a_new_half_is_sent() -> None:
    """The tool's defaults are false; derive alone is sent as true only."""
    wish = wished("rsa", id="rsa_mv2", extractable=False)
    private = attributes_there(wish.new_half("private"))
    assert {"sign=true", "decrypt=true", "unwrap=true", "extractable=false", "sensitive=true"} <= set(private)
    assert "id=0x7273615f6d7632" in private and not [one for one in private if one.startswith(("derive", "label"))]
    public = attributes_there(wish.new_half("public"))
    assert {"verify=true", "encrypt=true", "wrap=true"} <= set(public)
    ecc = wished("ecc", usage=["derive"])
    assert {"sign=false", "derive=true"} <= set(attributes_there(ecc.new_half("private")))
