# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Public EC keys as tokens hold them: a curve, and a point that is raw or in a DER OCTET STRING."""

from __future__ import annotations

import contextlib
import functools
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import curves, public_key

try:
    from asn1crypto.core import OctetString
    from asn1crypto.keys import PublicKeyAlgorithm, PublicKeyInfo
except ImportError:
    # As in `public_key.py`.
    pass


def spki_of(params: bytes, point: bytes) -> bytes | None:
    """DER of the SubjectPublicKeyInfo, from CKA_EC_PARAMS and CKA_EC_POINT; None where they tell no key."""
    curve = curves.curve_by_ec_params(params)
    try:
        return spki(curve, point) if curve else None
    except ValueError:
        return None


def spki(curve: curves.Curve, point: bytes) -> bytes:
    """DER of the SubjectPublicKeyInfo of an EC key, the curve by its name (RFC 5480, RFC 8410), from CKA_EC_POINT.

    Raises `ValueError` where `point` is no point of that curve's size.
    """
    return public_key.spki(_algorithm(curve), _raw_point(curve, point))


@functools.cache
def _algorithm(curve: curves.Curve) -> bytes:
    named = {} if curve.key_type == "ec_edwards" else {"parameters": ("named", curve.oid)}
    return t.cast(bytes, PublicKeyAlgorithm({"algorithm": "ec" if named else curve.oid, **named}).dump())


def _raw_point(curve: curves.Curve, point: bytes) -> bytes:
    """CKA_EC_POINT without its DER OCTET STRING; some tokens give the raw point (OpenSC, AWS)."""
    size = (curve.bits + 7) // 8
    edwards = {"ed25519": 32, "ed448": 57}.get(curve.name)
    lengths = (edwards,) if edwards else (2 * size + 1, size + 1)
    raw = point if len(point) in lengths else unwrapped(point)
    if len(raw) not in lengths:
        raise ValueError(f"{len(point)} bytes are no point of {curve.name}")
    return raw


def unwrapped(point: bytes) -> bytes:
    """`point` without the DER OCTET STRING around it, where there is one (X.690, 8.7)."""
    raw = point[2:] if len(point) < 0x82 else point[3:]
    if point == public_key.der(0x04, raw):  # as nearly every token writes it
        return raw
    with contextlib.suppress(ValueError, TypeError):
        return t.cast(bytes, OctetString.load(point, strict=True).native)
    return point


def point_of(info: bytes) -> bytes:
    """The public point of an EC key, as it is in its SubjectPublicKeyInfo (RFC 5480, 2.2; RFC 8410, 4)."""
    return bytes(PublicKeyInfo.load(info)["public_key"])


def octet_string(point: bytes) -> bytes:
    """DER of an OCTET STRING, as PKCS#11 wants CKA_EC_POINT."""
    return t.cast(bytes, OctetString(point).dump())
