# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules show of secrets at -vvv, on each ansible-core: answers, outputs, the system log and the invocation."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.module_call import call_module

PIN = "sesame-Öffne\"d'ich\\ 4"
LOGIN = {"module_path": "/nonexistent/lib.so", "token_label": "demo", "pin": PIN}
PAIR = {"label": "k", "curve": "P-256"}
REPLICA = {"name": "b", **LOGIN}

# What is wrong beside the PIN: each ends in another of Ansible's checks, or of ours.
TABLE: dict[str, tuple[str, dict[str, t.Any]]] = {
    "all is well": ("hsm_ecc_keypair", PAIR),
    "a text for private_attributes": ("hsm_ecc_keypair", {**PAIR, "private_attributes": "sign"}),
    "a text for expect_token": ("hsm_ecc_keypair", {**PAIR, "expect_token": "SoftHSM"}),
    "a text for replicas": ("hsm_ecc_keypair", {**PAIR, "replicas": "b"}),
    "a list in replicas": ("hsm_ecc_keypair", {**PAIR, "replicas": [["b", PIN]]}),
    "replicas as name=value": ("hsm_ecc_keypair", {**PAIR, "replicas": ["name=b pin='sesame-4711'"]}),
    "replicas as JSON": ("hsm_ecc_keypair", {**PAIR, "replicas": '[{"name": "b", "pin": "sesame-4711"}]'}),
    "a broken replica": ("hsm_ecc_keypair", {**PAIR, "replicas": ["pin=sesame-4711 b"]}),
    "a replica of a wrong type": ("hsm_ecc_keypair", {**PAIR, "replicas": [{**REPLICA, "slot_id": "x"}]}),
    "replicas": ("hsm_ecc_keypair", {**PAIR, "replicas": [{"name": "a"}, REPLICA]}),
    "an entry that is a text": ("hsm_keypairs", {"keypairs": ["rsa"]}),
    "an entry with a PIN": ("hsm_keypairs", {"keypairs": [{"type": "rsa", "label": "k", "pin": "sesame-4711"}]}),
    "an unknown option": ("hsm_ecc_keypair", {**PAIR, "pn": "sesame-4711"}),
    "a number as PIN": ("hsm_ecc_keypair", {**PAIR, "pin": 47114711}),
    "a list as PIN": ("hsm_ecc_keypair", {**PAIR, "pin": ["sesame-4711", {"sesame-4711": "sesame-4712"}]}),
    "user and PIN as one": ("hsm_ecc_keypair", {**PAIR, "crypto_user": "ann:sesame-4711"}),
    "an API key": ("hsm_ecc_keypair", {**PAIR, "library_environment": {"FORTANIX_API_KEY": "sesame-4711"}}),
    "an API key as text": ("hsm_ecc_keypair", {**PAIR, "library_environment": "FORTANIX_API_KEY=sesame-4711"}),
    "an API key among parameters": ("hsm_ecc_keypair", {**PAIR, "library_parameters": "debug key=sesame-4711"}),
    "parameters as a dictionary": ("hsm_ecc_keypair", {**PAIR, "library_parameters": {"key": "sesame-4711"}}),
    "a number as parameters": ("hsm_ecc_keypair", {**PAIR, "library_parameters": 47114711}),
    "a PIN in token_uri": ("hsm_key_info", {"token_label": None, "token_uri": "pkcs11:token=a?pin-value=sesame-4711"}),
    "a PIN in uri": ("hsm_key_info", {"uri": "pkcs11:object=a?pin-value=sesame-4711"}),
    "a PIN in wrapping_key": (
        "hsm_ecc_keypair",
        {**PAIR, "replicas": [{"name": "a"}], "wrapping_key": "pkcs11:object=a?pin-value=sesame-4711"},
    ),
    "an escaped PIN in uri": ("hsm_key", {"uri": "pkcs11:object=a?pin%2Dvalue=sesame%2D4711", "extractable": False}),
    "a PIN in the wrong option": ("hsm_key_info", {"label": "PKCS11:object=a?pin-value=sesame-4711"}),
    "a broken URI": ("hsm_key", {"uri": "pkcs11:object=a;pinvalue=sesame-4711", "extractable": False}),
    "a PIN of the security officer": ("hsm_token", {"so_pin": "sesame-4711", "slot_id": "x"}),
}


def secrets_in(text: str) -> list[str]:
    """Parts of the secrets above; all begin with the same word."""
    return [part for part in ("sesame", "4711", "Öffne", "\\u00d6ffne") if part in text]


@pytest.mark.parametrize("case", TABLE)
def test_nothing_tells_a_secret(case: str) -> None:
    module, options = TABLE[case]
    given = {name: value for name, value in {**LOGIN, **options}.items() if value is not None}
    shown = call_module(module, given, {"HSM_PIN_FILE": "/nonexistent"})
    assert not secrets_in(shown.everything), shown.everything
    assert shown.result["failed"] and "invocation" in shown.result, "each of these fails, if only at the library"
    assert not shown.stderr
    assert "Unexpected" not in shown.result["msg"]


def test_what_is_no_secret_is_shown() -> None:
    environment = {"SOFTHSM2_CONF": "/etc/x.conf", "OTHER": "sesame-4711"}
    options = {**LOGIN, **PAIR, "crypto_user": "ann", "library_environment": environment, "verify": True}
    told = call_module("hsm_ecc_keypair", options).result["invocation"]["module_args"]
    assert told["crypto_user"] == "ann" and told["verify"] is True and told["label"] == "k"
    assert told["library_environment"]["SOFTHSM2_CONF"] == "/etc/x.conf"
    assert "sesame" not in str(told)


def test_a_pin_that_is_the_users_name_is_masked_all_the_same() -> None:
    replicas = [{"name": "a"}, {**REPLICA, "pin": "anneliese"}]
    shown = call_module("hsm_ecc_keypair", {**LOGIN, **PAIR, "crypto_user": "anneliese", "replicas": replicas})
    assert "anneliese" not in shown.everything


def test_a_short_pin_is_told() -> None:
    shown = call_module("hsm_ecc_keypair", {**LOGIN, **PAIR, "pin": "77"})
    assert "The PIN has fewer than 3 characters" in shown.stdout


def test_a_library_that_everybody_may_write_is_told(tmp_path: t.Any) -> None:
    library = tmp_path / "lib.so"
    library.write_bytes(b"")
    options = {**LOGIN, **PAIR, "module_path": str(library)}
    library.chmod(0o644)
    assert f"Everybody may write {tmp_path}" not in call_module("hsm_ecc_keypair", options).stdout
    library.chmod(0o666)
    assert f"Everybody may write {library}" in call_module("hsm_ecc_keypair", options).stdout
    library.chmod(0o600)
    tmp_path.chmod(0o777)
    assert f"Everybody may write {tmp_path}" in call_module("hsm_ecc_keypair", options).stdout


def test_an_option_that_there_is_not_is_explained_where_it_would_make_a_session_pair_permanent() -> None:
    def told(**options: t.Any) -> str:
        return str(call_module("hsm_ecc_keypair", {**LOGIN, **PAIR, **options}).result["msg"])

    assert "A session pair is never made permanent" in told(private_attributes={"token": True})
    other = told(private_attributes={"verify": True})
    assert "private_attributes.verify" in other and "permanent" not in other
