# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Locks between all processes of a host, whoever runs them: one file a key, locked by flock(2).

The kernel releases such a lock with the last descriptor of it, so a killed holder leaves none behind. The files stay:
to remove one would let two processes lock two files of the same name. Any user of the host can hold a lock for ever,
as with every lock that all users share; the PID in the error tells who. Services with a /tmp of their own and
containers see other files, and are not locked out.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import time
import typing as t

_FIRST_WAIT = 0.01  # seconds; doubled at each try
_LONGEST_WAIT = 0.25
EVERYONE = 0o666


# Descriptors of the locks that this process holds.
_held: set[int] = set()


def held_descriptors() -> tuple[int, ...]:
    """For a child that works under the locks: if this process is killed, they are held until that child has ended."""
    return tuple(sorted(_held))


class LockError(Exception):
    """The file `path` cannot be used as a lock; the text says why in one line."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"the lock file {path} {reason}")
        self.path = path


class LockTimeout(LockError):
    """Another process held `path` until the end; `holder_pid` is what it wrote, or None."""

    def __init__(self, path: str, holder_pid: int | None) -> None:
        super().__init__(path, "is held by " + (f"process {holder_pid}" if holder_pid else "another process"))
        self.holder_pid = holder_pid


_chosen: str | None = None


def use_lock_folder(path: str | None) -> None:
    """From now on the locks of this process lie in this folder (option `lock_folder`); None: where all users agree."""
    global _chosen  # pylint: disable=global-statement
    _chosen = path


def lock_folder() -> str:
    """The chosen folder, else /run/lock if everybody may write there and it is not mounted read-only, else /tmp.

    Decided by the folder alone, not by what this caller may do, so that all users of the host agree.
    """
    if _chosen:
        return _chosen
    try:
        mode = os.lstat("/run/lock").st_mode
        read_only = os.statvfs("/run/lock").f_flag & os.ST_RDONLY
    except OSError:
        return "/tmp"
    return "/run/lock" if stat.S_ISDIR(mode) and mode & stat.S_IWOTH and not read_only else "/tmp"


def lock_path(key: str, folder: str | None = None) -> str:
    """The lock file of a key, which may be any text (a path with bytes that are no UTF-8, too)."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
    return os.path.join(folder or lock_folder(), f"cryptoki-hsm-{digest[:32]}.lock")


@contextlib.contextmanager
def host_locks(keys: t.Iterable[str], timeout: float, folder: str | None = None) -> t.Iterator[None]:
    """Holds the locks of all keys, taken in sorted order, so that two holders of several cannot block each other.

    `timeout` is in seconds for all of them together. Raises `LockTimeout` or `LockError` with none held.
    """
    end = time.monotonic() + timeout
    with contextlib.ExitStack() as held:
        for key in sorted(set(keys)):
            held.enter_context(HostLock(key, end - time.monotonic(), folder))
        yield


class HostLock:
    """The lock of one key as a context manager; `timeout` in seconds, at least one try is made.

    Not reentrant: a second one with the same key waits for the first, in the same process too. A forked child shares
    the lock, and keeps it while it lives if its parent is killed; it never releases it for its parent.
    """

    def __init__(self, key: str, timeout: float, folder: str | None = None) -> None:
        self.path = lock_path(key, folder)
        self._timeout = timeout
        self._descriptor = -1
        self._owner = 0

    def __enter__(self) -> HostLock:
        end = time.monotonic() + self._timeout
        wait = _FIRST_WAIT
        while not self._try():
            left = end - time.monotonic()
            if left <= 0:
                from ansible_collections.cryptoki.hsm.plugins.module_utils._host import lock_file

                raise LockTimeout(self.path, lock_file.holder(self.path))
            time.sleep(min(wait, left))
            wait = min(2 * wait, _LONGEST_WAIT)
        return self

    def __exit__(self, *_error: object) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        _held.discard(descriptor)
        try:
            if os.getpid() == self._owner:
                _write(descriptor, b"")
                fcntl.flock(descriptor, fcntl.LOCK_UN)  # for children that have the descriptor, too
        finally:
            os.close(descriptor)

    def _try(self) -> bool:
        """Takes the lock if it is free; False if it is held, or the file was replaced meanwhile."""
        descriptor = _open(self.path)
        taken = False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken = _is_still(descriptor, self.path)
        except BlockingIOError:
            return False
        except OSError as error:
            raise LockError(self.path, f"cannot be locked: {error.strerror}") from error
        finally:
            if not taken:
                os.close(descriptor)
        if taken:
            self._descriptor, self._owner = descriptor, os.getpid()
            _held.add(descriptor)
            _write(descriptor, b"%d\n" % self._owner)
        return taken


def _open(path: str) -> int:
    """A descriptor of the lock file, made where it is missing.

    Never with O_CREAT on the name itself: fs.protected_regular forbids that, to root too, for another user's file in
    a sticky folder that everybody may write. Never through a symbolic link that somebody may have laid there.
    """
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            from ansible_collections.cryptoki.hsm.plugins.module_utils._host import lock_file

            lock_file.create(path)
            continue
        except OSError as error:
            from ansible_collections.cryptoki.hsm.plugins.module_utils._host import lock_file

            raise LockError(path, lock_file.reason(path, error)) from error
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        raise LockError(path, "is not a regular file; remove it")


def _is_still(descriptor: int, path: str) -> bool:
    """Whether the path still names the locked file; cleaners of /tmp remove old ones."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    return False


def _write(descriptor: int, text: bytes) -> None:
    """Replaces the file's text, if everybody may do so.

    Otherwise it may be a file of ours that somebody gave this name by a hard link, and root would spoil it for them.
    """
    if os.fstat(descriptor).st_mode & EVERYONE == EVERYONE:
        with contextlib.suppress(OSError):  # a full disk: the lock is good without the PID
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, text, 0)
