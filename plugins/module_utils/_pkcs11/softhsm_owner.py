# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the owner of a token of SoftHSM could read what another user's task makes in it.

A new file belongs to who made it. SoftHSM up to 2.6 makes all of them for their owner alone; 2.7 has the setting
`objectstore.umask`, an octal number, 0077 if nothing is said (read in its documentation, not run).
"""

from __future__ import annotations

import os
import pwd
import stat
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

_USUAL_UMASK = 0o077
_FILES = 0o666


def refuse_foreign(folder: str, umask: t.Callable[[], str | None], what: str) -> None:
    """Refuses to make anything in the folder of a token whose owner could not read it; root can read everything.

    `umask` gives the setting of the configuration, None where there is none or the library knows of none.
    """
    try:
        status = os.stat(folder)
    except OSError:  # it is gone, which SoftHSM tells
        return
    owner, caller = status.st_uid, os.geteuid()
    if owner in (caller, 0) or _may_read(status, owner, _mode(umask())):
        return
    raise errors.HsmError(
        f"Refused to {what}: its folder {folder} belongs to {_name(owner)}, who could not read what {_name(caller)}"
        f" makes there. Run the task as the owner (become: true, become_user: {_plain(owner)})."
    )


def _mode(umask: str | None) -> int:
    try:
        own = int(umask, 8) if umask else _USUAL_UMASK
    except ValueError:
        own = _USUAL_UMASK
    process = os.umask(0o077)  # it can only be read by setting it
    os.umask(process)
    return _FILES & ~own & ~process


def _may_read(folder: os.stat_result, owner: int, mode: int) -> bool:
    group = folder.st_gid if folder.st_mode & stat.S_ISGID else os.getegid()
    return bool(mode & (stat.S_IRGRP if group in _groups(owner) else stat.S_IROTH))


def _groups(user: int) -> list[int]:
    try:
        entry = pwd.getpwuid(user)
    except KeyError:
        return []
    return os.getgrouplist(entry.pw_name, entry.pw_gid)


def _plain(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"'#{user}'"  # sudo's way


def _name(user: int) -> str:
    try:
        return f"the user '{pwd.getpwuid(user).pw_name}'"
    except KeyError:
        return f"the user number {user}"
