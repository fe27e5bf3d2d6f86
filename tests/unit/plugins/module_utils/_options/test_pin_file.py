# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PINs in files: one newline is stripped, and what is refused is told without the PIN."""

from __future__ import annotations

import os
import pathlib

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
        (b"1234\n\n", "1234\n"),
        (b" 1234 \n", " 1234 "),
        (b"12\n34\n", "12\n34"),
        (b"1234\r", "1234\r"),
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
    assert message == f"so_pin_file '{tmp_path}' is refused: it cannot be read ({os.strerror(21)})."
    assert secret("pin", None, None) is None
    with pytest.raises(InputError, match="^so_pin is refused: YAML made a number of it; quote it.$"):
        secret("so_pin", 1234, None)
