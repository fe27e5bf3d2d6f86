# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that key_mgmt_util's getAttribute writes (`-a 512`), read: the opposite of `_pair/attribute_file.py`.

Its form: the dumps in the documentation of genRSAKeyPair, genECCKeyPair and getAttribute (AWS, key attribute table).
Older builds write a modulus as they write a point, without 0x (genRSAKeyPair in an earlier edition of the AWS
CloudHSM user guide).
"""

from __future__ import annotations

import re

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import points
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import Answer, Unreadable
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    ATTRIBUTES,
    KEY_CLASSES,
    NAMED,
    KeyClass,
    Kind,
    Value,
)

ALL = 512  # the constant that stands for all attributes
# 'got all attributes of size 529 attr cnt 19'; 'Attribute size: 801, count: 26'
_COUNT = re.compile(r"\s*(?:got all attributes of size [0-9]+ attr cnt|Attribute size: [0-9]+, count:) ([0-9]+)\s*")
_NAME = re.compile(r"^OBJ_ATTR_([A-Z0-9_]+)$", re.MULTILINE)
# Where our name is another one than the tool's in lower case.
_OTHER_NAMES = {"kcv": "check_value", "key_gen_mech": "key_gen_mechanism"}
# What is left of bytes that are no UTF-8; a label with such equals none that is wished.
_NO_UTF8 = re.compile("[\udc80-\udcff]")
_SHORT = re.compile(r"0x([0-9A-Fa-f]{2}|[0-9A-Fa-f]{8})")
_LONG = re.compile(r"0x([0-9A-Fa-f]{8}|[0-9A-Fa-f]{16})")
_BYTES = re.compile(r"0x((?:[0-9A-Fa-f]{2})*)")
_KCV = re.compile(r"0x([0-9A-Fa-f]{6})")
_MATERIAL = re.compile(r"(?:0x)?((?:[0-9A-Fa-f]{2})+)")

# What a number stands for.
_NUMBERED: dict[Kind, dict[int, Value]] = {Kind.BOOL: {0: False, 1: True}, **NAMED}

Attributes = dict[str, "Value | None"]


def dumped_count(answer: Answer) -> int:
    """How many attributes getAttribute says that it wrote; raises `Unreadable`."""
    return answer.number(_COUNT, "it does not tell how many attributes it wrote")


def key_attributes(raw: bytes, count: int) -> tuple[KeyClass, Attributes]:
    """The class and the attributes of a key from the file of `count` attributes; raises `Unreadable`."""
    values = _values(raw.decode("utf-8", "surrogateescape"))
    if len(values) != count:
        raise Unreadable(f"the file of attributes holds {len(values)} of {count}")
    attributes: Attributes = {}
    for name, text in values.items():
        if name in ATTRIBUTES and name != "modulus":
            attributes[name] = _value(name, text)
    key_class = next((half for half in KEY_CLASSES if attributes.get("class") == f"{half}_key"), None)
    if key_class is None or "key_type" not in attributes:
        raise Unreadable("the file of attributes tells no class or no type of the key")
    _add_material(attributes, values.get("modulus", "").replace("\n", ""))
    return key_class, attributes


def _values(text: str) -> dict[str, str]:
    """The text below each name; a name that comes twice may be a part of a label, so that nothing is sure then."""
    beginning, *rest = _NAME.split(text.replace("\r\n", "\n").removesuffix("\n") + "\n")
    if beginning.strip():
        raise Unreadable("the file of attributes begins with no name of one")
    if not rest or rest[-1] == "\n":
        raise Unreadable("the file of attributes ends with a name, or is empty")
    values: dict[str, str] = {}
    for name, value in zip(rest[::2], rest[1::2], strict=True):
        lower = name.lower()
        ours = _OTHER_NAMES.get(lower, lower)
        if ours in values:
            raise Unreadable(f"the file of attributes holds OBJ_ATTR_{name} twice")
        values[ours] = value[1:-1]
    return values


def _value(name: str, text: str) -> Value | None:
    kind = ATTRIBUTES[name].kind
    if kind is Kind.TEXT:
        return None if _NO_UTF8.search(text) else text
    if name == "id":  # the tool's ids are texts
        return text.encode("utf-8", "surrogateescape")
    if kind in (Kind.BYTES, Kind.BIG):
        return bytes.fromhex(_matched(name, _KCV if name == "check_value" else _BYTES, text.replace("\n", "")))
    number = int(_matched(name, _LONG if kind is Kind.ULONG else _SHORT, text), 16)
    if kind is Kind.BOOL and number > 1:
        raise Unreadable(f"OBJ_ATTR_{name.upper()} is neither 0 nor 1")
    return _NUMBERED.get(kind, {}).get(number, number)


def _matched(name: str, pattern: re.Pattern[str], text: str) -> str:
    match = pattern.fullmatch(text)
    if not match:
        raise Unreadable(f"the value of OBJ_ATTR_{name.upper()} is broken")
    return match[1]


def _add_material(attributes: Attributes, text: str) -> None:
    """The modulus of an RSA key; of an EC key the point, which stands in its place, and the curve that it is on."""
    if attributes["key_type"] == "ec":
        nid = attributes.pop("modulus_bits", None)
        point = points.raw_point(bytes.fromhex(_matched("modulus", _MATERIAL, text))) if text else b""
        curve = points.curve_of_point(point) or points.curve_by_nid(nid)
        if point:
            attributes["ec_point"] = point
        if curve:
            attributes["ec_params"] = curve.ec_params()
        return
    exponent = attributes.get("public_exponent")
    number = int.from_bytes(exponent, "big") if isinstance(exponent, bytes) else 3
    if number < 3 or number % 2 == 0:  # RFC 8017, section 3.1; a line that was cut short often tells such a one
        raise Unreadable("the public exponent in the file of attributes is none")
    if not text:
        return
    modulus = bytes.fromhex(_matched("modulus", _MATERIAL, text))
    bits = attributes.get("modulus_bits")
    if isinstance(bits, int) and int.from_bytes(modulus, "big").bit_length() != bits:
        raise Unreadable("the modulus in the file of attributes is not of the size that it tells")
    attributes["modulus"] = modulus
