# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No part of a PIN is ever seen: not in a URI, a misspelt option, a traceback, a returned value or a log of Ansible."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.module_run import run_module
from ansible_collections.cryptoki.hsm.tests.support.pins import RIGHT, WRONG, assert_unseen, refused


@pytest.mark.parametrize("mark", [";", "?"])
@pytest.mark.parametrize("attribute", ["pin-value", "PIN-VALUE", "pin-source", "p%69n-value", "pin_value", "pin"])
def test_pin_in_a_uri(token: FaultyToken, attribute: str, mark: str) -> None:
    """Refused without an echo, misspelt too, not even in the invocation that -vvv shows."""
    uri = f"pkcs11:token=test%20token{mark}{attribute}={WRONG}"
    run = token.faulty_ecc(label="k", token_label=None, token_uri=uri, _ansible_inject_invocation=True)
    assert refused(run, WRONG).startswith("token_uri is refused: ")
    name = attribute.lower()
    if name in ("pin-value", "pin-source"):
        assert (
            run.msg == f"token_uri is refused: {name} in a URI is refused: give the PIN by the option pin or pin_file."
        )
    assert "token_uri" in run.result["invocation"]["module_args"]
    assert not run.calls


def test_pin_as_an_unknown_option(token: FaultyToken) -> None:
    """Ansible itself refuses a misspelt option by its name, not by its value."""
    run = token.ecc(label="k", curve="P-256", pim=WRONG)
    assert "Unsupported parameters" in refused(run, WRONG)


def test_exception_that_nobody_expected(token: FaultyToken) -> None:
    """A bug is reported as one, with a traceback in which the PIN is masked."""
    broken = token.folder / "sitecustomize.py"
    broken.write_text(
        "import sys, importlib.abc\n"
        "class Break(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name.endswith('._tasks.keypair'):\n"
        "            from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import library\n"
        "            def open_(self, token, pin, **more):\n"
        "                raise KeyError('the login failed with ' + pin)\n"
        "            library.Library.open = open_\n"
        "sys.meta_path.insert(0, Break())\n"
    )
    traced = {"_ansible_tracebacks_for": ["error"]}  # what -vvv asks a module for since ansible-core 2.19
    given = {**token.login(), **traced, "pin": WRONG, "label": "k", "curve": "P-256"}
    path = os.pathsep.join([str(token.folder), os.environ["PYTHONPATH"]])
    run = run_module("hsm_ecc_keypair", given, environment={"PYTHONPATH": path})
    assert refused(run, WRONG) == "Unexpected KeyError; this is a bug of cryptoki.hsm, please report it."
    assert "the login failed with" in json.dumps(run.result["exception"])


def test_pin_that_occurs_in_returned_values(make_token: t.Callable[..., FaultyToken]) -> None:
    token = make_token(pin="4711")
    run = token.ecc(label="ring 4711", curve="P-256")
    warning = run.warning
    assert "4711" not in run.stdout
    assert "ring ********" in run.stdout
    begin, names, end = re.fullmatch("(.* by chance in )(.*?)(; .*)", warning).groups()  # type: ignore[union-attr]
    assert (begin, end) == (
        "A PIN or another secret occurs by chance in ",
        "; Ansible masks it there, so do not use these values. A longer PIN avoids this.",
    )
    objects = [f"key_pair.{half}_key" for half in ("public", "private")]
    named = [f"{name}.{value}" for name in ("key_pair", *objects) for value in ("label", "uri")]
    labels = [
        name.replace(".label", ".attributes.label") if name.split(".label")[0] in objects else name for name in named
    ]
    diff = [f"diff[0].{name}" for name in ("before_header", "after_header", "after")]
    told = set(names.split(", "))
    drawn = {name for name in told if name.endswith((".kcv", ".public_key_pem"))}  # they may have it, too
    assert told - drawn == {*labels, *diff}
    assert token.halves("ring 4711") == ["private", "public"]


def test_pin_that_is_the_size_of_the_key(make_token: t.Callable[..., FaultyToken]) -> None:
    token = make_token(pin="2048")
    run = token.rsa(label="k", modulus_bits=2048)
    assert "2048" not in run.stdout
    assert "key_pair.modulus_bits" in run.warning
    assert token.rsa(label="k", modulus_bits=2048).result["changed"] is False


def test_pin_does_not_spoil_ids_and_fingerprints(make_token: t.Callable[..., FaultyToken]) -> None:
    """Long hexadecimal values are returned with colons, so that a PIN of digits is not in them."""
    token = make_token(pin="abcdef01")
    run = token.ecc(label="k", curve="P-256", id_hex="abcdef0123456789")
    assert run.key_pair["id_hex"] == "ab:cd:ef:01:23:45:67:89"
    assert "warnings" not in run.result


ANSIBLE = Path(sys.executable).with_name("ansible")
_CASES: list[tuple[str, dict[str, t.Any], str]] = [
    ("wrong", {"pin": WRONG}, "CKR_PIN_INCORRECT"),
    ("number", {"pin": 84316927}, "it came as a number"),
    ("uri", {"token_uri": f"pkcs11:token=test%20token?pin-value={WRONG}", "token_label": None}, "token_uri is refused"),
    ("right", {}, "CHANGED"),
]


@pytest.mark.parametrize(("name", "params", "said"), _CASES, ids=[case[0] for case in _CASES])
def test_real_ansible_with_all_verbosity(
    make_token: t.Callable[..., FaultyToken], tmp_path: Path, name: str, params: dict[str, t.Any], said: str
) -> None:
    """The PIN comes from a file of variables; -vvvv shows commands, environment, arguments and tracebacks."""
    token = make_token(pin=RIGHT)
    assert ANSIBLE.exists(), "ansible-core is to be installed beside the tests' Python"
    given = {**token.login(), "label": "k", "curve": "P-256", **params}
    variables = tmp_path / "variables.json"
    variables.write_text(json.dumps({"given": {key: value for key, value in given.items() if value is not None}}))
    arguments = json.dumps({key: f"{{{{ given.{key} }}}}" for key, value in given.items() if value is not None})
    command = [str(ANSIBLE), "localhost", "-vvvv", "-c", "local", "-m", "cryptoki.hsm.hsm_ecc_keypair"]
    command += ["-e", f"@{variables}", "-e", f"ansible_python_interpreter={sys.executable}", "-a", arguments]
    environment = {**os.environ, "HOME": str(tmp_path), "ANSIBLE_REMOTE_TMP": str(tmp_path / "remote")}
    environment.update(ANSIBLE_DISPLAY_TRACEBACK="always", ANSIBLE_NOCOLOR="1")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert said in done.stdout, done.stdout + done.stderr
    for secret in (WRONG, RIGHT, "84316927"):
        assert_unseen(secret, done.stdout, done.stderr)
    for path in tmp_path.rglob("*"):
        secrets = (WRONG, RIGHT) if path.is_file() and path != variables else ()
        assert not any(secret.encode() in path.read_bytes() for secret in secrets), path
