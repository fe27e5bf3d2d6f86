# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures by the CloudHSM CLI, for the proof of a pair and for certificates.

Sources: user guide of AWS CloudHSM, pages cloudhsm_cli-crypto-sign-ecdsa (the signature is r and s, joined, in
base64), cloudhsm_cli-crypto-sign-rsa-pkcs, cloudhsm_cli-crypto-sign-rsa-pkcs-pss and cloudhsm_cli-crypto-sign-ed25519.
The CLI has no command that decrypts or derives.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli import keys
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.answer import Unclear, field
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.tool import Tool
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair, session
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import curves, errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS, Mechanism

# From 5.16 on it takes no hash that is weaker than the curve (page ki-all).
_ECDSA = (("CKM_ECDSA_SHA256", 256), ("CKM_ECDSA_SHA384", 384), ("CKM_ECDSA_SHA512", 521))
_RSA = (f"CKM_SHA{bits}_RSA_PKCS{scheme}" for bits in (256, 384, 512) for scheme in ("", "_PSS"))
_OTHERS = (*_RSA, "CKM_EDDSA")
SIGNING_VERSION = (5, 11)
TOO_OLD = "the CloudHSM CLI signs from version 5.11 on"


def mechanisms_for(curve: curves.Curve | None) -> frozenset[int]:
    """What a key on this curve, or an RSA key, can sign with."""
    bits = curve.bits if curve else 0
    names = [*_OTHERS, *(name for name, strength in _ECDSA if strength >= bits)]
    return frozenset(MECHANISMS[name].code for name in names)


class CloudHsmCliSigner(session.Signer):
    """The private half `found`, which can only sign."""

    def __init__(self, tool: Tool, token: str, found: keypair.TokenObject) -> None:
        self._tool = tool
        self._token = token
        self._found = found

    @property
    def mechanisms(self) -> frozenset[int]:
        return mechanisms_for(self._found.curve)

    @property
    def declared(self) -> frozenset[int]:
        """What it can sign with, without a question to the cluster."""
        return self.mechanisms

    def barred(self) -> str | None:
        return TOO_OLD if self._tool.version < SIGNING_VERSION else None

    def sign(self, mechanism: Mechanism, data: bytes) -> bytes:
        key = keys.reference(self._found.handle)
        attempt = f"sign with the private key {key} on the token '{self._token}' by {mechanism.name}"
        if mechanism.code not in self.mechanisms:
            raise errors.TokenError(attempt, "CKR_MECHANISM_INVALID")
        arguments = ["crypto", "sign", *_command(mechanism), "--data", base64.b64encode(data).decode()]
        answer = self._tool.command(attempt, [*arguments, "--key-filter", key])
        try:
            return base64.b64decode(field(answer, "signature", str), validate=True)
        except (Unclear, binascii.Error) as error:
            raise errors.TokenError(attempt, said=f"no signature ({error})", hint="") from None


def _command(mechanism: Mechanism) -> list[str]:
    """The command and its flags for a mechanism."""
    name = mechanism.hash
    if mechanism.name == "CKM_EDDSA":
        return ["ed25519"]
    if mechanism.name.endswith("_PSS"):
        size = hashlib.new(name).digest_size
        return ["rsa-pkcs-pss", "--hash-function", name, "--mgf", f"mgf1-{name}", "--salt-length", str(size)]
    return ["ecdsa" if mechanism.family == "ec" else "rsa-pkcs", "--hash-function", name]
