# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session in another process: what its parent asks for is called there, and named by what is attempted."""

from __future__ import annotations

import inspect
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.transfer import Way
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.transfer import Transfer
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.session import WorkerSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.session import _RemoteTransfer as RemoteTransfer
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key

PRIVATE = pair_of(private_key("secp256r1")).private
WAY = Way("rsa", "CKM_AES_KEY_WRAP_KWP", "CKM_AES_KEY_WRAP_PAD", rsa_bits=3072)
# What its own session ends by itself.
STEPS = {name for name, kind in inspect.getmembers(Transfer, inspect.isfunction) if name[0] != "_"} - {"end"}
CALLS: dict[str, tuple[tuple[t.Any, ...], str]] = {
    "able": ((), "list the mechanisms"),
    "offer": ((WAY,), "make a transport key"),
    "answer": ((WAY, b"modulus"), "make a wrapping key"),
    "settle": ((WAY, 7, b"wrapped"), "unwrap a wrapping key"),
    "wrap": ((WAY, 8, PRIVATE), f"wrap {PRIVATE}"),
    "receive": ((WAY, 9, b"wrapped", {}, None), "store the copy"),
}


def test_each_step_of_a_transfer_is_known() -> None:
    assert set(CALLS) == STEPS - {"store_public"}  # with replicas no pair is completed


@pytest.mark.parametrize("step", sorted(CALLS))
def test_a_step_of_a_transfer_is_made_there(step: str) -> None:
    arguments, attempt = CALLS[step]
    inspect.signature(getattr(Transfer, step)).bind(None, *arguments)
    remote = RemoteTransfer(lambda what, name, *given: (what, name, given))
    assert getattr(remote, step)(*arguments) == (attempt, f"transfer.{step}", arguments)


class Served:
    """A worker whose token's library allows threads or not."""

    def __init__(self, threads: bool) -> None:
        self._threads = threads
        self.made: list[str] = []

    def call(self, attempt: str, _deadline: t.Any, name: str) -> dict[str, t.Any]:
        self.made.append(name)
        return {"threads": self._threads, "token_name": attempt}

    def widen(self, attempt: str, _deadline: t.Any) -> None:
        self.made.append(attempt)


@pytest.mark.parametrize("threads", [False, True])
def test_only_a_library_that_allows_threads_has_several_sessions(threads: bool) -> None:
    served = Served(threads)
    WorkerSession("alpha", t.cast(t.Any, served)).open()
    assert served.made == ["introduction"] + ["open further sessions with the node 'alpha'"] * threads
