# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that a user names: what is read of them, and what is told of those that are none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.file import FileProblem, irregular, opened, read


def problem(path: Path | str, longest: int = 10) -> str:
    with pytest.raises(FileProblem) as raised:
        read(str(path), longest)
    return str(raised.value)


def test_what_is_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"0123456789")
    assert read(str(file), 10) == b"0123456789" and irregular(str(file)) is None
    assert problem(file, 9) == "has more than 9 bytes"


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert problem(tmp_path / "fifo") == "is a FIFO, not a regular file"
    assert problem(tmp_path) == "is a directory, not a regular file"
    assert problem("/dev/null") == "is a device, not a regular file"


def test_what_cannot_be_read_is_told_as_the_system_tells_it(tmp_path: Path) -> None:
    assert problem(tmp_path / "missing") == "cannot be read (No such file or directory)"
    assert problem("a\0b") == "cannot be read (no such path can be)"
    assert problem("/proc/self/mem") == "cannot be read (Input/output error)"  # nothing is mapped at its beginning


def test_a_link_is_followed_unless_it_must_not_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    assert read(str(tmp_path / "link"), 10) == b"x"
    with pytest.raises(FileProblem, match="^is a symbolic link, not a regular file$"):
        opened(str(tmp_path / "link"), os.O_WRONLY | os.O_NOFOLLOW)
    with pytest.raises(FileProblem, match=r"^cannot be written \(No such file or directory\)$"):
        opened(str(tmp_path / "missing"), os.O_WRONLY | os.O_NOFOLLOW)
