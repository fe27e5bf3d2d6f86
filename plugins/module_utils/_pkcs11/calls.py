# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One session of python-pkcs11, and what its calls have in common; the traps are told in C(library.py).

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import traceback
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import functions
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.gate import Gate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.slots import session_state
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    ATTRIBUTES,
    BY_CODE,
    Half,
    KeyClass,
    Value,
    pack,
    sizes,
    unpack,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.return_values import CKR_OF_EXCEPTION, ckr_name

PKCS11_IMPORT_ERROR: str | None = None
try:
    import pkcs11
    from pkcs11.attributes import AttributeMapper
    from pkcs11.exceptions import PKCS11Error

    if not hasattr(pkcs11.KeyType, "ML_DSA"):  # came with 0.10
        PKCS11_IMPORT_ERROR = "python-pkcs11 is older than 0.10"
except ImportError:
    PKCS11_IMPORT_ERROR = traceback.format_exc()
    AttributeMapper = object  # type: ignore[assignment,misc]
    PKCS11Error = OSError  # type: ignore[assignment,misc]

_BROKEN = "the library or its connection is broken"
_LOOKS = 3  # how often a search is made where what it finds vanishes before it is read
_UNMAPPED = re.compile(r"Unmapped error code (0x[0-9a-f]+)", re.IGNORECASE)
_KEY_TYPES = {
    "rsa": "RSA",
    "ec": "EC",
    "ec_edwards": "EC_EDWARDS",
    "aes": "AES",
    "generic_secret": "GENERIC_SECRET",
}


@contextlib.contextmanager
def attempt(what: str) -> t.Iterator[None]:
    """Turns the textless exceptions of python-pkcs11 into a L{TokenError} that says what was attempted (T11)."""
    try:
        yield
    except PKCS11Error as error:
        unmapped = _UNMAPPED.search(str(error))
        ckr = ckr_name(int(unmapped[1], 16)) if unmapped else CKR_OF_EXCEPTION.get(type(error).__name__)
        raise TokenError(what, ckr, said=str(error) or type(error).__name__) from None
    except functions.Nonsense as error:
        raise TokenError(what, said=str(error), hint=_BROKEN) from None
    except (MemoryError, OverflowError):
        raise TokenError(what, said="a size that no memory holds", hint=_BROKEN) from None
    except UnicodeDecodeError:  # python-pkcs11 decodes descriptions of slots and tokens
        raise TokenError(what, said="a text that is no UTF-8") from None
    except (ValueError, LookupError) as error:  # what python-pkcs11 makes of values that it does not know (T8)
        raise TokenError(what, said=f"a value that python-pkcs11 cannot take ({type(error).__name__})") from None


def check(rv: int, what: str) -> None:
    """Raises a L{TokenError} for a return value other than CKR_OK."""
    if rv != functions.CKR_OK:
        raise TokenError(what, ckr_name(rv))


class Packed(AttributeMapper):
    """Takes templates whose values are packed already, and adds nothing of its own to them (T2, T9)."""

    def pack_attribute(self, key: t.Any, value: t.Any) -> bytes:
        return value if isinstance(value, bytes) else super().pack_attribute(key, value)

    def public_key_template(self, **dummy: t.Any) -> dict[t.Any, t.Any]:
        return {}

    def private_key_template(self, **dummy: t.Any) -> dict[t.Any, t.Any]:
        return {}

    def generic_key_template(self, *dummy: t.Any, **dummies: t.Any) -> dict[t.Any, t.Any]:
        return {}


def packed(values: t.Mapping[str, Value]) -> dict[int, bytes]:
    """A template by attribute code, packed."""
    return {ATTRIBUTES[name].code: pack(name, value) for name, value in values.items()}


class Session:
    """One session with a token. Templates are mappings of attribute names (C(_standard/attributes.py)) to values."""

    def __init__(self, calls: functions.Functions, session: t.Any, token: str, gate: Gate) -> None:
        self._calls = calls
        self._gate = gate
        self._session = session
        self._token = token
        self._keys: dict[int, t.Any] = {}

    def close(self) -> None:
        """Logs out and closes; errors are of no interest any more, C_Finalize follows."""
        with contextlib.suppress(PKCS11Error):
            self._session.close()

    def init_pin(self, pin: str) -> None:
        """C_InitPIN, in a session of the security officer."""
        with attempt(f"set the user PIN of the token {self._token}"):
            self._session.init_pin(pin)

    def find(
        self, key_class: KeyClass, wanted: t.Mapping[str, Value], names: frozenset[str] | None = None
    ) -> list[TokenObject]:
        """All keys of one class that match, with C(names) of their attributes; an error is never an empty answer.

        A key that another host removes between the search and the read is searched for again.
        """
        for dummy in range(_LOOKS - 1):
            try:
                return self._find_once(key_class, wanted, names)
            except TokenError as error:
                if error.ckr != "CKR_OBJECT_HANDLE_INVALID":
                    raise
        return self._find_once(key_class, wanted, names)

    def _find_once(
        self, key_class: KeyClass, wanted: t.Mapping[str, Value], names: frozenset[str] | None
    ) -> list[TokenObject]:
        return [self.read(key_class, handle, names) for handle in self.handles(key_class, wanted)]

    def handles(self, key_class: KeyClass, wanted: t.Mapping[str, Value], at_most: int | None = None) -> list[int]:
        """Handles of all keys of one class that match; more than C(at_most) only tell that there are more."""
        template = functions.Template(packed({"class": f"{key_class}_key", **wanted}))
        what = f"find {key_class} keys by {' and '.join(wanted) or 'class'} on the token {self._token}"
        with self._gate.search(), attempt(what):
            rv, handles = self._calls.find(self._session.handle, template, at_most)
        check(rv, what)
        return handles

    def read(self, key_class: KeyClass, handle: int, names: frozenset[str] | None = None) -> TokenObject:
        """One object with all its attributes that this collection knows, or those of C(names) (T8)."""
        values: dict[str, Value | None] = {}
        unreadable: dict[str, str] = {}
        for code, read in self._calls.read(self._session.handle, handle, sizes(key_class, names)).items():
            name = BY_CODE[code].name
            if read.value is not None:
                try:
                    values[name] = unpack(name, read.value)
                except ValueError:
                    unreadable[name] = "no valid value"
            elif read.rv != functions.CKR_ATTRIBUTE_TYPE_INVALID:
                unreadable[name] = ckr_name(read.rv)
        if not values:
            answers = sorted(set(unreadable.values())) or ["CKR_ATTRIBUTE_TYPE_INVALID"]
            raise TokenError(f"read the {key_class} key with handle {handle} on the token {self._token}", answers[0])
        if values.get("class") not in (None, f"{key_class}_key"):
            what = f"read the {key_class} key with handle {handle} on the token {self._token}"
            raise TokenError(what, said=f"an object of the class {values['class']!r}", hint=_BROKEN)
        return TokenObject(handle, key_class, values, unreadable)

    def generate(
        self,
        key_type: str,
        mechanism: int,
        public: t.Mapping[str, Value],
        private: t.Mapping[str, Value],
    ) -> tuple[int, int]:
        """C_GenerateKeyPair with exactly these templates; the handles of the public and the private half."""
        bits = public.get("modulus_bits")
        templates = {
            "public_template": packed({"class": "public_key", **public}),
            "private_template": packed({"class": "private_key", **private}),
        }
        with self._gate.write(), attempt(f"generate a key pair on the token {self._token}"):
            pair = self._session.generate_keypair(
                pkcs11.KeyType[_KEY_TYPES[key_type]],
                key_length=bits,
                capabilities=0,
                mechanism=_mechanism(mechanism),
                **templates,
            )
        return self._keep(pair[0]), self._keep(pair[1])

    def set_attributes(self, found: TokenObject, values: t.Mapping[str, Value]) -> None:
        """C_SetAttributeValue with all C(values) at once."""
        with self._gate.write():
            rv = self._calls.set_attributes(self._session.handle, found.handle, functions.Template(packed(values)))
        check(rv, f"set {', '.join(values)} of the {found.half} key '{found.label}' on the token {self._token}")
        self._keys.pop(found.handle, None)

    def copy(self, found: TokenObject, values: t.Mapping[str, Value]) -> TokenObject:
        """C_CopyObject: a second object with C(values) changed."""
        with self._gate.write():
            rv, handle = self._calls.copy(self._session.handle, found.handle, functions.Template(packed(values)))
        check(rv, f"copy the {found.half} key '{found.label}' on the token {self._token}")
        return self.read(found.half, handle)

    def destroy(self, key_class: KeyClass, handle: int) -> None:
        """C_DestroyObject."""
        with self._gate.write():
            rv = self._calls.destroy(self._session.handle, handle)
        check(rv, f"destroy the {key_class} key with handle {handle} on the token {self._token}")
        self._keys.pop(handle, None)

    def sign(self, found: TokenObject, mechanism: int, data: bytes, pss: str = "") -> bytes:
        """C_Sign with a private half; C(pss) names the hash of an RSASSA-PSS mechanism (salt as long as the hash)."""
        parameter = None
        if pss:  # the library's default is SHA-1 whatever the mechanism
            hash_name = pss.upper()
            parameter = (pkcs11.Mechanism[hash_name], pkcs11.MGF[hash_name], hashlib.new(pss).digest_size)
        with attempt(f"sign with the private key '{found.label}' on the token {self._token}"):
            signature = self._key(found).sign(data, mechanism=_mechanism(mechanism), mechanism_param=parameter)
        return t.cast(bytes, signature)

    def decrypt(self, found: TokenObject, mechanism: int, data: bytes) -> bytes:
        """C_Decrypt with a private half, with the library's default parameters."""
        with attempt(f"decrypt with the private key '{found.label}' on the token {self._token}"):
            return t.cast(bytes, self._key(found).decrypt(data, mechanism=_mechanism(mechanism)))

    def derive(self, found: TokenObject, point: bytes, size: int) -> bytes:
        """CKM_ECDH1_DERIVE with another's C(point) into a session object that may be read: C(size) bytes."""
        readable: dict[str, Value] = {
            "key_type": "generic_secret",
            "token": False,
            "sensitive": False,
            "extractable": True,
        }
        with attempt(f"derive with the private key '{found.label}' on the token {self._token}"):
            key = self._key(found)
            with self._gate.write():  # it makes an object, if only for a moment
                derived = _derived(key, point, size, readable)
                secret = t.cast(bytes, derived[pkcs11.Attribute.VALUE])
                derived.destroy()
        return secret

    def derive_key(self, handle: int, point: bytes, size: int, values: t.Mapping[str, Value]) -> int:
        """CKM_ECDH1_DERIVE into a secret key that stays inside; its handle."""
        with attempt(f"derive a key on the token {self._token}"):
            return self._keep(_derived(self._keys[handle], point, size, values))

    def generate_key(self, size: int, values: t.Mapping[str, Value]) -> int:
        """C_GenerateKey: an AES key of C(size) bytes; its handle."""
        template = packed({"class": "secret_key", **values})
        with attempt(f"generate a key on the token {self._token}"):
            key = self._session.generate_key(
                pkcs11.KeyType.AES, size * 8, capabilities=0, mechanism=pkcs11.Mechanism.AES_KEY_GEN, template=template
            )
        return self._keep(key)

    def create(self, half: Half, values: t.Mapping[str, Value]) -> int:
        """C_CreateObject; the handle."""
        with attempt(f"store a {half} key on the token {self._token}"):
            return self._keep(self._session.create_object(packed({"class": f"{half}_key", **values})))

    def hold(self, key_class: KeyClass, wanted: t.Mapping[str, Value]) -> list[int]:
        """Handles of keys that match, which can be wrapped and unwrapped with from then on."""
        with attempt(f"find {key_class} keys by {' and '.join(wanted)} on the token {self._token}"):
            found = list(self._session.get_objects(packed({"class": f"{key_class}_key", **wanted})))
        return [self._keep(key) for key in found]

    def wrap(self, wrapping: int, mechanism: str, key: int | TokenObject) -> bytes:
        """C_WrapKey of a secret key, by its handle, or of a private half."""
        what = "a key" if isinstance(key, int) else f"the private key '{key.label}'"
        with attempt(f"wrap {what} on the token {self._token}"):
            wrapped = self._keys[key] if isinstance(key, int) else self._key(key)
            blob = self._keys[wrapping].wrap_key(wrapped, mechanism=_mechanism(MECHANISMS[mechanism].code))
        return t.cast(bytes, blob)

    def unwrap(
        self, unwrapping: int, mechanism: str, blob: bytes, key_class: KeyClass, values: t.Mapping[str, Value]
    ) -> int:
        """C_UnwrapKey with exactly this template; the new key's handle."""
        with attempt(f"unwrap a {key_class} key on the token {self._token}"):
            key = self._keys[unwrapping].unwrap_key(
                pkcs11.ObjectClass[f"{key_class}_key".upper()],
                pkcs11.KeyType[_KEY_TYPES[t.cast(str, values["key_type"])]],
                blob,
                capabilities=0,
                mechanism=_mechanism(MECHANISMS[mechanism].code),
                template=packed({"class": f"{key_class}_key", **values}),
            )
        return self._keep(key)

    def _keep(self, key: t.Any) -> int:
        self._keys[key.handle] = key
        return t.cast(int, key.handle)

    def state(self) -> str:
        """What C_GetSessionInfo says of the login."""
        rv, info = self._calls.session_info(self._session.handle)
        check(rv, f"read the session with the token {self._token}")
        return session_state(info)

    def _key(self, found: TokenObject) -> t.Any:
        """The library's own object, which it makes only for what it generated or found itself."""
        if found.handle not in self._keys:
            wanted: dict[str, Value] = {"class": "private_key", "id": found.id}
            if found.label is not None:
                wanted["label"] = found.label
            with self._gate.search():
                keys = list(self._session.get_objects(packed(wanted)))
            self._keys.update({key.handle: key for key in keys})
        if found.handle not in self._keys:
            raise TokenError(f"use the private key '{found.label}' on the token {self._token}", said="another handle")
        return self._keys[found.handle]


def _derived(key: t.Any, point: bytes, size: int, values: t.Mapping[str, Value]) -> t.Any:
    return key.derive_key(
        pkcs11.KeyType[_KEY_TYPES[t.cast(str, values["key_type"])]],
        size * 8,
        capabilities=0,
        mechanism=pkcs11.Mechanism.ECDH1_DERIVE,
        mechanism_param=(pkcs11.KDF.NULL, None, point),
        template=packed({"class": "secret_key", **values}),
    )


def _mechanism(code: int) -> t.Any:
    """A member of the library's enumeration; for a vendor's own mechanism one that it does not list."""
    try:
        return pkcs11.Mechanism(code)
    except ValueError:
        member = int.__new__(pkcs11.Mechanism, code)
        member._name_, member._value_ = f"VENDOR_0x{code:08X}", code
        return member
