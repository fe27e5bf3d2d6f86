# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work in a child: a PKCS#11 library keeps its state for the life of a process."""

from __future__ import annotations

import multiprocessing
import os
import traceback
import typing as t


def in_child(work: t.Callable[[], None]) -> None:
    """Does it; what it asserts fails here."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    pid = os.fork()
    if not pid:
        try:
            work()
            theirs.send("done")
        except BaseException:
            theirs.send(traceback.format_exc())
        finally:
            os._exit(0)
    theirs.close()
    try:
        told = ours.recv() if ours.poll(60) else "It did not end."
    except EOFError:
        told = "It ended without a word."
    os.waitpid(pid, 0)
    if told != "done":
        raise AssertionError(told)
