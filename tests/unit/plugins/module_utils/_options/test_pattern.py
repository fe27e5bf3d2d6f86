# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Regular expressions that would take years."""

from __future__ import annotations

import signal
import time
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import pattern as _pattern
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.pattern import Pattern
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import InputError


def test_a_search_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pattern, "_PATIENCE", 0.2)
    before, start = signal.getsignal(signal.SIGALRM), time.monotonic()
    pattern = Pattern("label_regex", "(a+)+$")
    with pytest.raises(InputError) as caught:
        for _count in range(100):  # all of them together
            pattern.search("a" * 60 + "b")
    assert caught.value.msg == (
        "label_regex '(a+)+$' is refused: it takes more than 0.2 seconds; write it without repetitions in repetitions."
    )
    assert time.monotonic() - start < 10
    assert signal.getsignal(signal.SIGALRM) is before and signal.getitimer(signal.ITIMER_REAL)[0] == 0


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("(", "it is no regular expression of Python, missing ), unterminated subpattern at position 0."),
        ("a{99999999999999999999}", "it is no regular expression of Python, the repetition number is too large."),
        ("a" * 1025, "it has more than 1024 characters."),
        (5, "it came as a number; quote it, in an INI inventory twice, or end its template in | string."),
    ],
)
def test_what_is_none(value: t.Any, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        Pattern("label_regex", value)
    assert caught.value.msg.endswith(f" is refused: {rule}")


def test_what_is_found() -> None:
    assert Pattern("label_regex", "^a.c$").search("abc") and not Pattern("label_regex", "^a.c$").search("abcd")
