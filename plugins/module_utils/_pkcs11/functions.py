# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The C functions of a PKCS#11 library, by ctypes, as far as python-pkcs11 hides them, makes them dear or unsafe.

Which, and why: C_Initialize with locking (trap T1), C_GetInfo, C_GetSlotList, C_GetSlotInfo, C_GetMechanismList and
C_GetMechanismInfo (it gives up all slots for a dead one, trap T7, and hands on undefined memory, trap T12),
C_GetTokenInfo (it keeps PIN lengths and bytes that are no UTF-8 from us), C_InitToken and C_GetSessionInfo (it has
none), C_InitPIN (which goes with C_InitToken), C_CloseAllSessions (a failed login leaks a session, trap T3), searching
and reading in one sized call an object (it makes two calls for each object found and two for each read, and raises on
legal values, traps T2 and T8), and all that makes, changes or uses an object: by its handle, where it would search and
read the object first, and refuse a use whose attribute it could not read. Sections name PKCS#11 3.1.
"""

from __future__ import annotations

import ctypes
import itertools
import struct
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import structures

CKR_OK = 0x00
CKR_ARGUMENTS_BAD = 0x07
CKR_CANT_LOCK = 0x0A
CKR_ATTRIBUTE_TYPE_INVALID = 0x12
CKR_ATTRIBUTE_VALUE_INVALID = 0x13
CKR_FUNCTION_NOT_SUPPORTED = 0x54
CKR_MECHANISM_INVALID = 0x70
CKR_OBJECT_HANDLE_INVALID = 0x82
CKR_TOKEN_NOT_PRESENT = 0xE0
CKR_TOKEN_NOT_RECOGNIZED = 0xE1
CKR_BUFFER_TOO_SMALL = 0x150

CKF_OS_LOCKING_OK = 0x02

# CK_FUNCTION_LIST behind the version (section 5.1; the order never changed since 2.0).
_NAMES = """
Initialize Finalize GetInfo GetFunctionList GetSlotList GetSlotInfo GetTokenInfo GetMechanismList GetMechanismInfo
InitToken InitPIN SetPIN OpenSession CloseSession CloseAllSessions GetSessionInfo GetOperationState SetOperationState
Login Logout CreateObject CopyObject DestroyObject GetObjectSize GetAttributeValue SetAttributeValue FindObjectsInit
FindObjects FindObjectsFinal EncryptInit Encrypt EncryptUpdate EncryptFinal DecryptInit Decrypt DecryptUpdate
DecryptFinal DigestInit Digest DigestUpdate DigestKey DigestFinal SignInit Sign SignUpdate SignFinal SignRecoverInit
SignRecover VerifyInit Verify VerifyUpdate VerifyFinal VerifyRecoverInit VerifyRecover DigestEncryptUpdate
DecryptDigestUpdate SignEncryptUpdate DecryptVerifyUpdate GenerateKey GenerateKeyPair WrapKey UnwrapKey DeriveKey
SeedRandom GenerateRandom GetFunctionStatus CancelFunction WaitForSlotEvent
"""
_INDEX = {f"C_{name}": index for index, name in enumerate(_NAMES.split())}
# A byte that fills the buffers before a read: what still holds nothing else was not touched by the library.
_UNTOUCHED = b"\xa5"
_BATCH = 64  # handles asked for in one call
_ROOM = 8192  # bytes for a signature, a decrypted text or a wrapped key
_MOST_ROOM = 1 << 20
# What a library claims is believed up to these bounds, far above any token, so that time and memory are bounded, too.
_MOST_NUMBERS = 1 << 16  # slots, or mechanisms of one
_MOST_HANDLES = 5_000_000
_LONGEST_VALUE = 1 << 20  # bytes of an attribute
_IDLE = 10  # answers of one search that bring nothing new


class Nonsense(Exception):
    """An answer that no token can mean; the text completes 'the HSM answered …'."""


class _CkInitializeArgs(ctypes.Structure):
    """CK_C_INITIALIZE_ARGS without functions of ours for locking; NSS's has one more member, which stays empty."""

    _fields_ = (
        ("functions", ctypes.c_void_p * 4),
        ("flags", structures.CK_ULONG),
        ("reserved", ctypes.c_char_p),
        ("more", ctypes.c_void_p),
    )


class CkAttribute(ctypes.Structure):
    """CK_ATTRIBUTE."""

    _fields_ = (("type", structures.CK_ULONG), ("value", ctypes.c_void_p), ("length", structures.CK_ULONG))


_ENTRY = struct.Struct("@LPL")  # the same for many at once: a large token has many objects to read
_WORD = struct.calcsize("@L")


class ReadValue(t.NamedTuple):
    """One attribute as read: its bytes, or None with the return value (0: not settled by the call for all of them)."""

    value: bytes | None
    rv: int


_LACKING = ReadValue(None, CKR_ATTRIBUTE_TYPE_INVALID)
_UNSETTLED = ReadValue(None, CKR_OK)


class Template:
    """A CK_ATTRIBUTE array made of packed values; keeps them alive, in one block, as long as it lives."""

    def __init__(self, values: t.Mapping[int, bytes]) -> None:
        self.count = len(values)
        aligned = [value + bytes(-len(value) % _WORD) for value in values.values()]  # libraries take numbers in place
        self._block = ctypes.create_string_buffer(b"".join(aligned))
        places = itertools.accumulate(map(len, aligned), initial=ctypes.addressof(self._block))
        self.array = _entries(zip(values, places, map(len, values.values()), strict=False))


def _entries(rows: t.Iterable[tuple[int, int, int]]) -> ctypes.Array[CkAttribute]:
    """A CK_ATTRIBUTE array of codes, addresses and lengths, packed at once; it has room for one where there is none."""
    packed = b"".join(itertools.starmap(_ENTRY.pack, rows)) or bytes(_ENTRY.size)
    return (CkAttribute * (len(packed) // _ENTRY.size)).from_buffer_copy(packed)


def rv_name(rv: int) -> str:
    """The name of a CK_RV. Most tasks meet no error, and need no table of them."""
    from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import return_values

    return return_values.ckr_name(rv)


def _function_list(path: str) -> structures.FunctionList:
    """What C_GetFunctionList gives (section 5.4.4)."""
    pointer = ctypes.POINTER(structures.FunctionList)()
    rv = ctypes.CDLL(path).C_GetFunctionList(ctypes.byref(pointer))
    if rv != CKR_OK or not pointer:
        raise OSError(f"C_GetFunctionList answered 0x{rv:X}")
    return pointer.contents


def _as_c(arguments: t.Iterable[t.Any]) -> t.Iterator[t.Any]:
    """A number as CK_ULONG, a structure by its address, bytes and templates followed by their length."""
    for value in arguments:
        if isinstance(value, int):
            yield structures.CK_ULONG(value)
        elif isinstance(value, ctypes.Structure):
            yield ctypes.byref(value)
        elif isinstance(value, bytes):
            yield from (value, structures.CK_ULONG(len(value)))
        elif isinstance(value, Template):
            yield from (value.array, structures.CK_ULONG(value.count))
        else:
            yield value


class Functions:
    """The functions of one loaded library; each returns the CK_RV, or what it read together with it."""

    def __init__(self, path: str) -> None:
        self._table = _function_list(path)

    def share(self, part: t.Any) -> None:
        """Goes by the list that python-pkcs11 got for `part` of it, which it keeps first, if that is another (T16)."""
        if ctypes.c_void_p.from_address(id(part) + object.__basicsize__).value != ctypes.addressof(self._table):
            from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import other_list

            self._table = other_list.list_of(part) or self._table

    def call(self, name: str, *arguments: t.Any) -> int:
        """Any function that is not below. A list may lack one, although the standard wants it to answer as much."""
        address = self._table.functions[_INDEX[name]]
        if not address:
            return CKR_FUNCTION_NOT_SUPPORTED
        return t.cast(int, ctypes.CFUNCTYPE(structures.CK_ULONG)(address)(*_as_c(arguments)))

    def initialize(self, flags: int = 0, reserved: str | None = None) -> int:
        """C_Initialize, with CK_C_INITIALIZE_ARGS where there are `flags` or a text for pReserved (section 5.4.1)."""
        if not flags and reserved is None:
            return self.call("C_Initialize", None)
        self._reserved = None if reserved is None else reserved.encode()  # kept: a library may look at it later
        return self.call("C_Initialize", _CkInitializeArgs(flags=flags, reserved=self._reserved))

    def token_info(self, slot_id: int) -> tuple[int, structures.CkTokenInfo]:
        """C_GetTokenInfo (section 5.5.3)."""
        info = structures.CkTokenInfo()
        return self.call("C_GetTokenInfo", slot_id, info), info

    def slot_count(self) -> int:
        """The return value of C_GetSlotList; raises `Nonsense` where it tells more slots than any HSM has."""
        return self.size("C_GetSlotList", ctypes.c_ubyte(False))[0]

    def size(self, name: str, first: t.Any) -> tuple[int, int]:
        """How many numbers a function would list; raises `Nonsense` for more than any HSM has."""
        count = structures.CK_ULONG()
        rv = self.call(name, first, None, ctypes.byref(count))
        if rv == CKR_OK and count.value > _MOST_NUMBERS:
            raise Nonsense(f"{name} with {count.value} entries")
        return rv, 0 if rv else count.value

    def find(self, session: int, template: Template, at_most: int | None = None) -> tuple[int, list[int]]:
        """Handles of all objects that match; the search is over only when the library returns none (section 5.7.6).

        A handle that is answered twice is one object. `at_most`: it ends when more than so many are found.
        """
        rv = self.call("C_FindObjectsInit", session, template)
        if rv != CKR_OK:
            return rv, []
        try:
            rv, handles = self._found(session, at_most)
        finally:
            final = self.call("C_FindObjectsFinal", session)
        return rv or final, handles

    def _found(self, session: int, at_most: int | None) -> tuple[int, list[int]]:
        """What a search finds, each handle once; one that brings nothing new for long is no search."""
        handles: dict[int, None] = {}
        found, count, idle = (structures.CK_ULONG * _BATCH)(), structures.CK_ULONG(), 0
        while True:
            rv = self.call("C_FindObjects", session, found, _BATCH, ctypes.byref(count))
            if rv != CKR_OK or count.value == 0:
                break
            if count.value > _BATCH:
                raise Nonsense(f"C_FindObjects with {count.value} handles where {_BATCH} were asked for")
            known = len(handles)
            handles.update(dict.fromkeys(found[: count.value]))
            idle = 0 if len(handles) > known else idle + 1
            if idle == _IDLE or len(handles) > _MOST_HANDLES:
                raise Nonsense(f"C_FindObjects without an end: {len(handles)} different handles so far")
            if at_most is not None and len(handles) > at_most:
                break
        return rv, list(handles)

    def read(self, session: int, handle: int, sizes: t.Mapping[int, int]) -> dict[int, ReadValue]:
        """Attributes of one object, asked for at once; `sizes` maps each code to its usual size in bytes.

        What the one call does not settle (a longer value, an answer about another attribute, a library that stops at
        the first one it does not have) is asked for again by itself, so no attribute can spoil another (trap T8).
        """
        rv, values = self._read_once(session, handle, sizes)
        if rv == CKR_OBJECT_HANDLE_INVALID:
            return dict.fromkeys(sizes, ReadValue(None, rv))
        settled = rv in (CKR_OK, CKR_ATTRIBUTE_TYPE_INVALID)
        for code, read in values.items():
            if read.value is None and not (settled and read is _LACKING):
                values[code] = self._read_alone(session, handle, code)
        return values

    def _read_once(self, session: int, handle: int, sizes: t.Mapping[int, int]) -> tuple[int, dict[int, ReadValue]]:
        """One call with room for every value; the room is one block."""
        block = ctypes.create_string_buffer(_UNTOUCHED * sum(sizes.values()))
        addresses = itertools.accumulate(sizes.values(), initial=ctypes.addressof(block))
        array = _entries(zip(sizes, addresses, sizes.values(), strict=False))
        rv = self.call("C_GetAttributeValue", session, handle, array, len(sizes))
        values, told, place = {}, block.raw, 0
        for (code, size), (dummy, dummy, length) in zip(sizes.items(), _ENTRY.iter_unpack(array), strict=False):
            if length > size:
                values[code] = _LACKING if length == structures.UNAVAILABLE else _UNSETTLED
            else:
                value = told[place : place + length]
                values[code] = ReadValue(value, CKR_OK) if not length or value.strip(_UNTOUCHED) else _UNSETTLED
            place += size
        return rv, values

    def _read_alone(self, session: int, handle: int, code: int) -> ReadValue:
        entry = CkAttribute(code, None, 0)
        arguments = (session, handle, entry, 1)
        rv = self.call("C_GetAttributeValue", *arguments)
        if rv != CKR_OK or entry.length == structures.UNAVAILABLE:
            return ReadValue(None, rv or CKR_ATTRIBUTE_TYPE_INVALID)
        if entry.length > _LONGEST_VALUE:
            return ReadValue(None, CKR_ATTRIBUTE_VALUE_INVALID)
        buffer = ctypes.create_string_buffer(max(entry.length, 1))
        entry.value = ctypes.addressof(buffer)
        rv = self.call("C_GetAttributeValue", *arguments)
        return ReadValue(buffer.raw[: entry.length] if rv == CKR_OK else None, rv)

    def make(self, name: str, *arguments: t.Any) -> tuple[int, int]:
        """A function that makes an object, whose handle is its last argument (sections 5.7.1, 5.7.2 and 5.18)."""
        new = structures.CK_ULONG()
        return self.call(name, *arguments, ctypes.byref(new)), new.value

    def make_pair(self, *arguments: t.Any) -> tuple[int, tuple[int, int]]:
        """C_GenerateKeyPair: the handles of the public and the private half (section 5.18.2)."""
        public, private = structures.CK_ULONG(), structures.CK_ULONG()
        rv = self.call("C_GenerateKeyPair", *arguments, ctypes.byref(public), ctypes.byref(private))
        return rv, (public.value, private.value)

    def output(self, name: str, *arguments: t.Any) -> tuple[int, bytes]:
        """What a function writes into a buffer, its last argument but one (section 5.2); a larger one where it asks."""
        size = structures.CK_ULONG(_ROOM)
        for _dummy in range(2):
            size.value = min(size.value, _MOST_ROOM)
            room = ctypes.create_string_buffer(size.value)
            rv = self.call(name, *arguments, room, ctypes.byref(size))
            if rv != CKR_BUFFER_TOO_SMALL:
                break
        return rv, room.raw[: size.value] if rv == CKR_OK else b""
