# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which keys of a token are meant: the filters of `hsm_key_info` and `hsm_key`, and what they select."""

from __future__ import annotations

import dataclasses
import functools
import re
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import pattern
from ansible_collections.cryptoki.hsm.plugins.module_utils._options import values as _values
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Query, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors, public_key, uri_parser
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.uri import PKCS11Uri

Params = t.Mapping[str, t.Any]

CLASSES: dict[str, attributes.KeyClass] = {f"{key_class}_key": key_class for key_class in attributes.KEY_CLASSES}
_URI_CLASSES: dict[str, attributes.KeyClass] = {name: key_class for key_class, name in attributes.URI_TYPES.items()}
_TOKEN_PARTS = ("token", "manufacturer", "serial", "model")
_KCV = re.compile(r"(0x)?([0-9a-f]{6,16})", re.IGNORECASE)
_HEX_NUMBER = re.compile(r"0x[0-9a-f]{1,16}", re.IGNORECASE)
# How messages name what was selected.
_TEXTS: dict[str, t.Callable[[t.Any], str]] = {
    "label": "label '{}'".format,
    "label_regex": lambda regex: f"label_regex '{regex.pattern}'",
    "id": lambda value: f"id {value.hex(':') or 'empty'}",
    "key_class": "object_class {}_key".format,
    "key_type": "key_type {}".format,
    "fingerprint": lambda digits: f"fingerprint {bytes.fromhex(digits).hex(':')}",
    "kcv": "kcv {}".format,
    "handle": "handle {}".format,
}


@dataclasses.dataclass(frozen=True)
class Selection:
    """What a key must be; None is any. An empty label or id is that of a key without one.

    `shared_with`: users who all may use it, besides the caller. `others`: other users' keys as well.
    `token`: attributes of the token that a URI named.
    """

    label: str | None = None
    label_regex: pattern.Pattern | None = None
    id: bytes | None = None
    key_class: attributes.KeyClass | None = None
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
        given = {name: getattr(self, name) for name in _TEXTS if getattr(self, name) is not None}
        return ", ".join(_TEXTS[name](value) for name, value in given.items()) or "any"

    @property
    def exact(self) -> bool:
        """Whether it names one key, and not only a label that others may have too."""
        return self.id is not None or self.fingerprint is not None or self.one_half

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

    def query(self, key_class: attributes.KeyClass, read: frozenset[str] | None) -> Query:
        """The part that the token searches for: the standard lets it compare whole values only."""
        return Query(
            key_class,
            label=self.label or None,
            id=self.id or None,
            key_type=self.key_type if self.key_type in attributes.KEY_TYPES else None,
            token=None if self.session is None else not self.session,
            read=read,
            handle=self.handle,
            others=self.others,
        )

    @property
    def classes(self) -> tuple[attributes.KeyClass, ...]:
        """Which keys it may mean; both halves always, because each tells something of the other."""
        return {None: attributes.KEY_CLASSES, attributes.SECRET: (attributes.SECRET,)}.get(
            self.key_class, attributes.HALVES
        )

    def on(self, session: TokenSession) -> Selection:
        """The same on one token, with the users as the HSM calls them; refuses what a URI names on another token."""
        if any(session.uri_attributes.get(name) != value for name, value in self.token.items()):
            raise errors.InputError("uri", f"it names a key of another token than '{session.token_name}'")
        if not self.shared_with:
            return self
        return dataclasses.replace(self, shared_with=session.resolve_users(self.shared_with))

    def meant(
        self, found: t.Iterable[keypair.TokenObject], pairs: t.Iterable[keypair.KeyPair]
    ) -> list[keypair.TokenObject]:
        """The objects that it means, of those that were found."""
        pair_with = {key.handle: pair for pair in pairs for key in pair.objects}
        return [
            key
            for key in found
            if key.attributes and self.takes(key) and self.takes_key(key, pair_with.get(key.handle, keypair.KeyPair()))
        ]

    @functools.cached_property
    def _of_object(self) -> list[tuple[t.Any, t.Callable[[keypair.TokenObject], t.Any]]]:
        """Each wish of the object itself, and what tells it."""
        return [(wish, tell) for name, tell in _OF_OBJECT.items() if (wish := getattr(self, name)) is not None]

    @functools.cached_property
    def _of_key(self) -> list[tuple[t.Any, t.Callable[[keypair.TokenObject], set[t.Any]]]]:
        """Each wish of the key, and what tells it."""
        return [(wish, tell) for name, tell in _OF_KEY.items() if (wish := getattr(self, name)) is not None]

    def takes(self, found: keypair.TokenObject) -> bool:
        """Whether the object itself is as wished, the key apart."""
        if any(wish != tell(found) for wish, tell in self._of_object):
            return False
        label = _readable_label(found)
        return self.label_regex is None or (label is not None and bool(self.label_regex.search(label)))

    def takes_key(self, found: keypair.TokenObject, pair: keypair.KeyPair) -> bool:
        """Whether the key itself is as wished; a half that does not tell it goes by its pair."""
        if self.shared_with is not None and not set(self.shared_with) <= _users(pair):
            return False
        return all(wish in (tell(found) or set().union(*map(tell, pair.objects))) for wish, tell in self._of_key)


def _readable_label(found: keypair.TokenObject) -> str | None:
    """A name that cannot be read is not an empty one."""
    return None if found.hides("label") else found.label or ""


def _kcvs(found: keypair.TokenObject) -> set[str]:
    value = found.attributes.get("check_value")
    told = {value.hex()} if isinstance(value, bytes) and value else set()
    return told | {public_key.kcv(found.spki)} if found.spki else told


def _moduli(found: keypair.TokenObject) -> set[int]:
    return {found.modulus} if found.modulus else set()


_OF_OBJECT: dict[str, t.Callable[[keypair.TokenObject], t.Any]] = {
    "key_class": lambda found: found.half,
    "key_type": lambda found: found.key_type,
    "handle": lambda found: found.handle,
    "id": lambda found: None if found.hides("id") else found.id,
    "label": _readable_label,
}
_OF_KEY: dict[str, t.Callable[[keypair.TokenObject], set[t.Any]]] = {
    "fingerprint": lambda found: {found.fingerprint} if found.fingerprint else set(),
    "kcv": _kcvs,
    "modulus": _moduli,
}


def _users(pair: keypair.KeyPair) -> set[str]:
    """Who may use the private half: the owner, and those that it is shared with."""
    shared = [half.sharing for half in pair.privates if half.sharing]
    return {user for one in shared for user in (one.owner, *one.shared_with) if user}


@dataclasses.dataclass(frozen=True)
class Selected:
    """The keys that are meant, and the pairs that they belong to; a pair may have a half that is not meant itself.

    `unread`: keys that were found and could not be read; whether they are meant is not known. `beside`: pairs and
    halves that were looked at on the way, and are not meant.
    """

    objects: tuple[keypair.TokenObject, ...]
    pairs: tuple[keypair.KeyPair, ...]
    unread: tuple[keypair.TokenObject, ...] = ()
    beside: tuple[keypair.KeyPair, ...] = ()


def selection_from(params: Params) -> Selection:
    """The checked filters of a module's options; raises `InputError`."""
    uri = _uri(params.get("uri"))
    checked = {name: check(params[name]) for name, check in _CHECKS.items() if params.get(name) is not None}
    given = {"label": uri.object, "id": uri.id}
    return Selection(
        **{"id": _identifier(params), **checked, **{name: value for name, value in given.items() if value is not None}},
        key_class=_key_class(params.get("object_class"), uri.type),
        session=params.get("session"),
        handle=params.get("handle"),
        token={name: value for name in _TOKEN_PARTS if (value := getattr(uri, name)) is not None},
    )


def _uri(text: str | None) -> PKCS11Uri:
    if text is None:
        return PKCS11Uri()
    try:
        uri = uri_parser.parse_uri(text)
    except ValueError as error:
        raise errors.InputError("uri", str(error)) from None
    if uri.type not in (None, *_URI_CLASSES):
        raise errors.InputError("uri", "it names no key; its type may be public, private or secret-key", uri.type)
    if uri.object is None and uri.id is None:
        raise errors.InputError("uri", "it names no key; give object or id in it")
    for name, value in vars(uri).items():
        if value is not None and name not in (*_TOKEN_PARTS, "object", "id", "type"):
            raise errors.InputError("uri", f"{name.replace('_', '-')} does not choose a key; leave it out")
    return uri


def _key_class(option: str | None, uri_type: str | None) -> attributes.KeyClass | None:
    chosen = {CLASSES[option]} if option else set()
    chosen |= {_URI_CLASSES[uri_type]} if uri_type else set()
    if len(chosen) > 1:
        raise errors.InputError("object_class", f"the uri names a key of the type {uri_type}", option)
    return chosen.pop() if chosen else None


def _label(value: t.Any) -> str:
    """A label as it may be on a token: longer than those that we make, or empty."""
    return "" if value == "" else _values.text("label", value)


def _identifier(params: Params) -> bytes | None:
    given = params.get("id"), params.get("id_hex")
    return b"" if "" in given else _values.identifier(params)


def _key_type(value: t.Any) -> str:
    name = _values.text("key_type", value).lower()
    if name in attributes.KEY_TYPES:
        return name
    if _HEX_NUMBER.fullmatch(name):
        number = int(name, 16)
        return next((known for known, code in attributes.KEY_TYPES.items() if code == number), f"0x{number:08x}")
    raise errors.InputError(
        "key_type", f"choose from {', '.join(attributes.KEY_TYPES)}, or give a vendor's number as 0x…", value
    )


def _shared_with(values: t.Sequence[t.Any]) -> tuple[str, ...]:
    return tuple(sorted({_values.user("shared_with", value) for value in values}))


def _modulus(value: t.Any) -> int:
    digits = re.sub(r"[\s:]", "", _values.text("modulus", value)).lower().removeprefix("0x")
    try:
        return int.from_bytes(bytes.fromhex(digits), "big")
    except ValueError:
        raise errors.InputError("modulus", "give pairs of hexadecimal digits, with or without colons") from None


def _kcv(value: t.Any) -> str:
    digits = _KCV.fullmatch(_values.text("kcv", value).replace(":", ""))
    if not digits or len(digits[2]) % 2:
        raise errors.InputError("kcv", "give at least six hexadecimal digits", value)
    return digits[2].lower()


# The options that are filters as they stand, each with what checks it.
_CHECKS: dict[str, t.Callable[[t.Any], t.Any]] = {
    "label": _label,
    "label_regex": functools.partial(pattern.Pattern, "label_regex"),
    "key_type": _key_type,
    "modulus": _modulus,
    "fingerprint": _values.fingerprint,
    "kcv": _kcv,
    "shared_with": _shared_with,
}


def select(session: TokenSession, selection: Selection, read: frozenset[str] | None = None) -> Selected:
    """What `selection` means on a token, with the attributes `read`; raises `TokenError` where a search fails.

    The other half of a pair may have another label or id, and is looked for by id, by public value and by label.
    """
    selection = selection.on(session)
    if read is not None:
        read |= attributes.IDENTITY | ({"check_value"} if selection.kcv else frozenset())
    found = _surveyed(session, [selection.query(one, read) for one in selection.classes])
    others = _other_halves(session, found, read) if selection.named else []
    pairs = keypair.pair_up(_halves([*found, *others]))
    meant = selection.meant(found, pairs)
    handles = {key.handle for key in meant}
    unread = [key for key in (*found, *others) if not key.attributes and selection.key_class in (None, key.half)]
    of, beside = ([pair for pair in pairs if bool(handles & pair.handles) is meant_so] for meant_so in (True, False))
    return Selected(tuple(meant), tuple(of), tuple(unread), tuple(beside))


def _surveyed(session: TokenSession, queries: t.Iterable[Query]) -> list[keypair.TokenObject]:
    return [key for query in queries for key in session.survey(query) or ()]


def _halves(keys: t.Iterable[keypair.TokenObject]) -> list[keypair.TokenObject]:
    """The readable keys of pairs."""
    return [key for key in keys if key.half != attributes.SECRET and key.attributes]


def _other_halves(
    session: TokenSession, found: list[keypair.TokenObject], read: frozenset[str] | None
) -> list[keypair.TokenObject]:
    """The halves that were not found by the name, of those that lack their other."""
    keys = {key.handle: key for key in found}
    for searches in (_by_id, _by_value, _by_label):
        queries = dict.fromkeys(searches(_lone(keys.values())))
        asked = [query._replace(read=read) for query in queries if session.by_value or not query.modulus]
        keys = {**{key.handle: key for key in _surveyed(session, asked)}, **keys}
    known = {key.handle for key in found}
    return [key for key in keys.values() if key.handle not in known]


def _lone(keys: t.Iterable[keypair.TokenObject]) -> list[keypair.TokenObject]:
    """An object of each key of which one half is missing."""
    return [pair.objects[0] for pair in keypair.pair_up(_halves(keys)) if len(pair.halves) == 1]


def _by_id(lone: t.Sequence[keypair.TokenObject]) -> t.Iterator[Query]:
    ids = sorted({key.id for key in lone if key.id})
    return (Query(half, id=id_) for id_ in ids for half in attributes.HALVES)


def _by_value(lone: t.Sequence[keypair.TokenObject]) -> t.Iterator[Query]:
    moduli = [value for key in lone if isinstance(value := key.attributes.get("modulus"), bytes) and value]
    return (Query(half, modulus=modulus) for modulus in moduli for half in attributes.HALVES)


def _by_label(lone: t.Sequence[keypair.TokenObject]) -> t.Iterator[Query]:
    return (Query(key.other, label=key.label, key_type=key.key_type) for key in lone if key.label and key.curve)
