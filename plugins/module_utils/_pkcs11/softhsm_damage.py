# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A damaged file of SoftHSM's: how it is found, and what is said of it."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

_CHUNK = 1 << 16
_TOLD = 3  # damaged files that a message names
_ADVICE = "Restore it from a backup, or move it away if what it held is given up."


class Damage(t.NamedTuple):
    """A damaged file, and what is wrong with it."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path} is damaged ({self.reason})"


def judged(path: str, judge: t.Callable[[int], str | None]) -> Damage | None:
    """Damage, where `judge` gives a reason for what it reads from the descriptor."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            reason = judge(descriptor)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, PermissionError):  # what may not be read is told as that
        return None
    except OSError as error:
        reason = f"it cannot be read: {error.strerror}"
    return Damage(path, reason) if reason else None


def content(descriptor: int) -> bytes:
    """All that is read from there."""
    content = b""
    while len(content) % _CHUNK == 0:
        more = os.read(descriptor, _CHUNK)
        content += more
        if not more:
            break
    return content


def refuse(folder: str, token: object, damaged: t.Sequence[Damage]) -> None:
    """Refuses to take a key for absent that may be in a damaged file."""
    if not os.path.isdir(folder):
        raise errors.TokenError(f"search the token {token}", said=f"nothing, and its folder {folder} is gone")
    if damaged:
        raise errors.HsmError(
            f"Refused to take a key for absent on the token {token}: {_listed(damaged)}, and SoftHSM passes over"
            f" such files without an error. {_ADVICE}"
        )


def warning(damaged: t.Sequence[Damage]) -> str:
    """What to tell where nothing depends on these."""
    return f"{_listed(damaged)}, and SoftHSM passes over such files: a key in one looks absent. {_ADVICE}"


def _listed(damaged: t.Sequence[Damage]) -> str:
    more = f" and {len(damaged) - _TOLD} more" if len(damaged) > _TOLD else ""
    return ", ".join(map(str, sorted(damaged)[:_TOLD])) + more
