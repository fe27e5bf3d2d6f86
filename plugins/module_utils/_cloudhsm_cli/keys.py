# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys as the CloudHSM CLI tells them, and the names of their attributes there and here.

Source: user guide of AWS CloudHSM, pages cloudhsm_cli-key-list and cloudhsm_cli-key-attributes-table. Where HSMs of the
cluster differ, a value is the text `inconsistent` (page troubleshoot-sdk5-key-replicate-failures): the key has the
attribute, and it is not known what it says.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli import answer
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import curves
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    ATTRIBUTES,
    HALVES,
    KEY_CLASSES,
    Kind,
    Value,
)

_CLASSES = {f"{key_class}-key": key_class for key_class in KEY_CLASSES}
_REFERENCE = re.compile(r"0x[0-9a-fA-F]{1,16}")
_HEX = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2})*)")
INCONSISTENT = "inconsistent"
FULL = "full"
SESSION = "session"  # on one HSM, as a session key is (page cloudhsm_cli-key-generate-asymmetric-pair-ec)
_JSON_TYPES: dict[Kind, type] = {Kind.BOOL: bool, Kind.ULONG: int}  # all others are texts
# Their names there that are no dashed form of ours.
_NAMES = {"key-length-bytes": "value_len", "modulus-size-bits": "modulus_bits", "curve": "ec_params"}
_NAMES_THERE = {name: there for there, name in _NAMES.items()}


@dataclasses.dataclass(frozen=True)
class Key:
    """One key of a list: the object, and whether every HSM of the cluster has it, and equally."""

    found: keypair.TokenObject
    owners: tuple[str, ...]
    synchronised: bool


def reference(handle: int) -> str:
    """The filter that names one key."""
    return f"key-reference=0x{handle:016x}"


def name_there(name: str) -> str:
    """What the CLI calls an attribute of our table."""
    return _NAMES_THERE.get(name, name.replace("_", "-"))


def value_there(value: Value) -> str:
    """A value as the CLI takes it on its command line; an id is hexadecimal there."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def key_from(entry: t.Any) -> Key:
    """A key of `key list --verbose` or of a new pair; raises `Unclear` for what is none."""
    handle = reference_of(answer.field(entry, "key-reference", str))
    told = answer.field(entry, "attributes", dict)
    half = _CLASSES.get(answer.field(told, "class", str))
    if half is None:
        raise answer.Unclear(f"a key of the class '{told['class']}'")
    attributes, unreadable = _attributes(told)
    whole = (FULL, SESSION) if attributes.get("token") is False else (FULL,)
    sharing, owners, full = _info(entry, whole)
    found = keypair.TokenObject(handle, half, attributes, unreadable, sharing)
    return Key(found, owners, full and not unreadable)


def new_keys(data: t.Any) -> list[Key]:
    """The halves of a new pair; raises `Unclear` for what is none."""
    return [key_from(answer.field(data, f"{half}_key", dict)) for half in HALVES]


def reference_of(text: str) -> int:
    """The number of a key-reference."""
    if not _REFERENCE.fullmatch(text):
        raise answer.Unclear(f"'{text[:40]}' as a key-reference")
    return int(text, 16)


def _attributes(told: t.Mapping[str, t.Any]) -> tuple[dict[str, Value | None], dict[str, str]]:
    attributes: dict[str, Value | None] = {}
    unreadable: dict[str, str] = {}
    for there, value in told.items():
        name = _NAMES.get(there, there.replace("-", "_"))
        if name not in ATTRIBUTES:
            continue  # wrap-template and what later versions tell
        if value == INCONSISTENT and name != "label":
            unreadable[name] = INCONSISTENT
        else:
            attributes[name] = _value(name, value)
    if told.get("curve") == "ed25519":
        attributes["key_type"] = "ec_edwards"
    if "label" not in told or "key_type" not in {*attributes, *unreadable}:
        raise answer.Unclear("a key without label or key-type")
    return attributes, unreadable


def _value(name: str, value: t.Any) -> Value | None:
    """A value as PKCS#11 has it; None of a curve that is not known here."""
    kind = ATTRIBUTES[name].kind
    wanted = _JSON_TYPES.get(kind)
    # A boolean is an integer to Python, and none to the CLI.
    if wanted and isinstance(value, wanted) and isinstance(value, bool) == (wanted is bool):
        return t.cast("Value", value)
    if isinstance(value, str) and kind not in _JSON_TYPES:
        if name == "ec_params":
            with contextlib.suppress(ValueError):
                return curves.curve_by_name(value).ec_params()
            return None
        if kind in (Kind.CLASS, Kind.KEY_TYPE):
            return value.replace("-", "_")
        if kind is Kind.TEXT:
            return value
        digits = _HEX.fullmatch(re.sub(r"\s", "", value))
        if digits and kind in (Kind.BYTES, Kind.BIG):
            return bytes.fromhex(digits[1])
    raise answer.Unclear(f"the value {str(value)[:40]!r} of the attribute {name_there(name)}")


def _info(entry: t.Any, whole: t.Container[str]) -> tuple[keypair.Sharing, tuple[str, ...], bool]:
    """Who may use a key, its owners, and whether its coverage is one of those that are `whole`."""
    info = answer.field(entry, "key-info", dict)
    owners, owners_full = _users(info, "key-owners")
    shared, shared_full = _users(info, "shared-users")
    quorum = info.get("key-quorum-values", {})  # before 5.14 there is none
    use, manage = (
        answer.field(quorum, f"{what}-key-quorum-value", int) if quorum != {} else 0 for what in ("use", "manage")
    )
    full = answer.field(info, "cluster-coverage", str) in whole and owners_full and shared_full
    sharing = keypair.Sharing(owners[0] if len(owners) == 1 else None, shared, use, manage)
    return sharing, owners, full


def _users(info: t.Mapping[str, t.Any], name: str) -> tuple[tuple[str, ...], bool]:
    users = answer.rows(info, name)
    names = tuple(sorted(answer.field(row, "username", str).lower() for row in users))
    return names, all(answer.field(row, "key-coverage", str) == FULL for row in users)


# What of a new half is said otherwise than by an attribute: by flags, or by the kind of command.
_SAID_BY_FLAGS = ("label", "token", "modulus_bits", "public_exponent", "ec_params")


def attributes_there(values: t.Mapping[str, Value]) -> list[str]:
    """The arguments of `--public-attributes` or `--private-attributes` for a new half.

    `derive` is sent as true only: some HSMs refuse it for some keys, and false is its default everywhere.
    """
    return [
        f"{name_there(name)}={value_there(value)}"
        for name, value in values.items()
        if name not in _SAID_BY_FLAGS and (name != "derive" or value)
    ]
