# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files in the archive of a module: where they say they are, and how often Python compiles them."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import archive

MODULE = """
import sent.before
from sent.archive import compile_once
compile_once()
import sent.room.after, other.after
"""
FILES = {
    "sent/__init__.py": "",
    "sent/archive.py": Path(archive.__file__).read_text(encoding="utf-8"),
    "sent/before.py": "",
    "sent/module.py": MODULE,
    "sent/room/__init__.py": "",
    "sent/room/after.py": "",
}
OTHER = {"other/__init__.py": "", "other/after.py": ""}
RUN = """
import json, sys
compiled = []
sys.addaudithook(lambda event, given: event == "compile" and compiled.append(str(given[1])))
sys.path[:0] = sys.argv[1:]
import sent.module
ours = {name: module for name, module in sys.modules.items() if name.startswith(("sent", "other"))}
print(json.dumps({name: [module.__file__, compiled.count(module.__file__)] for name, module in ours.items()}))
"""


@pytest.fixture(name="loaded")
def _loaded(tmp_path: Path) -> dict[str, tuple[str, int]]:
    """Where each file is by its own account, below the folder of the archives, and how often it was compiled."""
    archives = [tmp_path / "sent.zip", tmp_path / "other.zip"]
    for path, files in zip(archives, (FILES, OTHER), strict=True):
        with zipfile.ZipFile(path, "w") as written:
            for name, text in files.items():
                written.writestr(name, text)
    command = [sys.executable, "-I", "-c", RUN, *map(str, archives)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {name: (file.removeprefix(f"{tmp_path}/"), count) for name, (file, count) in json.loads(done.stdout).items()}


def test_each_file_is_where_it_is(loaded: dict[str, tuple[str, int]]) -> None:
    assert {file for file, _count in loaded.values()} == {f"sent.zip/{name}" for name in FILES} | {
        f"other.zip/{name}" for name in OTHER
    }


def test_what_comes_after_is_compiled_once(loaded: dict[str, tuple[str, int]]) -> None:
    assert loaded["sent.room"][1] == loaded["sent.room.after"][1] == 1


def test_nothing_changes_for_files_in_a_folder() -> None:
    hooks, finders = list(sys.path_hooks), dict(sys.path_importer_cache)
    archive.compile_once()
    assert (sys.path_hooks, sys.path_importer_cache) == (hooks, finders)
