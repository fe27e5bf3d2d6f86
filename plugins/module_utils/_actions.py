# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done to a pair on a token: generate, change, replace, destroy. Each leaves nothing half-made, or names it.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._attributes import PRIVATE, PUBLIC, Change, Half, Value
from ansible_collections.cryptoki.hsm.plugins.module_utils._errors import HsmError, TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._keypair import KeyPair, TokenObject, Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._lookup import find_pairs
from ansible_collections.cryptoki.hsm.plugins.module_utils._plan import Step, differences, dishonoured
from ansible_collections.cryptoki.hsm.plugins.module_utils._providers.base import Proof, TokenSession


class RaceLost(Exception):
    """Another host made a pair of the same name at the same time; ours is gone again."""


def destroy(session: TokenSession, wish: Wish, pair: KeyPair) -> None:
    """Removes the private half first: should it be refused, the pair is still whole."""
    gone: list[TokenObject] = []
    for found in (*pair.privates, *pair.publics):
        try:
            session.destroy(found)
        except TokenError as error:
            left = [str(other) for other in pair.objects if other not in gone]
            raise error.at(
                f"remove {wish} on the token '{session.token_name}'", f"What remains: {' and '.join(left)}."
            ) from None
        gone.append(found)


def generate(session: TokenSession, wish: Wish, alone: bool = False) -> tuple[KeyPair, Proof]:
    """A new pair that is as wished and proven; C(alone): and the only one of its name. Otherwise nothing is left."""
    pair = session.generate(wish)
    try:
        _refuse_dishonoured(session, wish, pair)
        proof = _prove_new(session, wish, pair)
        if alone:
            _refuse_rival(session, wish, pair)
    except (HsmError, RaceLost) as error:
        _take_back(session, wish, pair, error)
    except Exception:  # a bug of ours: it is reported as one, and leaves no pair either
        with contextlib.suppress(HsmError):
            destroy(session, wish, pair)
        raise
    return _freeze(session, wish, pair), proof


def _refuse_dishonoured(session: TokenSession, wish: Wish, pair: KeyPair) -> None:
    rows = dishonoured(wish, pair, session.facts)
    if rows:
        raise HsmError(
            f"Could not generate {wish} on the token '{session.token_name}': the token made it otherwise,"
            f" {'; '.join(map(str, rows))}. Leave out what the token does not have."
        )


def _prove_new(session: TokenSession, wish: Wish, pair: KeyPair) -> Proof:
    if wish.verify is False:
        return Proof(None, "verify is false")
    proof = session.prove(wish, pair)
    if proof.method is None and wish.verify:
        raise HsmError(f"Could not prove {wish} on the token '{session.token_name}': {proof.reason}.")
    return proof


def _refuse_rival(session: TokenSession, wish: Wish, pair: KeyPair) -> None:
    """Looks again: a pair of the same name that another host made meanwhile wins, whoever was first."""
    own = {found.handle for found in pair.objects}
    if any(found.handle not in own for other in find_pairs(session, wish) for found in other.objects):
        raise RaceLost


def _take_back(session: TokenSession, wish: Wish, pair: KeyPair, error: HsmError | RaceLost) -> t.NoReturn:
    """Destroys the pair that this task made, and raises C(error) again; what cannot be destroyed is named."""
    try:
        destroy(session, wish, pair)
    except TokenError as undo:
        data = error.data if isinstance(error, HsmError) else undo.data
        raise HsmError(f"{error} {undo}" if str(error) else str(undo), **data) from None
    if isinstance(error, RaceLost):
        raise error
    raise HsmError(f"{error.msg} The new pair was removed again.", **error.data) from None


def _freeze(session: TokenSession, wish: Wish, pair: KeyPair) -> KeyPair:
    """Sets modifiable, copyable and destroyable to false, after every check: nothing can be taken back then."""
    for half in (PRIVATE, PUBLIC):
        values: dict[str, bool] = wish.freezing(half)
        if values:
            pair = _with(pair, _freeze_half(session, wish, pair.half(half), values))
    rows = differences(wish, pair)
    if rows:
        raise HsmError(
            f"Could not finish {wish} on the token '{session.token_name}': {'; '.join(map(str, rows))}."
            f" The pair is there: {pair}."
        )
    return pair


def _freeze_half(session: TokenSession, wish: Wish, found: TokenObject, values: t.Mapping[str, bool]) -> TokenObject:
    try:
        return session.freeze(found, values)
    except TokenError as error:
        names = " and ".join(values)
        raise error.at(
            f"set {names} to false for {wish} on the token '{session.token_name}'", f"The pair is there: {found}."
        ) from None


def _with(pair: KeyPair, found: TokenObject) -> KeyPair:
    if found.half == PRIVATE:
        return dataclasses.replace(pair, privates=(found,))
    return dataclasses.replace(pair, publics=(found,))


def change(session: TokenSession, wish: Wish, pair: KeyPair, steps: t.Sequence[Step]) -> KeyPair:
    """Makes the changes; if one is refused, those before it are undone as far as they can be."""
    original = pair
    done: list[Step] = []
    for step in steps:
        try:
            pair = _with(pair, _step(session, wish, pair, step))
        except TokenError as error:
            remains = _undo_steps(session, original, done)
            raise error.at(f"change {wish} on the token '{session.token_name}'", remains) from None
        done.append(step)
    rows = differences(wish, pair)
    if rows:
        raise HsmError(
            f"Could not change {wish} on the token '{session.token_name}': the token took the change and did not make"
            f" it, {'; '.join(map(str, rows))}."
        )
    return pair


def _step(session: TokenSession, wish: Wish, pair: KeyPair, step: Step) -> TokenObject:
    if step.kind is Change.BY_COPY:
        return _freeze_half(session, wish, pair.half(step.half), t.cast("dict[str, bool]", step.values))
    return session.set_attributes(pair.half(step.half), step.values)


def _undo_steps(session: TokenSession, original: KeyPair, done: t.Sequence[Step]) -> str:
    left = []
    for step in done:
        found = original.half(step.half)
        old: dict[str, Value] = {
            name: value for name in step.values if (value := found.attributes.get(name)) is not None
        }
        try:
            if step.kind is not Change.ANY or len(old) < len(step.values):
                raise HsmError("one-way")
            session.set_attributes(found, old)
        except HsmError:
            left.append(f"{step.half} half's {', '.join(step.values)}")
    return f"What stays changed: {'; '.join(left)}." if left else "Nothing was changed."


def replace(session: TokenSession, wish: Wish, old: KeyPair) -> tuple[KeyPair, Proof]:
    """Generates and proves another pair under a provisional name, and only then destroys the old one and renames."""
    provisional = f"replacement {secrets.token_hex(8)}"
    lasting = dataclasses.replace(
        wish, private_attributes=_unfrozen(wish, PRIVATE), public_attributes=_unfrozen(wish, PUBLIC)
    )
    draft = dataclasses.replace(lasting, label=provisional, id=secrets.token_bytes(session.facts.id_length) or None)
    try:
        new, proof = generate(session, draft)
    except HsmError as error:
        raise HsmError(f"Did not replace {wish}, which is untouched. {error.msg}", **error.data) from None
    try:
        for half in (PRIVATE, PUBLIC):  # a token that cannot rename is found out while the old pair still exists
            session.set_attributes(new.half(half), {"label": provisional})
        destroy(session, wish, KeyPair(privates=old.privates))
    except HsmError as error:
        _take_back(session, draft, new, error)
    try:
        destroy(session, wish, KeyPair(publics=old.publics))
    except TokenError as error:
        raise error.at(
            error.attempt,
            f"What remains is the old public half, {old.public}, and the new pair, whole and proven, with the label"
            f" '{provisional}'.",
        ) from None
    name: dict[str, Value] = {"label": wish.label or ""}
    if wish.id is not None:
        name["id"] = wish.id
    try:
        for half in (PRIVATE, PUBLIC):
            new = _with(new, session.set_attributes(new.half(half), name))
    except TokenError as error:
        raise error.at(
            f"rename the replacement of {wish} on the token '{session.token_name}'",
            f"The old pair is gone; the new one is whole and proven and has the label '{provisional}'.",
        ) from None
    return _freeze(session, wish, new), proof


def _unfrozen(wish: Wish, half: Half) -> dict[str, bool]:
    later = wish.freezing(half)
    return {name: value for name, value in wish.own_attributes(half).items() if name not in later}
