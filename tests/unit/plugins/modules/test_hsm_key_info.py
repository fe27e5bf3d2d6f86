# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_key_info puts beside the pairs of a token."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.modules.hsm_key_info import certificates_of
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import without
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.scenarios import ec_pair

A, B = ec_pair(handle=1, id=b"a"), ec_pair(handle=11, id=b"b")
TORN = ec_pair(handle=21, public={"id": b"c"}, private={"id": b"d"})
NAMELESS = dataclasses.replace(ec_pair(handle=31), publics=(), privates=(without(A.private, "id"),))
FOUND = [Certificate(50 + place, "any", bytes([ident]), b"") for place, ident in enumerate(b"dacbaxd")] + [
    Certificate(60, "without an id", b"", b"")
]


def handles(*pairs: KeyPair) -> list[list[int]]:
    """Those of the certificates beside each pair."""
    session: t.Any = MemorySession(*pairs)
    session.certified = FOUND
    return [[one.handle for one in beside] for beside in certificates_of(session, pairs)]


def test_certificates_are_told_in_the_tokens_order() -> None:
    assert handles(A, TORN, B, NAMELESS, A) == [[51, 54], [50, 52, 56], [53], [], [51, 54]]
    assert handles(B) == [[53]]
    assert handles(NAMELESS) == [[]] and handles() == []


def test_an_id_is_looked_at_once_and_not_for_each_pair() -> None:
    """Ten thousand pairs with certificates would take minutes."""

    class Counted(bytes):
        looks = 0

        def __hash__(self) -> int:
            Counted.looks += 1
            return hash(bytes(self))

    pairs = [ec_pair(handle=2 * number, id=b"%d" % number) for number in range(1, 101)]
    session: t.Any = MemorySession(*pairs)
    session.certified = [Certificate(number, None, Counted(b"%d" % number), b"") for number in range(1, 101)]
    assert all(len(beside) == 1 for beside in certificates_of(session, pairs))
    assert Counted.looks == 100
