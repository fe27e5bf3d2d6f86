# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the threads of one process apart where SoftHSM cannot.

SoftHSM 2.6.1 answers now and then with CKR_GENERAL_ERROR where one thread searches while another writes, although it
was initialised with locks: the search reads the token's folder again, and meets files that are half written.
"""

from __future__ import annotations

import contextlib
import threading
import typing as t


class Gate:
    """Keeps the calls of several threads apart: any number of writes, or one that has to be alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._writing = 0
        self._taken = False

    @contextlib.contextmanager
    def write(self) -> t.Iterator[None]:
        """Waits for who is alone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken)
            self._writing += 1
        try:
            yield
        finally:
            with self._changed:
                self._writing -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self) -> t.Iterator[None]:
        """Waits for every write and for whoever else is alone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken)
            self._taken = True  # no new write begins
            self._changed.wait_for(lambda: not self._writing)
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                self._changed.notify_all()
