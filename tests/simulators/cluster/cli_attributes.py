# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What CloudHSM CLI lets be set at generation and later (AWS cloudhsm_cli-key-attributes-table)."""

from __future__ import annotations

import typing as t

from . import keys
from .errors import Refused
from .state import Key, State

# name: default of a pair. sign and verify are off for RSA and EC; sensitive is on for private keys.
_DEFAULTS = {
    "encrypt": False,
    "decrypt": False,
    "token": True,
    "derive": False,
    "destroyable": True,
    "extractable": True,
    "modifiable": True,
    "private": True,
    "sign": False,
    "unwrap": False,
    "verify": False,
    "wrap": False,
    "wrap-with-trusted": False,
}
# "Yes, except for public keys", "Yes, except for private keys", "not settable with public keys"
_NOT_SETTABLE = {"public-key": {"unwrap", "sensitive"}, "private-key": {"wrap"}}
_CHANGEABLE = {
    *("encrypt", "decrypt", "sign", "verify", "wrap", "unwrap", "wrap-with-trusted", "label", "destroyable"),
    *("derive", "id", "extractable", "modifiable", "token", "trusted"),
}
# hsm2m.medium only, by the newest version of the table
_HSM2 = {"derive", "id", "extractable"}
_ONE_WAY = {"extractable": False, "modifiable": False, "token": True}


def at_creation(key_class: str, words: t.Sequence[str], session: bool) -> tuple[dict[str, bool], str]:
    """The attributes of a new half, and its id in hex, from words of the form NAME=VALUE."""
    private = key_class == "private-key"
    values = {**_DEFAULTS, "sensitive": private}
    key_id = ""
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise Refused("unknown_attribute", word)
        if name == "id":
            key_id = id_of(value)
        elif name in values and name not in _NOT_SETTABLE[key_class]:
            values[name] = boolean(name, value)
        else:
            raise Refused("attribute", f"{name} {value}")
    values["token"] = values["token"] and not session
    values["local"] = True
    values["trusted"] = False  # only admins set it, later
    values["always-sensitive"] = private and values["sensitive"]
    # The table's sentence is written the wrong way round; samples and a measurement are like PKCS#11.
    values["never-extractable"] = private and not values["extractable"]
    return values, key_id


def change(state: State, key: Key, name: str, value: str, admin: bool) -> None:
    """Sets one attribute of an existing key, or refuses it."""
    hsm2 = state.settings["hsm_type"] == "hsm2m.medium"
    if name not in _CHANGEABLE or (name in _HSM2 and not hsm2) or (name == "trusted") != admin:
        raise Refused("attribute", f"{name} {value}")
    if not key.attributes["modifiable"]:
        raise Refused("attribute", f"{name} {value}")
    if name == "label":
        key.label = value
    elif name == "id":
        key.id = id_of(value)
    else:
        _switch(key, name, value)
    keys.changed(state, key, name)


def _switch(key: Key, name: str, value: str) -> None:
    """Sets an attribute that is true or false; some go one way only."""
    wished = boolean(name, value)
    if name in _ONE_WAY and wished != _ONE_WAY[name] and wished != key.attributes[name]:
        raise Refused("attribute", f"{name} {value}")
    key.attributes[name] = wished
    if name == "token" and wished:
        key.session = ""


def boolean(name: str, value: str) -> bool:
    """true or false; other spellings are refused (assumed)."""
    if value not in ("true", "false"):
        raise Refused("attribute", f"{name} {value}")
    return value == "true"


def id_of(value: str) -> str:
    """The hex digits of an id: 0x and an even number of digits (AWS samples; refusing others is assumed)."""
    digits = value[2:].lower()
    try:
        bytes.fromhex(digits)
    except ValueError:
        raise Refused("attribute", f"id {value}") from None
    if not value.startswith("0x"):
        raise Refused("attribute", f"id {value}")
    return digits
