# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tool writes to files, and where."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import Answer
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.command import LIST_ATTRIBUTES, Command
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.dialogue import Dialogue
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.tool import Tool, private_folder
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal


class Succeeding(Tool):
    """It answers success to every command, and does nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)

    def run(self, command: Command, attempt: str, also: int = 0) -> Answer:
        return Answer(0, "", (), ())


def test_a_file_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    assert refusal(lambda: Succeeding(tmp_path).sign(7, 1, b"data", "sign with 7")) == (
        "Could not sign with 7: the HSM answered success, and its file cannot be read (No such file or directory);"
        " see that the tool runs as the task's user."
    )
    assert list(tmp_path.iterdir()) == []


def test_what_was_written_is_read_and_removed(tmp_path: Path) -> None:
    (tmp_path / "signature-7").write_bytes(b"signature")
    assert Succeeding(tmp_path).sign(7, 1, b"data", "sign with 7") == b"signature"
    assert list(tmp_path.iterdir()) == []


def test_the_folder_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with private_folder() as folder:
        assert Path(folder).parent == tmp_path and Path(folder).stat().st_mode & 0o777 == 0o700
    blank = tmp_path / "a blank"
    blank.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(blank))
    assert refusal(lambda: private_folder().__enter__()).endswith("set TMPDIR to one without blanks.")
    assert list(blank.iterdir()) == []


class Refusing(Succeeding):
    """It refuses every command, and keeps how long its answer would have been waited for."""

    def ask(self, command: Command, attempt: str, patience: float | None = 0) -> Answer:
        self.patience = patience
        return Answer(0xB3, "", (), ())


@pytest.mark.parametrize(
    ("asked", "patience"),
    [
        ({}, 300),
        ({"timeout": 9}, 309),
        ({"min_servers": 2, "timeout": 9}, 309),
        ({"min_servers": 2}, None),  # as the tool itself, which waits for ever then
    ],
)
def test_how_long_a_generation_may_take(asked: dict[str, int], patience: float | None, tmp_path: Path) -> None:
    tool, wish = Refusing(tmp_path), Wish("rsa", label="k", modulus_bits=2048, **asked)  # type: ignore[arg-type]
    assert "0xb3" in refusal(lambda: tool.generate(wish, (), "generate it"))
    assert tool.patience == patience


class Listing(Succeeding):
    """It lists its commands when it starts, or by its command help."""

    def __init__(self, folder: Path, banner: str, answer: str) -> None:
        super().__init__(folder)
        self.banner = banner
        self.answer = answer

    def print(self, command: Command, attempt: str, patience: float | None = 0) -> str:
        assert str(command) in ("help", str(LIST_ATTRIBUTES))
        return self.answer


@pytest.mark.parametrize(
    ("banner", "answer"),
    [("Version 3\n   findKey  Find Key\n   shareKey  Share\n", ""), ("Version 3\n", "\tfindKey\n\tshareKey\n")],
)
def test_what_a_build_has(banner: str, answer: str, tmp_path: Path) -> None:
    tool = Listing(tmp_path, banner, answer)
    assert tool.has("findKey") and tool.has("shareKey") and not tool.has("share")


def test_what_attributes_a_build_has(tmp_path: Path) -> None:
    listing = Listing(tmp_path, "", "\tOBJ_ATTR_LABEL = 3\n\tOBJ_ATTR_WRAP_WITH_TRUSTED = 528\n")
    assert listing.lists_attribute("label") and not listing.lists_attribute("trusted")
    assert Listing(tmp_path, "", "unknown command").lists_attribute("trusted")


class NotAsking(Dialogue):
    """It never asks for a password; keeps what was typed."""

    def __init__(self) -> None:
        self._executable = "tool"
        self.typed: list[str] = []
        self.closed = False

    def _login(self, attempt: str, form: str) -> tuple[str, bool]:
        self.typed.append(form)
        return "usage: loginHSM", False

    def close(self, patience: float = 0) -> None:
        self.closed = True


def test_a_password_that_cannot_be_typed_in_the_line_is_not() -> None:
    blank, plain = NotAsking(), NotAsking()
    told = refusal(lambda: blank.login("ann", "two words"))
    assert "one with blanks cannot be given in the line itself" in told and "two words" not in told
    assert blank.typed == ["loginHSM -u CU -s ann -hpswd", "loginHSM -u CU -s ann"] and blank.closed
    assert "what cannot be read" in refusal(lambda: plain.login("ann", "word"))
    assert plain.typed == [*blank.typed, "loginHSM -u CU -s ann -p word"]


@pytest.mark.parametrize(
    ("printed", "said", "hint"),
    [
        (
            "a\nno daemon there\n \n",
            "nothing; its last words were 'no daemon there'; start the vendor's client daemon",
            True,
        ),
        ("a\nno answer\n", "nothing; its last words were 'no answer'; look for what it did", False),
        (" \n", "nothing; look for what it did", False),
    ],
)
def test_what_is_told_of_a_tool_that_failed(printed: str, said: str, hint: bool) -> None:
    tool = NotAsking()
    told = tool._failure("list it", "nothing", printed).msg
    assert said in told and ("daemon on this host" in told) is hint and tool.closed
