# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lies in a folder of SoftHSM's store, whole or damaged, and the folder of one token.

SoftHSM passes over damaged files without a word, so that a key or a token which exists looks absent. But files are
empty for a moment while other programs work, too: damage is what still is there at the last of some looks.
"""

from __future__ import annotations

import abc
import functools
import os
import threading
import time
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import lock
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm_damage, softhsm_file

UNFINISHED = "cryptoki-hsm.unfinished"
_SMALLEST = 32  # bytes; an object has a counter and its class
_LOOKS = 3
_PAUSE = 0.5  # seconds between two of them


def mark_path(folder: str) -> str:
    """The file beside the lock that says what was in the folder before something was made there."""
    return lock.lock_path(softhsm.lock_key(folder)).removesuffix("lock") + "before"


class Store(abc.ABC):
    """A folder of SoftHSM's, for the time that the lock of its storage is held.

    As a context manager: what killed processes left there unfinished is known within, and what is made within is
    marked until the end. `lasting`: whether what is found out is written down; a task that only looks does not.
    """

    def __init__(self, folder: str, lasting: bool) -> None:
        self.folder = folder
        self._lasting = lasting
        self._mark = mark_path(folder)
        self._list = os.path.join(folder, UNFINISHED)
        self._unfinished: frozenset[str] = frozenset()
        self._before: frozenset[str] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> t.Any:
        if os.path.exists(self._mark) or os.path.exists(self._list):
            from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm_mark

            self._unfinished = softhsm_mark.read_unfinished(self._list)
            before = softhsm_mark.read_before(self._mark, self.folder)
            if before is not None:
                self._settle(before)
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        broken = self._settle(self._before) if self._before is not None else ()
        if broken and kind is None:
            # SoftHSM answers success where the file could not be written to its end.
            why = f"SoftHSM answered success, and {', '.join(map(str, broken))}, so that what was made is not stored"
            remedy = "See that the disk has room and that files may be as long as needed (ulimit -f)."
            raise errors.HsmError.failed(f"finish in {self.folder}", why, remedy)

    def _settle(self, before: frozenset[str]) -> tuple[softhsm_damage.Damage, ...]:
        """Tells what is left unfinished from damage, now that whoever began it is at an end; the answer is that."""
        broken = self._persisting(self._names() - before)
        self._unfinished |= broken.keys()
        if self._lasting:
            from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm_mark

            softhsm_mark.end(self._mark, self._list, self._unfinished)
        return tuple(broken.values())

    def begin(self) -> None:
        """To be called before anything is made."""
        with self._lock:
            if self._lasting and self._before is None:
                from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm_mark

                self._before = frozenset(self._names())
                softhsm_mark.write_before(self._mark, self.folder, self._before)

    def _persisting(self, names: t.Collection[str]) -> dict[str, softhsm_damage.Damage]:
        """What of these is damaged at every look, less what is known as left by a killed process."""
        found = {name: damage for name in names if name not in self._unfinished and (damage := self._damage(name))}
        for dummy in range(_LOOKS - 1):
            if found:
                time.sleep(_PAUSE)
            found = {name: damage for name in found if (damage := self._damage(name))}
        return found

    @abc.abstractmethod
    def _names(self) -> set[str]:
        """What could be damaged, by the names in this folder; empty where it cannot be read, which others refuse."""

    @abc.abstractmethod
    def _damage(self, name: str) -> softhsm_damage.Damage | None:
        """What is wrong with one; None also where it is gone."""


class TokenStore(Store):
    """The folder of one token, which has a file an object."""

    def __init__(self, folder: str, lasting: bool, umask: t.Callable[[], str | None]) -> None:
        super().__init__(folder, lasting)
        self._umask = umask
        self._small: dict[str, softhsm_damage.Damage] = {}
        self._damaged: dict[str, softhsm_damage.Damage] | None = None

    def __enter__(self) -> TokenStore:
        super().__enter__()
        self._small = self._persisting(self._small_names())
        return self

    def names(self) -> set[str]:
        """The files of objects here."""
        return self._names()

    @property
    def small(self) -> tuple[softhsm_damage.Damage, ...]:
        """The damaged files that their size tells already."""
        return tuple(self._small.values())

    def damaged(self) -> tuple[softhsm_damage.Damage, ...]:
        """All damaged files, for which every file is read, once."""
        with self._lock:
            if self._damaged is None:
                self._damaged = self._small | self._persisting(self._names() - self._small.keys())
        return tuple(self._damaged.values())

    def refuse_foreign(self, what: str) -> None:
        """Refuses to make what the token's owner could not read."""
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.softhsm_owner import refuse_foreign

        refuse_foreign(self.folder, self._umask, what)

    def refuse_damage(self, token: object) -> None:
        """Refuses to take a key for absent that may be in a damaged file."""
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm_damage

        softhsm_damage.refuse(self.folder, token, self.damaged())

    def warnings(self, damaged: t.Sequence[softhsm_damage.Damage]) -> tuple[str, ...]:
        """What to tell where nothing depends on these."""
        if not damaged:
            return ()
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm_damage

        return (softhsm_damage.warning(damaged),)

    @functools.cached_property
    def _objects(self) -> softhsm_file.Objects:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm_file

        return softhsm_file.Objects()

    def _damage(self, name: str) -> softhsm_damage.Damage | None:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm_damage

        def judge(descriptor: int) -> str | None:
            return self._objects.damage(softhsm_damage.content(descriptor))

        return softhsm_damage.judged(f"{self.folder}/{name}", judge)

    def _names(self) -> set[str]:
        return {entry.name for entry in entries(self.folder) if _is_object(entry)}

    def _small_names(self) -> set[str]:
        return {entry.name for entry in entries(self.folder) if _is_object(entry) and _size(entry) < _SMALLEST}


def entries(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing where it cannot be read."""
    try:
        with os.scandir(folder) as scan:
            return list(scan)
    except OSError:
        return []


def _is_object(entry: os.DirEntry[str]) -> bool:
    return entry.name.endswith(".object") and entry.name != softhsm.TOKEN_FILE and entry.is_file(follow_symlinks=False)


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:  # it is gone
        return _SMALLEST
