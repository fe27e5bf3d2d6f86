# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A PIN that is missing, is none, or comes from a file or the environment."""

from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.module_run import Run, run_module
from ansible_collections.cryptoki.hsm.tests.support.pins import WRONG, refused
from ansible_collections.cryptoki.hsm.tests.support.soft_token import PIN


def test_empty_pin(token: FaultyToken) -> None:
    run = token.run("hsm_ecc_keypair", label="k", curve="P-256", pin="")
    assert run.msg == "pin is refused: it is empty."


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (84316927, "it came as a number; quote it, in an INI inventory twice, or end its template in | string"),
        (84.316927, "it came as a number; quote it, in an INI inventory twice, or end its template in | string"),
        (True, "it came as a boolean; quote it, in an INI inventory twice, or end its template in | string"),
        ([84316927], "it is no text"),
    ],
)
def test_pin_that_yaml_spoils(token: FaultyToken, value: t.Any, rule: str) -> None:
    run = token.ecc(label="k", curve="P-256", pin=value)
    assert refused(run, "84316927") == f"pin is refused: {rule}."


def test_missing_pin(token: FaultyToken) -> None:
    run = token.faulty_ecc(label="k", pin=None)
    assert token.text(run.msg) == (
        "pin is refused: the token 'test token' (serial SERIAL, slot N) needs a login; give pin or pin_file,"
        " or set HSM_PIN_FILE."
    )
    assert "C_Login" not in run.calls


def with_environment(token: FaultyToken, **variables: bytes) -> Run:
    """Runs a module that has its PIN from the environment; the values are bytes, as the kernel has them."""
    given = {name: value for name, value in token.login().items() if name != "pin"}
    texts = {name: os.fsdecode(value) for name, value in variables.items()}
    return run_module("hsm_ecc_keypair", {**given, "label": "k", "curve": "P-256"}, environment=texts)


def test_pin_of_the_environment_that_is_no_utf8(token: FaultyToken) -> None:
    secret = os.fsdecode(WRONG.encode() + b"\xff\xfe")
    run = with_environment(token, HSM_PIN=WRONG.encode() + b"\xff\xfe")
    assert refused(run, secret) == "pin is refused: it is not valid UTF-8."


def test_pin_of_the_environment(token: FaultyToken) -> None:
    assert with_environment(token, HSM_PIN=PIN.encode()).result["changed"]
    assert "CKR_PIN_INCORRECT" in refused(with_environment(token, HSM_PIN=WRONG.encode()), WRONG)


def test_two_pins_in_the_environment(token: FaultyToken) -> None:
    run = with_environment(token, HSM_PIN=WRONG.encode(), HSM_PIN_FILE=b"/nonexistent")
    assert refused(run, WRONG) == "HSM_PIN is refused: the environment holds HSM_PIN_FILE as well; set one of them."


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (WRONG.encode() + b"\xff", "it is not valid UTF-8"),
        (WRONG.encode() + b"\0" + WRONG.encode(), "it holds a NUL character"),
        (b"", "it is empty"),
        (b"\n", "it is empty"),
    ],
)
def test_pin_file_that_holds_no_pin(token: FaultyToken, content: bytes, rule: str) -> None:
    file = token.folder / "pin"
    file.write_bytes(content)
    run = token.ecc(label="k", curve="P-256", pin=None, pin_file=str(file))
    shown = f" '{file}'" if rule == "it is not valid UTF-8" else ""
    assert refused(run, WRONG) == f"pin_file{shown} is refused: {rule}."


def test_pin_file_that_is_not_there(token: FaultyToken) -> None:
    run = token.ecc(label="k", curve="P-256", pin=None, pin_file="/nonexistent")
    assert run.msg == "pin_file '/nonexistent' is refused: it cannot be read (No such file or directory)."
