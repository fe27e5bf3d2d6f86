# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a token really has, by a reader that shares nothing with the modules: python-pkcs11 and the real library.

It runs in a process of its own, forked off the server of `module_process.py`. A private EC key does not tell which key
it is, so each private key signs, and the signature tells.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
import typing as t

import pkcs11
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass

from ansible_collections.cryptoki.hsm.tests.support.module_process import start_code
from ansible_collections.cryptoki.hsm.tests.support.soft_token import SoftToken, library

_CODE = f"from {__name__} import main; main()"
_DIGEST = hashlib.sha256(b"who are you?").digest()
_CURVES: dict[str, type[ec.EllipticCurve]] = {
    "06082a8648ce3d030107": ec.SECP256R1,
    "06052b81040022": ec.SECP384R1,
}
_CLASSES = {
    ObjectClass.PUBLIC_KEY: "public",
    ObjectClass.PRIVATE_KEY: "private",
    ObjectClass.SECRET_KEY: "secret",
    ObjectClass.CERTIFICATE: "certificate",
    ObjectClass.DATA: "data",
}
# Whatever says how a key may be used; what an object lacks is left out.
_TOLD = (
    *("LABEL", "ID", "KEY_TYPE", "TOKEN", "PRIVATE", "SENSITIVE", "EXTRACTABLE", "MODIFIABLE", "DESTROYABLE"),
    *("COPYABLE", "SIGN", "SIGN_RECOVER", "DECRYPT", "UNWRAP", "DERIVE", "ENCRYPT", "VERIFY", "WRAP", "TRUSTED"),
    *("WRAP_WITH_TRUSTED", "ALWAYS_AUTHENTICATE", "MODULUS", "PUBLIC_EXPONENT", "EC_PARAMS", "EC_POINT", "SUBJECT"),
)


@dataclasses.dataclass(frozen=True)
class Seen:
    """An object, and which key it is: `key` is the fingerprint of what makes the public key, None if nothing tells."""

    kind: str
    label: str
    id: str
    key: str | None
    told: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        """An attribute, as text."""
        return dict(self.told).get(name)

    def __str__(self) -> str:
        return f"{self.kind} '{self.label}' id {self.id or 'none'} key {(self.key or 'unknown')[:11]}"


def look(token: SoftToken, known: t.Iterable[Seen] = ()) -> list[Seen]:
    """All objects of a token. A private EC key may be that of a public one that was `known` before and is gone."""
    given = json.dumps({"library": library(), "label": token.label, "pin": token.pin}).encode()
    process = start_code(_CODE, given, token.environment)
    stdout, stderr = process.communicate(timeout=60)
    if process.returncode:
        raise AssertionError(f"the reader ended with {process.returncode}: {stderr.decode()}")
    rows = json.loads(stdout)
    points = {(seen.get("EC_PARAMS"), seen.get("EC_POINT")) for seen in known}
    points |= {(row["told"].get("EC_PARAMS"), row["told"].get("EC_POINT")) for row in rows}
    return sorted((_seen(row, points) for row in rows), key=str)


def _seen(row: dict[str, t.Any], points: t.Collection[tuple[str | None, str | None]]) -> Seen:
    told = row["told"]
    key = _key(told)
    if row["signature"] and not key:
        curve = told.get("EC_PARAMS")
        publics = [public for point in points if point[0] == curve and (public := _point(point))]
        key = next((_fingerprint(public) for public in publics if _made_by(public, row["signature"])), None)
    kind, label = row["kind"], told.get("LABEL", "")
    return Seen(kind, label, told.get("ID", ""), key, tuple(sorted(told.items())))


def _key(told: t.Mapping[str, str]) -> str | None:
    if told.get("MODULUS"):
        numbers = rsa.RSAPublicNumbers(int(told.get("PUBLIC_EXPONENT") or "0", 16), int(told["MODULUS"], 16))
        try:
            return _fingerprint(numbers.public_key())
        except ValueError:
            return repr(numbers)
    public = _point((told.get("EC_PARAMS"), told.get("EC_POINT")))
    return _fingerprint(public) if public else None


def _fingerprint(public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> str:
    """SHA-256 of the SubjectPublicKeyInfo, as the modules return it."""
    spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest().hex(":")


def _point(parts: tuple[str | None, str | None]) -> ec.EllipticCurvePublicKey | None:
    curve = _CURVES.get(parts[0] or "")
    if curve is None or not parts[1]:
        return None
    # Behind the head of an OCTET STRING.
    return ec.EllipticCurvePublicKey.from_encoded_point(curve(), bytes.fromhex(parts[1])[2:])


def _made_by(public: ec.EllipticCurvePublicKey, signature: str) -> bool:
    half = len(signature) // 2
    encoded = utils.encode_dss_signature(int(signature[:half], 16), int(signature[half:], 16))
    try:
        public.verify(encoded, _DIGEST, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    except InvalidSignature:
        return False
    return True


# ---- in the other process ----


def _value(found: t.Any, name: str) -> str | None:
    try:
        value = found[Attribute[name]]
    except pkcs11.PKCS11Error:
        return None
    if isinstance(value, bytes):
        return value.hex()
    return str(value.name if isinstance(value, KeyType) else value)


def _signature(found: t.Any) -> str:
    if found[Attribute.CLASS] is not ObjectClass.PRIVATE_KEY or found[Attribute.KEY_TYPE] is not KeyType.EC:
        return ""
    try:
        return t.cast(bytes, found.sign(_DIGEST, mechanism=Mechanism.ECDSA)).hex()
    except (AttributeError, pkcs11.PKCS11Error):  # it may not sign
        return ""


def main() -> None:
    """Writes what is there."""
    given = json.load(sys.stdin)
    token = pkcs11.lib(given["library"]).get_token(token_label=given["label"])
    rows = []
    with token.open(user_pin=given["pin"]) as session:
        for found in list(session.get_objects()):
            told = {name: value for name in _TOLD if (value := _value(found, name)) is not None}
            kind = _CLASSES.get(found[Attribute.CLASS], "other")
            rows.append({"kind": kind, "told": told, "signature": _signature(found)})
    json.dump(rows, sys.stdout)
