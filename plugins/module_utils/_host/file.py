# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that a user names: opened without waiting, whatever they are, and read to a bound.

A FIFO without a writer, a terminal or an endless device would keep a module for ever otherwise.
"""

from __future__ import annotations

import os
import stat

_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a symbolic link",
}


class FileProblem(Exception):
    """Why a file cannot be used; the text completes 'it …'."""


def opened(path: str, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a regular file, which nothing was waited for; raises `FileProblem`."""
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, 0o666)
    except (OSError, ValueError) as error:
        found = irregular(path, follow_symlinks=not flags & os.O_NOFOLLOW)
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "no such path can be"
        problem = f"cannot be {'written' if flags & os.O_WRONLY else 'read'} ({reason})"
        raise FileProblem(f"is {found}, not a regular file" if found else problem) from None
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind == stat.S_IFREG:
        return descriptor
    os.close(descriptor)
    raise FileProblem(f"is {_KINDS.get(kind, 'no file')}, not a regular file")


def read(path: str, longest: int) -> bytes:
    """The content of a regular file of at most so many bytes; raises `FileProblem`."""
    with os.fdopen(opened(path), "rb") as file:
        try:
            content = file.read(longest + 1)
        except OSError as error:
            raise FileProblem(f"cannot be read ({os.strerror(error.errno or 0)})") from None
    if content is None or len(content) > longest:  # None: it is one of those that make their content while one waits
        raise FileProblem(f"has more than {longest} bytes")
    return content


def irregular(path: str, follow_symlinks: bool = True) -> str | None:
    """What a path is that is no regular file, for instance 'a FIFO'; None for one that is, and where there is none."""
    try:
        kind = stat.S_IFMT(os.stat(path, follow_symlinks=follow_symlinks).st_mode)
    except (OSError, ValueError):
        return None
    return None if kind == stat.S_IFREG else _KINDS.get(kind, "no file")
