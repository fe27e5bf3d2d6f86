# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of files of SoftHSM that are damaged because a process of ours was killed while it made them.

SoftHSM writes an object attribute by attribute, so that a killed generation leaves empty and unfinished files. They
hold no key that anybody ever got, and are no damage. Before anything is made, a mark beside the lock lists what was
there; it goes when all is made. Where it is found later, whoever wrote it was killed, and what is damaged and not named
in it was being made then.

What was found out so is listed in the folder itself, where it outlives the host's next start. SoftHSM looks at no file
of such a name, and `softhsm2-util --delete-token` removes it with the rest.
"""

from __future__ import annotations

import contextlib
import os
import stat

_ABOUT = "# What killed tasks of cryptoki.hsm left here unfinished. There is no key in it."
_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def read_before(mark: str, folder: str) -> frozenset[str] | None:
    """What was in the folder when somebody began to make something there who was killed; None if nobody was.

    Everybody may write beside the lock: only what this user wrote is believed.
    """
    try:
        descriptor = os.open(mark, os.O_RDONLY | _FLAGS)
    except OSError:
        return None
    with open(descriptor, encoding="utf-8", errors="surrogateescape") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            return None
        about, *names = file.read().split("\0")
    # The number of a folder that is gone may be another's now.
    return frozenset(names) if about == os.path.realpath(folder) else None


def write_before(mark: str, folder: str, names: frozenset[str]) -> None:
    """Leaves the mark.

    Where that fails, what a killed process leaves is taken for damage: that stops more than it has to, and does no
    harm.
    """
    draft = f"{mark}.{os.getpid()}"
    with contextlib.suppress(OSError):
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o644)
        try:
            with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write("\0".join((os.path.realpath(folder), *sorted(names))))
            os.replace(draft, mark)
        except OSError:
            os.unlink(draft)


def read_unfinished(path: str) -> frozenset[str]:
    """The names in the list of what killed processes left."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return frozenset(line for line in file.read().splitlines() if not line.startswith("#"))
    except OSError:
        return frozenset()


def end(mark: str, path: str, unfinished: frozenset[str]) -> None:
    """Lists what killed processes left, and takes the mark away; it stays where the list cannot be written."""
    with contextlib.suppress(OSError):
        if unfinished - read_unfinished(path):
            draft = f"{path}.new"  # nobody else is at it, under the lock
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _FLAGS, 0o644)
            with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write("\n".join((_ABOUT, *sorted(unfinished), "")))
            os.replace(draft, path)
        os.unlink(mark)
