# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No child outlives its module, however that ends: a logged-in tool, and the host's lock, would stay behind for ever.

A terminal that goes away is not enough: under nohup, and some schedulers, children inherit that SIGHUP is ignored.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import threading
import time
import typing as t

_PR_SET_PDEATHSIG = 1  # prctl(2)


def ending_with_parent() -> t.Callable[[], None]:
    """What a child calls between fork and exec: the kernel kills it when the thread that forked it has ended."""
    library, parent = ctypes.CDLL(None), os.getpid()

    def prepare() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it was gone before
            os._exit(1)

    return prepare


def watch_parent(pipe: int, patience: float) -> None:
    """Kills this process so many seconds after the other end of `pipe` was closed, should it still run then.

    Until then it may log out; a process that hangs in its library cannot, and is waited for by nobody.
    """

    def watch() -> None:
        poll = select.poll()
        poll.register(pipe, 0)  # only that it is hung up
        poll.poll()
        time.sleep(patience)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
