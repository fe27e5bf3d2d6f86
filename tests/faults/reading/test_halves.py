# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Half pairs, duplicates, and halves that do not belong together, made by pkcs11-tool: listed, never guessed at."""

from __future__ import annotations

import itertools
import typing as t

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.soft_token import library

# What to do about one half, about several pairs or halves, and about halves that nothing tells apart.
LONE = {
    "public": " Nothing was changed. Bring back its private half, or remove the public one by state=absent with its id or"
    " fingerprint.",
    "private": " Nothing was changed. Bring back its public half, from a backup or with the program that made the key.",
}
COMPLETE = (
    " Nothing was changed. Set complete=true to have its public half, which its modulus tells, or bring that back from a"
    " backup."
)
STRANGER = (
    " Bring back the public half of the private one; what is in its place goes by hsm_key with state=absent, uri"
    " 'pkcs11:object=k;type=public;id=%01'."
)
SEVERAL = (
    " Nothing was changed. Name one pair by id or fingerprint, or remove what is not wanted by state=absent named so."
)
SURPLUS = " Nothing was changed. Remove the surplus keys with the vendor's tool or pkcs11-tool."
KEYS: dict[str, dict[str, t.Any]] = {"ecc": {"curve": "P-256"}, "rsa": {"modulus_bits": 2048}}
NAMES = {"ecc": "the ECC key pair", "rsa": "the RSA key pair"}
PUBLIC = {
    "ecc": "(public ec key, on secp256r1, label 'k', id 01, fingerprint FINGERPRINT)",
    "rsa": "(public rsa key, of 2048 bits, label 'k', id 01, fingerprint FINGERPRINT)",
}
PRIVATE = {
    "ecc": "(private ec key, on secp256r1, label 'k', id 01, fingerprint unknown)",
    "rsa": "(private rsa key, of 2048 bits, label 'k', id 01, fingerprint FINGERPRINT)",
}


def run(token: FaultyToken, family: str, **params: t.Any) -> t.Any:
    """Runs the module of a family for a key of its usual size."""
    key = KEYS[family] if params.get("state") != "absent" else {}
    return token.faulty(f"hsm_{family}_keypair", **{"label": "k", **key, **params})


def stranger_goes(token: FaultyToken) -> None:
    """Follows the advice of STRANGER."""
    uri = STRANGER.split("'")[1]
    changed = [
        token.run("hsm_key", uri=uri, state="absent", check_mode=check_mode).result["changed"]
        for check_mode in (True, False, True, False)
    ]
    assert changed == [True, True, False, False]
    assert token.halves("k") == ["private"]


def delete(token: FaultyToken, kind: str, key_id: str = "01") -> None:
    """Deletes one half."""
    token.pkcs11_tool("--delete-object", "--type", {"public": "pubkey", "private": "privkey"}[kind], "--id", key_id)


def keygen(token: FaultyToken, label: str, key_id: str) -> None:
    """A P-256 pair by pkcs11-tool."""
    token.pkcs11_tool("--keypairgen", "--key-type", "EC:prime256v1", "--label", label, "--id", key_id)


def write_public(token: FaultyToken, pem: str) -> None:
    """Stores a public key under the label and the id of the pair k."""
    key = serialization.load_pem_public_key(pem.encode())
    der = token.folder / "public.der"
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    der.write_bytes(key.public_bytes(serialization.Encoding.DER, form))
    token.pkcs11_tool("--write-object", str(der), "--type", "pubkey", "--label", "k", "--id", "01")


@pytest.mark.parametrize(("family", "check_mode"), [("ecc", False), ("ecc", True), ("rsa", False)])
@pytest.mark.parametrize(("lost", "left"), [("private", "public"), ("public", "private")])
def test_half_pair(token: FaultyToken, family: str, lost: str, left: str, check_mode: bool) -> None:
    run(token, family, id_hex="01")
    delete(token, lost)
    listed = {"public": PUBLIC, "private": PRIVATE}[left][family]
    for params in ({}, {"on_mismatch": "replace", "verify": True}):
        refused = run(token, family, check_mode=check_mode, **params)
        assert token.text(refused.msg) == (
            f"Refused to touch {NAMES[family]} 'k' on the token 'test token': it is a {left} half without its {lost} half:"
            f" {listed}.{LONE[left] if left == 'public' or family == 'ecc' else COMPLETE}"
        )
        assert not refused.writes
    assert token.halves("k") == [left]


@pytest.mark.parametrize("family", ["ecc", "rsa"])
@pytest.mark.parametrize("named_by", ["id_hex", "fingerprint"])
def test_lone_public_half_goes_only_when_it_is_named(token: FaultyToken, family: str, named_by: str) -> None:
    made = run(token, family, id_hex="01").key_pair
    delete(token, "private")
    refused = run(token, family, state="absent")
    assert token.text(refused.msg) == (
        f"Refused to remove {NAMES[family]} 'k' on the token 'test token': it is a public half without its private half,"
        f" {PUBLIC[family]}. Name it by id or fingerprint to remove it."
    )
    assert not refused.writes
    assert run(token, family, state="absent", label=None, **{named_by: made[named_by]}).result["changed"] is True
    assert token.listing() == []
    assert run(token, family).result["changed"] is True


@pytest.mark.parametrize("family", ["ecc", "rsa"])
def test_lone_private_half_goes_by_its_label(token: FaultyToken, family: str) -> None:
    run(token, family, id_hex="01")
    delete(token, "public")
    assert run(token, family, state="absent").result["changed"] is True
    assert token.listing() == []


def test_lone_private_half_is_completed(token: FaultyToken) -> None:
    made = run(token, "rsa", id_hex="01").key_pair
    delete(token, "public")
    assert run(token, "rsa", complete=True, check_mode=True).result["changed"] is True
    assert token.halves("k") == ["private"]
    done = run(token, "rsa", complete=True)
    assert done.result["changed"] is True and done.key_pair["public_key_pem"] == made["public_key_pem"]
    again = run(token, "rsa", id_hex="01", complete=True, verify=True)
    assert again.result["changed"] is False and again.key_pair["pairing"] == "material"


def test_halves_with_different_labels(token: FaultyToken) -> None:
    """A half is called one only after the other was looked for by id; that they belong together is proven first."""
    made = run(token, "ecc", id_hex="01").key_pair
    provider = ("p11tool", "--provider", library(), "--login", "--set-pin", token.pin)
    token.tool(*provider, "--set-label", "renamed", "pkcs11:object=k;type=public")
    assert token.halves("k") == ["private"]
    mended = run(token, "ecc")
    assert mended.result["changed"] is True
    assert "C_Sign" in mended.calls
    assert mended.key_pair["fingerprint"] == made["fingerprint"]
    assert token.halves("k") == ["private", "public"]


def test_public_half_of_another_pair_is_not_taken(token: FaultyToken) -> None:
    """A private half without a public one shares its id with a whole pair: which of the two is whole, nothing tells."""
    keygen(token, "k", "01")
    keygen(token, "lone", "02")
    delete(token, "public", "02")
    token.pkcs11_tool("--set-id", "01", "--type", "privkey", "--id", "02")
    for params in ({}, {"state": "absent"}):
        refused = run(token, "ecc", label="lone", **params)
        assert token.text(refused.msg).startswith(
            "Refused to touch the ECC key pair 'lone' on the token 'test token': 3 ECC keys have that name: "
        )
        assert refused.msg.endswith(SURPLUS)
        assert not refused.writes
    assert token.halves("k") == ["private", "public"]
    assert run(token, "ecc").result["changed"] is False


def test_duplicates_of_a_label(token: FaultyToken) -> None:
    keygen(token, "k", "01")
    keygen(token, "k", "02")
    for params in ({}, {"state": "absent"}, {"on_mismatch": "replace"}):
        refused = run(token, "ecc", **params)
        assert token.text(refused.msg).startswith(
            f"Refused to touch the ECC key pair 'k' on the token 'test token': 2 ECC key pairs have that name.{SEVERAL}\n- "
        )
        for listed in (PUBLIC["ecc"], PRIVATE["ecc"]):
            assert listed in token.text(refused.msg)
            assert listed.replace("id 01", "id 02") in token.text(refused.msg)
        assert len(refused.msg.splitlines()) == 3
        assert not refused.writes
    assert run(token, "ecc", id_hex="02", verify=True).result["changed"] is False
    assert run(token, "ecc", id_hex="01", state="absent", label=None).result["changed"] is True
    assert run(token, "ecc").result["changed"] is False
    assert [row["id"] for row in token.listing()] == ["02", "02"]


def test_duplicates_of_an_id(token: FaultyToken) -> None:
    keygen(token, "k", "01")
    keygen(token, "other", "01")
    refused = run(token, "ecc", id_hex="01")
    other = [text.replace("'k'", "'other'") for text in (PUBLIC["ecc"], PRIVATE["ecc"])]
    assert token.text(refused.msg) == (
        f"Refused to touch the ECC key pair 'k', id 01 on the token 'test token': its id belongs to {', '.join(other)}."
        " Choose another id, or give the label and the module of that pair."
    )
    gone = run(token, "ecc", id_hex="01", label=None, state="absent")
    assert "4 ECC keys have that name" in gone.msg
    assert not refused.writes
    assert not gone.writes
    assert run(token, "ecc").result["changed"] is False


def test_duplicates_of_label_and_id(token: FaultyToken) -> None:
    keygen(token, "k", "01")
    keygen(token, "k", "01")
    for params in ({}, {"id_hex": "01"}):
        refused = run(token, "ecc", **params)
        assert "4 ECC keys have that name" in refused.msg
        assert not refused.writes


def test_id_of_another_type(token: FaultyToken) -> None:
    keygen(token, "k", "01")
    refused = run(token, "rsa", id_hex="01")
    assert token.text(refused.msg) == (
        f"Refused to touch the RSA key pair 'k', id 01 on the token 'test token': its id belongs to {PUBLIC['ecc']},"
        f" {PRIVATE['ecc']}. Choose another id, or give the label and the module of that pair."
    )
    assert run(token, "rsa").result["changed"] is True


def test_certificate_with_the_same_id_and_label(token: FaultyToken) -> None:
    """Only key pairs count; that certificates share the id of their key is how it is meant to be."""
    run(token, "ecc", id_hex="01")
    key, certificate = token.folder / "key.pem", token.folder / "certificate.der"
    subject = ["-subj", "/CN=k", "-days", "1", "-outform", "DER", "-out", str(certificate)]
    token.tool("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), *subject)
    token.pkcs11_tool("--write-object", str(certificate), "--type", "cert", "--label", "k", "--id", "01")
    assert token.halves("k") == ["certificate", "private", "public"]
    assert run(token, "ecc", id_hex="01").result["changed"] is False
    assert run(token, "ecc").result["changed"] is False
    refused = run(token, "ecc", id_hex="01", state="absent")
    assert "its id is that of (certificate, subject 'CN=k', serial number " in refused.msg and not refused.writes
    assert run(token, "ecc", id_hex="01", state="absent", certificates="keep").result["changed"] is True
    assert token.halves("k") == ["certificate"]
    assert run(token, "ecc", id_hex="01").result["changed"] is True


@pytest.mark.parametrize("family", ["ecc", "rsa"])
def test_another_program_gives_the_private_half_an_id_of_its_own(token: FaultyToken, family: str) -> None:
    """Once the living key was called a lone public half, and the way out that the message named destroyed it."""
    made = run(token, family, id_hex="01").key_pair
    token.pkcs11_tool("--set-id", "02", "--type", "privkey", "--id", "01")
    for params in ({"id_hex": "01"}, {"id_hex": "01", "state": "absent"}, {"id_hex": "02"}):
        refused = run(token, family, **params)
        assert "the ids of its halves differ, public 01, private 02: " in refused.msg and not refused.writes
    refused = run(token, family, id_hex="01")
    uri = refused.msg.split("uri '")[1].split("'")[0]
    assert refused.msg.endswith(f"hsm_key with uri '{uri}', new_id_hex '01'.")
    (row,) = token.run("hsm_key_info", id_hex="01").result["key_pairs"]
    assert row["problems"] == (["ids"] if family == "rsa" else ["half", "ids"])
    key, certificate = token.folder / "key.pem", token.folder / "certificate.der"
    subject = ["-subj", "/CN=k", "-days", "1", "-outform", "DER", "-out", str(certificate)]
    token.tool("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), *subject)
    token.pkcs11_tool("--write-object", str(certificate), "--type", "cert", "--label", "k", "--id", "02")
    assert "type=public;id=%01', new_id_hex '02', and give this task id_hex '02'" in run(token, family, id_hex="01").msg
    assert token.run("hsm_key", uri=uri, new_id_hex="01", certificates="keep").result["changed"]
    again = run(token, family, id_hex="01", verify=True)
    assert again.result["changed"] is False and again.key_pair["fingerprint"] == made["fingerprint"]


def test_ec_halves_that_do_not_match(token: FaultyToken) -> None:
    """Nothing but a proof can tell: label, id and curve are equal."""
    run(token, "ecc", id_hex="01")
    delete(token, "public")
    write_public(token, run(token, "ecc", label="other").key_pair["public_key_pem"])
    unproven = run(token, "ecc", verify=False)
    assert unproven.result["changed"] is False
    assert unproven.key_pair["pairing"] == "id"
    assert unproven.key_pair["verified"] is None
    for check_mode, verify in itertools.product((False, True), (None, True)):
        refused = run(token, "ecc", verify=verify, check_mode=check_mode)
        assert token.text(refused.msg) == (
            f"The halves {PUBLIC['ecc']} and {PRIVATE['ecc']} do not belong together: what the private half did by"
            f" CKM_ECDSA does not fit the public half.{STRANGER}"
        )
        assert not refused.writes
    stranger_goes(token)


def test_ec_halves_on_different_curves(token: FaultyToken) -> None:
    run(token, "ecc", id_hex="01")
    delete(token, "public")
    write_public(token, run(token, "ecc", label="other", curve="P-384").key_pair["public_key_pem"])
    refused = run(token, "ecc")
    assert token.text(refused.msg) == (
        "Refused to touch the ECC key pair 'k' on the token 'test token': its halves do not belong together (curve"
        f" differs): {PUBLIC['ecc'].replace('secp256r1', 'secp384r1')}, {PRIVATE['ecc']}. Nothing was changed.{STRANGER}"
    )
    assert not refused.writes
    stranger_goes(token)


def test_rsa_halves_that_do_not_match(token: FaultyToken) -> None:
    """The modulus tells, without a proof; the way out that the message names works."""
    run(token, "rsa", id_hex="01")
    delete(token, "public")
    other = run(token, "rsa", label="other").key_pair
    write_public(token, other["public_key_pem"])
    for params in ({}, {"id_hex": "01"}, {"state": "absent"}):
        refused = run(token, "rsa", **params)
        assert "its halves do not belong together (modulus differs): " in refused.msg
        assert token.text(refused.msg).endswith(f"{PUBLIC['rsa']}, {PRIVATE['rsa']}. Nothing was changed.{STRANGER}")
        assert not refused.writes
    stranger_goes(token)
    assert token.halves("other") == ["private", "public"]


def test_pair_without_an_id(token: FaultyToken) -> None:
    """Two pairs of one label, of which none has an id, cannot be told apart; one alone is managed by its label."""
    token.pkcs11_tool("--keypairgen", "--key-type", "EC:prime256v1", "--label", "k")
    assert run(token, "ecc", verify=True).result["changed"] is False
    refused = run(token, "ecc", id_hex="01")
    assert token.text(refused.msg).startswith(
        "Refused to generate the ECC key pair 'k', id 01 on the token 'test token': there is a pair of that label and"
        " type without an id, "
    )
    assert not refused.writes
    token.pkcs11_tool("--keypairgen", "--key-type", "EC:prime256v1", "--label", "k")
    assert "4 ECC keys have that name" in run(token, "ecc").msg
