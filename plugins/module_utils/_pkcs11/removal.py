# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The removal of objects, which is looked at afterwards: what is there counts, whatever C_DestroyObject answered."""

from __future__ import annotations

import contextlib
import functools
import os
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import NOT_THERE
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.undoing import Undoing, undone
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import calls
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm_store

_STAYS = "Its file is still there."


def destroy(session: calls.Session, key_class: attributes.KeyClass, handle: int, stored: bool = True) -> None:
    """Destroys an object; raises `TokenError` where it is still there, or where that cannot be seen (`remains`).

    One that was not there before is answered by CKR_OBJECT_HANDLE_INVALID, which is raised, too. `stored` is told to
    `calls.Session.remove`, whose error has `remains` where the object may come back.
    """
    answer = errors.TokenError(f"destroy the {key_class} key with handle {handle}", said="CKR_OK", hint="")
    failed = False
    try:
        session.destroy(key_class, handle, stored)
    except errors.TokenError as error:
        answer, failed = error, True
    try:
        gone = _is_gone(session, key_class, handle, answer if failed else None)
    except errors.TokenError as error:
        unknown = f"Whether it is gone is not known ({error.ckr or error.said})."
        if answer.ckr == NOT_THERE:  # that of every private key when nobody is logged in any more
            raise errors.TokenError(answer.attempt, error.ckr, said=error.said, remains=unknown) from None
        raise answer.at(answer.attempt, unknown) from None
    if gone and answer.remains != _STAYS:
        if answer.ckr == NOT_THERE or answer.remains:
            raise answer.at(answer.attempt)
        return
    if answer.ckr in (None, NOT_THERE):
        told = f"{answer.ckr or answer.said}, and the key is still there"
        raise errors.TokenError(answer.attempt, said=told, hint="")
    answer.remains = ""  # it was looked at since
    raise answer.at(answer.attempt)


@contextlib.contextmanager
def told_by_files(store: softhsm_store.TokenStore) -> t.Iterator[None]:
    """For one removal alone: its error has `remains` if no file went.

    SoftHSM forgets an object whose file it could not remove, until the next process reads the file again. Which file is
    that of an object is told nowhere; by their names, new ones do not hide that none went.
    """
    before = store.names()
    try:
        yield
    except errors.TokenError as error:
        there = {_is_there(f"{store.folder}/{name}") for name in before}
        if error.ckr != NOT_THERE and False not in there:
            raise error.at(error.attempt, _STAYS if there == {True} else "Its file may still be there.") from None
        raise


def _is_there(path: str) -> bool | None:
    """Whether there is such a file; None where that cannot be seen."""
    try:
        os.lstat(path)
    except OSError as error:
        return False if isinstance(error, FileNotFoundError) else None
    return True


def _is_gone(
    session: calls.Session, key_class: attributes.KeyClass, handle: int, after: errors.TokenError | None
) -> bool:
    """Whether an object is there no more; raises `TokenError` where that cannot be seen."""
    try:
        session.read(key_class, handle, frozenset({"class"}))
    except errors.TokenError as error:
        gone = error.ckr == NOT_THERE or handle not in session.handles(key_class, {})
    else:
        return False
    if gone and after and not session.state().endswith("user"):  # who is logged out sees no private key
        raise errors.TokenError(after.attempt, "CKR_USER_NOT_LOGGED_IN")
    return gone


def take_back(session: calls.Session, objects: t.Iterable[tuple[attributes.KeyClass, int]], stored: bool = True) -> str:
    """Destroys what calls of this process made, the private half first: a public one alone harms less."""
    return undone(
        Undoing(
            f"the new {key[0]} {_what(key[0])}", f"handle {key[1]}", functools.partial(destroy, session, *key, stored)
        )
        for key in sorted(objects)
    )


def _what(key_class: attributes.KeyClass) -> str:
    return "half" if key_class in attributes.HALVES else "key"


def named(
    session: calls.Session, ident: bytes, objects: t.Mapping[attributes.KeyClass, int]
) -> list[tuple[attributes.KeyClass, int]]:
    """Those of the returned handles whose objects carry `ident`: a token may have answered with those of others."""
    return [(half, handle) for half, handle in objects.items() if handle in session.handles(half, {"id": ident})]


def discard(session: calls.Session, key_class: attributes.KeyClass, handle: int) -> None:
    """Destroys an object of the session before the session ends; never one that was there to stay."""
    try:
        passing = session.read(key_class, handle, frozenset({"token"})).attributes.get("token") is False
    except errors.TokenError:
        passing = handle in session.handles(key_class, {"token": False})
    if passing:
        session.destroy(key_class, handle, stored=False)
