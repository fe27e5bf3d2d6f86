# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SIGKILL while a pair is replaced: the old one or the new one is whole, and the next run goes on or names both."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken

WISH: dict[str, t.Any] = {"label": "k", "curve": "P-256", "lock_timeout": 1}
REPLACE: dict[str, t.Any] = {**WISH, "curve": "P-384", "on_mismatch": "replace"}


@pytest.mark.parametrize(
    "rule",
    [
        "C_GenerateKeyPair after kill",
        "C_Sign#2 before kill",
        "C_SetAttributeValue#1 before kill",
        "C_SetAttributeValue#2 after kill",
        "C_DestroyObject#1 before kill",
    ],
)
def test_kill_while_the_old_pair_is_there(token: FaultyToken, rule: str) -> None:
    """The new pair beside it may as well be the work of another host: it is named, and removed by its label."""
    old = token.ecc(**WISH).key_pair["fingerprint"]
    assert token.start("hsm_ecc_keypair", rule, **REPLACE).died()
    run = token.ecc(**REPLACE)
    assert run.msg.startswith(
        "Refused to touch the ECC key pair 'k' on the token 'test token': a replacement of it was broken off, or another"
        " host is at it: the old pair is there, and beside it the new one, (public ec key, on secp384r1, label 'repl"
    )
    label = re.search(r"remove the new one \(state=absent, label '(replacement [0-9a-f]{16})'\)\.$", run.msg)
    assert label, run.msg
    assert token.ecc(**WISH, verify=True).key_pair["fingerprint"] == old
    assert token.ecc(state="absent", label=label[1]).result["changed"] is True
    assert token.ecc(**REPLACE).result["changed"] is True
    assert token.ecc(**REPLACE, verify=True).result["changed"] is False
    assert [row["label"] for row in token.listing()] == ["k", "k"]


@pytest.mark.parametrize(
    "rule",
    [
        "C_DestroyObject#2 after kill",
        "C_SetAttributeValue#5 before kill",
        "C_SetAttributeValue#6 before kill",
        "C_SetAttributeValue#6 after kill",
    ],
)
def test_kill_when_the_old_pair_is_gone(token: FaultyToken, rule: str) -> None:
    """The next run goes on with the new pair where the killed one stopped; there is no second new one."""
    token.ecc(**WISH)
    assert token.start("hsm_ecc_keypair", rule, **REPLACE).died()
    (made,) = {row["id"] for row in token.listing()}
    run = token.ecc(**REPLACE)
    assert run.result["changed"] is (rule != "C_SetAttributeValue#6 after kill")
    assert run.key_pair["id_hex"].replace(":", "") == made
    assert token.ecc(**REPLACE, verify=True).result["changed"] is False
    assert [row["label"] for row in token.listing()] == ["k", "k"]


def test_kill_between_the_old_halves(token: FaultyToken) -> None:
    """What is left of the old pair is named; when it is removed, the next run goes on with the new one."""
    token.ecc(**WISH)
    assert token.start("hsm_ecc_keypair", "C_DestroyObject#2 before kill", **REPLACE).died()
    new = {row["id"] for row in token.listing() if row["label"].startswith("replacement ")}
    msg = token.ecc(**REPLACE).msg
    half = re.search(r"of the old pair the public half is there, \(.*?, fingerprint ([0-9a-f:]{95})\)", msg)
    assert half and all(id_ in msg.replace(":", "") for id_ in new)
    assert token.ecc(state="absent", label="k", fingerprint=half[1]).result["changed"] is True
    run = token.ecc(**REPLACE, verify=True)
    assert {run.key_pair["id_hex"].replace(":", "")} == new
    assert [row["label"] for row in token.listing()] == ["k", "k"]
    assert token.ecc(**REPLACE).result["changed"] is False


def test_kill_between_the_ids_of_the_new_pair(token: FaultyToken) -> None:
    """A wished id that only one half has got: the next run says how to go on, and that works."""
    token.ecc(**WISH, id="one")
    assert token.start("hsm_ecc_keypair", "C_SetAttributeValue#9 after kill", **REPLACE, id="one").died()
    assert token.ecc(**REPLACE, id="one").msg.endswith(
        "That is the new pair of a replacement that was broken off while it was renamed, and the old pair is gone."
        " Give both its halves the wished id and label with hsm_key, each named by its uri."
    )
    for key in token.run("hsm_key_info").result["objects"]:
        token.run("hsm_key", uri=key["uri"], new_id="one", new_label="k")
    run = token.ecc(**REPLACE, id="one", verify=True)
    assert run.result["changed"] is False and run.key_pair["verified"]
    assert [row["label"] for row in token.listing()] == ["k", "k"]
