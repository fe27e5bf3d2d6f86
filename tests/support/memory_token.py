# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token in memory: a list of key objects under the rules of PKCS#11 3.1, with real keys made by cryptography.

It says what the standard says, and knows nothing of how the collection decides.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import threading
import typing as t

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof, Query, Signer, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VENDORS, VendorFacts
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.context_login import NO_PIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC, Half, Value
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_ec_params
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.drawn_id import draw
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import (
    MECHANISMS,
    Mechanism,
    mechanism_name,
)
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import (
    BITS,
    FREE,
    FROZEN,
    ONE_WAY,
    pair_of,
    private_key,
    usual,
)


class Keys:
    """The keys of a token and what it does with them, each use allowed by a bit of the private half."""

    def __init__(self) -> None:
        self.of: dict[int, t.Any] = {}
        self.uses: list[str] = []
        self.mechanisms: t.Collection[int] = frozenset(row.code for row in MECHANISMS.values())
        self.pin_pad = False  # nobody gives the PIN that each use of a key with always_authenticate wants

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
    """One of the `Keys` at work."""

    def __init__(self, keys: Keys, found: TokenObject) -> None:
        self._keys, self._found = keys, found

    @property
    def mechanisms(self) -> t.Collection[int]:
        return self._keys.mechanisms

    def barred(self) -> str | None:
        return NO_PIN if self._keys.pin_pad and self._found.attributes.get("always_authenticate") is True else None

    def sign(self, mechanism: Mechanism, data: bytes) -> bytes:
        return self._keys.sign(self._found, mechanism, data)

    def decrypt(self, mechanism: Mechanism, data: bytes) -> bytes:
        return self._keys.decrypt(self._found, mechanism, data)

    def derive(self, point: bytes, size: int) -> bytes:
        return self._keys.derive(self._found, point, size)


def _as_read(found: TokenObject, names: t.Collection[str]) -> TokenObject:
    """An object with the attributes that were asked for, as a token's answer has them."""
    attributes = {name: value for name, value in found.attributes.items() if name in names}
    unreadable = {name: reason for name, reason in found.unreadable.items() if name in names}
    return dataclasses.replace(found, attributes=attributes, unreadable=unreadable)


class MemorySession(TokenSession):
    """A session with the token; `refused` maps a method's name to what the token answers instead."""

    token_name = "memory"
    freezes_by_copy = True
    uri_attributes = {"token": "memory"}

    def __init__(self, *pairs: KeyPair, facts: VendorFacts = VENDORS["generic"]) -> None:
        self.facts = facts
        self.objects: list[TokenObject] = [found for pair in pairs for found in pair.objects]
        self.keys = Keys()
        self.certified: list[Certificate] = []
        self.transfer: t.Any = self  # what stores keys
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
            found if query.read is None else _as_read(found, query.read)
            for found in self.objects
            if found.half == query.key_class
            and all(found.attributes.get(name) == wish for name, wish in wanted.items())
        ]

    def look_anew(self) -> None:
        self._called("look_anew")

    def survey(self, query: Query, at_most: int | None = None) -> list[TokenObject] | None:
        found = self.find(query)
        return None if at_most is not None and len(found) > at_most else found

    def certificates(self, label: str | None = None, identifier: bytes | None = None) -> list[Certificate]:
        self._called("certificates")
        return [one for one in self.certified if label in (None, one.label) and identifier in (None, one.id)]

    def set_certificate_id(self, found: Certificate, identifier: bytes) -> None:
        self._called("set_certificate_id")
        self.certified = [one._replace(id=identifier) if one.handle == found.handle else one for one in self.certified]

    def certificate_objects(self) -> MemorySession:
        return self

    def set_certificate_names(self, found: Certificate, label: str | None, identifier: bytes) -> None:
        self._called("set_certificate_names")
        named = found._replace(label=label, id=identifier)
        self.certified = [named if one.handle == found.handle else one for one in self.certified]

    def store_certificate(self, wished: Certificate) -> Certificate:
        self._called("store_certificate")
        made = wished._replace(handle=next(self._handles))
        self.certified.append(made)
        return made

    def destroy_certificate(self, found: Certificate) -> None:
        self._called("destroy_certificate")
        if found.handle not in {one.handle for one in self.certified}:
            raise TokenError("destroy a certificate", "CKR_OBJECT_HANDLE_INVALID")
        self.certified = [one for one in self.certified if one.handle != found.handle]

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
        handle, drawn = next(self._handles), wish.drawn_id or draw(self.facts.id_length)
        key = private_key(curve.name if curve else str(values[PUBLIC]["modulus_bits"]), handle)
        changed: dict[Half, dict[str, Value | None]] = {half: {"id": drawn, **values[half]} for half in values}
        pair = pair_of(key, changed[PRIVATE], changed[PUBLIC], handle=handle)
        next(self._handles)
        self.keys.of[pair.private.handle] = key
        self.objects.extend(pair.objects)
        return pair

    def store_public(self, values: t.Mapping[str, Value]) -> TokenObject:
        self._called("store_public")
        made = TokenObject(
            next(self._handles), PUBLIC, {"class": "public_key", **usual(PUBLIC, id=None, label=None), **values}
        )
        self.objects.append(made)
        return made

    def read(self, found: TokenObject) -> TokenObject:
        self._called("read")
        return self.objects[self._there(found)]

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
