# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is made of the CloudHSM CLI's lists; of a mangled one never a traceback, and never an absence."""

from __future__ import annotations

import copy
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.answer import Unclear
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.keys import key_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.lists import (
    Pages,
    hsms_of,
    users_of,
    version_of,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import Sharing
from ansible_collections.cryptoki.hsm.tests.support.cloudhsm_cli_samples import AES, HSMS, RSA_PRIVATE, USERS, page

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


def test_a_documented_list() -> None:
    rsa, aes = listed(page(RSA_PRIVATE, AES))
    assert (rsa.found.half, rsa.found.modulus_bits, rsa.found.public_exponent) == ("private", 2048, 65537)
    assert (rsa.found.label, rsa.found.id, rsa.owners) == ("my_unique_key_label", b"", ("cu1",))
    assert rsa.found.sharing == Sharing("cu1", ("alice",))
    assert (aes.found.half, aes.found.key_type) == ("secret", "aes")


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
