# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests and certificates by a library that signs wrongly or is lost: the old file stays. What is called is counted."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken

WISH: dict[str, t.Any] = {"label": "k", "common_name": "www.example.org"}
MOST_CALLS = 34  # of a new request
OLD = "what was there\n"


@pytest.mark.parametrize("module", ["hsm_csr", "hsm_certificate"])
def test_what_goes_wrong_leaves_the_old_file(token: FaultyToken, module: str, tmp_path: Path) -> None:
    token.ecc(label="k", curve="P-256", verify=False)
    path = tmp_path / "old.pem"
    path.write_text(OLD)
    # A word of the signature, in the buffer that is C_Sign's fourth argument.
    wrong = token.faulty(module, "C_Sign after poke 3 8 1", path=str(path), backup=True, **WISH)
    assert "what the private half signed does not fit the public half" in wrong.msg
    assert path.read_text() == OLD and [*tmp_path.iterdir()] == [path]
    for rule, ckr in (
        ("C_SignInit instead return 0x32", "CKR_DEVICE_REMOVED"),
        ("C_Sign instead return 0x30", "CKR_DEVICE_ERROR"),
        ("C_Sign after return 0xE0", "CKR_TOKEN_NOT_PRESENT"),
    ):
        lost = token.faulty(module, rule, path=str(path), backup=True, **WISH)
        assert lost.result["ckr"] == ckr
        assert path.read_text() == OLD and [*tmp_path.iterdir()] == [path]
    assert token.start(module, "C_Sign after kill", path=str(path), **WISH).died()
    assert path.read_text() == OLD and [*tmp_path.iterdir()] == [path]
    good = token.faulty(module, path=str(path), **WISH)
    assert good.result["changed"] and path.read_text() != OLD


@pytest.mark.parametrize("module", ["hsm_csr", "hsm_certificate"])
def test_calls(token: FaultyToken, module: str, tmp_path: Path) -> None:
    token.rsa(label="k", modulus_bits=2048, verify=False)
    path = str(tmp_path / "a.pem")
    new = token.faulty(module, path=path, **WISH)
    assert new.result["changed"] and (new.calls["C_SignInit"], new.calls["C_Sign"]) == (1, 1)
    assert sum(new.calls.values()) <= MOST_CALLS, new.calls
    foretold = token.faulty(module, check_mode=True, path=path, force=True, **WISH)
    unchanged = token.faulty(module, path=path, **WISH)
    assert foretold.result["changed"] and not unchanged.result["changed"]
    for run in (foretold, unchanged):
        assert not {"C_SignInit", "C_Sign"} & run.calls.keys() and not run.writes
