# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures by the CloudHSM CLI, for the proof of a pair.

Sources: user guide of AWS CloudHSM, pages cloudhsm_cli-crypto-sign-ecdsa (the signature is r and s, joined, in
base64), cloudhsm_cli-crypto-sign-rsa-pkcs, cloudhsm_cli-crypto-sign-rsa-pkcs-pss and cloudhsm_cli-crypto-sign-ed25519.
The CLI has no command that decrypts or derives.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.answer import Unclear, member
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.keys import reference
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.tool import Tool
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import Curve
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS, mechanism_name

SIGNING_VERSION = (5, 11)
# From 5.16 on it takes no hash that is weaker than the curve (page ki-all).
_ECDSA = (("CKM_ECDSA_SHA256", 256), ("CKM_ECDSA_SHA384", 384), ("CKM_ECDSA_SHA512", 521))
_OTHERS = ("CKM_SHA256_RSA_PKCS", "CKM_SHA256_RSA_PKCS_PSS", "CKM_EDDSA")


def mechanisms_for(curve: Curve | None) -> frozenset[int]:
    """What a key on this curve, or an RSA key, can be proven with."""
    bits = curve.bits if curve else 0
    names = [*_OTHERS, *(name for name, strength in _ECDSA if strength >= bits)]
    return frozenset(MECHANISMS[name].code for name in names)


class CliSigner:
    """What L{_proof.prove} needs of a session."""

    def __init__(self, tool: Tool, token: str) -> None:
        self._tool = tool
        self._token = token

    def sign(self, found: TokenObject, mechanism: int, data: bytes, pss: str = "") -> bytes:
        """A signature made inside an HSM."""
        name = mechanism_name(mechanism)
        attempt = f"sign with the private key {reference(found.handle)} on the token '{self._token}' by {name}"
        arguments = ["crypto", "sign", *_command(name, pss), "--data", base64.b64encode(data).decode()]
        answer = self._tool.command(attempt, [*arguments, "--key-filter", reference(found.handle)])
        try:
            return base64.b64decode(member(answer, "signature", str), validate=True)
        except (Unclear, binascii.Error) as error:
            raise TokenError(attempt, said=f"no signature ({error})", hint="") from None

    def decrypt(self, found: TokenObject, mechanism: int, data: bytes) -> bytes:
        """Not to be had."""
        raise TokenError("decrypt", said="nothing: the CloudHSM CLI has no such command", hint="")

    def derive(self, found: TokenObject, point: bytes, size: int) -> bytes:
        """Not to be had."""
        raise TokenError("derive", said="nothing: the CloudHSM CLI has no such command", hint="")


def _command(mechanism: str, pss: str) -> list[str]:
    """The command and its flags for a mechanism."""
    if mechanism == "CKM_EDDSA":
        return ["ed25519"]
    name = (MECHANISMS[mechanism].hash or "sha256").lower()
    if pss:
        size = hashlib.new(pss).digest_size
        return ["rsa-pkcs-pss", "--hash-function", name, "--mgf", f"mgf1-{pss}", "--salt-length", str(size)]
    family = "ecdsa" if mechanism.startswith("CKM_ECDSA") else "rsa-pkcs"
    return [family, "--hash-function", name]
