# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible tells of a run: how it was called, and which files it is made of."""

from __future__ import annotations

import getpass
import importlib.metadata
import json
import os
import platform
import typing as t
from pathlib import Path

import yaml
from ansible import constants
from ansible.context import CLIARGS
from ansible.release import __version__ as ansible_version
from ansible.utils.collection_loader import AnsibleCollectionConfig
from ansible.utils.vars import load_extra_vars

from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.record import OURS
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.sources import (
    OF_COLLECTION,
    TooMany,
    sources_record,
)
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.written import module_of

Record = dict[str, t.Any]
_OWN = Path(__file__).resolve().parents[3]
_LIBRARIES = ("jinja2", "PyYAML", "cryptography", "python-pkcs11")


def described(playbook: t.Any) -> Record:
    """Of the whole run, before it begins."""
    return {
        "format": 1,
        "rehearsal": bool(CLIARGS.get("check")),
        "playbook": os.path.abspath(playbook._file_name),
        "host": platform.node(),
        "user": _user(),
        "versions": _versions(),
        "command": _command(playbook),
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # one without a name
        return str(os.getuid())


def _versions() -> dict[str, str]:
    found = {"cryptoki.hsm": own_version(), "ansible-core": ansible_version, "Python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {**found, "System": f"{platform.system()} {platform.release()}"}


def own_version() -> str:
    """The version of this collection, installed or as a clone."""
    manifest, sources = _OWN / "MANIFEST.json", _OWN / "galaxy.yml"
    if manifest.exists():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    return str(yaml.safe_load(sources.read_text(encoding="utf-8"))["version"]) if sources.exists() else "unknown"


def _command(playbook: t.Any) -> Record:
    """What was said on the command line that the reviewed files do not say. Of variables only the names."""
    told = {
        "inventory": [str(one) for one in CLIARGS.get("inventory") or ()],
        "limit": CLIARGS.get("subset"),
        "tags": [tag for tag in CLIARGS.get("tags") or () if tag != "all"],
        "skip_tags": list(CLIARGS.get("skip_tags") or ()),
        "start_at_task": CLIARGS.get("start_at_task"),
        "extra_variables": sorted(map(str, load_extra_vars(playbook._loader))),
    }
    return {name: value for name, value in told.items() if value}


class Sources:
    """The files that a run is made of, each folder summed when it is first met."""

    def __init__(self) -> None:
        self._met: set[str] = set()

    def at_start(self, playbook: t.Any, reports: Path) -> t.Iterator[Record]:
        """The playbook's folder, the inventory, files of variables, ansible.cfg, and this collection.

        Raises `TooMany` for a playbook whose folder nobody reviews.
        """
        file = Path(playbook._file_name)
        if file.exists():  # an ad-hoc task has none
            folder = file.resolve().parent
            yield sources_record("playbook", [folder], folder, [reports])
        paths = [Path(one) for one in CLIARGS.get("inventory") or ()]
        beside = [path.parent / name for path in paths for name in ("group_vars", "host_vars")]
        yield from self._files("inventory", [*paths, *(path for path in beside if os.path.isdir(path))])
        given = (str(one).removeprefix("@") for one in CLIARGS.get("extra_vars") or () if str(one).startswith("@"))
        yield from self._files("variables", map(Path, given))
        configured = getattr(constants, "CONFIG_FILE", None)
        yield from self._files("configuration", [Path(configured)] if configured else [])
        yield from self._collection(OURS.rstrip("."))

    def of_play(self, play: t.Any) -> t.Iterator[Record]:
        """The roles that a play names."""
        for role in play.get_roles():
            for one in [role, *role.get_all_dependencies()]:
                yield from self._role(one)

    def of_task(self, task: t.Any) -> t.Iterator[Record]:
        """The role in which a task stands, and the collection of its module."""
        if getattr(task, "_role", None):
            yield from self._role(task._role)
        yield from self._collection(".".join(module_of(task).split(".")[:2]))

    def _files(self, of: str, paths: t.Iterable[Path]) -> t.Iterator[Record]:
        # A list of hosts may be too long for the name of a file, which `Path.exists` does not forgive.
        for path in dict.fromkeys(one.resolve() for one in paths if os.path.exists(one)):
            yield _bounded(of, [path], path.parent)

    def _role(self, role: t.Any) -> t.Iterator[Record]:
        name, folder = str(role.get_name()), Path(role._role_path)
        if getattr(role, "_role_collection", None):
            yield from self._collection(str(role._role_collection))
        elif str(folder) not in self._met:
            self._met.add(str(folder))
            yield _bounded(f"role {name}", [folder], folder)

    def _collection(self, name: str) -> t.Iterator[Record]:
        if name in self._met or name.count(".") != 1 or name in ("ansible.builtin", "ansible.legacy"):
            return
        self._met.add(name)
        folder = _OWN if name == OURS.rstrip(".") else _folder_of(name)
        if folder:
            yield _bounded(f"collection {name}", [folder / part for part in OF_COLLECTION], folder)


def _folder_of(collection: str) -> Path | None:
    namespace, name = collection.split(".")
    found = (Path(path, "ansible_collections", namespace, name) for path in AnsibleCollectionConfig.collection_paths)
    return next((folder.resolve() for folder in found if folder.is_dir()), None)


def _bounded(of: str, paths: t.Iterable[Path], base: Path) -> Record:
    try:
        return sources_record(of, paths, base)
    except TooMany as error:
        return {"record": "sources", "of": of, "files": [], "left_out": [{"path": of, "why": str(error)}]}
