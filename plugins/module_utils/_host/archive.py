# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The archive in which Ansible sends a module: each of its files is compiled once.

Python's zipimport compiles a file only to say where it is, and once more to run it. Nothing of it is kept, as each task
brings an archive of its own, so this took a fifth of the time of a short task.
"""

from __future__ import annotations

import os
import sys
import zipimport


class Archive(zipimport.zipimporter):
    """An archive of sources, or a folder in it."""

    def get_filename(self, fullname: str) -> str:
        """Where a file is."""
        stem = os.path.join(self.archive, self.prefix + fullname.rpartition(".")[2])
        return os.path.join(stem, "__init__.py") if self.is_package(fullname) else f"{stem}.py"


def compile_once(loader: object = getattr(__spec__, "loader", None)) -> None:
    """From now on, for what is imported from the archive that this file is in, if it is in one."""
    archive = getattr(loader, "archive", None)
    if archive is None:
        return

    def hook(path: str) -> Archive:
        finder = Archive(path)
        if finder.archive != archive:
            raise ImportError("another archive")
        return finder

    sys.path_hooks.insert(0, hook)
    for path, finder in list(sys.path_importer_cache.items()):
        if getattr(finder, "archive", None) == archive:
            sys.path_importer_cache[path] = hook(path)
