# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every task pays before it does anything stays where it is. A change may raise a count in the commit that says why."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.startup import compiled, loaded, looked_for, packed, shipped

# Bytes of our source, without comments and docstrings, that an unchanged pair makes Python compile on the target.
# It was 214,478 and 236,483 before what makes, changes and removes, structures, damaged files and the files of locks were
# imported only where they are needed; versions of Python write a tree out a little differently.
# 195,000 were wished. What runs is 169,000 and 186,900 of it (`make bench` prints that), 9,900 bytes of documentation
# among them, which cost nothing to compile. The rest is 180 functions of 130 bytes, mostly methods of a session and
# messages. An ECC pair takes 19,000 more: its halves are joined by an id alone and proven in every run. The proof, the
# mechanism and the signer are 13,700 of these, the curves and the points on them 5,900.
MOST = {"hsm_rsa_keypair": 193_800, "hsm_ecc_keypair": 212_800}
# Bytes of our files as they are sent; Ansible's own are 166,000 more, the archive's index 42,000. 400,000 in all were
# wished. 100,000 are the tools of clusters and replicas, which a pair on one token does not need: 5,000 came with many
# pairs on several tokens at the same time, as what a single pair does there is part of that, and 4,500 with several
# sessions for each of these tokens, opened once they are needed; 1,500 tell a removal that failed by the token's files,
# and new pairs in long diffs by what they may be used for.
SENT = 375_500
# Each name that is imported from a file costs the controller a look on disk, 0.1 ms once a run (it was 1,024).
LOOKED_FOR = 350
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
    assert {"actions", "changing", "generation"} <= later
    # Halves that only an id joins are proven in every run, so that an ECC pair needs what signs and checks.
    assert ({"proof", "proof_outside", "signer"} <= later) is (module == "hsm_rsa_keypair")
    assert not any("_replicas" in file.parts for file in made)


@pytest.mark.parametrize("module", WISHES)
def test_what_is_sent(module: str) -> None:
    files = shipped(module)
    assert packed(files) <= SENT
    assert looked_for(files) <= LOOKED_FOR
