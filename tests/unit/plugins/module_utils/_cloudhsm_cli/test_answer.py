# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is made of the CloudHSM CLI's outputs; of a mangled one never a traceback, and never an absence."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.answer import Refused, Unclear, data_of
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.keys import (
    attributes_there,
    key_from,
    name_there,
    reference,
    reference_of,
    value_there,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.lists import (
    Pages,
    hsms_of,
    users_of,
    version_of,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import Sharing, pair_up
from ansible_collections.cryptoki.hsm.tests.support.cloudhsm_cli_samples import (
    AES,
    EC_PAIR,
    FAILURES,
    HSMS,
    RSA_PRIVATE,
    USERS,
    failure,
    page,
    success,
)
from ansible_collections.cryptoki.hsm.tests.support.task_options import wished

ALL = {"pair": EC_PAIR, "list": page(RSA_PRIVATE, AES), "empty": page(), "hsms": HSMS, "users": USERS, "text": "Done"}
# What a value of JSON may be replaced by.
OTHERS: st.SearchStrategy[t.Any] = (
    st.none() | st.booleans() | st.integers(-1, 3) | st.text(max_size=4) | st.just([]) | st.just({})
)


def listed(*pages: t.Any) -> list[t.Any]:
    """The keys of a whole list."""
    whole = Pages()
    more = [whole.add(one) for one in pages]
    assert more == [True] * (len(pages) - 1) + [False]
    return whole.keys


@pytest.mark.parametrize("data", ALL.values(), ids=ALL)
def test_a_success_gives_its_data(data: t.Any) -> None:
    assert data_of(success(data)) == data
    assert data_of(b"\n " + json.dumps({"data": data, "error_code": 0, "more": 1}).encode()) == data


@pytest.mark.parametrize("text", FAILURES)
def test_a_failure_gives_its_text(text: str) -> None:
    with pytest.raises(Refused, match=text[:30]):
        data_of(failure(text))


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (b"", "nothing on its standard output"),
        (b" \n", "nothing on its standard output"),
        (b"Segmentation fault", "no JSON, 'Segmentation fault'"),
        (b"[]", r"no JSON object, '\[\]'"),
        (b"null", "no JSON object"),
        (b"{}", "JSON without error_code and data"),
        (b'{"error_code": 0}', "JSON without error_code and data"),
        (b'{"data": {}}', "JSON without error_code and data"),
        (b'{"error_code": false, "data": {}}', "JSON without error_code and data"),
        (b'{"error_code": "0", "data": {}}', "JSON without error_code and data"),
        (b'{"error_code": 0.0, "data": {}}', "JSON without error_code and data"),
        (b'{"error_code": 1, "error_code": 0, "data": {}}', "no JSON"),
        (b'{"error_code": 0, "data": NaN}', "no JSON"),
        (b'{"error_code": 0, "data": {}} trailing', "no JSON"),
        (b'\xff{"error_code": 0, "data": {}}', "no JSON"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_answer(output: bytes, why: str) -> None:
    with pytest.raises(Unclear, match=why):
        data_of(output)


def test_a_failure_without_a_text_is_a_failure() -> None:
    for data in ("null", "{}", '""', "[1]"):
        with pytest.raises(Refused, match="error_code 7"):
            data_of(f'{{"error_code": 7, "data": {data}}}'.encode())


@given(st.sampled_from(list(ALL.values())), st.data())
def test_every_beginning_of_an_answer_is_unclear(data: t.Any, draw: st.DataObject) -> None:
    output = success(data).rstrip()
    end = draw.draw(st.integers(0, len(output) - 1))
    with pytest.raises(Unclear):
        data_of(output[:end])


@given(st.binary())
def test_any_bytes_are_data_a_refusal_or_unclear(output: bytes) -> None:
    with pytest.raises((Unclear, Refused)):
        data_of(output)


@given(st.sampled_from(list(ALL.values())), st.integers(0), st.binary(min_size=1, max_size=3))
def test_an_overwritten_answer_never_ends_otherwise(data: t.Any, place: int, with_: bytes) -> None:
    """Some bytes of a right answer are others: it is an answer or none, and a list of keys adds up or is unclear."""
    output = success(data)
    place %= len(output)
    try:
        told = data_of(output[:place] + with_ + output[place + len(with_) :])
        keys = Pages()
        keys.add(told)
    except (Unclear, Refused):
        return
    assert keys.total == len(keys.keys) or keys.token is not None


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


def test_a_documented_list() -> None:
    rsa, aes = listed(page(RSA_PRIVATE, AES))
    assert (rsa.found.half, rsa.found.modulus_bits, rsa.found.public_exponent) == ("private", 2048, 65537)
    assert (rsa.found.label, rsa.found.id, rsa.owners) == ("my_unique_key_label", b"", ("cu1",))
    assert rsa.found.sharing == Sharing("cu1", ("alice",))
    assert (aes.found.half, aes.found.key_type) == ("secret", "aes")


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


def test_pages_are_joined() -> None:
    first, second = page(RSA_PRIVATE, total=2, token="1"), page(AES, total=2)
    assert [key.found.handle for key in listed(first, second)] == [0x1C0686, 0x30]
    assert listed(page()) == []


@pytest.mark.parametrize(
    ("pages", "why"),
    [
        ([page(total=1)], "0 different keys in 0 entries where it says 1"),
        ([page(RSA_PRIVATE, total=1580)], "1 different keys in 1 entries where it says 1580"),
        ([page(RSA_PRIVATE, RSA_PRIVATE)], "1 different keys in 2 entries"),
        ([{**page(RSA_PRIVATE), "returned_key_count": 0}], "1 keys where it says 0"),
        ([{**page(), "total_key_count": "0"}], "no int 'total_key_count'"),
        ([{**page(), "total_key_count": False}], "no int 'total_key_count'"),
        ([{"total_key_count": 0, "returned_key_count": 0}], "no list 'matched_keys'"),
        ([{**page(), "matched_keys": [1], "returned_key_count": 1}], "something else than objects"),
        (["Done"], "no list 'matched_keys'"),
        ([page(RSA_PRIVATE, total=2, token="1"), page(AES, total=3)], "a list that changed from 2 to 3 keys"),
        ([page(RSA_PRIVATE, total=3, token="1"), page(AES, total=3, token="1")], "a next_token that leads nowhere"),
        ([page(total=3, token="1")], "a next_token that leads nowhere"),
        ([{**page(AES, total=2), "next_token": 1}], "a next_token that leads nowhere"),
    ],
)
def test_lists_that_do_not_add_up(pages: list[t.Any], why: str) -> None:
    whole = Pages()
    with pytest.raises(Unclear, match=why):
        for one in pages:
            whole.add(one)


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


def _places(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in rows:
        yield (*path, key)
        yield from _places(inner, (*path, key))


@given(st.sampled_from(list(_places(page(RSA_PRIVATE, AES)))), OTHERS)
def test_a_list_with_any_other_value_is_whole_or_unclear(path: tuple[t.Any, ...], other: t.Any) -> None:
    """It never has fewer keys than were there."""
    data = copy.deepcopy(page(RSA_PRIVATE, AES))
    place: t.Any = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = other
    keys = Pages()
    try:
        more = keys.add(data)
    except Unclear:
        return
    assert more or len(keys.keys) == 2


@given(
    st.sampled_from([hsms_of, users_of, key_from]),
    st.recursive(
        OTHERS,
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["hsms", "users", "attributes", "key-info", "key-reference", "class"]), inner
            )
        ),
    ),
)
def test_any_other_data_is_unclear(parse: t.Callable[[t.Any], t.Any], data: t.Any) -> None:
    try:
        told = parse(data)
    except Unclear:
        return
    assert told == [] and parse is users_of


def test_documented_hsms() -> None:
    hsms = hsms_of(HSMS)
    assert [hsm.serial for hsm in hsms] == ["5.3G1941-ICM000590", "5.3G1941-ICM000625", "5.3G1941-ICM000663"]
    assert hsms[0].identity == {
        "manufacturer": "Marvell Semiconductors, Inc.",
        "model": "NITROX-III CNN35XX-NFBE",
        "serial": "5.3G1941-ICM000590",
        "hardware_version": "5.3",
        "firmware_version": "2.6.16",
        "firmware_id": "CNN35XX-NFBE-FW-2.06-16",
        "fips_state": "2 [FIPS mode with single factor authentication]",
    }
    with pytest.raises(Unclear, match="a cluster without HSMs"):
        hsms_of({"hsms": []})


def test_documented_users() -> None:
    users = users_of(USERS)
    assert [(user.name, user.type, user.two_factor, user.quorum_key, user.locked) for user in users] == [
        ("admin", "CO", False, None, False),
        ("test_user", "CO", True, None, False),
        ("app_user", "AU", False, None, False),
    ]
    alice: dict[str, t.Any] = {"username": "Alice", "role": "crypto-user", "locked": "true", "mfa": []}
    alice["quorum"] = [{"strategy": "token-sign", "status": "enabled"}]
    (user,) = users_of({"users": [alice]})
    assert (user.name, user.type, user.locked, user.quorum_key, user.id) == ("alice", "CU", True, True, None)


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("cloudhsm-cli 5.17.2\n", (5, 17, 2)),
        ("AWS CloudHSM CLI v5.14.0", (5, 14, 0)),
        ("5.10", (5, 10, 0)),
        ("true (GNU coreutils) 9.1", None),
        ("cloudhsm", None),
        ("", None),
    ],
)
def test_versions(output: str, version: tuple[int, ...] | None) -> None:
    if version:
        assert version_of(output) == version
    else:
        with pytest.raises(Unclear, match="no version"):
            version_of(output)


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
    private = attributes_there("private", wish.new_half("private"))
    assert {"sign=true", "decrypt=true", "unwrap=true", "extractable=false", "sensitive=true"} <= set(private)
    assert "id=0x7273615f6d7632" in private and not [one for one in private if one.startswith(("derive", "label"))]
    public = attributes_there("public", wish.new_half("public"))
    assert {"verify=true", "encrypt=true", "wrap=true"} <= set(public)
    ecc = wished("ecc", usage=["derive"])
    assert {"sign=false", "derive=true"} <= set(attributes_there("private", ecc.new_half("private")))
