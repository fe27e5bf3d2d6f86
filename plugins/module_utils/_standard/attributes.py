# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one table of key attributes: what each is called, how it is packed, where it stands and whether it may change.

Sources: PKCS#11 3.1 tables 11 (common), 21 (public keys), 22 (private keys), 24 (RSA) and 43 (EC) with footnotes 8
(may be changed), 10 (may be changed from false to true only), 11 (from true to false only).
"""

from __future__ import annotations

import enum
import functools
import struct
import typing as t

Half = t.Literal["public", "private"]
PUBLIC: Half = "public"
PRIVATE: Half = "private"
HALVES: tuple[Half, Half] = (PUBLIC, PRIVATE)
# The classes of keys: the halves of pairs, and secret keys, which are only looked at.
KeyClass = t.Literal["public", "private", "secret"]
SECRET: KeyClass = "secret"
KEY_CLASSES: tuple[KeyClass, ...] = (PUBLIC, PRIVATE, SECRET)
# RFC 7512, section 2.3, attribute type.
URI_TYPES: dict[KeyClass, str] = {PUBLIC: "public", PRIVATE: "private", SECRET: "secret-key"}

_ULONG = struct.Struct("@L")
# Bytes. Anyone can store a longer one without a PIN; it is no number that could be shown, nor one of any RSA key.
_LONGEST_EXPONENT = 1024
_UNAVAILABLE = _ULONG.unpack(b"\xff" * _ULONG.size)[0]

CLASSES = {"public_key": 2, "private_key": 3, "secret_key": 4}
KEY_TYPES = {
    "rsa": 0x00,
    "dsa": 0x01,
    "dh": 0x02,
    "ec": 0x03,
    "generic_secret": 0x10,
    "des2": 0x14,
    "des3": 0x15,
    "aes": 0x1F,
    "ec_edwards": 0x40,
    "ec_montgomery": 0x41,
}


class Kind(enum.Enum):
    """How a value is packed."""

    BOOL = "CK_BBOOL"
    ULONG = "CK_ULONG"
    TEXT = "RFC 2279 string"
    BYTES = "byte array"
    BIG = "big integer"
    CLASS = "CK_OBJECT_CLASS"
    KEY_TYPE = "CK_KEY_TYPE"
    MECHANISM = "CK_MECHANISM_TYPE"
    MECHANISMS = "CK_MECHANISM_TYPE array"


# What a number stands for, where it has a name.
NAMED: dict[Kind, dict[int, Value]] = {
    Kind.CLASS: {code: name for name, code in CLASSES.items()},
    Kind.KEY_TYPE: {code: name for name, code in KEY_TYPES.items()},
}


class Changeable(enum.Enum):
    """Which changes of an existing object the standard lets C_SetAttributeValue make."""

    NEVER = "never"
    ANY = "any"
    TO_TRUE = "false to true"
    TO_FALSE = "true to false"
    BY_COPY = "true to false, by C_CopyObject only"
    SHARING = "no attribute: the users of the key, where the HSM has users"


class Attribute(t.NamedTuple):
    """One row: `name` is the CKA name in lower case without its prefix, `size` the bytes that a read makes room for.

    It is ample: beside an attribute that the object lacks, a value that is too long cannot be told from a missing one.
    `option`: whether private_attributes and public_attributes take it.
    """

    name: str
    code: int
    kind: Kind
    size: int
    change: Changeable = Changeable.NEVER
    classes: tuple[KeyClass, ...] = KEY_CLASSES
    option: bool = False


def _bit(name: str, code: int, change: Changeable = Changeable.NEVER, *classes: KeyClass) -> Attribute:
    return Attribute(name, code, Kind.BOOL, 1, change, classes or KEY_CLASSES)


def _option(name: str, code: int, change: Changeable = Changeable.NEVER, *classes: KeyClass) -> Attribute:
    return _bit(name, code, change, *classes)._replace(option=True)


_TABLE = (
    Attribute("class", 0x000, Kind.CLASS, _ULONG.size),
    _bit("token", 0x001),
    _option("private", 0x002),
    Attribute("label", 0x003, Kind.TEXT, 4096, Changeable.ANY),
    _option("trusted", 0x086, Changeable.NEVER, PUBLIC, SECRET),
    Attribute("key_type", 0x100, Kind.KEY_TYPE, _ULONG.size),
    Attribute("id", 0x102, Kind.BYTES, 4096, Changeable.ANY),
    _bit("sensitive", 0x103, Changeable.TO_TRUE, PRIVATE, SECRET),
    _option("encrypt", 0x104, Changeable.ANY, PUBLIC, SECRET),
    _option("decrypt", 0x105, Changeable.ANY, PRIVATE, SECRET),
    _option("wrap", 0x106, Changeable.ANY, PUBLIC, SECRET),
    _option("unwrap", 0x107, Changeable.ANY, PRIVATE, SECRET),
    _option("sign", 0x108, Changeable.ANY, PRIVATE, SECRET),
    _option("sign_recover", 0x109, Changeable.ANY, PRIVATE),
    _option("verify", 0x10A, Changeable.ANY, PUBLIC, SECRET),
    _option("verify_recover", 0x10B, Changeable.ANY, PUBLIC),
    _option("derive", 0x10C, Changeable.ANY),
    Attribute("modulus", 0x120, Kind.BIG, 4096, classes=HALVES),
    Attribute("modulus_bits", 0x121, Kind.ULONG, _ULONG.size, classes=(PUBLIC,)),
    Attribute("public_exponent", 0x122, Kind.BIG, 4096, classes=HALVES),
    Attribute("public_key_info", 0x129, Kind.BYTES, 8192, classes=(PRIVATE,)),
    Attribute("check_value", 0x090, Kind.BYTES, 8),
    Attribute("value_len", 0x161, Kind.ULONG, _ULONG.size),
    _bit("extractable", 0x162, Changeable.TO_FALSE, PRIVATE, SECRET),
    _bit("local", 0x163),
    _bit("never_extractable", 0x164, Changeable.NEVER, PRIVATE, SECRET),
    _bit("always_sensitive", 0x165, Changeable.NEVER, PRIVATE, SECRET),
    Attribute("key_gen_mechanism", 0x166, Kind.MECHANISM, _ULONG.size),
    _option("modifiable", 0x170, Changeable.BY_COPY),
    _option("copyable", 0x171, Changeable.BY_COPY),
    _option("destroyable", 0x172, Changeable.BY_COPY),
    Attribute("ec_params", 0x180, Kind.BYTES, 2048, classes=HALVES),
    Attribute("ec_point", 0x181, Kind.BYTES, 512, classes=HALVES),
    _option("always_authenticate", 0x202, Changeable.NEVER, PRIVATE),
    _option("wrap_with_trusted", 0x210, Changeable.TO_TRUE, PRIVATE, SECRET),
    Attribute("allowed_mechanisms", 0x40000600, Kind.MECHANISMS, 512 * _ULONG.size, Changeable.ANY, (PRIVATE, SECRET)),
)
ATTRIBUTES: dict[str, Attribute] = {row.name: row for row in _TABLE}
BY_CODE: dict[int, Attribute] = {row.code: row for row in _TABLE}

# What C_SetAttributeValue may change to any value.
CHANGEABLE = frozenset(row.name for row in _TABLE if row.change is Changeable.ANY)

# The names under which attributes are returned; of these kcv and id_hex are other forms of check_value and id.
RETURNED = tuple(sorted({*ATTRIBUTES, "kcv", "id_hex"} - {"public_key_info", "check_value"}))

# What each word of the option usage sets: the bit of the private half and its counterpart on the public half.
USAGE_BITS: dict[str, dict[Half, str]] = {
    "sign": {PRIVATE: "sign", PUBLIC: "verify"},
    "decrypt": {PRIVATE: "decrypt", PUBLIC: "encrypt"},
    "wrap": {PRIVATE: "unwrap", PUBLIC: "wrap"},
    "derive": {PRIVATE: "derive"},
}
# The closed lists of the options private_attributes and public_attributes.
SETTABLE: dict[Half, tuple[str, ...]] = {
    half: tuple(row.name for row in _TABLE if row.option and half in row.classes) for half in HALVES
}
# Every usage bit of a half; all are sent with a new pair, because the vendors' defaults differ (trap T9). They are what
# an option sets and the standard lets change both ways.
ALL_USAGE_BITS: dict[Half, tuple[str, ...]] = {
    half: tuple(name for name in names if name in CHANGEABLE) for half, names in SETTABLE.items()
}
# Compared, never set: only the security officer may set CKA_TRUSTED (PKCS#11 3.1, table 21 footnote).
COMPARE_ONLY = ("trusted",)
# With one of these false a pair can no longer be removed, copied or changed. They are set after every check, by a copy;
# in this order, because SoftHSM takes a template one by one and nothing more once CKA_MODIFIABLE is false.
FREEZING = ("destroyable", "copyable", "modifiable")

Value = t.Union[bool, int, str, bytes, "tuple[int, ...]"]


# Of each kind: the type of its values, and what makes bytes of one.
_PACKED: dict[Kind, tuple[type, t.Callable[[t.Any], bytes]]] = {
    Kind.BOOL: (bool, lambda value: b"\x01" if value else b"\x00"),
    Kind.TEXT: (str, str.encode),
    Kind.BYTES: (bytes, bytes),
    Kind.BIG: (bytes, bytes),
    Kind.CLASS: (str, lambda name: _ULONG.pack(CLASSES[name])),
    Kind.KEY_TYPE: (str, lambda name: _ULONG.pack(KEY_TYPES[name])),
    Kind.ULONG: (int, _ULONG.pack),
    Kind.MECHANISM: (int, _ULONG.pack),
    Kind.MECHANISMS: (tuple, lambda codes: b"".join(map(_ULONG.pack, codes))),
}


def pack(name: str, value: Value) -> bytes:
    """The bytes of `value` as the attribute `name` takes them.

    Raises `TypeError` for a value of another type: python-pkcs11 would corrupt memory on it (trap T2).
    """
    kind = ATTRIBUTES[name].kind
    wanted, packed = _PACKED[kind]
    # A boolean is an integer to Python, and none to a token.
    fits = isinstance(value, wanted) and isinstance(value, bool) == (wanted is bool)
    codes = value if isinstance(value, tuple) else ()
    if fits and all(isinstance(code, int) and not isinstance(code, bool) for code in codes):
        return packed(value)
    raise TypeError(f"CKA_{name.upper()} takes a {kind.value}, not a {type(value).__name__}")


def unpack(name: str, raw: bytes) -> Value | None:
    """The value of `raw`; None for one that the token marks as unavailable.

    Raises `ValueError` where the bytes are no value of this kind. Vendors' own classes, key types and mechanisms are
    legal: they stay numbers.
    """
    kind = ATTRIBUTES[name].kind
    if kind is Kind.BOOL:
        return _unpack_bool(raw)
    if kind is Kind.TEXT:
        return raw.decode()
    if kind in (Kind.BYTES, Kind.BIG):
        if name == "public_exponent" and len(raw.lstrip(b"\0")) > _LONGEST_EXPONENT:
            raise ValueError(f"{len(raw)} bytes are no exponent")
        return raw
    if len(raw) % _ULONG.size or (kind is not Kind.MECHANISMS and len(raw) != _ULONG.size):
        raise ValueError(f"{len(raw)} bytes are no {kind.value}")
    numbers = tuple(row[0] for row in _ULONG.iter_unpack(raw))
    if kind is Kind.MECHANISMS:
        return numbers
    if numbers[0] == _UNAVAILABLE:
        return None
    return NAMED.get(kind, {}).get(numbers[0], numbers[0])


def _unpack_bool(raw: bytes) -> bool:
    if len(raw) != 1:
        raise ValueError(f"{len(raw)} bytes are no CK_BBOOL")
    return raw != b"\x00"


# What tells a key from another one, and which halves belong together.
IDENTITY = frozenset(
    {"class", "token", "label", "id", "key_type", "modulus", "modulus_bits", "public_exponent", "public_key_info"}
    | {"ec_params", "ec_point"}
)


@functools.cache
def sizes(key_class: KeyClass, names: frozenset[str] | None = None) -> dict[int, int]:
    """What to read of a key: each attribute's code and the bytes of its usual value; of `names` alone, if given."""
    return {row.code: row.size for row in _TABLE if key_class in row.classes and (names is None or row.name in names)}
