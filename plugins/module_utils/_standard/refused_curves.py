# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Curves that are refused: why, and which they are where a key on one is there; most tasks name none."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import curves
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.text import did_you_mean

_USUAL = "secp256r1, secp384r1, secp521r1, secp224r1, secp256k1, brainpoolP256r1, ed25519"
_OID = re.compile(r"[0-2](?:\.[0-9]+)+")
_POLICY = "0xb3 'violates the current configured/FIPS policies'"  # genECCKeyPair -i 1; the number is the command's own
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

# Spellings of what is refused, after plain(); the group is the size in bits, or the number of the WTLS curve.
_BINARY = re.compile(r"sect\d{3}[rk]\d|c2[pto]nb\d{3}[vwr]\d|(?:nist)?[bk](?:163|233|283|409|571)|oakleyec2n[34]")
_SMALL = re.compile(r"(?:secp|ansip|prime|brainpoolp|(?:(?:ecc|ecdsasha2)?nist)?p)(\d{3})(?:[rktv]\d)?")
# The spellings that asn1crypto does not have: NIST's names and X9.62's.
_NIST = re.compile(r"(?:ansip|prime|(?:(?:ecc|ecdsasha2)?nist)?p)(\d{3})(?:[rv]1)?")
_NIST_BINARY = re.compile(r"(?:nist)?([bk])(\d{3})")
_AGREEMENT = re.compile(r"(?:id)?x(?:25519|448)|curve(?:25519|448)")
_WAP = re.compile(r"wapwsgidmecidwtls(\d{1,2})")


def refusal(value: t.Any) -> str:
    """The reason in one line: why a known curve is refused, or what names are usual."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return f"{value!r} is no name of a curve; quote it. Usual names: {_USUAL}"
    text = str(value).strip()
    if re.fullmatch(r"-?[0-9]{1,9}", text):
        return _of_number(int(text))
    name = _name_of_oid(text) if _OID.fullmatch(text) else text
    shown = repr(text if len(text) <= 40 else text[:40] + "...")
    reason = _reason(curves.plain(name))
    if reason:
        return f"{shown} {reason}" if name == text else f"{shown} ({name}) {reason}"
    nearest = did_you_mean(
        text[:40], [spelling for curve in curves.CURVES for spelling in (curve.name, *curve.aliases)]
    )
    question = f", {nearest}" if nearest else "."
    return f"{shown} is no curve that is known here{question} Usual names: {_USUAL}"


def weak_curve(value: t.Any) -> curves.Curve | None:
    """A curve that no new key gets because it is weak, for keys that are there; None for any other value."""
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not curves.HAS_ASN1CRYPTO:
        return None
    text = str(value).strip()
    name = _REFUSED_NUMBERS.get(int(text), "") if re.fullmatch(r"[0-9]{1,9}", text) else text
    spelt = curves.plain(_name_of_oid(name) if _OID.fullmatch(name) else name)
    wap = _WAP.fullmatch(spelt)
    if _AGREEMENT.fullmatch(spelt) or not _reason(spelt) or (wap and wap[1] == "12"):
        return None
    oid = f"{curves.WAP_ARC}{wap[1]}" if wap else _oid_of(spelt)
    return curves.Curve(_name_of_oid(oid), oid, 0) if oid else None


def _oid_of(spelt: str) -> str | None:
    """The OID of a weak curve by its spelling (see `plain`); None where it has none that is known."""
    from asn1crypto import keys

    nist, binary = _NIST.fullmatch(spelt), _NIST_BINARY.fullmatch(spelt)
    if nist:
        spelt = f"secp{nist[1]}r1"
    if binary:  # NIST's B-163 is the second of its kind
        spelt = f"sect{binary[2]}{'k1' if binary[1] == 'k' else 'r2' if binary[2] == '163' else 'r1'}"
    try:
        return t.cast(str, keys.NamedCurve.unmap(spelt))
    except ValueError:
        return None


def name_of(ec_params: bytes) -> str | None:
    """The name of a curve that the table lacks, or its OID; None where CKA_EC_PARAMS is no OID."""
    from asn1crypto import core

    try:
        return _name_of_oid(core.ObjectIdentifier.load(ec_params, strict=True).dotted)
    except (ValueError, TypeError):
        return None


def _of_number(number: int) -> str:
    if number in _REFUSED_NUMBERS:
        name = _REFUSED_NUMBERS[number]
        answered = "" if number != 1 else "; the HSM command answers it with " + _POLICY
        return f"{number} ({name}) {_reason(name)}{answered}"
    known = ", ".join(f"{key} ({curve.name})" for key, curve in sorted(curves.BY_NUMBER.items()))
    return f"{number} is none of the HSM command's numbers {known}; give the curve's name"


def _name_of_oid(oid: str) -> str:
    """The name of this OID, so that a refusal can tell the reason; the OID itself where there is none."""
    if oid in _AGREEMENT_OIDS:
        return _AGREEMENT_OIDS[oid]
    if oid.startswith(curves.WAP_ARC):
        return "wap-wsg-idm-ecid-wtls" + oid.removeprefix(curves.WAP_ARC)
    if not curves.HAS_ASN1CRYPTO:
        return oid
    from asn1crypto import keys

    return str(keys.NamedCurve.map(oid))


def _reason(spelt: str) -> str | None:
    """Why the curve of this spelling (see `plain`) is refused, or None where there is no such curve."""
    if _AGREEMENT.fullmatch(spelt):
        return "is a curve for key agreement, it cannot sign; for signatures there are ed25519 and ed448"
    if _BINARY.fullmatch(spelt):
        return f"is over a binary field, which NIST SP 800-186 deprecates. Usual names: {_USUAL}"
    wap, small = _WAP.fullmatch(spelt), _SMALL.fullmatch(spelt)
    if wap:
        return (
            "is the same curve as secp224r1: write that" if wap[1] == "12" else "is a curve of WAP, which is withdrawn"
        )
    if small and int(small[1]) < curves.MIN_BITS:
        return (
            f"has {small[1]} bits, below the {curves.MIN_BITS} bits (112 bits of security) that NIST SP 800-57 part 1"
            " and SP 800-186 require"
        )
    return None
