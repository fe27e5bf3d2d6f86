# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done to a pair on a token: generate, change, replace, destroy. Each leaves nothing half-made, or names it.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Step, differences, dishonoured
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.lookup import find_pairs, is_clear
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC, Change, Value
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError


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


T = t.TypeVar("T")
# Work that stops where it is about to look at the token again, so that other work can come first: among many pairs one
# look is enough for all.
Steps = t.Generator[None, None, T]


def finished(steps: Steps[T]) -> T:
    """The result of work without any stop."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return t.cast("T", end.value)


def generate(session: TokenSession, wish: Wish, alone: bool = False) -> Steps[tuple[KeyPair, Proof]]:
    """A new pair that is as wished and proven; `alone`: and the only one of its name. Otherwise nothing is left."""
    pair = session.generate(wish)
    try:
        _refuse_dishonoured(session, wish, pair)
        proof = prove_new(session, wish, pair)
        session.await_servers(wish, pair)
        if alone:
            yield
            _refuse_rival(session, wish, pair)
    except (HsmError, RaceLost) as error:
        take_back(session, wish, pair, error)
    except Exception:  # a bug of ours: it is reported as one, and leaves no pair either
        with contextlib.suppress(HsmError):
            destroy(session, wish, pair)
        raise
    return freeze(session, wish, pair), proof


def _refuse_dishonoured(session: TokenSession, wish: Wish, pair: KeyPair) -> None:
    rows = dishonoured(wish, pair, session.facts)
    if rows:
        raise HsmError(
            f"Could not generate {wish} on the token '{session.token_name}': the token made it otherwise,"
            f" {'; '.join(map(str, rows))}. Leave out what the token does not have."
        )


def prove_new(session: TokenSession, wish: Wish, pair: KeyPair) -> Proof:
    """The proof of a new pair, as far as the option `verify` asks for it."""
    if wish.verify is False:
        return Proof(None, "verify is false")
    proof = session.prove(wish, pair)
    if proof.method is None and wish.verify:
        raise HsmError(f"Could not prove {wish} on the token '{session.token_name}': {proof.reason}.")
    return proof


def _refuse_rival(session: TokenSession, wish: Wish, pair: KeyPair) -> None:
    """Looks again: a pair of the same name that another host made meanwhile wins, whoever was first."""
    there = find_pairs(session, wish)
    if not there:
        raise HsmError(f"Could not find {wish} again on the token '{session.token_name}' after generating it: {pair}.")
    if not is_clear(there) or any(other.fingerprint != pair.fingerprint for other in there):
        raise RaceLost


def take_back(session: TokenSession, wish: Wish, pair: KeyPair, error: HsmError | RaceLost) -> t.NoReturn:
    """Destroys the pair that this task made, and raises `error` again; what cannot be destroyed is named."""
    try:
        destroy(session, wish, pair)
    except TokenError as undo:
        data = error.data if isinstance(error, HsmError) else undo.data
        raise HsmError(f"{error} {undo}" if str(error) else str(undo), **data) from None
    if isinstance(error, RaceLost):
        raise error
    raise HsmError(f"{error.msg} The new pair was removed again.", **error.data) from None


def freeze(session: TokenSession, wish: Wish, pair: KeyPair) -> KeyPair:
    """Sets modifiable, copyable and destroyable to false, after every check: nothing can be taken back then."""
    for half in (PRIVATE, PUBLIC):
        values: dict[str, bool] = wish.freezing(half)
        if values:
            pair = pair.with_half(_freeze_half(session, wish, pair.half(half), values))
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


def change(session: TokenSession, wish: Wish, pair: KeyPair, steps: t.Sequence[Step]) -> KeyPair:
    """Makes the changes; if one is refused, those before it are undone as far as they can be."""
    original = pair
    done: list[Step] = []
    for step in steps:
        try:
            pair = pair.with_half(_step(session, wish, pair, step))
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
    if step.kind is Change.SHARING:
        return _share(session, wish, pair.half(step.half))
    if step.kind is Change.BY_COPY:
        return _freeze_half(session, wish, pair.half(step.half), t.cast("dict[str, bool]", step.values))
    return session.set_attributes(pair.half(step.half), step.values)


def _share(session: TokenSession, wish: Wish, found: TokenObject) -> TokenObject:
    there = found.sharing.shared_with if found.sharing else ()
    return session.share(found, wish.users(there))


def _undo_steps(session: TokenSession, original: KeyPair, done: t.Sequence[Step]) -> str:
    left = []
    for step in done:
        found = original.half(step.half)
        old: dict[str, Value] = {
            name: value for name in step.values if (value := found.attributes.get(name)) is not None
        }
        try:
            if step.kind is Change.SHARING and found.sharing:
                session.share(found, found.sharing.shared_with)
                continue
            if step.kind is not Change.ANY or len(old) < len(step.values):
                raise HsmError("one-way")
            session.set_attributes(found, old)
        except HsmError:
            left.append(f"{step.half} half's {', '.join(step.values)}")
    return f"What stays changed: {'; '.join(left)}." if left else "Nothing was changed."


def finish_freezing(session: TokenSession, wish: Wish, pair: KeyPair, check_mode: bool) -> KeyPair | None:
    """Removes the original of a half that a killed run left beside its frozen copy; None where it is anything else."""
    for half in (PRIVATE, PUBLIC):
        objects, others = (pair.privates, pair.publics) if half == PRIVATE else (pair.publics, pair.privates)
        values = wish.freezing(half)
        frozen = [found for found in objects if all(found.attributes.get(name) is False for name in values)]
        if (
            values
            and len(objects) == 2
            and len(frozen) == len(others) == 1
            and _same_key(session, wish, pair, objects, check_mode)
        ):
            original = objects[0] if objects[1] is frozen[0] else objects[1]
            if not check_mode:
                destroy(session, wish, KeyPair().with_half(original))
            return pair.with_half(frozen[0])
    return None


def _same_key(
    session: TokenSession, wish: Wish, pair: KeyPair, objects: t.Sequence[TokenObject], check_mode: bool
) -> bool:
    """Whether two halves are one key: by the public key that both tell, else by a proof of each with the other half."""
    if objects[0].spki:
        return objects[0].spki == objects[1].spki
    try:
        return all(session.prove(wish, pair.with_half(found), passive=check_mode).method for found in objects)
    except HsmError:
        return False
