# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who works at the same time, and who has to be alone."""

from __future__ import annotations

import contextlib
import threading
import typing as t


class Turns:
    """Threads work side by side until one asks to be alone.

    A process is forked while no other thread works: it would begin with the locks that they hold, those of Python's
    imports among them, and nobody would ever release them there.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._working = 0
        self._wanted = 0
        self._alone = False

    @contextlib.contextmanager
    def work(self) -> t.Iterator[None]:
        """Works, beginning after those who wait to be alone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._wanted)
            self._working += 1
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self) -> t.Iterator[None]:
        """Within `work`: all others have ended, or wait to be alone, too."""
        with self._changed:
            self._wanted += 1
            self._working -= 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._working and not self._alone)
            self._alone = True
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._wanted -= 1
                self._working += 1
                self._changed.notify_all()
