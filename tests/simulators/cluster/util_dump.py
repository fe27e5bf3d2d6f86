# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that getAttribute writes: names and values on lines of their own.

Sources: genRSAKeyPair (26 attributes), genECCKeyPair (19), key_mgmt_util-getAttribute, key-attribute-table.
Of older builds: an earlier edition of key_mgmt_util-genRSAKeyPair (20 attributes, and a modulus without 0x).
"""

from __future__ import annotations

from .cli_answers import length
from .curves import BY_NAME
from .errors import Refused
from .material import check_value
from .state import Key

ALL = 512
_WIDTH = 80  # genRSAKeyPair: a modulus goes on after 80 characters; a point does not (genECCKeyPair)

# In the order of the dumps; the second list came later
_FIRST = (
    *("CLASS", "KEY_TYPE", "TOKEN", "PRIVATE", "ENCRYPT", "DECRYPT", "WRAP", "UNWRAP", "SIGN", "VERIFY", "LOCAL"),
    *("SENSITIVE", "EXTRACTABLE", "LABEL", "ID", "VALUE_LEN", "KCV", "MODULUS", "MODULUS_BITS", "PUBLIC_EXPONENT"),
)
_EXTENDED = ("TRUSTED", "WRAP_WITH_TRUSTED", "DESTROYABLE", "DERIVE", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE")
NUMBERS = {
    "CLASS": 0,
    "TOKEN": 1,
    "PRIVATE": 2,
    "LABEL": 3,
    "TRUSTED": 134,
    "KEY_TYPE": 256,
    "ID": 258,
    "SENSITIVE": 259,
    "ENCRYPT": 260,
    "DECRYPT": 261,
    "WRAP": 262,
    "UNWRAP": 263,
    "SIGN": 264,
    "VERIFY": 266,
    "DERIVE": 268,
    "MODULUS": 288,
    "MODULUS_BITS": 289,
    "PUBLIC_EXPONENT": 290,
    "VALUE_LEN": 353,
    "EXTRACTABLE": 354,
    "LOCAL": 355,
    "NEVER_EXTRACTABLE": 356,
    "ALWAYS_SENSITIVE": 357,
    "DESTROYABLE": 370,
    "KCV": 371,
    "WRAP_WITH_TRUSTED": 528,
}
_CLASSES = {"public-key": 2, "private-key": 3}
_TYPES = {"rsa": 0, "ec": 3}


def known(name: str, extended: bool) -> bool:
    """Whether a build has an attribute."""
    return extended or name in _FIRST


def names(key: Key, extended: bool) -> list[str]:
    """The attributes that a key has."""
    found = [*_FIRST, *(_EXTENDED if extended else ())]
    return [name for name in found if key.key_type == "rsa" or name != "PUBLIC_EXPONENT"]


def values(key: Key) -> dict[str, bytes]:
    """The values as the HSM has them."""
    rsa = key.key_type == "rsa"
    found = {name.replace("-", "_").upper(): bytes([value]) for name, value in key.attributes.items()}
    found["CLASS"] = bytes([_CLASSES[key.key_class]])
    found["KEY_TYPE"] = bytes([_TYPES[key.key_type]])
    found["LABEL"] = key.label.encode()
    found["ID"] = bytes.fromhex(key.id)
    found["VALUE_LEN"] = length(key).to_bytes(4, "big")
    found["KCV"] = bytes.fromhex(check_value(key.public["der"]))
    # The curve of an EC key is OpenSSL's number of it: 0x19f in genECCKeyPair is P-256, and so does the source.
    bits = key.public["bits"] if rsa else BY_NAME[key.public["curve"]].nid
    found["MODULUS_BITS"] = bits.to_bytes(4, "big")
    found["MODULUS"] = bytes.fromhex(key.public["modulus"] if rsa else key.public["point"])
    if rsa:
        found["PUBLIC_EXPONENT"] = bytes.fromhex(key.public["exponent"])
    return found


def dump(key: Key, number: int, extended: bool) -> tuple[bytes, int, int]:
    """The content of the file for an attribute or for all, with size and count as getAttribute tells them.

    Size: 12 bytes an attribute besides its value, and a rest that fits the samples (801, 529, 444): assumed.
    """
    found = values(key)
    if number == ALL:
        chosen = names(key, extended)
    else:
        chosen = [name for name in names(key, True) if NUMBERS[name] == number]
    if not chosen:
        raise Refused("no_attribute")
    lines = b"".join(
        b"OBJ_ATTR_" + name.encode() + b"\n" + _line(key, name, found[name], number, extended) + b"\n"
        for name in chosen
    )
    size = sum(len(found[name]) + 12 for name in chosen) + (192 if extended else 207)
    return lines, size, len(chosen)


def _line(key: Key, name: str, value: bytes, number: int, extended: bool) -> bytes:
    if name in ("LABEL", "ID"):
        return value
    if name == "MODULUS" and key.key_type == "ec":
        return value.hex().encode()
    if number != ALL and len(value) == 1:
        return b"0x%08x" % value[0]  # key_mgmt_util-getAttribute: 0x00000015 of one, 0x15 among all
    text = (b"" if name == "MODULUS" and not extended else b"0x") + value.hex().encode()
    return b"\n".join(text[start : start + _WIDTH] for start in range(0, len(text), _WIDTH))
