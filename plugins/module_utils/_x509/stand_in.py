# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A private key that is somewhere else, for cryptography's builders.

They take any object that is registered as a private key, and do not look at what it signs: check every result.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.scheme import Scheme, Sign, signature

with contextlib.suppress(ImportError):  # a module that needs it has said so before
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, utils


class _StandIn:
    """What the builders ask of a private key; they tell what to sign, `scheme` told them how."""

    def __init__(self, key: t.Any, sign: t.Callable[[bytes], bytes]) -> None:
        self._key = key
        self._sign = sign

    def public_key(self) -> t.Any:
        """The public key."""
        return self._key

    def sign(self, data: bytes, *dummy: t.Any) -> bytes:
        """A signature of `data`."""
        return self._sign(data)


def stand_in(key: t.Any, scheme: Scheme, allowed: t.Collection[int], sign: Sign) -> t.Any:
    """What signs with the private half of `key`: `sign` does it, with one of the `allowed` mechanisms."""
    order = (key.key_size + 7) // 8 if scheme.name == "ecdsa" else 0
    ways = scheme.allowed(allowed, order)

    def signed(data: bytes) -> bytes:
        made = signature(ways, sign, data)
        return _as_der(made) if scheme.name == "ecdsa" else made

    kinds = (
        (rsa.RSAPublicKey, rsa.RSAPrivateKey),
        (ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey),
        (ed25519.Ed25519PublicKey, ed25519.Ed25519PrivateKey),
        (ed448.Ed448PublicKey, ed448.Ed448PrivateKey),
    )
    private: t.Any = next(private for public, private in kinds if isinstance(key, public))
    of_its_kind = type("StandIn", (_StandIn,), {"key_size": property(lambda own: key.key_size)})
    private.register(of_its_kind)
    return of_its_kind(key, signed)


def _as_der(sides: bytes) -> bytes:
    """r and s, side by side as PKCS#11 has them, as certificates have them (RFC 3279, section 2.2.3)."""
    half = len(sides) // 2
    return utils.encode_dss_signature(int.from_bytes(sides[:half], "big"), int.from_bytes(sides[half:], "big"))
