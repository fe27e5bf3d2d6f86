# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PINs in files: one newline is stripped, and what is refused is told without the PIN."""

from __future__ import annotations

import os
import pathlib
import time

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import secret
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import InputError
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal


@pytest.mark.parametrize(
    ("raw", "pin"),
    [
        (b"1234", "1234"),
        (b"1234\n", "1234"),
        (b"1234\r\n", "1234"),
        (b" 1234\n", " 1234"),
        ("pässwörd\n".encode(), "pässwörd"),
    ],
)
def test_one_newline_is_stripped_from_a_pin_file(tmp_path: pathlib.Path, raw: bytes, pin: str) -> None:
    file = tmp_path / "pin"
    file.write_bytes(raw)
    found = secret("pin", None, str(file))
    assert found and found.reveal() == pin


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"", "it is empty"),
        (b"\n", "it is empty"),
        (b"\r\n", "it is empty"),
        (b"12\x0034", "it holds a NUL character"),
    ],
)
def test_refused_pin_files(tmp_path: pathlib.Path, raw: bytes, rule: str) -> None:
    (tmp_path / "pin").write_bytes(raw)
    assert refusal(lambda: secret("pin", None, str(tmp_path / "pin"))) == f"pin_file is refused: {rule}."


def test_pin_files_that_cannot_be_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "pin").write_bytes(b"12\xff34")
    message = refusal(lambda: secret("pin", None, str(tmp_path / "pin")))
    assert message == f"pin_file '{tmp_path}/pin' is refused: it is not valid UTF-8."
    missing = tmp_path / "missing"
    message = refusal(lambda: secret("pin", None, str(missing)))
    assert message == f"pin_file '{missing}' is refused: it cannot be read ({os.strerror(2)})."
    message = refusal(lambda: secret("so_pin", None, str(tmp_path)))
    assert message == f"so_pin_file '{tmp_path}' is refused: it is a directory, not a regular file."
    assert secret("pin", None, None) is None
    with pytest.raises(
        InputError,
        match=r"^so_pin is refused: it came as a number;"
        r" quote it, in an INI inventory twice, or end its template in \| string.$",
    ):
        secret("so_pin", 1234, None)


BLANK = "it ends with a blank; if the PIN does, too, give it by the option pin"


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"\xef\xbb\xbf1234\n", "it begins with a byte order mark; save it as UTF-8 without one"),
        (b"1234\n\n", "it has more than one line"),
        (b"12\n34\n", "it has more than one line"),
        (b"\n1234\n", "it has more than one line"),
        (b"1234\r", "it has more than one line"),
        (b"1234 \n", BLANK),
        (b"1234\t", BLANK),
        ("1234\u00a0\n".encode(), BLANK),
        (b"1" * 4097, "it has more than 4096 bytes"),
    ],
)
def test_what_an_editor_leaves_is_refused_before_the_login(tmp_path: pathlib.Path, raw: bytes, rule: str) -> None:
    file = tmp_path / "pin"
    file.write_bytes(raw)
    assert refusal(lambda: secret("pin", None, str(file))) == f"pin_file '{file}' is refused: {rule}."


@pytest.mark.parametrize(
    ("path", "kind"), [("fifo", "a FIFO"), ("/dev/zero", "a device"), ("/dev/tty", "a device"), ("/", "a directory")]
)
def test_files_that_never_end(tmp_path: pathlib.Path, path: str, kind: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    path = str(tmp_path / path)
    start = time.monotonic()
    assert refusal(lambda: secret("pin", None, path)) == (
        f"pin_file '{path}' is refused: it is {kind}, not a regular file."
    )
    assert time.monotonic() - start < 60
