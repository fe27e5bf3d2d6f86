# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files a run was made of: their sums, as one sorted list that can be compared with that of the rehearsal."""

from __future__ import annotations

import hashlib
import os
import typing as t
from pathlib import Path

# What is not part of what is run, and changes by itself.
SKIPPED = {".git", "__pycache__", ".venv", "venv", "node_modules", ".ansible", ".cache"}
# Of a collection, what Ansible loads. A clone has more.
OF_COLLECTION = ("plugins", "roles", "playbooks", "meta", "MANIFEST.json", "FILES.json", "galaxy.yml")
TOO_MANY = 10_000
# A file with one short line is likely a PIN, which its sum would tell to whoever tries all PINs. These are none.
_NO_SECRETS = {".yml", ".yaml", ".json", ".j2", ".py", ".cfg", ".ini", ".toml", ".sh", ".md", ".rst", ".pem", ".csr"}
_SHORT = 256
_ONE_LINE = "one short line, which may be a PIN"


class TooMany(Exception):
    """A folder that has more files than anybody reviews."""


def sources_record(of: str, paths: t.Iterable[Path], base: Path, never: t.Collection[Path] = ()) -> dict[str, t.Any]:
    """The record of the files at and below `paths`, by their names relative to `base`.

    `never`: files and folders that are left out. Raises `TooMany`.
    """
    files: list[dict[str, str]] = []
    left_out: list[dict[str, str]] = []
    never = {path.resolve() for path in never}
    for number, path in enumerate(sorted(_below(paths, never))):
        if number >= TOO_MANY:
            raise TooMany(f"there are more than {TOO_MANY} files in {base}")
        # With a line break in it, a name would be a second line of the list.
        name = "".join(
            one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in f"{of}/{path.relative_to(base)}"
        )
        told, why = _sum(path)
        if why:
            left_out.append({"path": name, "why": why})
        else:
            files.append({"path": name, "sha256": told})
    return {"record": "sources", "of": of, "folder": str(base), "files": files, "left_out": left_out}


def source_list(records: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    """All sums as sha256sum writes them, sorted by name."""
    files = (file for record in records if record["record"] == "sources" for file in record["files"])
    return "".join(sorted({f"{file['sha256']}  {file['path']}\n" for file in files}, key=lambda line: line[66:]))


def _below(paths: t.Iterable[Path], never: t.Collection[Path]) -> t.Iterator[Path]:
    for path in paths:
        if path.resolve() in never:
            continue
        if path.is_dir():
            yield from _in_folder(path, never)
        elif path.exists():
            yield path


def _in_folder(path: Path, never: t.Collection[Path]) -> t.Iterator[Path]:
    for folder, folders, files in os.walk(path):
        here = Path(folder)
        folders[:] = [name for name in folders if name not in SKIPPED and (here / name).resolve() not in never]
        found = (here / name for name in (*folders, *files))
        yield from (one for one in found if _is_told(one) and one.resolve() not in never)


def _is_told(path: Path) -> bool:
    """Files, and links to folders: Ansible follows them, and `os.walk` does not."""
    return (path.is_symlink() or not path.is_dir()) and path.suffix not in (".pyc", ".swp")


def _sum(path: Path) -> tuple[str, str | None]:
    """The sum, and why there is none."""
    if not path.exists():
        return "", "a link to nothing"
    if not path.is_file():
        return "", "a link to a folder" if path.is_dir() else "no regular file"
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            first = file.read(_SHORT + 1)
            if path.suffix not in _NO_SECRETS and 0 < len(first) <= _SHORT and first.strip().count(b"\n") == 0:
                return "", _ONE_LINE
            digest.update(first)
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    except OSError:
        return "", "it cannot be read"
    return digest.hexdigest(), None
