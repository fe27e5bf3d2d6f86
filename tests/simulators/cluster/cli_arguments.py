# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of CloudHSM CLI.

Commands and options: AWS cloudhsm_cli-reference and the pages of the commands. That the tool reads them as Rust's clap
does (lists end at the next word with a dash, errors go to stderr with status 2) is assumed; its help has clap's form.
"""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True)
class Option:
    """One option: `kind` is value, many (a list that takes all words up to the next option) or flag."""

    name: str
    kind: str = "value"
    required: bool = False
    choices: tuple[str, ...] = ()
    number: bool = False
    default: t.Any = None


class UsageError(Exception):
    """The words are no command; the text is what goes to stderr."""


CLUSTER = Option("--cluster-id")
FILTER = Option("--filter", "many")
ONE_KEY = Option("--filter", "many", required=True)
APPROVAL = Option("--approval")
ROLE = Option("--role", required=True, choices=("crypto-user", "admin"))
HASHES = ("sha1", "sha224", "sha256", "sha384", "sha512")
CURVE_NAMES = ("prime256v1", "secp256r1", "secp224r1", "secp384r1", "secp256k1", "secp521r1", "ed25519")

_PAIR = (
    CLUSTER,
    Option("--public-label", required=True),
    Option("--private-label", required=True),
    Option("--session", "flag"),
    Option("--public-attributes", "many"),
    Option("--private-attributes", "many"),
    Option("--share-crypto-users", "many"),
    Option("--manage-private-key-quorum-value", number=True),
    Option("--use-private-key-quorum-value", number=True),
)
_DATA = (
    CLUSTER,
    Option("--key-filter", "many", required=True),
    Option("--hash-function", required=True, choices=HASHES),
    Option("--data-path"),
    Option("--data"),
    Option("--data-type", choices=("raw", "digest"), default="raw"),
)
_SIGN = (*_DATA, APPROVAL)
_SIGN_ED25519 = tuple(option for option in _SIGN if option.name not in ("--hash-function", "--data-type"))
_VERIFY = (*_DATA, Option("--signature-path"), Option("--signature"))

COMMANDS: dict[str, tuple[Option, ...]] = {
    "cluster hsm-info": (CLUSTER,),
    "user list": (CLUSTER,),
    "user change-quorum token-sign register": (
        CLUSTER,
        Option("--public-key", required=True),
        Option("--signed-token", required=True),
    ),
    "key generate-asymmetric-pair rsa": (
        *_PAIR,
        Option("--modulus-size-bits", required=True, number=True),
        Option("--public-exponent", required=True, number=True),
    ),
    "key generate-asymmetric-pair ec": (*_PAIR, Option("--curve", required=True, choices=CURVE_NAMES)),
    "key list": (
        CLUSTER,
        FILTER,
        Option("--max-items", number=True, default=10),
        Option("--starting-token"),
        Option("--verbose", "flag"),
    ),
    "key delete": (CLUSTER, ONE_KEY),
    "key share": (CLUSTER, ONE_KEY, Option("--username", required=True), ROLE, APPROVAL),
    "key unshare": (CLUSTER, ONE_KEY, Option("--username", required=True), ROLE, APPROVAL),
    "key set-attribute": (
        CLUSTER,
        ONE_KEY,
        Option("--name", required=True),
        Option("--value", "many", required=True),
        APPROVAL,
    ),
    "key generate-file": (
        CLUSTER,
        Option("--encoding", required=True, choices=("reference-pem", "pem")),
        Option("--path", required=True),
        ONE_KEY,
    ),
    "crypto sign rsa-pkcs": _SIGN,
    "crypto sign rsa-pkcs-pss": (
        *_SIGN,
        Option("--mgf", required=True),
        Option("--salt-length", required=True, number=True),
    ),
    "crypto sign ecdsa": _SIGN,
    "crypto sign ed25519": _SIGN_ED25519,
    "crypto verify rsa-pkcs": _VERIFY,
    "crypto verify rsa-pkcs-pss": (
        *_VERIFY,
        Option("--mgf", required=True),
        Option("--salt-length", required=True, number=True),
    ),
    "crypto verify ecdsa": _VERIFY,
    "quorum token-sign generate": (
        CLUSTER,
        Option("--service", required=True, choices=("registration", "key-usage", "key-management")),
        Option("--token", required=True),
        FILTER,
    ),
    "quorum token-sign list": (CLUSTER,),
    "login": (CLUSTER, Option("--username", required=True), ROLE, Option("--password")),
    "logout": (CLUSTER,),
}
_SHORT = {"-v": "--verbose", "-h": "--help"}


def parse(words: t.Sequence[str], version: tuple[int, ...]) -> tuple[str, dict[str, t.Any]]:
    """The command and its options by name, without the dashes."""
    command = next((name for name in _by_length() if list(words[: name.count(" ") + 1]) == name.split()), None)
    if command is None or not _known(command, version):
        given = next((word for word in words if not word.startswith("-")), "")
        raise UsageError(f"error: unrecognized subcommand '{given}'\n\nUsage: cloudhsm-cli [OPTIONS] <COMMAND>\n")
    options = {option.name: option for option in COMMANDS[command] if _has(option, version)}
    values = {name[2:]: option.default for name, option in options.items()}
    rest = list(words[command.count(" ") + 1 :])
    while rest:
        word, equals, value = rest.pop(0).partition("=")
        word = _SHORT.get(word, word)
        if word == "--help":
            raise UsageError("")
        option = options.get(word)
        if option is None:
            raise UsageError(f"error: unexpected argument '{word}' found\n")
        if option.kind != "many" and values[word[2:]] not in (option.default, None, False):
            raise UsageError(f"error: the argument '{word}' cannot be used multiple times\n")
        values[word[2:]] = _value(option, [value] if equals else _words(option, rest), values[word[2:]])
    missing = [name for name, option in options.items() if option.required and not values[name[2:]]]
    if missing:
        raise UsageError("error: the following required arguments were not provided:\n  " + "\n  ".join(missing) + "\n")
    return command, values


def _by_length() -> list[str]:
    """The commands, longer names first."""
    return sorted(COMMANDS, key=len, reverse=True)


def _known(command: str, version: tuple[int, ...]) -> bool:
    """Keys came with 5.10, signing with 5.11 (AWS client-version-previous), Ed25519 with 5.17 (latest-releases)."""
    since = {"key": (5, 10), "crypto": (5, 11)}.get(command.split()[0], (5, 7))
    return version >= ((5, 17) if command.endswith("ed25519") else since)


def _has(option: Option, version: tuple[int, ...]) -> bool:
    """Quorum values of keys came with 5.14 (AWS client-version-previous)."""
    return version >= (5, 14) or not option.name.endswith("key-quorum-value")


def _words(option: Option, rest: list[str]) -> list[str]:
    """Takes the option's words off the rest."""
    taken = []
    while rest and option.kind != "flag" and not rest[0].startswith("-"):
        taken.append(rest.pop(0))
        if option.kind == "value":
            break
    return taken


def _value(option: Option, words: list[str], before: t.Any) -> t.Any:
    """What an option was given."""
    if option.kind == "flag":
        return True
    if option.kind == "many":
        return [*(before or []), *words]
    if not words:
        raise UsageError(f"error: a value is required for '{option.name}' but none was supplied\n")
    if option.choices and words[0] not in option.choices:
        listed = ", ".join(option.choices)
        raise UsageError(f"error: invalid value '{words[0]}' for '{option.name}'\n  [possible values: {listed}]\n")
    if option.number:
        if not words[0].isdecimal():
            raise UsageError(f"error: invalid value '{words[0]}' for '{option.name}': invalid digit found in string\n")
        return int(words[0])
    return words[0]
