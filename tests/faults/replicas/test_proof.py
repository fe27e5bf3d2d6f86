# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A copy counts when it is proven to be the key that it should be, as it should be; else it is no copy, and is removed."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.nodes import WHOLE, Nodes

# Another point on P-256 (its generator, SEC 2, section 2.4.2), as DER.
OTHER_POINT = (
    "044104"
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
LIES: dict[str, tuple[str, dict[str, t.Any], str]] = {
    "another public key": (
        f"C_GetAttributeValue^C_CreateObject after value 0x181 {OTHER_POINT}",
        {},
        "its halves do not belong together",
    ),
    "extractable": (
        "C_GetAttributeValue^C_CreateObject after value 0x162 01",
        {"extractable": False},
        "the token stored it otherwise",
    ),
    "not sensitive": ("C_GetAttributeValue^C_CreateObject after value 0x103 00", {}, "the token stored it otherwise"),
    "a signature of something else": ("C_Sign after poke 3 0 1122334455667788", {}, "does not fit the public half"),
    "no signature": ("C_Sign instead return 0x68", {}, "Could not sign with"),
}


@pytest.mark.parametrize("lie", LIES)
def test_token_that_lies(nodes: Nodes, lie: str) -> None:
    rule, wish, told = LIES[lie]
    before = nodes.objects()
    run = nodes.ecc({"beta": rule}, **wish)
    assert "Node 'beta': " in run.msg
    assert told in run.msg
    assert nodes.objects() == before


@pytest.mark.parametrize("lie", [name for name in LIES if not LIES[name][1]])
def test_token_that_lies_where_two_are_enough(nodes: Nodes, lie: str) -> None:
    """It does not count, the others do, and what it stored is gone."""
    rule, _wish, _told = LIES[lie]
    run = nodes.ecc({"beta": rule}, min_servers=2)
    assert run.result.get("failed", False) is False, run.stdout
    assert run.status_of == {"alpha": "ok", "beta": "unsynchronised", "gamma": "ok"}
    assert nodes.halves() == {"alpha": WHOLE, "beta": [], "gamma": WHOLE}


@pytest.mark.parametrize("lie", ["C_UnwrapKey after handle 3", "C_CreateObject after handle 2"])
def test_token_that_answers_with_the_handle_of_another_key(nodes: Nodes, lie: str) -> None:
    """That key stays; the copy, which is there all the same, is found by its id and goes."""
    nodes.tokens["beta"].ecc(label="other", curve="P-256")
    before = nodes.objects()
    run = nodes.ecc({"beta": lie})
    assert "Node 'beta': Could not finish the copy of the ECC key pair" in run.msg
    assert nodes.objects() == before
    assert nodes.tokens["beta"].ecc(label="other", curve="P-256", verify=True).key_pair["verified"] == "CKM_ECDSA"


def test_unproven_copy_that_is_wished_so(nodes: Nodes) -> None:
    run = nodes.ecc({"beta": "C_Initialize after return 0"}, verify=False, usage=["derive"])
    assert run.result["changed"] is True
    assert run.key_pair["verified"] is None
    assert nodes.halves() == dict.fromkeys(nodes.tokens, WHOLE)


@pytest.mark.parametrize("bits", [5, 3])
def test_blob_that_is_changed_on_its_way(nodes: Nodes, bits: int) -> None:
    """The replica refuses what the source did not wrap."""
    before = nodes.objects()
    run = nodes.ecc({"beta": f"C_UnwrapKey before poke 3 {8 * bits} 1122334455667788"})
    assert "Node 'beta': Could not copy a key pair to the token" in run.msg
    assert nodes.objects() == before
