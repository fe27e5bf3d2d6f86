# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all tools of clusters have in common before they are started: who must be named, and the lock of this host."""

from __future__ import annotations

import contextlib
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.command import FACTS as CLI_FACTS
from ansible_collections.cryptoki.hsm.plugins.module_utils._cluster_tool.provider import ToolProvider
from ansible_collections.cryptoki.hsm.plugins.module_utils._host import lock
from ansible_collections.cryptoki.hsm.plugins.module_utils._host.lock import LockError, LockTimeout
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.limits import FACTS as UTIL_FACTS
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendor_limits import vendor_refusal
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VendorFacts
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.task_options import params


def connected(answers_anybody: bool, any_token: bool, **given: t.Any) -> t.Any:
    class Some(ToolProvider):
        name = "some"
        executable = "/opt/some"
        session = None  # type: ignore[assignment]

    Some.answers_anybody = answers_anybody
    Some.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]
    return Some.connect(params("ecc", **given), any_token)[0]


@pytest.mark.parametrize("answers_anybody", [False, True])
@pytest.mark.parametrize("any_token", [False, True])
def test_a_user_is_needed_unless_anybody_is_answered(answers_anybody: bool, any_token: bool) -> None:
    if answers_anybody and any_token:
        assert connected(answers_anybody, any_token)
    else:
        assert "crypto_user is refused" in refusal(lambda: connected(answers_anybody, any_token))
    assert connected(answers_anybody, any_token, crypto_user="ann", pin="sesame")


@pytest.mark.parametrize("option", ["token_serial", "slot_id"])
@pytest.mark.parametrize("value", ["", "7"])
def test_whatever_chooses_a_token_is_refused(option: str, value: str) -> None:
    some = connected(answers_anybody=True, any_token=True)
    some.refuse_unable({option: None})
    assert refusal(lambda: some.refuse_unable({option: value})).startswith(f"{option} is refused: the provider some")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            LockTimeout("/run/lock", 4711),
            "Could not use /opt/some within 9 seconds: process 4711 holds the lock /run/lock. Wait for it, or raise"
            " lock_timeout.",
        ),
        (
            LockTimeout("/run/lock", None),
            "Could not use /opt/some within 9 seconds: process unknown holds the lock /run/lock. Wait for it, or raise"
            " lock_timeout.",
        ),
        (LockError("/run/lock", "is a folder"), "Could not lock /opt/some on this host: "),
    ],
)
def test_who_holds_the_lock_is_told(monkeypatch: pytest.MonkeyPatch, error: Exception, told: str) -> None:
    @contextlib.contextmanager
    def held(keys: list[str], timeout: float) -> t.Iterator[None]:
        assert keys == ["some /opt/some cluster-1"] and timeout == 9
        if error:
            raise error
        yield

    monkeypatch.setattr(lock, "host_locks", held)
    given = {"token_label": "cluster-1", "crypto_user": "ann", "pin": "sesame", "lock_timeout": 9}
    assert refusal(lambda: connected(False, False, **given).locked().__enter__()).startswith(told)


@pytest.mark.parametrize("facts", [CLI_FACTS, UTIL_FACTS])
def test_labels_are_counted_in_bytes(facts: VendorFacts) -> None:
    """The pages say 127 characters; nothing tells what the HSM counts, and bytes are never too many."""
    for label, told in (("a" * 127, None), ("ä" * 63, None), ("ä" * 64, "takes at most 127 bytes of label")):
        refusal = vendor_refusal(Wish("rsa", label=label), facts)
        assert (refusal is None) if told is None else (told in (refusal or ""))
