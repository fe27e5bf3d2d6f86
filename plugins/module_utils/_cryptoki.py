# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one adapter over python-pkcs11: everything that this collection asks of a PKCS#11 library goes through here.

Each remedy names the trap of python-pkcs11 0.10 or of a token that it is for:

T1   C_Initialize without locking crashes threads: L{Library} asks for locking where several are to work. Even so
     SoftHSM 2.6.1 fails now and then where one searches while another writes: a L{Gate} keeps these apart.
T2   Values of a wrong type in a template corrupt memory: all values are packed before the call (L{_Packed}).
T3   A failed login leaks its session: all sessions of the slot are closed.
T4   Closing a session logs the whole process out: one login session a token and process, closed last.
T7   One dead slot must not end the search for a token: slots are walked one by one.
T8   A batch read fails as a whole on legal values: attributes are read and unpacked one by one from one call.
T10  Unloading leaves dangling pointers: a library is finalised, never unloaded.
T11  Exceptions have no text: their class gives the CKR name, and each error says what was attempted.
T13  Exceptions can hold the PIN: it is encoded here first, and nothing is chained.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
import traceback
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils import _cryptoki_functions as functions
from ansible_collections.cryptoki.hsm.plugins.module_utils._attributes import (
    ATTRIBUTES,
    BY_CODE,
    KeyClass,
    Value,
    pack,
    sizes,
    unpack,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._ckr import CKR_OF_EXCEPTION, ckr_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._errors import HsmError, TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._keypair import TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._mechanisms import mechanism_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._slots import (
    LibraryAnswers,
    SlotAnswers,
    ask_library,
    ask_slot,
    session_state,
    token_info,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._token import DeadSlot, LibraryInfo, TokenFlag, TokenInfo

PKCS11_IMPORT_ERROR: str | None = None
try:
    import pkcs11
    from pkcs11._pkcs11 import lib as _Lib
    from pkcs11.attributes import AttributeMapper
    from pkcs11.exceptions import PKCS11Error
except ImportError:
    PKCS11_IMPORT_ERROR = traceback.format_exc()
    _Lib = object  # type: ignore[assignment,misc]
    AttributeMapper = object  # type: ignore[assignment,misc]
    PKCS11Error = OSError  # type: ignore[assignment,misc]

_UNMAPPED = re.compile(r"Unmapped error code (0x[0-9a-f]+)", re.IGNORECASE)
_KEY_TYPES = {"rsa": "RSA", "ec": "EC", "ec_edwards": "EC_EDWARDS"}


@contextlib.contextmanager
def _attempt(what: str) -> t.Iterator[None]:
    """Turns the textless exceptions of python-pkcs11 into a L{TokenError} that says what was attempted (T11)."""
    try:
        yield
    except PKCS11Error as error:
        unmapped = _UNMAPPED.search(str(error))
        ckr = ckr_name(int(unmapped[1], 16)) if unmapped else CKR_OF_EXCEPTION.get(type(error).__name__)
        raise TokenError(what, ckr, said=str(error) or type(error).__name__) from None
    except UnicodeDecodeError:  # python-pkcs11 decodes descriptions of slots and tokens
        raise TokenError(what, said="a text that is no UTF-8") from None


def _check(rv: int, what: str) -> None:
    if rv != functions.CKR_OK:
        raise TokenError(what, ckr_name(rv))


class _Packed(AttributeMapper):
    """Takes templates whose values are packed already, and adds nothing of its own to them (T2, T9)."""

    def pack_attribute(self, key: t.Any, value: t.Any) -> bytes:
        return value if isinstance(value, bytes) else super().pack_attribute(key, value)

    def public_key_template(self, **dummy: t.Any) -> dict[t.Any, t.Any]:
        return {}

    def private_key_template(self, **dummy: t.Any) -> dict[t.Any, t.Any]:
        return {}


class Gate:
    """Keeps searches and writes of several threads apart: one search alone, or any number of writes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._writing = 0
        self._searching = False

    @contextlib.contextmanager
    def write(self) -> t.Iterator[None]:
        """Waits for the search."""
        with self._changed:
            self._changed.wait_for(lambda: not self._searching)
            self._writing += 1
        try:
            yield
        finally:
            with self._changed:
                self._writing -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def search(self) -> t.Iterator[None]:
        """Waits for every write and for another search."""
        with self._changed:
            self._changed.wait_for(lambda: not self._searching)
            self._searching = True  # no new write begins
            self._changed.wait_for(lambda: not self._writing)
        try:
            yield
        finally:
            with self._changed:
                self._searching = False
                self._changed.notify_all()


class _LockingLib(_Lib):
    """Initialises the library with locks of the operating system, which python-pkcs11 never asks for (T1)."""

    def initialize(self) -> None:
        """Called by the constructor in place of C_Initialize(NULL)."""
        _check(functions.Functions(self.so).initialize(functions.CKF_OS_LOCKING_OK), "initialise it for threads")


def packed(values: t.Mapping[str, Value]) -> dict[int, bytes]:
    """A template by attribute code, packed."""
    return {ATTRIBUTES[name].code: pack(name, value) for name, value in values.items()}


class Library:
    """A loaded and initialised PKCS#11 library; close it when all sessions are closed.

    C(threads): several shall work with it at once. Whether they may, L{threads} tells.
    """

    def __init__(self, path: str, environment: t.Mapping[str, str], threads: bool = False) -> None:
        os.environ.update(environment)
        try:
            self._functions = functions.Functions(path)
        except (OSError, AttributeError) as error:
            raise HsmError(f"Could not load the PKCS#11 library {path}: {error}. Check module_path.") from None
        self.threads = threads
        self._gate = Gate()
        try:
            with _attempt(f"initialise the PKCS#11 library {path}"):
                self._lib = self._initialised(path)
        except TokenError as error:
            hint = "check the library's configuration and that this user may read it"
            raise TokenError(error.attempt, error.ckr, said=error.said, hint=hint) from None
        major, minor = self._lib.library_version
        self.info = LibraryInfo(path, self._lib.manufacturer_id, self._lib.library_description, f"{major}.{minor}")
        self._slots: dict[int, t.Any] = {}
        self._mechanisms: dict[int, frozenset[int]] = {}
        self._key_sizes: dict[tuple[int, int], tuple[int, int]] = {}

    def _initialised(self, path: str) -> t.Any:
        """The library, with locking if threads want it and it has any (PKCS#11 3.1, section 5.4.1)."""
        if self.threads:
            try:
                return _LockingLib(path)
            except TokenError as error:
                if error.ckr not in ("CKR_CANT_LOCK", "CKR_ARGUMENTS_BAD"):
                    raise TokenError(f"initialise the PKCS#11 library {path}", error.ckr) from None
            self.threads = False
        return pkcs11.lib(path)

    def close(self) -> None:
        """C_Finalize; what it answers changes nothing any more."""
        if self.threads:
            self._functions.finalize()
        with contextlib.suppress(PKCS11Error):
            self._lib.finalize()

    def slots(self) -> list[TokenInfo | DeadSlot]:
        """What each slot holds; slots without a token are left out, dead ones are told (T7)."""
        with _attempt(f"list the slots of {self.info.path}"):
            self._slots = {slot.slot_id: slot for slot in self._lib.get_slots()}
        empty = (functions.CKR_TOKEN_NOT_PRESENT, functions.CKR_TOKEN_NOT_RECOGNIZED)
        answers = ((slot_id, *self._functions.token_info(slot_id)) for slot_id in self._slots)
        return [
            token_info(slot_id, info) if rv == functions.CKR_OK else DeadSlot(slot_id, ckr_name(rv))
            for slot_id, rv, info in answers
            if rv not in empty
        ]

    def token(self, slot_id: int) -> TokenInfo:
        """The token in one slot, read again."""
        rv, info = self._functions.token_info(slot_id)
        _check(rv, f"read the token in slot {slot_id}")
        return token_info(slot_id, info)

    def answers(self) -> LibraryAnswers:
        """What the library tells of itself, and the numbers of all its slots."""
        answers, rv = ask_library(self._functions)
        _check(rv, f"list the slots of {self.info.path}")
        return answers

    def slot_answers(self, slot_id: int) -> SlotAnswers:
        """All that one slot tells without a login; what it answers with an error is named there (T7)."""
        return ask_slot(self._functions, slot_id)

    def init_token(self, slot_id: int, label: str, so_pin: str) -> None:
        """C_InitToken: makes a token in a slot, or wipes the one that is there: the caller has made sure of it."""
        _check(
            self._functions.init_token(slot_id, so_pin.encode(), label.encode()),
            f"initialise a token labelled '{label}' in slot {slot_id}",
        )

    def open(self, token: TokenInfo, pin: str | None, *, rw: bool, so: bool = False) -> Session:
        """The one session of this process with a token (T4), logged in when there is a PIN.

        A failed login is final: it is not tried again, and leaves no session behind (T3).
        """
        user = "security officer" if so else "user"
        mode: dict[str, t.Any] = {"so_pin" if so else "user_pin": pin}
        if pin is None:
            mode = {"user_pin": pkcs11.PROTECTED_AUTH} if _has_pin_pad(token) else {}
        try:
            with _attempt(f"log in as {user} to the token {token}" if mode else f"open the token {token}"):
                session = self._slots[token.slot_id].get_token().open(rw=rw, attribute_mapper=_Packed(), **mode)
        except TokenError:
            self._functions.close_all_sessions(token.slot_id)
            raise
        return Session(self._functions, session, str(token), self._gate)

    def open_further(self, token: TokenInfo, *, rw: bool) -> Session:
        """Another session with a token that this process is logged in to, which holds for all of them (T4)."""
        with _attempt(f"open another session with the token {token}"):
            session = self._slots[token.slot_id].get_token().open(rw=rw, attribute_mapper=_Packed())
        return Session(self._functions, session, str(token), self._gate)

    def mechanisms(self, slot_id: int) -> frozenset[int]:
        """Codes of the mechanisms of the token in a slot, asked for once."""
        if slot_id not in self._mechanisms:
            with _attempt(f"list the mechanisms of slot {slot_id}"):
                self._mechanisms[slot_id] = frozenset(map(int, self._slots[slot_id].get_mechanisms()))
        return self._mechanisms[slot_id]

    def key_sizes(self, slot_id: int, mechanism: int) -> tuple[int, int]:
        """The smallest and largest key of a mechanism, in bits for RSA and EC (PKCS#11 3.1, sections 6.1 and 6.3)."""
        if (slot_id, mechanism) not in self._key_sizes:
            with _attempt(f"read the mechanism 0x{mechanism:x} of slot {slot_id}"):
                info = self._slots[slot_id].get_mechanism_info(mechanism)
            self._key_sizes[slot_id, mechanism] = info.min_key_length, info.max_key_length
        return self._key_sizes[slot_id, mechanism]


def _has_pin_pad(token: TokenInfo) -> bool:
    return bool(token.flags & TokenFlag.PROTECTED_AUTHENTICATION_PATH)


class Session:
    """One session with a token. Templates are mappings of attribute names (C(_attributes.py)) to values."""

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
        with _attempt(f"set the user PIN of the token {self._token}"):
            self._session.init_pin(pin)

    def find(
        self, key_class: KeyClass, wanted: t.Mapping[str, Value], names: frozenset[str] | None = None
    ) -> list[TokenObject]:
        """All keys of one class that match, with C(names) of their attributes; an error is never an empty answer."""
        return [self.read(key_class, handle, names) for handle in self.handles(key_class, wanted)]

    def handles(self, key_class: KeyClass, wanted: t.Mapping[str, Value], at_most: int | None = None) -> list[int]:
        """Handles of all keys of one class that match; more than C(at_most) only tell that there are more."""
        template = functions.Template(packed({"class": f"{key_class}_key", **wanted}))
        with self._gate.search():
            rv, handles = self._calls.find(self._session.handle, template, at_most)
        _check(rv, f"find {key_class} keys by {' and '.join(wanted) or 'class'} on the token {self._token}")
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
        with self._gate.write(), _attempt(f"generate a key pair on the token {self._token}"):
            pair = self._session.generate_keypair(
                pkcs11.KeyType[_KEY_TYPES[key_type]],
                key_length=bits,
                capabilities=0,
                mechanism=_mechanism(mechanism),
                **templates,
            )
        for key in pair:
            self._keys[key.handle] = key
        return pair[0].handle, pair[1].handle

    def set_attributes(self, found: TokenObject, values: t.Mapping[str, Value]) -> None:
        """C_SetAttributeValue with all C(values) at once."""
        with self._gate.write():
            rv = self._calls.set_attributes(self._session.handle, found.handle, functions.Template(packed(values)))
        _check(
            rv,
            f"set {', '.join(values)} of the {found.half} key '{found.label}' on the token {self._token}",
        )
        self._keys.pop(found.handle, None)

    def copy(self, found: TokenObject, values: t.Mapping[str, Value]) -> TokenObject:
        """C_CopyObject: a second object with C(values) changed."""
        with self._gate.write():
            rv, handle = self._calls.copy(self._session.handle, found.handle, functions.Template(packed(values)))
        _check(rv, f"copy the {found.half} key '{found.label}' on the token {self._token}")
        return self.read(found.half, handle)

    def destroy(self, key_class: KeyClass, handle: int) -> None:
        """C_DestroyObject."""
        with self._gate.write():
            rv = self._calls.destroy(self._session.handle, handle)
        _check(rv, f"destroy the {key_class} key with handle {handle} on the token {self._token}")
        self._keys.pop(handle, None)

    def sign(self, found: TokenObject, mechanism: int, data: bytes, pss: str = "") -> bytes:
        """C_Sign with a private half; C(pss) names the hash of an RSASSA-PSS mechanism (salt as long as the hash)."""
        parameter = None
        if pss:  # the library's default is SHA-1 whatever the mechanism
            hash_name = pss.upper()
            parameter = (pkcs11.Mechanism[hash_name], pkcs11.MGF[hash_name], hashlib.new(pss).digest_size)
        with _attempt(f"sign with the private key '{found.label}' on the token {self._token}"):
            signature = self._key(found).sign(data, mechanism=_mechanism(mechanism), mechanism_param=parameter)
        return t.cast(bytes, signature)

    def decrypt(self, found: TokenObject, mechanism: int, data: bytes) -> bytes:
        """C_Decrypt with a private half, with the library's default parameters."""
        with _attempt(f"decrypt with the private key '{found.label}' on the token {self._token}"):
            return t.cast(bytes, self._key(found).decrypt(data, mechanism=_mechanism(mechanism)))

    def derive(self, found: TokenObject, point: bytes, size: int) -> bytes:
        """CKM_ECDH1_DERIVE with another's C(point) into a session object that may be read: C(size) bytes."""
        template = {
            pkcs11.Attribute.TOKEN: False,
            pkcs11.Attribute.SENSITIVE: False,
            pkcs11.Attribute.EXTRACTABLE: True,
        }
        with _attempt(f"derive with the private key '{found.label}' on the token {self._token}"):
            key = self._key(found)
            with self._gate.write():  # it makes an object, if only for a moment
                derived = key.derive_key(
                    pkcs11.KeyType.GENERIC_SECRET,
                    size * 8,
                    capabilities=pkcs11.MechanismFlag(0),
                    mechanism=pkcs11.Mechanism.ECDH1_DERIVE,
                    mechanism_param=(pkcs11.KDF.NULL, None, point),
                    template=template,
                )
                secret = t.cast(bytes, derived[pkcs11.Attribute.VALUE])
                derived.destroy()
        return secret

    def state(self) -> str:
        """What C_GetSessionInfo says of the login."""
        rv, info = self._calls.session_info(self._session.handle)
        _check(rv, f"read the session with the token {self._token}")
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


def any_mechanism_name(code: int) -> str:
    """The name of a mechanism that this collection or python-pkcs11 knows, else its number as C(0x…)."""
    own = mechanism_name(code)
    if own.startswith("CKM_") or code not in {member.value for member in pkcs11.Mechanism}:
        return own
    return f"CKM_{pkcs11.Mechanism(code).name.lstrip('_')}"  # it marks what is obsolete by an underscore


def _mechanism(code: int) -> t.Any:
    """A member of the library's enumeration; for a vendor's own mechanism one that it does not list."""
    try:
        return pkcs11.Mechanism(code)
    except ValueError:
        member = int.__new__(pkcs11.Mechanism, code)
        member._name_, member._value_ = f"VENDOR_0x{code:08X}", code
        return member
