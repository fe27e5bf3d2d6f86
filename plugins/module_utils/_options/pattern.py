# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A regular expression that a user wrote, tried on texts that anybody may have stored, in bounded time.

Python's engine looks for signals while it searches, so that an alarm ends what would take years.
"""

from __future__ import annotations

import contextlib
import re
import signal
import threading
import time
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import values
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

_PATIENCE = 5.0  # seconds for all searches of one task together
_LONGEST = 1024  # characters


class _Late(Exception):
    pass


class Pattern:
    """The checked expression of an option; raises `InputError` where it is none, or takes too long."""

    def __init__(self, option: str, value: t.Any) -> None:
        self.pattern = values.text(option, value)
        self._option = option
        self._left = _PATIENCE
        if len(self.pattern) > _LONGEST:
            raise errors.InputError(option, f"it has more than {_LONGEST} characters")
        try:
            with self._watched():
                self._compiled = re.compile(self.pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise errors.InputError(option, f"it is no regular expression of Python, {error}", value) from None

    def search(self, text: str) -> bool:
        """Whether it is found in `text`."""
        with self._watched():
            return self._compiled.search(text) is not None

    @contextlib.contextmanager
    def _watched(self) -> t.Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread gets signals
            return
        start = time.monotonic()
        before = signal.signal(signal.SIGALRM, _raise_late)
        try:
            signal.setitimer(signal.ITIMER_REAL, max(self._left, 0.001))
            yield
        except _Late:
            rule = f"it takes more than {_PATIENCE:g} seconds; write it without repetitions in repetitions"
            raise errors.InputError(self._option, rule, self.pattern) from None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            self._left -= time.monotonic() - start


def _raise_late(*dummy: t.Any) -> t.NoReturn:
    raise _Late
