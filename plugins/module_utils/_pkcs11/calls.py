# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One session of python-pkcs11, and what its calls have in common; the traps are told in `docs/traps.md`."""

from __future__ import annotations

import contextlib
import struct
import traceback
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import functions
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.gate import Gate
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    ATTRIBUTES,
    BY_CODE,
    PRIVATE,
    PUBLIC,
    KeyClass,
    Value,
    pack,
    sizes,
    unpack,
)

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm_store

PKCS11_IMPORT_ERROR: str | None = None
try:
    import pkcs11
    from pkcs11.exceptions import PKCS11Error

    if not hasattr(pkcs11.KeyType, "ML_DSA"):  # came with 0.10
        PKCS11_IMPORT_ERROR = "python-pkcs11 is older than 0.10"
except ImportError:
    PKCS11_IMPORT_ERROR = traceback.format_exc()
    PKCS11Error = OSError  # type: ignore[assignment,misc]

_BROKEN = "the library or its connection is broken"
_LOOKS = 3  # how often a search is made where what it finds vanishes before it is read
_NAMING = ("label", "id", "key_type", "token")  # what an answer to a search is compared with
_VALUE = 0x11  # CKA_VALUE of a secret key, which is read of none but one that was made to be read


@contextlib.contextmanager
def attempt(what: str) -> t.Iterator[None]:
    """Turns the textless exceptions of python-pkcs11 into a `TokenError` that says what was attempted (T11)."""
    try:
        yield
    except PKCS11Error as error:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import return_values

        raise errors.TokenError(what, return_values.ckr_of(error), said=str(error) or type(error).__name__) from None
    except functions.Nonsense as error:
        raise errors.TokenError(what, said=str(error), hint=_BROKEN) from None
    except (MemoryError, OverflowError):
        raise errors.TokenError(what, said="a size that no memory holds", hint=_BROKEN) from None
    except UnicodeDecodeError:  # python-pkcs11 decodes descriptions of slots and tokens
        raise errors.TokenError(what, said="a text that is no UTF-8") from None
    except (ValueError, LookupError, struct.error) as error:  # of values that python-pkcs11 does not know (T8)
        raise errors.TokenError(what, said=f"a value that python-pkcs11 cannot take ({type(error).__name__})") from None


def check(rv: int, what: str) -> None:
    """Raises a `TokenError` for a return value other than CKR_OK."""
    if rv != functions.CKR_OK:
        raise errors.TokenError(what, functions.rv_name(rv))


def template(values: t.Mapping[str, Value], key_class: KeyClass | None = None) -> functions.Template:
    """What the C functions take for `values`; with the class where an object is made or searched for."""
    named = {"class": f"{key_class}_key", **values} if key_class else values
    return functions.Template({ATTRIBUTES[name].code: pack(name, value) for name, value in named.items()})


class Session:
    """One session with a token. Templates are mappings of attribute names (`_standard/attributes.py`) to values."""

    def __init__(self, calls: functions.Functions, session: t.Any, token: str, gate: Gate) -> None:
        self._calls = calls
        self._gate = gate
        self._session = session
        self._handle: int = session.handle
        self._token = token
        # What no search of this token may go by.
        self.not_searched: frozenset[str] = frozenset()
        # The files of a token of SoftHSM's.
        self.store: softhsm_store.TokenStore | None = None

    def close(self) -> None:
        """C_CloseSession, which logs out with the last session (section 5.6.2); what it answers changes nothing now."""
        self._calls.call("C_CloseSession", self._handle)

    def find(
        self, key_class: KeyClass, wanted: t.Mapping[str, Value], names: frozenset[str] | None = None
    ) -> list[keypair.TokenObject]:
        """All keys of one class that match, with `names` of their attributes; an error is never an empty answer.

        A key that another host removes between the search and the read is searched for again.
        """
        looks = 1
        while True:
            try:
                found = [self.read(key_class, handle, names) for handle in self.handles(key_class, wanted)]
                for key in found:
                    self._check_found(key, wanted)
                return found
            except errors.TokenError as error:
                if error.ckr != "CKR_OBJECT_HANDLE_INVALID" or looks == _LOOKS:
                    raise
            looks += 1

    @staticmethod
    def _check_found(key: keypair.TokenObject, wanted: t.Mapping[str, Value]) -> None:
        """A token that passes over a part of a search would have another pair changed or removed."""
        for name in _NAMING:
            if name in wanted and key.attributes.get(name, wanted[name]) != wanted[name]:
                from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import sieve

                raise sieve.unwanted(key, name, wanted[name])

    def handles(self, key_class: KeyClass, wanted: t.Mapping[str, Value], at_most: int | None = None) -> list[int]:
        """Handles of all keys of one class that match; more than `at_most` only tell that there are more."""
        if self.not_searched and wanted:
            from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import sieve

            return sieve.sieved(self, key_class, wanted)
        return self.answered(key_class, wanted, at_most)

    def answered(self, key_class: KeyClass, wanted: t.Mapping[str, Value], at_most: int | None = None) -> list[int]:
        """What the token itself answers to a search for keys."""
        what = f"find {key_class} keys by {' and '.join(wanted) or 'class'} on the token {self._token}"
        handles = self.search(what, template(wanted, key_class), at_most)
        if not handles:
            self._check_login(what)
        return handles

    def search(self, what: str, wanted: functions.Template, at_most: int | None = None) -> list[int]:
        """As `handles`, for objects of any class."""
        with self._gate.alone(), attempt(what):
            rv, handles = self._calls.find(self._handle, wanted, at_most)
        check(rv, what)
        return handles

    def _check_login(self, what: str) -> None:
        """Who was logged out, by a device that was restarted for instance, finds no private key, without an error."""
        state = ""
        with contextlib.suppress(errors.TokenError):  # one that does not tell is believed
            state = self.state()
        if state.endswith("public"):
            raise errors.TokenError(what, "CKR_USER_NOT_LOGGED_IN")

    def raw(self, handle: int, sizes: t.Mapping[int, int]) -> dict[int, functions.ReadValue]:
        """Attributes of one object by their codes, as bytes."""
        return self._calls.read(self._handle, handle, sizes)

    def read(self, key_class: KeyClass, handle: int, names: frozenset[str] | None = None) -> keypair.TokenObject:
        """One object with all its attributes that this collection knows, or those of `names` (T8)."""
        values: dict[str, Value | None] = {}
        unreadable: dict[str, str] = {}
        for code, (value, rv) in self.raw(handle, sizes(key_class, names)).items():
            name = BY_CODE[code].name
            if value is not None:
                try:
                    values[name] = unpack(name, value)
                except ValueError:
                    unreadable[name] = "no valid value"
            elif rv != functions.CKR_ATTRIBUTE_TYPE_INVALID:
                unreadable[name] = functions.rv_name(rv)
        what = f"read the {key_class} key with handle {handle} on the token {self._token}"
        if not values:
            answers = sorted(set(unreadable.values())) or ["CKR_ATTRIBUTE_TYPE_INVALID"]
            raise errors.TokenError(what, answers[0])
        if values.get("class") not in (None, f"{key_class}_key"):
            raise errors.TokenError(what, said=f"an object of the class {values['class']!r}", hint=_BROKEN)
        return keypair.TokenObject(handle, key_class, values, unreadable)

    def generate(
        self, mechanism: int, public: t.Mapping[str, Value], private: t.Mapping[str, Value]
    ) -> tuple[int, int]:
        """C_GenerateKeyPair with exactly these templates; the handles of the public and the private half."""
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.mechanism import CkMechanism

        halves = template(public, PUBLIC), template(private, PRIVATE)
        with self._gate.write():
            rv, handles = self._calls.make_pair(self._handle, CkMechanism(mechanism), *halves)
        check(rv, f"generate a key pair on the token {self._token}")
        return handles

    def set_attributes(self, found: keypair.TokenObject, values: t.Mapping[str, Value]) -> None:
        """C_SetAttributeValue with all `values` at once."""
        what = f"set {', '.join(values)} of the {found.half} key '{found.label}'"
        self.write(what, "C_SetAttributeValue", found.handle, template(values))

    def destroy(self, key_class: KeyClass, handle: int, stored: bool = True) -> None:
        """As `remove`; what came of it `removal.py` looks at."""
        self.remove(f"destroy the {key_class} key with handle {handle}", handle, stored)

    def remove(self, what: str, handle: int, stored: bool = True) -> None:
        """C_DestroyObject; `stored`: whether the object is one of the token, which SoftHSM has a file for."""
        if not (self.store and stored):
            return self.write(what, "C_DestroyObject", handle)
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import removal

        # No thread of this process makes or removes another file meanwhile.
        with self._gate.alone(), removal.told_by_files(self.store):
            self.call(what, "C_DestroyObject", handle)

    def call(self, what: str, function: str, *arguments: t.Any) -> None:
        """Calls a function; `what` is attempted by it."""
        check(self._calls.call(function, self._handle, *arguments), f"{what} on the token {self._token}")

    def write(self, what: str, function: str, *arguments: t.Any) -> None:
        """As `call`, for what changes the token."""
        with self._gate.write():
            self.call(what, function, *arguments)

    def make(self, what: str, function: str, *arguments: t.Any) -> int:
        """The handle of what a function makes."""
        with self._gate.write():
            rv, handle = self._calls.make(function, self._handle, *arguments)
        check(rv, f"{what} on the token {self._token}")
        return handle

    def output(self, what: str, function: str, *arguments: t.Any) -> bytes:
        """What a function writes."""
        rv, written = self._calls.output(function, self._handle, *arguments)
        check(rv, f"{what} on the token {self._token}")
        return written

    def secret(self, what: str, handle: int, size: int) -> bytes:
        """The value of a secret key that may be read."""
        read = self.raw(handle, {_VALUE: size})[_VALUE]
        if read.value is None:
            raise errors.TokenError(f"{what} on the token {self._token}", functions.rv_name(read.rv))
        return read.value

    def state(self) -> str:
        """What C_GetSessionInfo says of the login."""
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import session_state

        rv, state = session_state.asked(self._calls, self._handle)
        check(rv, f"read the session with the token {self._token}")
        return state
