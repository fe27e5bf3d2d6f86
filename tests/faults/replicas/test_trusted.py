# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pairs that may be copied under a trusted key only, which the security officer put on every token."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.nodes import NAMES, Nodes
from ansible_collections.cryptoki.hsm.tests.support.soft_token import SO_PIN, library

KEY = "5a" * 32
KEK = "trusted kek"
GUARDED: dict[str, t.Any] = {"private_attributes": {"wrap_with_trusted": True}, "usage": ["sign"], "extractable": None}

# The security officer, by python-pkcs11: `TOKEN_LABEL KEK_LABEL TRUSTED`, the PIN and the key on stdin.
_STORE = """
import sys, pkcs11
from pkcs11 import Attribute
path, token_label, label, trusted = sys.argv[1:]
pin, key = sys.stdin.read().split()
with pkcs11.lib(path).get_token(token_label=token_label).open(rw=True, so_pin=pin) as session:
    session.create_object({
        Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: pkcs11.KeyType.AES,
        Attribute.VALUE: bytes.fromhex(key), Attribute.LABEL: label, Attribute.TOKEN: True, Attribute.PRIVATE: False,
        Attribute.WRAP: True, Attribute.UNWRAP: True, **({Attribute.TRUSTED: True} if trusted == "yes" else {}),
    })
"""


def store_kek(token: FaultyToken, *, trusted: bool = True) -> None:
    """Puts the key on a token, marked as trusted or not."""
    command = [sys.executable, "-c", _STORE, library(), token.label, KEK, "yes" if trusted else "no"]
    environment = {**os.environ, **token.environment}
    subprocess.run(command, input=f"{SO_PIN} {KEY}", text=True, env=environment, check=True)


def test_a_guarded_pair_is_copied_under_the_trusted_key(nodes: Nodes) -> None:
    for token in nodes.tokens.values():
        store_kek(token)
    runs = [nodes.ecc(**GUARDED, wrapping_key=KEK, check_mode=check) for check in (True, False, True, False)]
    assert [run.result["changed"] for run in runs] == [True, True, False, False]
    assert runs[1].status_of == dict.fromkeys(NAMES, "ok")
    assert runs[1].result["key_pair"]["private_key"]["attributes"]["wrap_with_trusted"] is True
    nodes.assert_one_pair()
    # Nothing else was made for the transfer: no transport pair, no second key.
    assert [count for name, count in runs[1].writes.items() if "C_GenerateKey" in name] == [1]
    keys = [row["label"] for token in nodes.tokens.values() for row in token.listing() if row["class"] == "secret"]
    assert keys == [KEK] * len(NAMES)


def test_a_guarded_pair_needs_one(nodes: Nodes) -> None:
    run = nodes.ecc(**GUARDED)
    assert run.msg.startswith("wrapping_key is refused: it is missing; wrap_with_trusted lets the key be copied")
    assert not any(run.calls.values())


def test_a_token_without_the_key(nodes: Nodes) -> None:
    for name in NAMES[:2]:
        store_kek(nodes.tokens[name])
    run = nodes.ecc(**GUARDED, wrapping_key=KEK)
    assert f"none of its secret keys labelled '{KEK}' may unwrap. Put one such AES key on each token." in run.msg
    assert run.msg.endswith("Nothing that this run made is left on alpha, beta.")
    assert nodes.halves() == {name: [] for name in NAMES}


def test_a_key_that_is_not_trusted(nodes: Nodes) -> None:
    for name, token in nodes.tokens.items():
        store_kek(token, trusted=name != NAMES[0])
    run = nodes.ecc(**GUARDED, wrapping_key=KEK)
    assert run.result["ckr"] == "CKR_KEY_NOT_WRAPPABLE"
    assert nodes.halves() == {name: [] for name in NAMES}
