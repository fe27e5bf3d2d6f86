# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Libraries that are missing, are none, fail, or print."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.module_process import start_module
from ansible_collections.cryptoki.hsm.tests.support.module_run import module_input
from ansible_collections.cryptoki.hsm.tests.support.soft_token import library


def test_missing_library(token: FaultyToken) -> None:
    run = token.ecc(label="k", curve="P-256", module_path="/nonexistent/pkcs11.so")
    assert run.msg == (
        "Could not load the PKCS#11 library /nonexistent/pkcs11.so: /nonexistent/pkcs11.so: cannot open shared object"
        " file: No such file or directory. Check module_path."
    )


def test_no_library_named(token: FaultyToken) -> None:
    run = token.ecc(label="k", curve="P-256", module_path=None)
    assert run.msg == "module_path is refused: it is missing; name the vendor's PKCS#11 library, or set PKCS11_MODULE."


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "file too short"), (b"no library\n", "file too short"), (b"no library\n" * 999, "invalid ELF header")],
)
def test_file_that_is_no_library(token: FaultyToken, content: bytes, reason: str) -> None:
    file = token.folder / "text.so"
    file.write_bytes(content)
    run = token.ecc(label="k", curve="P-256", module_path=str(file))
    assert token.text(run.msg) == (
        f"Could not load the PKCS#11 library FOLDER/text.so: FOLDER/text.so: {reason}. Check module_path."
    )


def test_folder_as_library(token: FaultyToken) -> None:
    run = token.ecc(label="k", curve="P-256", module_path=str(token.folder))
    assert token.text(run.msg) == (
        "Could not load the PKCS#11 library FOLDER: FOLDER: cannot read file data: Is a directory. Check module_path."
    )


def test_library_that_is_no_pkcs11_module(token: FaultyToken) -> None:
    source, built = token.folder / "other.c", token.folder / "other.so"
    source.write_text("int something_else(void) { return 0; }\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(built), str(source)], check=True)
    run = token.ecc(label="k", curve="P-256", module_path=str(built))
    assert token.text(run.msg) == (
        "Could not load the PKCS#11 library FOLDER/other.so: FOLDER/other.so: undefined symbol: C_GetFunctionList."
        " Check module_path."
    )


def test_library_that_gives_no_functions(token: FaultyToken) -> None:
    """C_GetFunctionList fails: here because the library behind the interposer is missing."""
    run = token.ecc(label="k", curve="P-256", module_path=str(token.interposer))
    assert token.text(run.msg) == (
        "Could not load the PKCS#11 library LIBRARY: C_GetFunctionList answered 0x30. Check module_path."
    )


@pytest.mark.parametrize("function", ["C_Initialize", "C_GetInfo"])
def test_library_that_does_not_start(token: FaultyToken, function: str) -> None:
    run = token.faulty_ecc(f"{function} instead return 0x5", label="k")
    assert token.text(run.msg) == (
        "Could not initialise the PKCS#11 library LIBRARY: the HSM answered CKR_GENERAL_ERROR; check the library's"
        " configuration and that this user may read it."
    )
    assert run.result["ckr"] == "CKR_GENERAL_ERROR"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nonexistent", "cannot be read (No such file or directory)"),
        ("/dev/zero", "is a device, not a regular file"),
        ("FOLDER/fifo", "is a FIFO, not a regular file"),
        ("FOLDER", "is a directory, not a regular file"),
    ],
)
def test_configuration_that_is_missing(token: FaultyToken, path: str, reason: str) -> None:
    os.mkfifo(token.folder / "fifo")
    environment = {"SOFTHSM2_CONF": path.replace("FOLDER", str(token.folder))}
    start = time.monotonic()
    run = token.ecc(label="k", curve="P-256", library_environment=environment)
    assert token.text(run.msg) == (
        f"Could not initialise the PKCS#11 library SOFTHSM: SOFTHSM2_CONF names '{path}', which {reason}."
    )
    assert time.monotonic() - start < 60


@pytest.mark.parametrize(("path", "kind"), [("/dev/zero", "a device"), ("FOLDER/fifo", "a FIFO")])
def test_library_that_would_be_waited_for(token: FaultyToken, path: str, kind: str) -> None:
    os.mkfifo(token.folder / "fifo")
    path = path.replace("FOLDER", str(token.folder))
    run = token.ecc(label="k", curve="P-256", module_path=path, expect_token={"library_sha256": "ab" * 32})
    assert run.msg == f"module_path '{path}' is refused: it is {kind}, not a library."


def test_library_that_does_not_finish(token: FaultyToken) -> None:
    """What C_CloseSession and C_Finalize answer changes nothing any more."""
    run = token.faulty_ecc("C_CloseSession instead return 0x30\nC_Finalize instead return 0x30", label="k")
    assert run.result["changed"] is True
    assert token.halves("k") == ["private", "public"]


def test_library_that_prints(token: FaultyToken) -> None:
    """Its words go to stderr, whether they leave C's buffer at once or when the process ends."""
    moments = ("C_Initialize", "C_Login", "C_GenerateKeyPair", "C_Finalize")
    rules = "\n".join(f'{name} after print {{"changed": false, "by": "{name}"}}' for name in moments)
    run = token.faulty_ecc(rules, label="k")
    assert json.loads(run.stdout) == run.result
    assert run.result["changed"] is True
    assert [json.loads(line)["by"] for line in run.stderr.splitlines() if line] == list(moments)


def test_library_that_prints_and_fails(token: FaultyToken) -> None:
    run = token.faulty_ecc("C_Login after print who is there\nC_Login after return 0xa4", label="k")
    assert run.result["ckr"] == "CKR_PIN_LOCKED"
    assert run.stderr.strip() == "who is there"


def test_real_library_is_the_one_that_was_named(token: FaultyToken) -> None:
    """The other tests mean something only if SoftHSM itself works."""
    assert Path(library()).exists()
    assert token.ecc(label="k", curve="P-256").result["changed"] is True


@pytest.mark.parametrize("wish", [{}, {"pin": "4-wrong-7391"}], ids=["unchanged", "refused"])
def test_nothing_is_written_beside_the_answer(token: FaultyToken, wish: dict[str, str]) -> None:
    """Over ssh with a terminal both come in one stream, and Ansible warns of what follows the answer."""
    token.ecc(label="k", curve="P-256")
    given = module_input(False, {**token.login(), "label": "k", "curve": "P-256", **wish})
    process = start_module("hsm_ecc_keypair", given, before="pass\n")  # a Python of its own, which comes to its end
    stdout, stderr = process.communicate()
    assert json.loads(stdout).get("failed", False) is bool(wish) and stderr == b""
