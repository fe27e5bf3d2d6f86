# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that key_mgmt_util's getAttribute writes (`-a 512`), as a text, for tools that read it.

Its form is that of the dumps in the documentation of genRSAKeyPair, genECCKeyPair and getAttribute: a line with the
attribute's name, then its value; a modulus in lines of 80 characters; the point of an EC key as its modulus, without
0x and in one line, and OpenSSL's number of its curve as the modulus's bits. Of RSA keys the newer dumps tell more.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, ec_key, errors, public_key

_WIDTH = 80
# In the order of the dumps.
NAMES = (
    *("class", "key_type", "token", "private", "encrypt", "decrypt", "wrap", "unwrap", "sign", "verify", "local"),
    *("sensitive", "extractable", "label", "id", "value_len", "kcv", "modulus", "modulus_bits", "public_exponent"),
    *("trusted", "wrap_with_trusted", "destroyable", "derive", "always_sensitive", "never_extractable"),
)
_OF_RSA_ONLY = NAMES[20:]
# What a dump shows of a key whose class has no such attribute; everything readable can leave.
_EXTRACTABLE_ANYWAY = "extractable"


def attribute_file(found: keypair.TokenObject, spki: bytes | None) -> str | None:
    """The text for one key, None where nothing of it could be read; what the command itself wrote, where it did.

    `spki` is its public key, where it is known from the other half.
    """
    if found.dump is not None:
        return found.dump
    if not found.attributes:
        return None
    lines = []
    for name in NAMES:
        told = found.key_type == "rsa" or name not in _OF_RSA_ONLY
        value = _value(name, found, spki) if told else None
        if value is not None:
            lines += [f"OBJ_ATTR_{name.upper()}", value]
    return "\n".join(lines) + "\n"


def _value(name: str, found: keypair.TokenObject, spki: bytes | None) -> str | None:
    if found.hides(name):
        return None
    if name in _OWN:
        return _OWN[name](found, spki)
    value = found.attributes.get(name)
    if isinstance(value, int) and attributes.ATTRIBUTES[name].kind is attributes.Kind.ULONG:
        return f"0x{value:08x}"
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    return _bit(name, found, value)


def _coded(name: str, codes: t.Mapping[str, int], found: keypair.TokenObject) -> str | None:
    """A value that PKCS#11 names, as its number; a vendor's own is one already."""
    value = found.attributes.get(name)
    number = codes.get(str(value), value)
    return f"0x{number:02x}" if isinstance(number, int) else None


def _bit(name: str, found: keypair.TokenObject, value: attributes.Value | None) -> str | None:
    if isinstance(value, bool):
        return f"0x{value:02x}"
    row = attributes.ATTRIBUTES[name]
    if row.kind is not attributes.Kind.BOOL or found.half in row.classes:
        return None  # the key lacks it, or does not tell it
    return "0x01" if name == _EXTRACTABLE_ANYWAY and found.half == attributes.PUBLIC else "0x00"


def _kcv(found: keypair.TokenObject, spki: bytes | None) -> str | None:
    value = found.attributes.get("check_value")
    if isinstance(value, bytes) and value:
        return f"0x{value.hex()}"
    return f"0x{public_key.kcv(spki)}" if spki else None


def _modulus(found: keypair.TokenObject, spki: bytes | None) -> str | None:
    value = found.attributes.get("modulus")
    if isinstance(value, bytes) and value:
        text = f"0x{value.hex()}"
        return "\n".join(text[start : start + _WIDTH] for start in range(0, len(text), _WIDTH))
    return ec_key.point_of(spki).hex() if spki and found.key_type.startswith("ec") else None


def _modulus_bits(found: keypair.TokenObject, _spki: bytes | None) -> str | None:
    value = found.modulus_bits if found.key_type == "rsa" else found.curve and found.curve.nid
    return f"0x{value:08x}" if value else None


def _id(value: bytes) -> str:
    try:
        return errors.one_line(value.decode())
    except UnicodeDecodeError:
        return f"0x{value.hex()}"


# The attributes that are told each in a way of its own.
_OWN: dict[str, t.Callable[[keypair.TokenObject, bytes | None], str | None]] = {
    "class": lambda found, _spki: _coded("class", attributes.CLASSES, found),
    "id": lambda found, _spki: _id(found.id),
    "kcv": _kcv,
    "key_type": lambda found, _spki: _coded("key_type", attributes.KEY_TYPES, found),
    "label": lambda found, _spki: errors.one_line(found.label or ""),
    "modulus": _modulus,
    "modulus_bits": _modulus_bits,
}
