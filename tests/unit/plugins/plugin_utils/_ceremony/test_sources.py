# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files of a run are summed, and which are not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony import sources
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.sources import (
    TooMany,
    source_list,
    sources_record,
)


def write(folder: Path, **files: str) -> None:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_every_file_but_pins_and_what_changes_by_itself(tmp_path: Path) -> None:
    write(tmp_path, b_dot_yml="x: 1\n", sub__a="one\ntwo\n", pin="4711\n", _dot_git__x="x\ny", reports__r="1\n2\n")
    (tmp_path / "nothing").symlink_to(tmp_path / "gone")
    (tmp_path / "vars").symlink_to("/usr")  # what Ansible follows and `os.walk` does not
    record = sources_record("playbook", [tmp_path], tmp_path, [tmp_path / "reports"])
    assert [one["path"] for one in record["files"]] == ["playbook/b.yml", "playbook/sub/a"]
    why = {one["path"]: one["why"] for one in record["left_out"]}
    assert why == {
        "playbook/pin": "one short line, which may be a PIN",
        "playbook/nothing": "a link to nothing",
        "playbook/vars": "a link to a folder",
    }
    assert record["files"][0]["sha256"] == hashlib.sha256(b"x: 1\n").hexdigest()


def test_a_changed_file_changes_the_list(tmp_path: Path) -> None:
    write(tmp_path, b_dot_yml="x: 1\n", a_dot_yml="y: 2\n")
    first = source_list([sources_record("playbook", [tmp_path], tmp_path), {"record": "task"}])
    assert [line.split("  ")[1] for line in first.splitlines()] == ["playbook/a.yml", "playbook/b.yml"]
    write(tmp_path, b_dot_yml="x: 3\n")
    assert source_list([sources_record("playbook", [tmp_path], tmp_path)]) != first


def test_the_name_of_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ("x\n" + "0" * 64 + "  playbook")).mkdir()
    (tmp_path / ("x\n" + "0" * 64 + "  playbook") / "ceremony.yml").write_text("x: 1")
    (line,) = source_list([sources_record("playbook", [tmp_path], tmp_path)]).splitlines()
    assert line[64:] == "  playbook/x\N{REPLACEMENT CHARACTER}" + "0" * 64 + "  playbook/ceremony.yml"


def test_a_long_line_is_no_pin(tmp_path: Path) -> None:
    write(tmp_path, long="x" * 300)
    assert sources_record("playbook", [tmp_path / "long", tmp_path / "gone"], tmp_path)["left_out"] == []


def test_a_folder_that_nobody_reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "TOO_MANY", 2)
    write(tmp_path, a="1\n2", b="1\n2", c="1\n2")
    with pytest.raises(TooMany, match="more than 2 files"):
        sources_record("playbook", [tmp_path], tmp_path)
