# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NSS's software token: as the token of a task, and as a replica, which takes RSA keys and no EC keys by unwrapping."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.listing import parse_listing
from ansible_collections.cryptoki.hsm.tests.support.module_run import run_module

LABEL, PIN = "NSS Certificate DB", "nss-pin-5512"
SLOT = 2  # the first one holds no keys
_INIT_PIN = """
import sys, pkcs11
token = next(slot for slot in pkcs11.lib(sys.argv[1]).get_slots() if slot.slot_id == int(sys.argv[2])).get_token()
token.open(rw=True, so_pin="").init_pin(sys.stdin.read())
"""


class NssToken:
    """A token of NSS softokn, which takes its parameters by C_Initialize only: other programs need the interposer."""

    def __init__(self, folder: Path, library: Path) -> None:
        self.parameters = parameters = f"configdir='sql:{folder}' certPrefix='' keyPrefix='' secmod='secmod.db' flags="
        self.library = str(library)
        self.environment = {
            "FAULT_MODULE": os.environ["NSS_SOFTOKN"],
            "FAULT": f"C_Initialize before reserved {parameters}",
        }
        self._run([sys.executable, "-c", _INIT_PIN, self.library, str(SLOT)], given=PIN)

    def _run(self, command: list[str], given: str = "") -> str:
        return subprocess.run(
            command, input=given, env={**os.environ, **self.environment}, capture_output=True, text=True, check=True
        ).stdout

    def replica(self) -> dict[str, t.Any]:
        """The options that reach it."""
        return {
            "name": "nss",
            "module_path": self.library,
            "library_environment": self.environment,
            "token_label": LABEL,
            "pin": PIN,
        }

    def login(self) -> dict[str, t.Any]:
        """The options that reach it without anything in between."""
        return {
            "module_path": os.environ["NSS_SOFTOKN"],
            "library_parameters": self.parameters,
            "token_label": LABEL,
            "pin": PIN,
        }

    def tool(self, *arguments: str) -> str:
        """What pkcs11-tool says, logged in."""
        command = ["pkcs11-tool", "--module", self.library, "--slot", str(SLOT), "--login", "--pin", PIN, *arguments]
        return self._run(command)

    def listing(self) -> list[dict[str, str]]:
        """All objects as pkcs11-tool sees them."""
        return parse_listing(self.tool("--list-objects"))


@pytest.fixture
def nss(tmp_path: Path, interposers: dict[str, Path]) -> NssToken:
    """A new token."""
    return NssToken(tmp_path, interposers["one"])


def test_nss_is_a_token_like_any_other(nss: NssToken) -> None:
    def run(module: str, check_mode: bool = False, **params: t.Any) -> dict[str, t.Any]:
        done = run_module(module, {**nss.login(), **params}, check_mode=check_mode)
        assert not done.result.get("failed"), done.stdout
        return done.result

    for module, wish in (
        ("hsm_rsa_keypair", {"label": "root", "modulus_bits": 2048, "usage": ["sign"], "extractable": False}),
        ("hsm_ecc_keypair", {"label": "tls", "curve": "P-256", "session": False}),
    ):
        assert [run(module, check, **wish)["changed"] for check in (True, False, True, False)] == [
            True,
            True,
            False,
            False,
        ]
    assert sorted((row["class"], row["label"]) for row in nss.listing()) == [
        ("private", "root"),
        ("private", "tls"),
        ("public", "root"),
        ("public", "tls"),
    ]
    assert run("hsm_rsa_keypair", label="root", state="absent")["changed"]
    entries = [{"type": "ecc", "label": f"many-{number}", "curve": "P-256"} for number in range(4)]
    assert run("hsm_keypairs", keypairs=entries)["changed"] and not run("hsm_keypairs", keypairs=entries)["changed"]
    without = run_module("hsm_ecc_keypair", {**nss.login(), "library_parameters": None, "label": "x", "curve": "P-256"})
    assert "CKR_ARGUMENTS_BAD" in without.result["msg"] and "library_parameters" in without.result["msg"]


def test_what_a_row_knows_can_be_said(nss: NssToken) -> None:
    wish = {"label": "said", "modulus_bits": 2048, "private_attributes": {"copyable": True}}
    generic = {**nss.login(), "vendor": "generic", **wish}
    assert run_module("hsm_rsa_keypair", generic).result["ckr"] == "CKR_GENERAL_ERROR"
    (slot,) = run_module("hsm_token_info", nss.login()).result["slots"]
    told = slot["token"]
    assert told["vendor"] == "nss" and told["vendor_facts_from"]["not_sent_private"] == "vendor"
    facts = {"not_sent_private": told["vendor_facts"]["not_sent_private"]}
    (slot,) = run_module("hsm_token_info", {**nss.login(), "vendor": "generic", "vendor_facts": facts}).result["slots"]
    of_option = [name for name, source in slot["token"]["vendor_facts_from"].items() if source != "standard"]
    assert slot["token"]["vendor"] == "generic" and of_option == ["not_sent_private"]
    # It is not sent and the pair is made; then it is told, because the task asked for it.
    made = run_module("hsm_rsa_keypair", {**generic, "vendor_facts": facts}).result
    assert "private half's copyable is missing, wished true" in made["msg"] and nss.listing() == []
    short = run_module("hsm_rsa_keypair", {**generic, "vendor_facts": {**facts, "label_max": 3}}).result
    assert "generic with vendor_facts takes at most 3 bytes of label" in short["msg"]


def test_facts_of_other_vendors_do_no_harm(nss: NssToken) -> None:
    """A token that goes by everything and is logged in to once makes the same of them."""
    facts = {"login_each_session": True, "not_searched": ["key_type", "label", "id"]}
    entries = [{"type": "ecc", "label": f"many-{number}", "curve": "P-256"} for number in range(4)]
    given = {**nss.login(), "vendor_facts": facts, "parallel": 4, "keypairs": entries}
    assert [run_module("hsm_keypairs", given).result.get("changed") for _dummy in range(2)] == [True, False]
    assert sorted(row["label"] for row in nss.listing()) == sorted(entry["label"] for entry in entries * 2)
    limited = run_module("hsm_key_info", {**nss.login(), "user_type": "limited_user"}).result
    assert limited["msg"].startswith("Could not log in as limited user to the token")


@pytest.mark.parametrize("bits", [2048, 3072])
def test_rsa_pairs_are_copied(token: FaultyToken, nss: NssToken, tmp_path: Path, bits: int) -> None:
    wish = {"label": "root", "modulus_bits": bits, "usage": ["sign"], "extractable": False}
    changed = [
        token.run("hsm_rsa_keypair", **wish, replicas=[nss.replica()], check_mode=check).result["changed"]
        for check in (True, False, True, False)
    ]
    assert changed == [True, True, False, False]
    ours, theirs = (
        {row["class"]: row for row in rows if row.get("label") == "root"} for rows in (token.listing(), nss.listing())
    )
    # NSS gives an unwrapped key every use and has to be told again.
    assert theirs["private"]["usage"] == "sign" and theirs["private"]["access"] == "sensitive"
    assert theirs["private"]["id"] == ours["private"]["id"] and set(theirs) == set(ours) == {"private", "public"}
    data, signature, public = (tmp_path / name for name in ("data", "signature", "public.der"))
    data.write_bytes(b"signed by the copy")
    nss.tool("--sign", "-m", "SHA256-RSA-PKCS", "--label", "root", "-i", str(data), "-o", str(signature))
    token.pkcs11_tool("--read-object", "--type", "pubkey", "--label", "root", "-o", str(public))
    command = ["openssl", "dgst", "-sha256", "-verify", str(public), "-keyform", "DER", "-signature", str(signature)]
    verified = subprocess.run([*command, str(data)], capture_output=True, text=True, check=False)
    assert verified.stdout == "Verified OK\n", verified.stderr


@pytest.mark.parametrize("curve", ["P-256", "P-384"])
def test_ec_pairs_are_refused_and_taken_back(token: FaultyToken, nss: NssToken, curve: str) -> None:
    done = token.run("hsm_ecc_keypair", label="tls", curve=curve, replicas=[nss.replica()])
    assert "CKR_TEMPLATE_INCOMPLETE" in done.result["msg"] and done.result["ckr"] == "CKR_TEMPLATE_INCOMPLETE"
    assert [(node["name"], node["status"]) for node in done.result["nodes"]] == [
        (token.label, "unsynchronised"),
        ("nss", "unsynchronised"),
    ]
    assert token.listing() == nss.listing() == []
