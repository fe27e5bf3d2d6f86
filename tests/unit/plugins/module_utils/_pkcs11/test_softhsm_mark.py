# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task writes down before it makes something in SoftHSM's folder, for those that come after it was killed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.softhsm_mark import (
    end,
    read_before,
    read_unfinished,
    write_before,
)

NAMES = frozenset({"a.object", "b\udcff.object"})


@pytest.fixture(name="mark")
def a_mark(tmp_path: Path) -> str:
    """A mark that was left for the folder `there`."""
    (tmp_path / "there").mkdir()
    write_before(str(tmp_path / "mark"), str(tmp_path / "there"), NAMES)
    return str(tmp_path / "mark")


def test_a_mark_is_of_its_folder_only(mark: str, tmp_path: Path) -> None:
    os.symlink("there", tmp_path / "link")
    assert read_before(mark, str(tmp_path / "there")) == read_before(mark, str(tmp_path / "link")) == NAMES
    assert read_before(mark, str(tmp_path)) is None


def test_no_mark_and_what_is_none(mark: str, tmp_path: Path) -> None:
    os.symlink(mark, tmp_path / "link")
    os.mkfifo(tmp_path / "fifo")
    for name in ("missing", "link", "fifo"):
        assert read_before(str(tmp_path / name), str(tmp_path / "there")) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_mark_of_another_user_is_not_believed(mark: str, tmp_path: Path) -> None:
    os.chown(mark, 65534, -1)
    assert read_before(mark, str(tmp_path / "there")) is None


def test_a_mark_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "mark").mkdir()
    write_before(str(tmp_path / "mark"), str(tmp_path), NAMES)
    assert os.listdir(tmp_path) == ["mark"]


def test_the_end_of_a_mark_lists_what_was_left(mark: str, tmp_path: Path) -> None:
    path = str(tmp_path / "list")
    assert read_unfinished(path) == frozenset()
    end(mark, path, NAMES)
    assert read_unfinished(path) == NAMES and not os.path.exists(mark)
    assert Path(path).read_bytes().startswith(b"#")


def test_a_list_that_says_all_stays_as_it_is(mark: str, tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("a.object\nkept\n", encoding="utf-8")
    end(mark, str(path), frozenset({"a.object"}))
    assert path.read_text(encoding="utf-8") == "a.object\nkept\n" and not os.path.exists(mark)
    path.unlink()
    path.mkdir()
    write_before(mark, str(tmp_path / "there"), NAMES)
    end(mark, str(path), NAMES)
    assert os.path.exists(mark), "what cannot be listed stays marked"
