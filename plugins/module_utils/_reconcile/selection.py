# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which keys of a token are meant: the filters of C(hsm_key_info) and C(hsm_key), and what they select.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import values as _values
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.pattern import Pattern
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject, pair_up
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Query, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import public_key as _public_key
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    HALVES,
    IDENTITY,
    KEY_CLASSES,
    KEY_TYPES,
    PRIVATE,
    PUBLIC,
    SECRET,
    URI_TYPES,
    KeyClass,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import InputError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.uri import PKCS11Uri, parse_uri

Params = t.Mapping[str, t.Any]

CLASSES: dict[str, KeyClass] = {f"{key_class}_key": key_class for key_class in KEY_CLASSES}
_URI_CLASSES: dict[str, KeyClass] = {name: key_class for key_class, name in URI_TYPES.items()}
_TOKEN_PARTS = ("token", "manufacturer", "serial", "model")
_KCV = re.compile(r"(0x)?([0-9a-f]{6,16})", re.IGNORECASE)
_HEX_NUMBER = re.compile(r"0x[0-9a-f]{1,16}", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Selection:
    """What a key must be; None is any. An empty label or id is that of a key without one.

    C(shared_with): users who all may use it, besides the caller. C(others): other users' keys as well.
    C(token): attributes of the token that a URI named.
    """

    label: str | None = None
    label_regex: Pattern | None = None
    id: bytes | None = None
    key_class: KeyClass | None = None
    key_type: str | None = None
    session: bool | None = None
    modulus: int | None = None
    fingerprint: str | None = None
    kcv: str | None = None
    token: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    handle: int | None = None
    shared_with: tuple[str, ...] | None = None
    others: bool = False

    def __str__(self) -> str:
        texts = {
            "label": None if self.label is None else f"'{self.label}'",
            "label_regex": self.label_regex and f"'{self.label_regex.pattern}'",
            "id": None if self.id is None else self.id.hex(":") or "empty",
            "object_class": self.key_class and f"{self.key_class}_key",
            "key_type": self.key_type,
            "fingerprint": self.fingerprint and bytes.fromhex(self.fingerprint).hex(":"),
            "kcv": self.kcv,
            "handle": None if self.handle is None else str(self.handle),
        }
        return ", ".join(f"{name} {text}" for name, text in texts.items() if text) or "any"

    @property
    def named(self) -> bool:
        """Whether the token can search for it by a name."""
        return bool(self.label or self.id or self.handle)

    @property
    def one_half(self) -> bool:
        """Whether it chooses one half of a pair, and not the pair."""
        return self.key_class is not None or self.handle is not None

    @property
    def by_absence(self) -> bool:
        """Whether it goes by a name that a key does not have, which says little about the key."""
        return self.label == "" or self.id == b""

    def query(self, key_class: KeyClass, read: frozenset[str] | None) -> Query:
        """The part that the token searches for: the standard lets it compare whole values only."""
        return Query(
            key_class,
            label=self.label or None,
            id=self.id or None,
            key_type=self.key_type if self.key_type in KEY_TYPES else None,
            token=None if self.session is None else not self.session,
            read=read,
            handle=self.handle,
            others=self.others,
        )

    def takes(self, found: TokenObject) -> bool:
        """Whether the object itself is as wished, the key apart. A name that cannot be read is not an empty one."""
        label, hidden = found.label or "", found.hides("label")
        return (
            self.key_class in (None, found.half)
            and self.key_type in (None, found.key_type)
            and self.handle in (None, found.handle)
            and (self.id is None or (self.id == found.id and not found.hides("id")))
            and (self.label is None or (self.label == label and not hidden))
            and (self.label_regex is None or (bool(self.label_regex.search(label)) and not hidden))
        )

    def takes_key(self, found: TokenObject, pair: KeyPair) -> bool:
        """Whether the key itself is as wished; a half that does not tell it goes by its pair."""
        wishes: tuple[tuple[t.Any, t.Callable[[TokenObject], set[t.Any]]], ...] = (
            (self.fingerprint, _fingerprints),
            (self.kcv, _kcvs),
            (self.modulus, _moduli),
        )
        if self.shared_with is not None and not set(self.shared_with) <= _users(pair):
            return False
        return all(
            wish is None or wish in (told(found) or {value for other in pair.objects for value in told(other)})
            for wish, told in wishes
        )


def _users(pair: KeyPair) -> set[str]:
    """Who may use the private half: the owner, and those that it is shared with."""
    shared = [half.sharing for half in pair.privates if half.sharing]
    return {user for one in shared for user in (one.owner, *one.shared_with) if user}


def _fingerprints(found: TokenObject) -> set[str]:
    return {found.fingerprint} if found.fingerprint else set()


def _kcvs(found: TokenObject) -> set[str]:
    value = found.attributes.get("check_value")
    told = {value.hex()} if isinstance(value, bytes) and value else set()
    return told | {_public_key.kcv(found.spki)} if found.spki else told


def _moduli(found: TokenObject) -> set[int]:
    value = found.attributes.get("modulus")
    return {int.from_bytes(value, "big")} if isinstance(value, bytes) and value else set()


@dataclasses.dataclass(frozen=True)
class Selected:
    """The keys that are meant, and the pairs that they belong to; a pair may have a half that is not meant itself.

    C(unread): keys that were found and could not be read; whether they are meant is not known.
    """

    objects: tuple[TokenObject, ...]
    pairs: tuple[KeyPair, ...]
    unread: tuple[TokenObject, ...] = ()


def selection_from(params: Params) -> Selection:
    """The checked filters of a module's options; raises L{InputError}."""
    uri = _uri(params.get("uri"))
    return Selection(
        label=_label(params.get("label")) if uri.object is None else uri.object,
        label_regex=None if params.get("label_regex") is None else Pattern("label_regex", params["label_regex"]),
        id=_identifier(params) if uri.id is None else uri.id,
        key_class=_key_class(params.get("object_class"), uri.type),
        key_type=_key_type(params.get("key_type")),
        session=params.get("session"),
        modulus=_modulus(params.get("modulus")),
        fingerprint=_values.fingerprint(params.get("fingerprint")),
        kcv=_kcv(params.get("kcv")),
        handle=params.get("handle"),
        shared_with=_users_wished(params.get("shared_with")),
        token={name: value for name in _TOKEN_PARTS if (value := getattr(uri, name)) is not None},
    )


def _uri(text: str | None) -> PKCS11Uri:
    if text is None:
        return PKCS11Uri()
    try:
        uri = parse_uri(text)
    except ValueError as error:
        raise InputError("uri", str(error)) from None
    if uri.type not in (None, *_URI_CLASSES):
        raise InputError("uri", "it names no key; its type may be public, private or secret-key", uri.type)
    if uri.object is None and uri.id is None:
        raise InputError("uri", "it names no key; give object or id in it")
    for name, value in vars(uri).items():
        if value is not None and name not in (*_TOKEN_PARTS, "object", "id", "type"):
            raise InputError("uri", f"{name.replace('_', '-')} does not choose a key; leave it out")
    return uri


def _key_class(option: str | None, uri_type: str | None) -> KeyClass | None:
    chosen = {CLASSES[option]} if option else set()
    chosen |= {_URI_CLASSES[uri_type]} if uri_type else set()
    if len(chosen) > 1:
        raise InputError("object_class", f"the uri names a key of the type {uri_type}", option)
    return chosen.pop() if chosen else None


def _label(value: t.Any) -> str | None:
    """A label as it may be on a token: longer than those that we make, or empty."""
    return value if value in (None, "") else _values.text("label", value)


def _identifier(params: Params) -> bytes | None:
    given = params.get("id"), params.get("id_hex")
    return b"" if "" in given else _values.identifier(params)


def _key_type(value: t.Any) -> str | None:
    if value is None:
        return None
    name = _values.text("key_type", value).lower()
    if name in KEY_TYPES:
        return name
    if _HEX_NUMBER.fullmatch(name):
        number = int(name, 16)
        return next((known for known, code in KEY_TYPES.items() if code == number), f"0x{number:08x}")
    raise InputError("key_type", f"choose from {', '.join(KEY_TYPES)}, or give a vendor's number as 0x…", value)


def _users_wished(values: t.Sequence[t.Any] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(sorted({_values.user("shared_with", value) for value in values}))


def _modulus(value: t.Any) -> int | None:
    if value is None:
        return None
    digits = re.sub(r"[\s:]", "", _values.text("modulus", value)).lower().removeprefix("0x")
    try:
        return int.from_bytes(bytes.fromhex(digits), "big")
    except ValueError:
        raise InputError("modulus", "give pairs of hexadecimal digits, with or without colons") from None


def _kcv(value: t.Any) -> str | None:
    if value is None:
        return None
    digits = _KCV.fullmatch(_values.text("kcv", value).replace(":", ""))
    if not digits or len(digits[2]) % 2:
        raise InputError("kcv", "give at least six hexadecimal digits", value)
    return digits[2].lower()


def select(session: TokenSession, selection: Selection, read: frozenset[str] | None = None) -> Selected:
    """What C(selection) means on a token, with the attributes C(read); raises L{TokenError} where a search fails.

    The other half of a pair may have another label, and is looked for by id.
    """
    if any(session.uri_attributes.get(name) != value for name, value in selection.token.items()):
        raise InputError("uri", f"it names a key of another token than '{session.token_name}'")
    if selection.shared_with:
        selection = dataclasses.replace(selection, shared_with=session.resolve_users(selection.shared_with))
    if read is not None:
        read = read | IDENTITY | ({"check_value"} if selection.kcv else frozenset())
    classes: list[KeyClass] = [SECRET] if selection.key_class == SECRET else [PUBLIC, PRIVATE]
    if selection.key_class is None:
        classes.append(SECRET)
    found = [key for one in classes for key in session.survey(selection.query(one, read)) or ()]
    others = _others(session, found, read) if selection.named else []
    pairs = pair_up([key for key in (*found, *others) if key.half != SECRET and key.attributes])
    pair_of = {key.handle: pair for pair in pairs for key in pair.objects}
    meant = [
        key
        for key in found
        if key.attributes
        and selection.takes(key)
        and selection.takes_key(key, pair_of.get(key.handle, KeyPair((key,))))
    ]
    handles = {key.handle for key in meant}
    return Selected(
        tuple(meant),
        tuple(pair for pair in pairs if any(key.handle in handles for key in pair.objects)),
        tuple(key for key in (*found, *others) if not key.attributes and selection.key_class in (None, key.half)),
    )


def _others(session: TokenSession, found: t.Sequence[TokenObject], read: frozenset[str] | None) -> list[TokenObject]:
    """The halves that were not found by the name, of those that lack their other."""
    known = {key.handle for key in found}
    pairs = pair_up([key for key in found if key.half != SECRET and key.attributes])
    ids = {key.id for pair in pairs if not (pair.publics and pair.privates) for key in pair.objects if key.id}
    queries = [Query(half, id=id_, read=read) for id_ in sorted(ids) for half in HALVES]
    more = [key for query in queries for key in session.survey(query) or ()]
    return [key for key in more if key.handle not in known]
