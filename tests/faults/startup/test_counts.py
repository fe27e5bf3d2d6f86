# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every task pays before it does anything stays where it is. A change may raise a count in the commit that says why."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.startup import compiled, loaded

# Bytes of our source, without comments and docstrings, that an unchanged pair makes Python compile on the target.
# It was 213,504 and 235,270 on Python 3.13; versions write a tree out a little differently. The other half is looked for
# by what it is, legacy values may be kept, every ECC pair is proven, a user may say facts of a vendor, ten vendors' rows
# are in the table, python-pkcs11's list of functions is compared with ours, what a search answers is compared with what
# was asked for (540), and a key that signs may want the PIN at each use (360 and 890), and 700
# are links to guides and the flag -nex.
# 195,000 were wished. 9,800 are documentation, which costs nothing to compile, and 10,400 the store of SoftHSM, which
# other tokens do not load. Of the rest, 48,000 are not run: 220 functions of 36 files, 220 bytes each, mostly methods of
# a session and messages. 17,000 bytes are five milliseconds, a hundredth of a task, and each file that they would move
# into costs Ansible two on the controller.
MOST = {"hsm_rsa_keypair": 214_400, "hsm_ecc_keypair": 236_200}
WISHES: dict[str, dict[str, t.Any]] = {
    "hsm_rsa_keypair": {"label": "k", "modulus_bits": 2048},
    "hsm_ecc_keypair": {"label": "k", "curve": "P-256"},
}


@pytest.mark.parametrize("module", WISHES)
def test_what_an_unchanged_pair_compiles(token: FaultyToken, module: str) -> None:
    params = {**token.login(), **WISHES[module]}
    made = loaded(module, params)
    unchanged = loaded(module, params)
    assert compiled(unchanged) <= MOST[module]
    # What is not done is not loaded.
    later = {file.stem for file in made} - {file.stem for file in unchanged}
    assert {"actions", "generation"} <= later
    # Halves that only an id joins are proven in every run, so that an ECC pair needs what signs and checks.
    assert ({"proof", "proof_outside", "signer"} <= later) is (module == "hsm_rsa_keypair")
    assert not any("_replicas" in file.parts for file in made)
