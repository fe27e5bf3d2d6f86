# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The elliptic curves: one table, every usual spelling of a curve, and the ways in which tokens describe one.

PKCS#11 has no list of curves, so this table is not what a token can do. It was made by asking SoftHSM 2.6.1 (OpenSSL
3.0.19) for a key pair on each curve of `openssl ecparam -list_curves`: it generated, and signed with, all that have
an OID, from 112 to 571 bits, binary fields and SM2 too, and Ed25519 and Ed448 by OID as well as by name. SoftHSM is
thus no policy. Ours is NIST SP 800-57 part 1 (5.6.1.1) and SP 800-186: at least 224 bits (112 bits of security), and
no binary fields, which SP 800-186 deprecates. What is refused is known by name, so that the reason can be told.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from functools import lru_cache

try:
    from asn1crypto import core

    HAS_ASN1CRYPTO = True
except ImportError:
    # python-pkcs11, which needs asn1crypto, is missing then; the module says so.
    HAS_ASN1CRYPTO = False

MIN_BITS = 224
_NUMBER = re.compile(r"-?[0-9]{1,9}")


@dataclass(frozen=True)
class Curve:
    """A curve that may be wished.

    `name` is the spelling of SEC 2, RFC 5480, RFC 5639 or RFC 8410. `bits` is the size of the field, from which that
    of a point follows (255 for Ed25519, 448 for Ed448). `number` is what genECCKeyPair's `-i` calls it, where that
    is the same for every vendor of the tool, and `nid` the number by which its dumps tell it, which is OpenSSL's
    (obj_mac.h).
    """

    name: str
    oid: str
    bits: int
    key_type: str = "ec"  # or "ec_edwards"
    aliases: tuple[str, ...] = ()
    number: int | None = None
    nid: int | None = None

    def ec_params(self) -> bytes:
        """CKA_EC_PARAMS: the DER OBJECT IDENTIFIER (PKCS#11 3.0, 6.3.3 and RFC 8410); SoftHSM takes it for Ed too."""
        return _object_identifier(self.oid)


@lru_cache  # many pairs are on one curve
def _object_identifier(oid: str) -> bytes:
    return t.cast(bytes, core.ObjectIdentifier(oid).dump())


def _nist(bits: int) -> tuple[str, ...]:
    """The spellings of FIPS 186, SP 800-186, OpenSSH (RFC 5656) and AWS that the NIST prime curves share."""
    return (
        f"P-{bits}",
        f"NIST P-{bits}",
        f"nistp{bits}",
        f"ecdsa-sha2-nistp{bits}",
        f"ECC_NIST_P{bits}",
        f"ansip{bits}r1",
    )


# The numbers are those of `listECCCurveIds`, as Alibaba and Oracle document it; AWS lists 2, 14 and 16.
CURVES: tuple[Curve, ...] = (
    Curve(
        "secp256r1",
        "1.2.840.10045.3.1.7",
        256,
        aliases=("prime256v1", "NID_X9_62_prime256v1", *_nist(256)),
        number=2,
        nid=415,
    ),
    Curve(
        "secp384r1",
        "1.3.132.0.34",
        384,
        aliases=_nist(384),
        number=14,
        nid=715,
    ),
    Curve(
        "secp521r1",
        "1.3.132.0.35",
        521,
        aliases=_nist(521),
        number=15,
        nid=716,
    ),
    Curve(
        "secp224r1",
        "1.3.132.0.33",
        224,
        aliases=_nist(224),
        number=13,
        nid=713,
    ),
    Curve(
        "secp256k1",
        "1.3.132.0.10",
        256,
        aliases=("P-256K", "ECC_SECG_P256K1", "ansip256k1"),
        number=16,
        nid=714,
    ),
    Curve("secp224k1", "1.3.132.0.32", 224, aliases=("ansip224k1",)),
    Curve("prime239v1", "1.2.840.10045.3.1.4", 239),
    Curve("prime239v2", "1.2.840.10045.3.1.5", 239),
    Curve("prime239v3", "1.2.840.10045.3.1.6", 239),
    # RFC 5639; r1 is the random curve, t1 its twist
    Curve("brainpoolP224r1", "1.3.36.3.3.2.8.1.1.5", 224),
    Curve("brainpoolP224t1", "1.3.36.3.3.2.8.1.1.6", 224),
    Curve("brainpoolP256r1", "1.3.36.3.3.2.8.1.1.7", 256),
    Curve("brainpoolP256t1", "1.3.36.3.3.2.8.1.1.8", 256),
    Curve("brainpoolP320r1", "1.3.36.3.3.2.8.1.1.9", 320),
    Curve("brainpoolP320t1", "1.3.36.3.3.2.8.1.1.10", 320),
    Curve("brainpoolP384r1", "1.3.36.3.3.2.8.1.1.11", 384),
    Curve("brainpoolP384t1", "1.3.36.3.3.2.8.1.1.12", 384),
    Curve("brainpoolP512r1", "1.3.36.3.3.2.8.1.1.13", 512),
    Curve("brainpoolP512t1", "1.3.36.3.3.2.8.1.1.14", 512),
    # GB/T 32918.5; over CKM_ECDSA it signs as any other curve, which is not the SM2 signature algorithm
    Curve("sm2p256v1", "1.2.156.10197.1.301", 256, aliases=("SM2", "curveSM2")),
    # RFC 8410; the names of PKCS#11 3.0 are edwards25519 and edwards448
    Curve("ed25519", "1.3.101.112", 255, key_type="ec_edwards", aliases=("edwards25519", "id-Ed25519", "ssh-ed25519")),
    Curve("ed448", "1.3.101.113", 448, key_type="ec_edwards", aliases=("edwards448", "id-Ed448", "ssh-ed448")),
)

# Other OIDs that a token may give for these curves, read but not taken as a wish: GNU's for Ed25519 (OpenPGP cards
# through OpenSC), and that of WTLS for the very parameters of secp224r1.
WAP_ARC = "2.23.43.1.4."
_OTHER_OIDS = {"1.3.6.1.4.1.11591.15.1": "ed25519", WAP_ARC + "12": "secp224r1"}


def plain(name: str) -> str:
    """`name` without case, blanks, `-`, `_`, `.` and the prefixes of OpenSSL's symbols and of X9.62."""
    plain = re.sub(r"[-_.\s]", "", name).lower().removeprefix("nid")
    return re.sub(r"^(?:ansi)?x962", "", plain)


_BY_NAME = {plain(name): curve for curve in CURVES for name in (curve.name, *curve.aliases)}
BY_NUMBER = {curve.number: curve for curve in CURVES if curve.number is not None}
_BY_OID = {curve.oid: curve for curve in CURVES}
_BY_ANY_OID = _BY_OID | {oid: _BY_NAME[name] for oid, name in _OTHER_OIDS.items()}


def curve_by_name(value: str | int) -> Curve:
    """The curve that a user means by a name, a dotted OID or a number of genECCKeyPair (as int or as digits).

    Raises `ValueError` with a reason of one line: why a known curve is refused, or what names are usual.
    """
    text = str(value).strip()
    number = int(text) if _NUMBER.fullmatch(text) else None
    found = _BY_OID.get(text) or _BY_NAME.get(plain(text)) if number is None else BY_NUMBER.get(number)
    if found is None:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import refused_curves

        raise ValueError(refused_curves.refusal(value))
    return found


@lru_cache(maxsize=256)
def curve_by_ec_params(der: bytes) -> Curve | None:
    """The curve that CKA_EC_PARAMS names or spells out, or None: unknown, refused or no DER at all; never raises.

    An OBJECT IDENTIFIER, a PrintableString (PKCS#11 3.0, 6.3.3: `curveName`) or explicit ECParameters (X9.62, SEC 1
    C.2), which are compared by value: SoftHSM accepts and returns them.
    """
    if not HAS_ASN1CRYPTO or not 2 < len(der) <= 4096:
        return None
    try:
        if der[0] == 0x06:
            return _BY_ANY_OID.get(core.ObjectIdentifier.load(der, strict=True).dotted)
        if der[0] == 0x13:
            return _BY_NAME.get(plain(core.PrintableString.load(der, strict=True).native))
        if der[0] == 0x30:
            from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import explicit_curve

            return _BY_NAME.get(plain(explicit_curve.name_of(der)))
    except Exception:
        # asn1crypto raises ValueError and TypeError for most garbage, but also what its own code stumbles over.
        # A curve that cannot be read is not one of ours: there is nothing else to say about it.
        return None
    return None
