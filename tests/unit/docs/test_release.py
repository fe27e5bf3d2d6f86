# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a release ships and says of itself: the artefact, its version, its changelog, where it was run."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(file.stem for file in (ROOT / "plugins/modules").glob("*.py"))
ROLES = sorted(file.parent.parent.name for file in (ROOT / "roles").glob("*/meta/main.yml"))


def read(name: str) -> t.Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The files of the artefact."""
    folder = tmp_path_factory.mktemp("artefact")
    command = [sys.executable, "-m", "ansible.cli.galaxy", "collection", "build", "--output-path", str(folder)]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (artefact,) = folder.glob("*.tar.gz")
    assert artefact.name == f"cryptoki-hsm-{read('galaxy.yml')['version']}.tar.gz"
    with tarfile.open(artefact) as archive:
        return [member.name for member in archive if member.isfile()]


def test_of_changelogs_and_tests_one_file_each_is_shipped(shipped: list[str]) -> None:
    assert [name for name in shipped if name.startswith("changelogs/")] == ["changelogs/changelog.yaml"]
    assert [name for name in shipped if name.startswith("tests/")] == ["tests/config.yml"]


def test_nothing_but_what_a_user_needs_is_shipped(shipped: list[str]) -> None:
    folders = {"LICENSES", "changelogs", "docs", "meta", "playbooks", "plugins", "roles", "tests"}
    files = {"CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"}
    assert {name.split("/")[0] for name in shipped} == folders | files | {"MANIFEST.json", "FILES.json"}
    assert {f"plugins/modules/{name}.py" for name in MODULES} <= set(shipped)
    assert not [name for name in shipped if name.endswith((".pyc", ".orig", ".rej", "~"))]


def version_added() -> dict[str, str]:
    """In which version each module, other plugin and role came, as its documentation has it."""
    pattern = re.compile(r"^ *version_added: (\S+)$", re.MULTILINE)
    added = {f"modules {name}": f"plugins/modules/{name}.py" for name in MODULES}
    for kind in ("callback", "filter", "lookup"):
        added |= {
            f"{kind} {file.stem}": f"plugins/{kind}/{file.name}" for file in (ROOT / "plugins" / kind).glob("*.py")
        }
    added |= {f"role {name}": f"roles/{name}/meta/argument_specs.yml" for name in ROLES}
    return {name: pattern.findall((ROOT / file).read_text(encoding="utf-8"))[0] for name, file in added.items()}


def listed() -> dict[str, str]:
    """The same, as the changelog has it."""
    found = {}
    for version, release in read("changelogs/changelog.yaml")["releases"].items():
        kinds = {"modules": release.get("modules", []), **release.get("plugins", {}), **release.get("objects", {})}
        found.update({f"{kind} {row['name']}": version for kind, rows in kinds.items() for row in rows})
    return found


def test_the_changelog_has_what_was_added_in_the_version_that_it_came_in() -> None:
    coming, releases = read("galaxy.yml")["version"], read("changelogs/changelog.yaml")["releases"]
    added, known = version_added(), listed()
    wrong = {name: said for name, said in added.items() if known.get(name, coming) != said}
    assert not wrong, f"version_added is no release's: {wrong}"
    missing = added.keys() - known.keys() if coming in releases else set()
    assert not missing, f"changelogs/changelog.yaml lacks {', '.join(sorted(missing))}"
    gone = known.keys() - added.keys()
    assert not gone, f"changelogs/changelog.yaml has {', '.join(sorted(gone))}, which is not there"


def test_the_first_release_changes_nothing_that_was_never_released() -> None:
    releases = read("changelogs/changelog.yaml")["releases"]
    assert set(releases[min(releases)]["changes"]) == {"release_summary"}


def test_what_is_not_for_others_begins_with_an_underscore() -> None:
    folders = [ROOT / "plugins" / name for name in ("doc_fragments", "module_utils", "plugin_utils")]
    public = [str(path.relative_to(ROOT)) for folder in folders for path in folder.iterdir() if path.name[0] != "_"]
    assert not public, f"promised to others by their names: {', '.join(sorted(public))}"


def test_roles_name_the_systems_that_they_are_run_on(load_script: t.Callable[[str], t.Any]) -> None:
    run_on = [{"name": "Debian", "versions": list(load_script("containers").SUITES)}]
    assert ROLES
    for name in ROLES:
        assert read(f"roles/{name}/meta/main.yml")["galaxy_info"]["platforms"] == run_on, name


def test_the_workflow_runs_the_parts_of_make_test(load_script: t.Callable[[str], t.Any]) -> None:
    script = load_script("everything")
    rows = read(".github/workflows/tests.yml")["jobs"]["part"]["strategy"]["matrix"]["include"]
    run = {row["name"]: set(row["sessions"].split()) for row in rows}
    parts = {part.name: set(part.sessions) for part in (*script.SIDE_BY_SIDE, *script.ALONE)}
    parts["molecule"] |= parts.pop("images")
    between = {f"{name}-{core}" for name in ("sanity", "units") for core in ("2.18", "2.20")}
    assert run == parts | {name: {name} for name in between}


def test_no_package_of_the_execution_environment_has_a_ceiling() -> None:
    lines = (ROOT / "meta/ee-requirements.txt").read_text(encoding="utf-8").splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert {re.split(r"\W*>", line)[0] for line in packages} == {"cryptography", "pexpect", "python-pkcs11"}
    assert not [line for line in packages if re.search(r"==|<", line)]
