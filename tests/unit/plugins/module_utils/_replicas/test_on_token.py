# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was just found or proven on one of several tokens is not looked up or proven again; anything else is."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.on_token import bring
from ansible_collections.cryptoki.hsm.tests.support.scenarios import WISH, ec_pair, session_with

PAIR = ec_pair()
PROVEN = dataclasses.replace(PAIR, publics=(dataclasses.replace(PAIR.public, handle=7),))


@pytest.mark.parametrize(
    ("proven", "calls"),
    [
        ((PAIR, Proof("CKM_ECDSA", "")), 0),
        ((PROVEN, Proof("CKM_ECDSA", "")), 1),
        ((PAIR, Proof(None, "")), 1),
        (None, 1),
    ],
    ids=["itself", "another object", "no proof", "nothing"],
)
def test_only_what_is_still_the_same_is_not_proven_again(proven: tuple[object, Proof] | None, calls: int) -> None:
    session = session_with(PAIR)
    assert not bring(session, WISH, "present", False, proven).changed  # type: ignore[arg-type]
    assert session.calls.count("prove") == calls


@pytest.mark.parametrize(("looked", "searches"), [([PAIR], 0), ([], 2)])
def test_only_what_was_not_looked_for_is_searched(looked: list[object], searches: int) -> None:
    session = session_with(PAIR)
    assert not bring(session, WISH, "present", False, looked=looked).changed  # type: ignore[arg-type]
    assert len(session.queries) == searches
