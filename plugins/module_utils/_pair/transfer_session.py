# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a session must do, beside that which each does, so that keys can be copied between tokens.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import abc
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.transfer import Able, Way
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import Half, Value


class TransferSession(TokenSession):
    """A session with a token that takes part in copying. C(peer) names the other token of a transfer.

    What makes the transfer possible is made as objects of the session, and is gone when it ends.
    """

    @abc.abstractmethod
    def able(self) -> Able:
        """What the token can do for a transfer."""

    @abc.abstractmethod
    def offer(self, peer: str, way: Way) -> bytes:
        """The replica's first step: its public transport key (RSA modulus or EC point; empty for a trusted key)."""

    @abc.abstractmethod
    def answer(self, peer: str, way: Way, offer: bytes) -> bytes:
        """The source's step: from now on it has the KEK; what the replica needs to have it, too."""

    @abc.abstractmethod
    def settle(self, peer: str, way: Way, answer: bytes) -> None:
        """The replica's second step: it has the KEK."""

    @abc.abstractmethod
    def wrap(self, peer: str, way: Way, found: TokenObject) -> bytes:
        """A private half of the source, wrapped."""

    @abc.abstractmethod
    def receive(
        self, peer: str, way: Way, wrapped: bytes, templates: t.Mapping[Half, t.Mapping[str, Value]], pair: KeyPair
    ) -> KeyPair:
        """The pair as the replica has it then; C(pair) is what is there of it already: nothing, or a public half.

        After an error nothing that this call made is left, or the error names what remains.
        """
