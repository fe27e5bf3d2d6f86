# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that a second terminal can follow: a line a pair, at once, and never a reason to fail in the middle."""

from __future__ import annotations

import dataclasses
import os
import resource
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.entries import Entry
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Action
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Node, Proof
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.many import Done
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import Outcome
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, InputError
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.progress import progress

PAIR = KeyPair()


def entry(number: int = 0, label: str = "root") -> Entry:
    return Entry(number, "present", Wish("ecc", label=label))


def outcome(changed: bool, before: KeyPair | None, after: KeyPair | None) -> Outcome:
    return Outcome(Action.CHANGE if changed else Action.NOTHING, before, after, Proof(None))


def plain(text: str) -> str:
    return text


@pytest.mark.parametrize(
    ("done", "line"),
    [
        ({}, "generated the ECC key pair 'root'"),
        ({"outcome": outcome(True, None, PAIR)}, "generated the ECC key pair 'root'"),
        ({"outcome": outcome(True, PAIR, PAIR)}, "changed the ECC key pair 'root'"),
        ({"outcome": outcome(True, PAIR, None)}, "removed the ECC key pair 'root'"),
        ({"outcome": outcome(False, PAIR, PAIR)}, "unchanged the ECC key pair 'root'"),
        ({"outcome": outcome(False, None, None)}, "unchanged the ECC key pair 'root'"),
        ({"error": HsmError("No.")}, "failed: No."),
        ({"outcome": outcome(False, PAIR, PAIR), "error": HsmError("No.")}, "failed: No."),
    ],
)
def test_the_line_of_a_pair(tmp_path: Path, done: dict[str, t.Any], line: str) -> None:
    file = tmp_path / "progress"
    with progress(str(file), 1, plain) as tell:
        tell(Done(entry(), **done))
    assert file.read_text() == f"1/1 {line}\n"


def test_each_line_is_there_at_once_and_counts_pairs(tmp_path: Path) -> None:
    file = tmp_path / "progress"
    file.write_text("of an earlier run\n")
    with progress(str(file), 2, plain) as tell:
        assert file.read_text() == "of an earlier run\n", "untouched until a pair is done"
        tell(Done(entry(1, "b")))
        assert file.read_text() == "1/2 generated the ECC key pair 'b'\n"
        tell(Done(entry(0, "ä")))
        tell(Done(entry(1, "b"), error=HsmError("Lost.")))
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines == ["1/2 generated the ECC key pair 'b'", "2/2 generated the ECC key pair 'ä'", "2/2 failed: Lost."]


def test_each_token_is_counted_where_there_are_several(tmp_path: Path) -> None:
    file = tmp_path / "progress"
    both, lagging = (Node("root"), Node("backup")), (Node("root"), Node("backup", "failed"))
    with progress(str(file), 3, plain) as tell:
        tell(Done(entry(0, "a"), outcome(True, None, PAIR), nodes=both))
        tell(Done(entry(1, "b"), outcome(True, None, PAIR), nodes=lagging))
        tell(Done(entry(2, "c"), error=HsmError("Lost.")))
    assert file.read_text().splitlines() == [
        "1/3 [root 1, backup 1] generated the ECC key pair 'a'",
        "2/3 [root 2, backup 1] generated the ECC key pair 'b'",
        "3/3 [root 2, backup 1] failed: Lost.",
    ]


def test_what_fails_after_it_was_done_counts_on_no_token(tmp_path: Path) -> None:
    """Two entries that turn out to name one pair: it is there once, and the later entry fails in the end."""
    file = tmp_path / "progress"
    first, later = (Done(entry(number), outcome(True, PAIR, PAIR), nodes=(Node("root"),)) for number in range(2))
    with progress(str(file), 2, plain) as tell:
        tell(later)
        tell(first)
        tell(dataclasses.replace(later, error=HsmError("It is the same pair.")))
    assert file.read_text().splitlines()[1:] == [
        "2/2 [root 2] changed the ECC key pair 'root'",
        "2/2 [root 1] failed: It is the same pair.",
    ]


def test_a_label_cannot_make_lines(tmp_path: Path) -> None:
    file = tmp_path / "progress"
    with progress(str(file), 1, plain) as tell:
        tell(Done(entry(label="a\n9/9 failed: b\x1b[2J")))
    assert file.read_text() == "1/1 generated the ECC key pair 'a\\n9/9 failed: b\\x1b[2J'\n"


def test_secrets_are_masked(tmp_path: Path) -> None:
    file = tmp_path / "progress"
    with progress(str(file), 2, lambda text: text.replace("4711", "****")) as tell:
        tell(Done(entry(label="ring 4711")))
        tell(Done(entry(1), error=HsmError("The label 'ring 4711'.")))
    assert file.read_text() == "1/2 generated the ECC key pair 'ring ****'\n2/2 failed: The label 'ring ****'.\n"


def test_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    """Neither when a line is written nor when the file is closed."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with progress(str(tmp_path / "progress"), 2, plain) as tell:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
            for number in range(2):
                tell(Done(entry(number)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "progress").read_bytes() == b""


def test_without_a_file_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with progress(None, 1, plain) as tell:
        tell(Done(entry()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nonexistent/progress", "cannot be made, its folder does not exist"),
        ("/", "is a directory, not a regular file"),
        ("/dev/full", "is a device, not a regular file"),
        ("{folder}/fifo", "is a FIFO, not a regular file"),
        ("{folder}/link", "is a symbolic link, not a regular file"),
        ("{folder}/dangling", "is a symbolic link, not a regular file"),
    ],
)
def test_a_file_that_cannot_be_written(tmp_path: Path, path: str, reason: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "target").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "dangling").symlink_to(tmp_path / "new")
    path = path.format(folder=tmp_path)
    with pytest.raises(InputError) as refused, progress(path, 1, plain):
        pass
    assert refused.value.msg == f"progress_file '{path}' is refused: it {reason}."
    assert (tmp_path / "target").read_text() == "precious" and not (tmp_path / "new").exists()
