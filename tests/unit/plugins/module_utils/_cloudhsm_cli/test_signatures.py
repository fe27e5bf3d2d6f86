# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures by the CloudHSM CLI: which command is given for a mechanism, and what of its answer is none."""

from __future__ import annotations

import base64
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.signatures import CloudHsmCliSigner
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal

SIGNATURE = b"a signature"
ANSWER = {"signature": base64.b64encode(SIGNATURE).decode()}


class Cli:
    """It answers each command in the same way, and keeps what it was told."""

    def __init__(self, answer: t.Any = None) -> None:
        self.answer = ANSWER if answer is None else answer
        self.told: list[str] = []

    def command(self, attempt: str, arguments: t.Sequence[str]) -> t.Any:
        self.told = list(arguments)
        return self.answer


def signed(mechanism: str, kind: str, cli: Cli) -> bytes:
    signer = CloudHsmCliSigner(t.cast("t.Any", cli), "cluster", pair_of(private_key(kind)).private)
    return signer.sign(MECHANISMS[mechanism], b"data")


@pytest.mark.parametrize(
    ("mechanism", "kind", "words"),
    [
        ("CKM_ECDSA_SHA256", "secp256r1", "ecdsa --hash-function sha256"),
        ("CKM_ECDSA_SHA512", "secp521r1", "ecdsa --hash-function sha512"),
        ("CKM_SHA256_RSA_PKCS", "2048", "rsa-pkcs --hash-function sha256"),
        (
            "CKM_SHA256_RSA_PKCS_PSS",
            "2048",
            "rsa-pkcs-pss --hash-function sha256 --mgf mgf1-sha256 --salt-length 32",
        ),
        ("CKM_EDDSA", "ed25519", "ed25519"),
    ],
)
def test_the_command_for_a_mechanism(mechanism: str, kind: str, words: str) -> None:
    cli = Cli()
    assert signed(mechanism, kind, cli) == SIGNATURE
    assert cli.told[:-3] == ["crypto", "sign", *words.split(), "--data"]
    assert cli.told[-3:] == [base64.b64encode(b"data").decode(), "--key-filter", cli.told[-1]]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"signature": "YSBz*aWduYXR1cmU="}, ""),  # the words are those of Python's library
        ({"signature": 7}, "no str 'signature' where one belongs)."),
        ({}, "no str 'signature' where one belongs)."),
    ],
)
def test_what_is_no_signature(answer: t.Any, why: str) -> None:
    told = refusal(lambda: signed("CKM_ECDSA_SHA256", "secp256r1", Cli(answer)))
    assert f"the HSM answered no signature ({why}" in told


def test_a_hash_that_is_weaker_than_the_curve_is_not_used() -> None:
    cli = Cli()
    assert "CKR_MECHANISM_INVALID" in refusal(lambda: signed("CKM_ECDSA_SHA256", "secp384r1", cli))
    assert cli.told == []
