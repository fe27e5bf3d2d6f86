# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token in memory: a list of key objects under the rules of PKCS#11 3.1, with real keys made by cryptography.

It says what the standard says, and knows nothing of how the collection decides.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import secrets
import threading
import typing as t

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, utils

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof, Query, Signer, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VENDORS, VendorFacts
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    PRIVATE,
    PUBLIC,
    SECRET,
    Half,
    KeyClass,
    Value,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_ec_params, curve_by_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import (
    MECHANISMS,
    Mechanism,
    mechanism_name,
)

X962 = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
SPKI = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
CURVES: dict[str, type[ec.EllipticCurve]] = {
    "secp224r1": ec.SECP224R1,
    "secp256r1": ec.SECP256R1,
    "secp384r1": ec.SECP384R1,
    "secp521r1": ec.SECP521R1,
    "secp256k1": ec.SECP256K1,
    "brainpoolP256r1": ec.BrainpoolP256R1,
    "brainpoolP384r1": ec.BrainpoolP384R1,
    "brainpoolP512r1": ec.BrainpoolP512R1,
}
# PKCS#11 3.1, tables 11, 21 and 22, footnotes 8, 10 and 11: what C_SetAttributeValue may change.
FREE = {"label", "id", "derive", "encrypt", "wrap", "verify", "verify_recover"}
FREE |= {"decrypt", "unwrap", "sign", "sign_recover", "allowed_mechanisms"}
ONE_WAY = {"sensitive": True, "wrap_with_trusted": True, "extractable": False}
FROZEN = ("modifiable", "copyable", "destroyable")
BITS: dict[KeyClass, tuple[str, ...]] = {
    SECRET: (),
    PUBLIC: ("encrypt", "wrap", "verify", "verify_recover", "derive", "trusted"),
    PRIVATE: ("decrypt", "unwrap", "sign", "sign_recover", "derive", "wrap_with_trusted", "always_authenticate"),
}


@functools.cache
def private_key(kind: str, number: int = 0) -> t.Any:
    """A private key: C(kind) is the name of a curve, or the bits of an RSA key; C(number) tells equal ones apart."""
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind]())
    if kind.startswith("ed"):
        return ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ed448.Ed448PrivateKey.generate()
    return rsa.generate_private_key(65537, int(kind))


def octet_string(raw: bytes) -> bytes:
    """DER of an OCTET STRING, as PKCS#11 wants CKA_EC_POINT."""
    size = bytes([len(raw)]) if len(raw) < 0x80 else bytes([0x81, len(raw)])
    return b"\x04" + size + raw


def material(key: t.Any) -> dict[Half, dict[str, Value]]:
    """The attributes that describe a key itself, of each half; an EC private half does not tell its point."""
    public = key.public_key()
    if isinstance(key, rsa.RSAPrivateKey):
        return rsa_material(public.public_numbers().n, public.public_numbers().e)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        name, key_type, point = key.curve.name, "ec", public.public_bytes(*X962)
    else:
        name = "ed25519" if isinstance(key, ed25519.Ed25519PrivateKey) else "ed448"
        key_type, point = "ec_edwards", public.public_bytes(*RAW)
    both: dict[str, Value] = {"key_type": key_type, "ec_params": curve_by_name(name).ec_params()}
    return {PUBLIC: {**both, "ec_point": octet_string(point)}, PRIVATE: both}


def rsa_material(modulus: int, exponent: int = 65537) -> dict[Half, dict[str, Value]]:
    """As L{material}, for an RSA key of which only the numbers matter."""
    size = (modulus.bit_length() + 7) // 8
    both: dict[str, Value] = {
        "key_type": "rsa",
        "modulus": modulus.to_bytes(size, "big"),
        "public_exponent": exponent.to_bytes((exponent.bit_length() + 7) // 8, "big"),
    }
    return {PUBLIC: {**both, "modulus_bits": modulus.bit_length()}, PRIVATE: both}


def usual(half: Half, **changed: Value | None) -> dict[str, Value]:
    """All other attributes of a half as a token has them that may do nothing yet; None takes one away."""
    values: dict[str, Value | None] = dict.fromkeys(BITS[half], False)
    values.update(dict.fromkeys(("token", "local", *FROZEN), True))
    values.update({"class": f"{half}_key", "private": half == PRIVATE, "label": "root", "id": b"\x01"})
    if half == PRIVATE:
        values.update(sensitive=True, extractable=True, always_sensitive=True, never_extractable=False)
    values.update(changed)
    return {name: value for name, value in values.items() if value is not None}


def pair_of(
    key: t.Any,
    private: t.Mapping[str, Value | None] | None = None,
    public: t.Mapping[str, Value | None] | None = None,
    handle: int = 1,
    **both: Value | None,
) -> KeyPair:
    """The whole pair of a key (or of its L{material}), with changed attributes of one half or of C(both)."""
    known = key if isinstance(key, dict) else material(key)
    return KeyPair(
        (TokenObject(handle, PUBLIC, {**usual(PUBLIC, **both, **(public or {})), **known[PUBLIC]}),),
        (TokenObject(handle + 1, PRIVATE, {**usual(PRIVATE, **both, **(private or {})), **known[PRIVATE]}),),
        "material" if known[PRIVATE]["key_type"] == "rsa" else "id",
    )


def without(found: TokenObject, *names: str) -> TokenObject:
    """The object without some of its attributes."""
    kept = {name: value for name, value in found.attributes.items() if name not in names}
    return dataclasses.replace(found, attributes=kept)


class Keys:
    """The keys of a token and what it does with them, each use allowed by a bit of the private half."""

    def __init__(self) -> None:
        self.of: dict[int, t.Any] = {}
        self.uses: list[str] = []
        self.mechanisms: t.Collection[int] = frozenset(row.code for row in MECHANISMS.values())

    def _use(self, found: TokenObject, bit: str, mechanism: int) -> t.Any:
        if mechanism not in self.mechanisms:
            raise TokenError(bit, "CKR_MECHANISM_INVALID")
        self.uses.append(f"{bit} {mechanism_name(mechanism)}")
        allowed = found.attributes.get("allowed_mechanisms")
        if found.attributes.get(bit) is not True or (isinstance(allowed, tuple) and mechanism not in allowed):
            raise TokenError(bit, "CKR_KEY_FUNCTION_NOT_PERMITTED")
        return self.of[found.handle]

    def sign(self, found: TokenObject, mechanism: Mechanism, data: bytes) -> bytes:
        """C_Sign."""
        key = self._use(found, "sign", mechanism.code)
        name = mechanism.name
        digest = next((word for word in ("SHA1", "SHA224", "SHA256", "SHA384", "SHA512") if word in name), "")
        algorithm: t.Any = getattr(hashes, digest)() if digest else None
        if isinstance(key, ec.EllipticCurvePrivateKey):
            size = (key.curve.key_size + 7) // 8
            if algorithm is None:
                # As PKCS#11 has it for CKM_ECDSA, the token cuts the digest to the order's size, whatever made it.
                algorithm = utils.Prehashed({32: hashes.SHA256(), 48: hashes.SHA384(), 64: hashes.SHA512()}[len(data)])
            r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(algorithm)))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        if not isinstance(key, rsa.RSAPrivateKey):
            return t.cast(bytes, key.sign(data))
        if name.endswith("_PSS"):
            return key.sign(data, padding.PSS(padding.MGF1(algorithm), algorithm.digest_size), algorithm)
        if algorithm is not None:
            return key.sign(data, padding.PKCS1v15(), algorithm)
        return self._raw_rsa(key, data)

    @staticmethod
    def _raw_rsa(key: rsa.RSAPrivateKey, data: bytes) -> bytes:
        """CKM_RSA_PKCS: block type 1 around any data (RFC 8017, section 8.2.1 without the DigestInfo)."""
        numbers = key.private_numbers()
        size = (key.key_size + 7) // 8
        block = b"\x00\x01" + b"\xff" * (size - len(data) - 3) + b"\x00" + data
        return pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n).to_bytes(size, "big")

    def decrypt(self, found: TokenObject, mechanism: Mechanism, data: bytes) -> bytes:
        """C_Decrypt."""
        key = self._use(found, "decrypt", mechanism.code)
        oaep = mechanism.name == "CKM_RSA_PKCS_OAEP"
        sha1 = hashes.SHA1()  # noqa: S303
        return t.cast(
            bytes, key.decrypt(data, padding.OAEP(padding.MGF1(sha1), sha1, None) if oaep else padding.PKCS1v15())
        )

    def derive(self, found: TokenObject, point: bytes, size: int) -> bytes:
        """CKM_ECDH1_DERIVE."""
        key = self._use(found, "derive", MECHANISMS["CKM_ECDH1_DERIVE"].code)
        secret = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(key.curve, point))
        return t.cast(bytes, secret[:size])


class MemorySigner(Signer):
    """One of the L{Keys} at work."""

    def __init__(self, keys: Keys, found: TokenObject) -> None:
        self._keys, self._found = keys, found

    @property
    def mechanisms(self) -> t.Collection[int]:
        return self._keys.mechanisms

    def sign(self, mechanism: Mechanism, data: bytes) -> bytes:
        return self._keys.sign(self._found, mechanism, data)

    def decrypt(self, mechanism: Mechanism, data: bytes) -> bytes:
        return self._keys.decrypt(self._found, mechanism, data)

    def derive(self, point: bytes, size: int) -> bytes:
        return self._keys.derive(self._found, point, size)


class MemorySession(TokenSession):
    """A session with the token; C(refused) maps a method's name to what the token answers instead."""

    token_name = "memory"
    uri_attributes = {"token": "memory"}

    def __init__(self, *pairs: KeyPair, facts: VendorFacts = VENDORS["generic"]) -> None:
        self.facts = facts
        self.objects: list[TokenObject] = [found for pair in pairs for found in pair.objects]
        self.keys = Keys()
        self.refused: dict[str, str] = {}
        self.calls: list[str] = []
        self.queries: list[Query] = []
        self._handles = itertools.count(100)

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.refused:
            raise TokenError(name, self.refused[name])

    def _there(self, found: TokenObject) -> int:
        """The index of an object; it is known by its handle, as tokens know it."""
        for index, stored in enumerate(self.objects):
            if stored.handle == found.handle:
                return index
        raise TokenError("use an object", "CKR_OBJECT_HANDLE_INVALID")

    def find(self, query: Query) -> list[TokenObject]:
        self._called("find")
        self.queries.append(query)
        wanted = query.attributes()
        return [
            found
            for found in self.objects
            if found.half == query.key_class
            and all(found.attributes.get(name) == wish for name, wish in wanted.items())
        ]

    def look_anew(self) -> None:
        self._called("look_anew")

    def survey(self, query: Query, at_most: int | None = None) -> list[TokenObject] | None:
        found = self.find(query)
        return None if at_most is not None and len(found) > at_most else found

    @contextlib.contextmanager
    def further(self) -> t.Iterator[MemorySession]:
        self._called("further")
        yield self

    def check_generation(self, wish: Wish) -> None:
        self._called("check_generation")

    def generate(self, wish: Wish) -> KeyPair:
        self._called("generate")
        values = {half: wish.new_half(half) for half in (PUBLIC, PRIVATE)}
        params = values[PUBLIC].get("ec_params")
        curve = curve_by_ec_params(params) if isinstance(params, bytes) else None
        handle, drawn = next(self._handles), secrets.token_bytes(self.facts.id_length)
        key = private_key(curve.name if curve else str(values[PUBLIC]["modulus_bits"]), handle)
        changed: dict[Half, dict[str, Value | None]] = {half: {"id": drawn, **values[half]} for half in values}
        pair = pair_of(key, changed[PRIVATE], changed[PUBLIC], handle=handle)
        next(self._handles)
        self.keys.of[pair.private.handle] = key
        self.objects.extend(pair.objects)
        return pair

    def set_attributes(self, found: TokenObject, values: t.Mapping[str, Value]) -> TokenObject:
        self._called("set_attributes")
        index = self._there(found)
        stored = self.objects[index]
        if stored.attributes.get("modifiable") is False:
            raise TokenError("set", "CKR_ACTION_PROHIBITED")
        for name, value in values.items():
            if name not in FREE and not (name in ONE_WAY and value is ONE_WAY[name]):
                raise TokenError("set", "CKR_ATTRIBUTE_READ_ONLY")
            if name in BITS[stored.half] and name not in stored.attributes:
                raise TokenError("set", "CKR_ATTRIBUTE_TYPE_INVALID")
        self.objects[index] = dataclasses.replace(stored, attributes={**stored.attributes, **values})
        return self.objects[index]

    def freeze(self, found: TokenObject, values: t.Mapping[str, bool]) -> TokenObject:
        self._called("freeze")
        stored = self.objects[self._there(found)]
        if stored.attributes.get("copyable") is False or set(values) - set(FROZEN) or any(values.values()):
            raise TokenError("copy", "CKR_ACTION_PROHIBITED")
        copy = dataclasses.replace(stored, handle=next(self._handles), attributes={**stored.attributes, **values})
        self.objects.append(copy)
        self.keys.of[copy.handle] = self.keys.of.get(stored.handle)
        try:
            self.destroy(stored)
        except TokenError as error:
            raise error.at("destroy the original", f"Beside it is its copy, {copy}.") from None
        return copy

    def destroy(self, found: TokenObject) -> None:
        self._called("destroy")
        stored = self.objects[self._there(found)]
        if stored.attributes.get("destroyable") is False:
            raise TokenError("destroy", "CKR_ACTION_PROHIBITED")
        self.objects.remove(stored)

    def signer(self, pair: KeyPair) -> Signer:
        return MemorySigner(self.keys, pair.private)

    def prove(self, wish: Wish, pair: KeyPair, passive: bool = False) -> Proof:
        self._called("prove")
        return super().prove(wish, pair, passive)


class SharedSession(MemorySession):
    """A session that several threads may share: each change of the token is one step."""

    threads = True

    def __init__(self, *pairs: KeyPair) -> None:
        super().__init__(*pairs)
        self.lock = threading.RLock()

    def find(self, query: Query) -> list[TokenObject]:
        with self.lock:
            return super().find(query)

    def generate(self, wish: Wish) -> KeyPair:
        with self.lock:
            return super().generate(wish)

    def set_attributes(self, found: TokenObject, values: t.Mapping[str, Value]) -> TokenObject:
        with self.lock:
            return super().set_attributes(found, values)

    def freeze(self, found: TokenObject, values: t.Mapping[str, bool]) -> TokenObject:
        with self.lock:
            return super().freeze(found, values)

    def destroy(self, found: TokenObject) -> None:
        with self.lock:
            super().destroy(found)


def refusal(work: t.Callable[[], t.Any]) -> str:
    """The message of the L{HsmError} that C(work) raises; it is one line."""
    try:
        work()
    except HsmError as error:
        assert error.msg == str(error) and "\n" not in error.msg
        return error.msg
    raise AssertionError("it was not refused")
