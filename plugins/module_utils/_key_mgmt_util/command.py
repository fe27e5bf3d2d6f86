# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of key_mgmt_util: what is typed, with the options in the order of their documentation.

Alibaba's build takes the options in no other order. The prompt splits a line at blanks and knows no quotes (Cavium's
first edition, 2017; no vendor documents another way).
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import dump
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import session
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import DEFAULT_EXPONENT, Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes

# The types that findKey documents for its option -t.
_SOUGHT_TYPES = ("rsa", "dsa", "ec", "generic_secret", "des3", "aes")


def typable(text: str) -> bool:
    """Whether a value can be given at the prompt, so that the tool reads it as it is."""
    return bool(text) and text.isprintable() and " " not in text and not text.startswith("-")


@dataclasses.dataclass(frozen=True)
class Command:
    """One command: its name and its words, each of which is `typable` or an option."""

    name: str
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for word in self.words:
            if not typable(word.removeprefix("-")):
                raise ValueError(f"a word of {self.name} cannot be typed")

    def __str__(self) -> str:
        return " ".join((self.name, *self.words))


def _command(name: str, *options: tuple[str, object]) -> Command:
    """Options with their values, in order: True is an option without a value; None and False leave it out."""
    words: list[str] = []
    for option, value in options:
        if value is not None and value is not False:
            words += [option] if value is True else [option, str(value)]
    return Command(name, tuple(words))


LIST_USERS = Command("listUsers")
LIST_ATTRIBUTES = Command("listAttributes")


def find_key(query: session.Query) -> Command:
    """A search; what cannot be typed is left out of it, and has to be looked at in what is found."""
    return _command(
        "findKey",
        ("-c", attributes.CLASSES[f"{query.key_class}_key"]),
        ("-t", attributes.KEY_TYPES[query.key_type] if query.key_type in _SOUGHT_TYPES else None),
        ("-l", query.label if typable(query.label or "") else None),
        ("-id", id_text(query.id)),
        ("-sess", None if query.token is None else int(not query.token)),
    )


def find_shared(user: int) -> Command:
    """A search for the private keys that both this user and the caller may use."""
    return _command("findKey", ("-c", attributes.CLASSES["private_key"]), ("-u", user))


def id_text(id_: bytes | None) -> str | None:
    """An id as the tool takes it, a text; None where it cannot be typed."""
    try:
        text = (id_ or b"").decode()
    except UnicodeDecodeError:
        return None
    return text if typable(text) else None


def on_key(name: str, handle: int) -> Command:
    """findSingleKey (asks every HSM of the cluster), getKeyInfo (owner, sharers, quorum) or deleteKey (on all HSMs)."""
    return _command(name, ("-k", handle))


def get_attribute(handle: int, path: str) -> Command:
    """All attributes of a key, written to a file."""
    return _command("getAttribute", ("-o", handle), ("-a", dump.ALL), ("-out", path))


def sign(path: str, handle: int, mechanism: int, signature_path: str) -> Command:
    """Signs a file."""
    return _command("sign", ("-f", path), ("-k", handle), ("-m", mechanism), ("-out", signature_path))


def share_key(handle: int, users: t.Sequence[int], away: bool) -> Command:
    """Shares a key with users, or takes it from them; where the build has it at all."""
    return _command("shareKey", ("-k", handle), ("-d", away), ("-u", _ids(users)))


def generate(wish: Wish, users: t.Sequence[int]) -> Command:
    """genRSAKeyPair or genECCKeyPair (documentation of both: syntax)."""
    rsa = wish.family == "rsa"
    return _command(
        "genRSAKeyPair" if rsa else "genECCKeyPair",
        ("-m", wish.modulus_bits if rsa else None),
        ("-e", (wish.public_exponent or DEFAULT_EXPONENT) if rsa else None),
        ("-i", wish.curve.number if wish.curve else None),
        ("-l", wish.label),
        ("-id", id_text(wish.id)),
        ("-min_srv", wish.min_servers),
        ("-m_value", wish.quorum or None),
        ("-nex", wish.extractable is False),
        ("-sess", wish.session),
        ("-timeout", wish.timeout if wish.min_servers else None),
        ("-u", _ids(users) or None),
        ("-attest", wish.attest),
    )


def _ids(users: t.Sequence[int]) -> str:
    return ",".join(map(str, users))
