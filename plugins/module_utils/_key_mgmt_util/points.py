# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The point of an EC key without its curve, which key_mgmt_util does not tell: found by size and equation."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import curves, ec_key


def raw_point(point: bytes) -> bytes:
    """`point` without the DER OCTET STRING around it, where there is one.

    Its length tells: a raw point begins as an OCTET STRING does, and one P-256 point in 256 can be read as one.
    """
    raw = {2 * ((curve.bits + 7) // 8) + 1 for curve in curves.CURVES}
    return point if len(point) in raw else ec_key.unwrapped(point)


def curve_of_point(point: bytes) -> curves.Curve | None:
    """The curve of genECCKeyPair on which an uncompressed point lies (SEC 1, 2.3.3), or None.

    Sizes of P-256 and secp256k1 are the same; a point is on one of them only.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec

    known: dict[str, t.Any] = {str(kind.name): kind for kind in ec.EllipticCurve.__subclasses__()}
    for curve in curves.CURVES:
        if curve.number is not None and curve.name in known and point[:1] == b"\x04":
            with contextlib.suppress(ValueError, UnsupportedAlgorithm):
                ec.EllipticCurvePublicKey.from_encoded_point(known[curve.name](), point)
                return curve
    return None


def curve_by_nid(nid: object) -> curves.Curve | None:
    """The curve by the number that stands where an RSA key has its size; where the point is not told.

    The dump of a P-256 key in the documentation of genECCKeyPair has 0x19f, which is OpenSSL's number of that curve.
    """
    return next((curve for curve in curves.CURVES if nid is not None and curve.nid == nid), None)
