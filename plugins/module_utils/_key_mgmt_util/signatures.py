# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures by key_mgmt_util, for the proof of a pair and for certificates."""

from __future__ import annotations

import contextlib

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.tool import Tool
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair, session
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import curves, errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS, Mechanism

# The numbers of the command's option -m (AWS, key_mgmt_util-sign; Alibaba's are the same).
_NUMBERS = {
    MECHANISMS[name].code: number
    for name, number in (
        ("CKM_SHA256_RSA_PKCS", 1),
        ("CKM_SHA384_RSA_PKCS", 2),
        ("CKM_SHA512_RSA_PKCS", 3),
        ("CKM_SHA256_RSA_PKCS_PSS", 6),
        ("CKM_SHA384_RSA_PKCS_PSS", 7),
        ("CKM_SHA512_RSA_PKCS_PSS", 8),
        ("CKM_ECDSA_SHA256", 17),
        ("CKM_ECDSA_SHA384", 18),
        ("CKM_ECDSA_SHA512", 19),
    )
}


def mechanisms_for(curve: curves.Curve | None) -> frozenset[int]:
    """What the tool can sign with; on a curve the one hash that is as strong (FIPS policies refuse a weaker one)."""
    if curve is None:
        return frozenset(_NUMBERS)
    bits = 256 if curve.bits <= 256 else 384 if curve.bits <= 384 else 512
    return frozenset({MECHANISMS[f"CKM_ECDSA_SHA{bits}"].code})


class KeyMgmtUtilSigner(session.Signer):
    """The private half of `pair`, which can only sign."""

    def __init__(self, tool: Tool, token_name: str, pair: keypair.KeyPair) -> None:
        self._tool = tool
        self._token_name = token_name
        self._pair = pair

    @property
    def _curve(self) -> curves.Curve | None:
        return self._pair.private.curve or self._pair.public.curve

    @property
    def mechanisms(self) -> frozenset[int]:
        return mechanisms_for(self._curve)

    @property
    def declared(self) -> frozenset[int]:
        """What it can sign with, without a question to the cluster."""
        return self.mechanisms

    def sign(self, mechanism: Mechanism, data: bytes) -> bytes:
        found = self._pair.private
        attempt = f"sign with the {found.half} key {found.handle} on the token '{self._token_name}'"
        if mechanism.code not in self.mechanisms:
            raise errors.TokenError(attempt, "CKR_MECHANISM_INVALID")
        signature = self._tool.sign(found.handle, _NUMBERS[mechanism.code], data, attempt)
        return side_by_side(signature, (self._curve.bits + 7) // 8) if self._curve else signature


def side_by_side(signature: bytes, size: int) -> bytes:
    """An ECDSA signature as r and s of `size` bytes each.

    The tool writes the DER of both (RFC 3279, 2.2.3), in a file that may be longer; no vendor documents that, so the
    other form is taken as well.
    """
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    if len(signature) > 2 and signature[0] == 0x30:
        skip = 1 if signature[1] == 0x81 else 0
        end = 2 + skip + signature[1 + skip]
        with contextlib.suppress(ValueError, OverflowError):
            numbers = decode_dss_signature(signature[:end])
            return b"".join(number.to_bytes(size, "big") for number in numbers)
    return signature[: 2 * size]
