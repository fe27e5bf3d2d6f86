# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of a lock: how it is made, why it cannot be opened, and who holds it."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import lock


def create(path: str) -> None:
    """Makes the file, empty and of mode 0666 whatever the umask, in one step: under another name, then linked.

    So no other user meets a file that is not open to all yet, not even if this process is killed here.
    """
    draft = f"{path}.{os.getpid()}-{secrets.token_hex(4)}"
    advice = "; name a folder for locks by lock_folder, the same in all tasks that use the token"
    try:
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise lock.LockError(path, f"cannot be made: {error.strerror}{advice}") from error
    try:
        os.fchmod(descriptor, lock.EVERYONE)
        with contextlib.suppress(FileExistsError):  # somebody else was faster
            os.link(draft, path, follow_symlinks=False)
    except OSError as error:
        raise lock.LockError(path, f"cannot be made: {error.strerror}{advice}") from error
    finally:
        os.close(descriptor)
        os.unlink(draft)


def reason(path: str, error: OSError) -> str:
    """Why the file cannot be opened."""
    if error.errno == errno.ELOOP:
        return "is a symbolic link; remove it"
    owner = ""
    with contextlib.suppress(OSError):
        status = os.lstat(path)
        owner = f"; it belongs to user id {status.st_uid} and has mode {stat.S_IMODE(status.st_mode):04o}, not 0666"
    return f"cannot be opened: {error.strerror}{owner}"


def _looked_at(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def holder(path: str) -> int | None:
    """The process that wrote its PID into the file, if one did."""
    text = b""
    with contextlib.suppress(OSError), open(path, "rb", opener=_looked_at) as file:
        text = (file.read(20) or b"").strip()  # None: it is no file, and empty yet
    return int(text) if text.isdigit() else None
