# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flags of key_mgmt_util's commands.

Source: the syntax on the pages of the commands, and the source for what a wrong flag does: usage, and no result line.
"""

from __future__ import annotations

import dataclasses
import typing as t

_GENERATE = ("-l", "-id", "-min_srv", "-m_value", "-nex", "-sess", "-timeout", "-u", "-attest")
FLAGS: dict[str, tuple[str, ...]] = {
    "loginHSM": ("-u", "-s", "-p", "-hpswd"),
    "genRSAKeyPair": ("-m", "-e", *_GENERATE),
    "genECCKeyPair": ("-i", *_GENERATE),
    "findKey": ("-c", "-t", "-l", "-id", "-sess", "-u", "-m", "-kcv"),
    "findSingleKey": ("-k",),
    "getKeyInfo": ("-k",),
    "getAttribute": ("-o", "-a", "-out"),
    "setAttribute": ("-o", "-a"),
    "deleteKey": ("-k",),
    "exportPubKey": ("-k", "-out"),
    "sign": ("-f", "-k", "-m", "-out"),
    "verify": ("-f", "-s", "-k", "-m"),
    "Error2String": ("-r",),
    "shareKey": ("-k", "-d", "-u"),
    "logoutHSM": (),
    "loginStatus": (),
    "listUsers": (),
    "listAttributes": (),
    "listECCCurveIds": (),
    "help": (),
}
_ALONE = {"-nex", "-attest", "-hpswd", "-d"}
_NUMBERS = {"-min_srv", "-m_value", "-timeout", "-o", "-a", "-k", "-c", "-t", "-e", "-i"}

# What is missing, in the words of the source
_REQUIRED = {
    "genRSAKeyPair": {"-m": "Modulus size (-m)", "-e": "Public exponent (-e)", "-l": "Key label (-l)"},
    "genECCKeyPair": {"-i": "Curve id (-i)", "-l": "Key label (-l)"},
    "getAttribute": {"-o": "Object handle (-o)", "-a": "Attribute ID (-a)", "-out": "Attribute File (-out)"},
    "setAttribute": {"-o": "Object handle (-o)", "-a": "Attribute ID (-a)"},
    "getKeyInfo": {"-k": "Key handle (-k)"},
    "findSingleKey": {"-k": "Key handle (-k)"},
    "deleteKey": {"-k": "Key handle (-k)"},
    "shareKey": {"-k": "Key handle (-k)"},
    "exportPubKey": {"-k": "Key handle (-k)", "-out": "Key File (-out)"},
    "sign": {
        "-f": "Message file (-f)",
        "-k": "Private Key (-k)",
        "-m": "Mechanism (-m)",
        "-out": "Signature File (-out)",
    },
    "verify": {
        "-f": "Message file (-f)",
        "-s": "Signature file (-s)",
        "-k": "Private Key (-k)",
        "-m": "Mechanism (-m)",
    },
    "Error2String": {"-r": "Response code (-r)"},
    "loginHSM": {"-u": "User type (-u)", "-s": "Username (-s)"},
}


@dataclasses.dataclass
class UsageError(Exception):
    """The flags are wrong: an error, if one is told, and the usage."""

    command: str
    error: str = ""

    def __str__(self) -> str:
        error = f"\n\tError: {self.error}\n" if self.error else ""
        flags = " ".join(f"[{flag}]" for flag in FLAGS[self.command])
        return f"{error}\n\nDescription\n===========\n\nSyntax: {self.command} -h {flags}\n\n"


def parse(command: str, words: t.Sequence[str], strict_order: bool = False) -> dict[str, t.Any]:
    """The flags by name. `strict_order`: Alibaba Cloud's build wants them as the syntax has them."""
    values: dict[str, t.Any] = {}
    allowed = FLAGS[command]
    rest = list(words)
    while rest:
        flag = rest.pop(0)
        if flag not in allowed or flag in values:
            raise UsageError(command)
        alone = flag in _ALONE or (flag == "-sess" and command != "findKey")
        if not alone and not rest:
            raise UsageError(command)
        values[flag] = True if alone else _value(command, flag, rest.pop(0))
    if strict_order and list(values) != [flag for flag in allowed if flag in values]:
        raise UsageError(command)
    for flag, name in _REQUIRED.get(command, {}).items():
        if flag not in values:
            raise UsageError(command, f"{name} is missing.")
    _check(command, values)
    return values


def _value(command: str, flag: str, word: str) -> t.Any:
    number = flag in _NUMBERS or (flag == "-m" and command in ("genRSAKeyPair", "sign", "verify"))
    if not number:
        return word
    if not word.isdecimal():
        raise UsageError(command)
    return int(word)


def _check(command: str, values: dict[str, t.Any]) -> None:
    """Rules between flags, as the source has them."""
    if "-timeout" in values and "-min_srv" not in values:
        raise UsageError(command, "Minimum servers (-min_srv) option is missing")
    if values.get("-sess") is True and "-u" in values:
        raise UsageError(command, "sharing session keys is not allowed")
    if values.get("-m_value", 0) > 8:
        raise UsageError(command)
