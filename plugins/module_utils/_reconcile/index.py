# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All keys of a token, read once, so that many pairs are looked up without a search each."""

from __future__ import annotations

import contextlib
import itertools
import threading
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Node, Proof, Query, Signer, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import certificate

# Calls that the search for one pair makes: two halves, each with C_FindObjectsInit, C_FindObjects twice,
# C_FindObjectsFinal and a read. An index costs one call an object.
_CALLS_A_PAIR = 10
_FEWEST = 3  # pairs for which an index is worth trying
# What a search goes by. A value that is there and not told could be the wished one; one that is no text is not.
_SEARCHED = ("class", "key_type", "label", "id", "token")
_NO_MATCH = "no valid value"


class KeyIndex:
    """The keys of both halves by id and by label, as they were when the index was made."""

    def __init__(self, objects: t.Iterable[keypair.TokenObject]) -> None:
        self._by_handle: dict[int, keypair.TokenObject] = {}
        self._by_name: dict[t.Hashable, dict[int, keypair.TokenObject]] = {}
        self._certificates: list[certificate.Certificate] | None = None
        self._lock = threading.RLock()
        for found in objects:
            self.add(found)

    def certificates(
        self, label: str, read: t.Callable[[], list[certificate.Certificate]]
    ) -> list[certificate.Certificate]:
        """Those with this label, as `read` found all of them when it was first asked."""
        with self._lock:
            if self._certificates is None:
                self._certificates = read()
            return [one for one in self._certificates if one.label == label]

    def add(self, found: keypair.TokenObject) -> None:
        """Puts an object in, or its new state."""
        with self._lock:
            self.remove(found)
            self._by_handle[found.handle] = found
            for name in _names(found):
                self._by_name.setdefault(name, {})[found.handle] = found

    def remove(self, found: keypair.TokenObject) -> None:
        """Takes an object out, whatever its names were."""
        with self._lock:
            known = self._by_handle.pop(found.handle, None)
            for name in _names(known) if known else ():
                self._by_name[name].pop(found.handle, None)

    def find(self, query: Query) -> list[keypair.TokenObject]:
        """What a search of the token would have found then, in the order of the handles."""
        wanted = query.attributes()
        name = next(((name, wanted[name]) for name in ("id", "label") if name in wanted), None)
        with self._lock:
            rows = sorted((self._by_name.get(name, {}) if name else self._by_handle).items())
        objects = [found for _handle, found in rows if found.half == query.key_class]
        return [found for found in objects if all(found.attributes.get(key) == wanted[key] for key in wanted)]


def _names(found: keypair.TokenObject) -> tuple[t.Hashable, ...]:
    return ("id", found.id), ("label", found.label)


def index_of(session: TokenSession, pairs: int, read: frozenset[str] | None = None) -> KeyIndex | None:
    """The index of a token on which so many pairs are wished; `read`: the attributes that it is to hold, if not all.

    None where a search a pair costs fewer calls, or where some object does not tell its name, so that only the token
    itself can say whether it is the wished one.
    """
    if pairs < _FEWEST:
        return None
    objects: list[keypair.TokenObject] = []
    for half in attributes.HALVES:
        try:
            found = session.survey(Query(half, token=True, read=read), pairs * _CALLS_A_PAIR - len(objects))
        except errors.TokenError:  # the search for each pair tells of it, if it lasts
            return None
        if found is None or any(map(_untold, found)):
            return None
        objects.extend(found)
    return KeyIndex(objects)


def _untold(found: keypair.TokenObject) -> bool:
    return any(found.unreadable.get(name, _NO_MATCH) != _NO_MATCH for name in _SEARCHED)


class IndexedSession(TokenSession):
    """A session for the work on one pair: it searches the index until it writes, then the token itself.

    The real session is taken when it is needed: a pair that is as wished needs none. It finds no session objects: what
    is gone when the module ends must not be taken for a pair that another entry wishes to stay.
    """

    def __init__(self, login: TokenSession) -> None:
        for name in ("facts", "token_name", "user", "uri_attributes", "write_protected", "freezes_by_copy", "warnings"):
            setattr(self, name, getattr(login, name))
        self.by_value = login.by_value
        self._login = login
        self._index: KeyIndex | None = None
        self._current = False
        self._taken: t.Callable[[], TokenSession] = lambda: login

    def resume(self, index: KeyIndex | None, taken: t.Callable[[], TokenSession]) -> None:
        """Goes on with an index that was made now, and with the session that `taken` returns."""
        self._index, self._current, self._taken = index, index is not None, taken

    def _writing(self) -> TokenSession:
        """The real session; from now on the token itself is searched."""
        self._current = False
        return self._taken()

    def _noted(self, found: keypair.TokenObject) -> keypair.TokenObject:
        """Keeps the index true for the other pairs."""
        if self._index:
            self._index.add(found)
        return found

    def find(self, query: Query) -> list[keypair.TokenObject]:
        lasting = query._replace(token=True)
        return self._indexed(lasting) if self._index and self._current else self._taken().find(lasting)

    def find_halves(self, names: t.Mapping[str, t.Any]) -> list[keypair.TokenObject]:
        lasting = {**names, "token": True}
        if self._index and self._current:
            return self._indexed(*(Query(half, **lasting) for half in attributes.HALVES))
        return self._taken().find_halves(lasting)

    def _indexed(self, *queries: Query) -> list[keypair.TokenObject]:
        """What the index has; that one of it is absent is believed of a whole storage alone."""
        found = [self._index.find(query) for query in queries] if self._index else []
        if not all(found):
            self.check_absence()
        return [*itertools.chain.from_iterable(found)]

    def check_absence(self) -> None:
        self._login.check_absence()  # looks at files, and needs no session

    def check_making(self, what: str) -> None:
        self._login.check_making(what)

    def look_anew(self) -> None:
        self._current = False

    def survey(self, query: Query, at_most: int | None = None) -> list[keypair.TokenObject] | None:
        if self._index and self._current and at_most is None:
            return self._index.find(query._replace(token=True))
        return self._taken().survey(query, at_most)

    def certificates(self, label: str | None = None, identifier: bytes | None = None) -> list[certificate.Certificate]:
        if self._index and self._current and label is not None and identifier is None:
            return self._index.certificates(label, self._taken().certificates)  # a name only warns
        return self._taken().certificates(label, identifier)

    def set_certificate_id(self, found: certificate.Certificate, identifier: bytes) -> None:
        self._taken().set_certificate_id(found, identifier)

    def destroy_certificate(self, found: certificate.Certificate) -> None:
        self._taken().destroy_certificate(found)

    def further(self) -> contextlib.AbstractContextManager[TokenSession]:
        return self._taken().further()

    def check_generation(self, wish: Wish) -> None:
        self._taken().check_generation(wish)

    def generate(self, wish: Wish) -> keypair.KeyPair:
        pair = self._writing().generate(wish)
        for found in pair.objects:
            self._noted(found)
        return pair

    @property
    def transfer(self) -> t.Any:
        """What stores keys on the token itself."""
        return t.cast(t.Any, self._writing()).transfer

    def read(self, found: keypair.TokenObject) -> keypair.TokenObject:
        return self._noted(self._writing().read(found))

    def set_attributes(
        self, found: keypair.TokenObject, values: t.Mapping[str, attributes.Value]
    ) -> keypair.TokenObject:
        return self._noted(self._writing().set_attributes(found, values))

    def freeze(self, found: keypair.TokenObject, values: t.Mapping[str, bool]) -> keypair.TokenObject:
        return self._noted(self._writing().freeze(found, values))

    def destroy(self, found: keypair.TokenObject) -> None:
        self._writing().destroy(found)
        if self._index:
            self._index.remove(found)

    def signer(self, pair: keypair.KeyPair) -> Signer:
        return self._taken().signer(pair)

    def barred(self, pair: keypair.KeyPair) -> str | None:
        return self._taken().barred(pair)

    def prove(self, wish: Wish, pair: keypair.KeyPair, passive: bool = False) -> Proof:
        return self._taken().prove(wish, pair, passive)

    def nodes(self) -> list[Node]:
        return self._taken().nodes()

    def resolve_users(self, users: t.Sequence[str]) -> tuple[str, ...]:
        return self._taken().resolve_users(users)

    def share(self, found: keypair.TokenObject, users: t.Collection[str]) -> keypair.TokenObject:
        return self._noted(self._writing().share(found, users))

    def await_servers(self, wish: Wish, pair: keypair.KeyPair, patient: bool = True) -> None:
        if wish.min_servers is not None:
            self._taken().await_servers(wish, pair, patient)
