# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The elliptic curves: one table, every usual spelling of a curve, and the ways in which tokens describe one.

PKCS#11 has no list of curves, so this table is not what a token can do. It was made by asking SoftHSM 2.6.1 (OpenSSL
3.0.19) for a key pair on each curve of C(openssl ecparam -list_curves): it generated, and signed with, all that have
an OID, from 112 to 571 bits, binary fields and SM2 too, and Ed25519 and Ed448 by OID as well as by name. SoftHSM is
thus no policy. Ours is NIST SP 800-57 part 1 (5.6.1.1) and SP 800-186: at least 224 bits (112 bits of security), and
no binary fields, which SP 800-186 deprecates. What is refused is known by name, so that the reason can be told.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass
from functools import lru_cache

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.text import did_you_mean

try:
    from asn1crypto import core, keys

    HAS_ASN1CRYPTO = True
except ImportError:
    # python-pkcs11, which needs asn1crypto, is missing then; the module says so.
    HAS_ASN1CRYPTO = False

MIN_BITS = 224
_USUAL = "secp256r1, secp384r1, secp521r1, secp224r1, secp256k1, brainpoolP256r1, ed25519"
_OID = re.compile(r"[0-2](?:\.[0-9]+)+")


@dataclass(frozen=True)
class Curve:
    """A curve that may be wished.

    C(name) is the spelling of SEC 2, RFC 5480, RFC 5639 or RFC 8410. C(bits) is the size of the field, from which that
    of a point follows (255 for Ed25519, 448 for Ed448). C(number) is what genECCKeyPair's C(-i) calls it, where that
    is the same for every vendor of the tool. C(parameters) is the digest of its domain parameters, see L{_digest}.
    """

    name: str
    oid: str
    bits: int
    key_type: str = "ec"  # or "ec_edwards"
    aliases: tuple[str, ...] = ()
    number: int | None = None
    parameters: str = ""

    def ec_params(self) -> bytes:
        """CKA_EC_PARAMS: the DER OBJECT IDENTIFIER (PKCS#11 3.0, 6.3.3 and RFC 8410); SoftHSM takes it for Ed too."""
        return t.cast(bytes, core.ObjectIdentifier(self.oid).dump())


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


# The digests are those of `openssl ecparam -name NAME -param_enc explicit` (OpenSSL 3.0.19); the unit test makes
# them anew. The numbers are those of `listECCCurveIds`, as Alibaba and Oracle document it; AWS lists 2, 14 and 16.
CURVES: tuple[Curve, ...] = (
    Curve(
        "secp256r1",
        "1.2.840.10045.3.1.7",
        256,
        aliases=("prime256v1", "NID_X9_62_prime256v1", *_nist(256)),
        number=2,
        parameters="5a06bb577a3b439051e24d785fa0ab75",
    ),
    Curve(
        "secp384r1", "1.3.132.0.34", 384, aliases=_nist(384), number=14, parameters="6bafd87cf9a79b8109d6514c00b1be2b"
    ),
    Curve(
        "secp521r1", "1.3.132.0.35", 521, aliases=_nist(521), number=15, parameters="11344b2cf5daf7e8f688804f64c58d95"
    ),
    Curve(
        "secp224r1", "1.3.132.0.33", 224, aliases=_nist(224), number=13, parameters="861d67693bb8617178fcbccf28ea1b5f"
    ),
    Curve(
        "secp256k1",
        "1.3.132.0.10",
        256,
        aliases=("P-256K", "ECC_SECG_P256K1", "ansip256k1"),
        number=16,
        parameters="5010c66d8d5ef9d86f738d2f489c6bae",
    ),
    Curve("secp224k1", "1.3.132.0.32", 224, aliases=("ansip224k1",), parameters="d5f3acd04c75e20accbbeae61f133905"),
    Curve("prime239v1", "1.2.840.10045.3.1.4", 239, parameters="f2e71f7e0bd19a6ae3ac2643cbfb635b"),
    Curve("prime239v2", "1.2.840.10045.3.1.5", 239, parameters="2eccb21a1f423ed8803cd3e596e6f892"),
    Curve("prime239v3", "1.2.840.10045.3.1.6", 239, parameters="4c00dd4c0a890da0f2f7d4101277004f"),
    # RFC 5639; r1 is the random curve, t1 its twist
    Curve("brainpoolP224r1", "1.3.36.3.3.2.8.1.1.5", 224, parameters="7c204de052047ca0b5f109731925b6b2"),
    Curve("brainpoolP224t1", "1.3.36.3.3.2.8.1.1.6", 224, parameters="88c75f76b0557ccf918c75bca5ac331d"),
    Curve("brainpoolP256r1", "1.3.36.3.3.2.8.1.1.7", 256, parameters="328d9b9e36d0363db45b0f26e3ab2f41"),
    Curve("brainpoolP256t1", "1.3.36.3.3.2.8.1.1.8", 256, parameters="114cb8720b58c53858e204cc266cd531"),
    Curve("brainpoolP320r1", "1.3.36.3.3.2.8.1.1.9", 320, parameters="cee5283a0a49f919dafebd578fe05877"),
    Curve("brainpoolP320t1", "1.3.36.3.3.2.8.1.1.10", 320, parameters="846841f4b6c32d31b62ef6060bef4feb"),
    Curve("brainpoolP384r1", "1.3.36.3.3.2.8.1.1.11", 384, parameters="4d6ce9808ed1e176c093093e549483be"),
    Curve("brainpoolP384t1", "1.3.36.3.3.2.8.1.1.12", 384, parameters="d4a42872d9054907ae65fa1cdae6a055"),
    Curve("brainpoolP512r1", "1.3.36.3.3.2.8.1.1.13", 512, parameters="c6833830b1eec6c0b7083d26821dd007"),
    Curve("brainpoolP512t1", "1.3.36.3.3.2.8.1.1.14", 512, parameters="6019040a4003023784af254497391098"),
    # GB/T 32918.5; over CKM_ECDSA it signs as any other curve, which is not the SM2 signature algorithm
    Curve(
        "sm2p256v1",
        "1.2.156.10197.1.301",
        256,
        aliases=("SM2", "curveSM2"),
        parameters="6cfcee44d27eff5a652fea7dd15e1b1a",
    ),
    # RFC 8410; the names of PKCS#11 3.0 are edwards25519 and edwards448
    Curve("ed25519", "1.3.101.112", 255, key_type="ec_edwards", aliases=("edwards25519", "id-Ed25519", "ssh-ed25519")),
    Curve("ed448", "1.3.101.113", 448, key_type="ec_edwards", aliases=("edwards448", "id-Ed448", "ssh-ed448")),
)

# Other OIDs that a token may give for these curves, read but not taken as a wish: GNU's for Ed25519 (OpenPGP cards
# through OpenSC), and that of WTLS for the very parameters of secp224r1.
_WAP_ARC = "2.23.43.1.4."
_OTHER_OIDS = {"1.3.6.1.4.1.11591.15.1": "ed25519", _WAP_ARC + "12": "secp224r1"}
_AGREEMENT_OIDS = {"1.3.101.110": "X25519", "1.3.101.111": "X448"}  # RFC 8410

# listECCCurveIds 3 to 12: NIST's binary curves (Alibaba genECCKeyPair; Oracle Dedicated KMS listECCCurveIds, whose
# numbers above 16 no other vendor of the tool documents and which are therefore taken by name only).
_REFUSED_NUMBERS = {
    1: "prime192v1",
    3: "sect163k1",
    4: "sect163r2",
    5: "sect233k1",
    6: "sect233r1",
    7: "sect283k1",
    8: "sect283r1",
    9: "sect409k1",
    10: "sect409r1",
    11: "sect571k1",
    12: "sect571r1",
}

# Spellings of what is refused, after _plain(); the group is the size in bits, or the number of the WTLS curve.
_BINARY = re.compile(r"sect\d{3}[rk]\d|c2[pto]nb\d{3}[vwr]\d|(?:nist)?[bk](?:163|233|283|409|571)|oakleyec2n[34]")
_SMALL = re.compile(r"(?:secp|ansip|prime|brainpoolp|(?:(?:ecc|ecdsasha2)?nist)?p)(\d{3})(?:[rktv]\d)?")
_AGREEMENT = re.compile(r"(?:id)?x(?:25519|448)|curve(?:25519|448)")
_WAP = re.compile(r"wapwsgidmecidwtls(\d{1,2})")


def _plain(name: str) -> str:
    """C(name) without case, blanks, C(-), C(_), C(.) and the prefixes of OpenSSL's symbols and of X9.62."""
    plain = re.sub(r"[-_.\s]", "", name).lower().removeprefix("nid")
    return re.sub(r"^(?:ansi)?x962", "", plain)


_BY_NAME = {_plain(name): curve for curve in CURVES for name in (curve.name, *curve.aliases)}
_BY_NUMBER = {curve.number: curve for curve in CURVES if curve.number is not None}
_BY_OID = {curve.oid: curve for curve in CURVES}
_BY_ANY_OID = _BY_OID | {oid: _BY_NAME[name] for oid, name in _OTHER_OIDS.items()}
_BY_PARAMETERS = {curve.parameters: curve for curve in CURVES if curve.parameters}


def curve_by_name(value: str | int) -> Curve:
    """The curve that a user means by a name, a dotted OID or a number of genECCKeyPair (as int or as digits).

    Raises C(ValueError) with a reason of one line: why a known curve is refused, or what names are usual.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"{value!r} is no name of a curve; quote it. Usual names: {_USUAL}")
    text = str(value).strip()
    if re.fullmatch(r"-?[0-9]{1,9}", text):
        return _by_number(int(text))
    name = _name_of_oid(text) if _OID.fullmatch(text) else text
    found = _BY_OID.get(text) or _BY_NAME.get(_plain(name))
    if found:
        return found
    shown = repr(text if len(text) <= 40 else text[:40] + "...")
    reason = _refusal(_plain(name))
    if reason:
        raise ValueError(f"{shown} {reason}" if name == text else f"{shown} ({name}) {reason}")
    raise ValueError(f"{shown} is no curve that is known here{_question(text[:40])} Usual names: {_USUAL}")


def _question(text: str) -> str:
    """The end of a clause about an unknown name: the curve that may be meant."""
    nearest = did_you_mean(text, [spelling for curve in CURVES for spelling in (curve.name, *curve.aliases)])
    return f", {nearest}" if nearest else "."


def _by_number(number: int) -> Curve:
    if number in _BY_NUMBER:
        return _BY_NUMBER[number]
    if number in _REFUSED_NUMBERS:
        name = _REFUSED_NUMBERS[number]
        raise ValueError(f"{number} ({name}) {_refusal(name)}")
    known = ", ".join(f"{key} ({curve.name})" for key, curve in sorted(_BY_NUMBER.items()))
    raise ValueError(f"{number} is none of the HSM command's numbers {known}; give the curve's name")


def _name_of_oid(oid: str) -> str:
    """The name of this OID, so that a refusal can tell the reason; the OID itself where there is none."""
    if oid in _AGREEMENT_OIDS:
        return _AGREEMENT_OIDS[oid]
    if oid.startswith(_WAP_ARC):
        return "wap-wsg-idm-ecid-wtls" + oid.removeprefix(_WAP_ARC)
    return str(keys.NamedCurve.map(oid)) if HAS_ASN1CRYPTO else oid


def _refusal(plain: str) -> str | None:
    """Why the curve of this spelling (see L{_plain}) is refused, or None where there is no such curve."""
    if _AGREEMENT.fullmatch(plain):
        return "is a curve for key agreement, it cannot sign; for signatures there are ed25519 and ed448"
    if _BINARY.fullmatch(plain):
        return f"is over a binary field, which NIST SP 800-186 deprecates. Usual names: {_USUAL}"
    wap, small = _WAP.fullmatch(plain), _SMALL.fullmatch(plain)
    if wap:
        return (
            "is the same curve as secp224r1: write that" if wap[1] == "12" else "is a curve of WAP, which is withdrawn"
        )
    if small and int(small[1]) < MIN_BITS:
        return (
            f"has {small[1]} bits, below the {MIN_BITS} bits (112 bits of security) that NIST SP 800-57 part 1 and"
            " SP 800-186 require; the HSM command answers it with 0xb3 'violates the current configured/FIPS policies'"
        )
    return None


@lru_cache(maxsize=256)
def curve_by_ec_params(der: bytes) -> Curve | None:
    """The curve that CKA_EC_PARAMS names or spells out, or None: unknown, refused or no DER at all; never raises.

    An OBJECT IDENTIFIER, a PrintableString (PKCS#11 3.0, 6.3.3: C(curveName)) or explicit ECParameters (X9.62, SEC 1
    C.2), which are compared by value: SoftHSM accepts and returns them.
    """
    if not HAS_ASN1CRYPTO or not 2 < len(der) <= 4096:
        return None
    try:
        if der[0] == 0x06:
            return _BY_ANY_OID.get(core.ObjectIdentifier.load(der, strict=True).dotted)
        if der[0] == 0x13:
            return _BY_NAME.get(_plain(core.PrintableString.load(der, strict=True).native))
        if der[0] == 0x30:
            return _BY_PARAMETERS.get(_digest(keys.SpecifiedECDomain.load(der, strict=True)))
    except Exception:
        # asn1crypto raises ValueError and TypeError for most garbage, but also what its own code stumbles over.
        # A curve that cannot be read is not one of ours: there is nothing else to say about it.
        return None
    return None


def _digest(domain: t.Any) -> str:
    """128 bits of SHA-256 over p, a, b, the base point's x and y's parity, and n, in hexadecimal, joined by dots.

    An uncompressed base point must be on the curve, so that parity settles y: a made-up generator (CVE-2020-0601) is
    not taken for the right one. Returns '' for what is not over a prime field, has a cofactor other than 1 (none of
    the table has) or a base point that is none.
    """
    if domain["field_id"]["field_type"].native != "prime_field" or domain["cofactor"].native not in (1, None):
        return ""
    p = domain["field_id"]["parameters"].native
    a, b = (int.from_bytes(domain["curve"][key].native, "big") for key in ("a", "b"))
    point = domain["base"].contents
    size = (p.bit_length() + 7) // 8
    x, y = int.from_bytes(point[1 : 1 + size], "big"), int.from_bytes(point[1 + size :], "big")
    compressed = len(point) == 1 + size and point[0] in (2, 3)
    parity = point[0] & 1 if compressed else y & 1
    if not compressed and not _on_curve(point, size, (p, a, b, x, y)):
        return ""
    values = (p, a, b, x, parity, domain["order"].native)
    return hashlib.sha256(".".join(f"{value:x}" for value in values).encode()).hexdigest()[:32]


def _on_curve(point: bytes, size: int, values: tuple[int, int, int, int, int]) -> bool:
    """Whether an uncompressed (04) or hybrid (06, 07) point (SEC 1, 2.3.3; X9.62, 4.3.6) lies on the curve."""
    p, a, b, x, y = values
    well_formed = len(point) == 1 + 2 * size and (point[0] == 4 or point[0] == 6 + (y & 1))
    return well_formed and y < p and (y * y - x * x * x - a * x - b) % p == 0
