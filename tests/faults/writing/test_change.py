# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes, freezing and removal that the token refuses or only pretends."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.soft_token import library

DERIVE: dict[str, t.Any] = {"label": "k", "usage": ["derive"]}
FREEZE: dict[str, t.Any] = {
    "label": "k",
    "private_attributes": {"modifiable": False},
    "public_attributes": {"destroyable": False},
}
PUBLIC = "(public ec key, on secp256r1, label 'k', id DRAWN, fingerprint FINGERPRINT)"
PRIVATE = "(private ec key, on secp256r1, label 'k', id DRAWN, fingerprint unknown)"


def usage(token: FaultyToken) -> list[str]:
    """What the halves of the pair may do, by pkcs11-tool."""
    return sorted(row["usage"] for row in token.listing())


@pytest.mark.parametrize("call", [1, 2])
def test_refused_change_is_undone(token: FaultyToken, call: int) -> None:
    token.ecc(label="k", curve="P-256")
    before = usage(token)
    run = token.faulty_ecc(f"C_SetAttributeValue#{call} instead return 0x10", **DERIVE)
    assert token.text(run.msg) == (
        "Could not change the ECC key pair 'k' on the token 'test token': the HSM answered CKR_ATTRIBUTE_READ_ONLY; the"
        " token does not let this attribute be set. Nothing was changed."
    )
    assert usage(token) == before == ["sign", "verify"]


def test_refused_change_that_cannot_be_undone(token: FaultyToken) -> None:
    token.ecc(label="k", curve="P-256")
    run = token.faulty_ecc("C_SetAttributeValue#2+ instead return 0x10", **DERIVE)
    assert token.text(run.msg).endswith("What stays changed: private half's sign, derive.")
    assert usage(token) == ["derive", "verify"]
    assert token.ecc(**DERIVE, curve="P-256").result["changed"] is True
    assert token.ecc(**DERIVE, curve="P-256").result["changed"] is False


def test_change_that_is_only_pretended(token: FaultyToken) -> None:
    token.ecc(label="k", curve="P-256")
    run = token.faulty_ecc("C_SetAttributeValue instead return 0", **DERIVE)
    assert run.msg == (
        "Could not change the ECC key pair 'k' on the token 'test token': the token took the change and did not make it,"
        " public half's verify is true, wished false; private half's sign is true, wished false; private half's derive is"
        " false, wished true. Nothing was changed."
    )


def test_token_that_cannot_copy(token: FaultyToken) -> None:
    """The pair is there and works when it is to be frozen; that this fails is said, and the next run tries again."""
    run = token.faulty_ecc("C_CopyObject instead return 0x54", **FREEZE)
    assert token.text(run.msg) == (
        "Could not set modifiable to false for the ECC key pair 'k' on the token 'test token': the HSM answered"
        f" CKR_FUNCTION_NOT_SUPPORTED. The pair is there: {PRIVATE}."
    )
    assert token.halves("k") == ["private", "public"]
    assert token.ecc(**FREEZE, curve="P-256").result["changed"] is True
    assert token.ecc(**FREEZE, curve="P-256").result["changed"] is False


@pytest.mark.parametrize("module", ["hsm_ecc_keypair", "hsm_rsa_keypair"])
@pytest.mark.parametrize("call", [1, 2])
def test_original_that_stays_beside_its_copy(token: FaultyToken, module: str, call: int) -> None:
    """Two equal halves are no pair; the task that made them finishes what it began, and no other does."""
    key = {"curve": "P-256"} if module == "hsm_ecc_keypair" else {"modulus_bits": 2048}
    run = token.faulty(module, f"C_DestroyObject#{call} instead return 0x30", **FREEZE, **key)
    assert "CKR_DEVICE_ERROR" in run.msg
    assert len(token.halves("k")) == 3
    assert "3 " in token.run(module, label="k", **key).msg
    assert token.faulty(module, check_mode=True, **FREEZE, **key).result["changed"] is True
    assert len(token.halves("k")) == 3
    assert token.run(module, **FREEZE, **key).result["changed"] is True
    assert token.halves("k") == ["private", "public"]
    assert token.run(module, **FREEZE, verify=True, **key).result["changed"] is False


def test_stranger_beside_a_frozen_half(token: FaultyToken) -> None:
    """Another private key of the same label and id is not taken for the original of a copy."""
    token.ecc(**FREEZE, id_hex="01", curve="P-256")
    token.ecc(label="stranger", id_hex="02", curve="P-256")
    token.pkcs11_tool("--delete-object", "--type", "pubkey", "--id", "02")
    token.pkcs11_tool("--set-id", "01", "--type", "privkey", "--id", "02")
    token.tool(
        *("p11tool", "--provider", library(), "--login", "--set-pin", token.pin),
        *("--set-label", "k", "pkcs11:object=stranger;type=private"),
    )
    run = token.faulty_ecc(**FREEZE, id_hex="01")
    assert run.msg.startswith("Refused to touch the ECC key pair 'k', id 01 on the token 'test token': 3 ECC keys")
    assert not run.writes
    assert token.halves("k") == ["private", "private", "public"]


@pytest.mark.parametrize(("call", "remains"), [(1, f"{PUBLIC} and {PRIVATE}"), (2, PUBLIC)])
def test_refused_removal(token: FaultyToken, call: int, remains: str) -> None:
    made = token.ecc(label="k", curve="P-256").key_pair
    run = token.faulty_ecc(f"C_DestroyObject#{call} instead return 0x30", label="k", curve=None, state="absent")
    assert token.text(run.msg) == (
        "Could not remove the ECC key pair 'k' on the token 'test token': the HSM answered CKR_DEVICE_ERROR; check the HSM"
        f" and its connection. What remains: {remains}."
    )
    assert token.halves("k") == (["private", "public"] if call == 1 else ["public"])
    assert token.ecc(id_hex=made["id_hex"], state="absent").result["changed"] is True
    assert token.listing() == []
