# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file that a user names to be written to: never through a link, and no device."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import file


def written_anew(path: str) -> t.BinaryIO:
    """A regular file, made or emptied, never through a symbolic link; each write goes out at once."""
    descriptor = file.opened(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW)
    os.ftruncate(descriptor, 0)
    return t.cast("t.BinaryIO", os.fdopen(descriptor, "wb", buffering=0))


def check_writable(path: str) -> None:
    """Raises `FileProblem` where `written_anew` cannot succeed; touches nothing."""
    if os.path.lexists(path):
        os.close(file.opened(path, os.O_WRONLY | os.O_NOFOLLOW))
        return
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise file.FileProblem("cannot be made, its folder does not exist")
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        raise file.FileProblem("cannot be made, this user may not write its folder")
