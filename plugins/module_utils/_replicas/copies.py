# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One pair and its copies: made, proven, kept account of, and taken back."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import time
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import worker
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import difference, keypair, session, transfer
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import actions, index
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import RaceLost, Staged, is_clear, listed
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas import on_token
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.tokens import Group, Token
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, drawn_id, errors

# How often another host may store the same copy at the same moment before this one gives up.
_RACES = 5

T = t.TypeVar("T")
Templates = dict[attributes.Half, dict[str, attributes.Value]]


class Copies:
    """What one run makes of one pair. `before` is what each token had; `original` is the pair, once it is known.

    `made`: objects by token, none where another host stored the same copy meanwhile. `proven`: the pair on each token
    as it was proven, and `looked` as the last look found it. `doubtful`: the tokens whose process was lost while it
    made something.
    """

    def __init__(
        self, group: Group, wish: Wish, wrapping_key: str | None, before: t.Mapping[Token, keypair.KeyPair | None]
    ) -> None:
        self._group = group
        self._wish = wish
        self._wrapping_key = wrapping_key
        self._before = before
        self.original: keypair.KeyPair | None = None
        self.made: dict[Token, tuple[keypair.TokenObject, ...]] = {}
        self.proven: dict[Token, on_token.Proven] = {}
        self.looked: dict[Token, list[keypair.KeyPair]] = {}
        self.warnings: tuple[str, ...] = ()
        self._doubtful: set[Token] = set()

    def generate(self, deadline: worker.Deadline) -> Staged[session.Proof]:
        """Has the source generate the pair, extractable until all copies are there, with an id that is known here.

        Stops before the pair is looked for again: among many, one look at the source is enough for all.
        """
        source = self._group.source
        source.session.deadline = deadline
        self._wish = dataclasses.replace(self._wish, drawn_id=drawn_id.draw(source.session.facts.id_length))
        with_copies = dataclasses.replace(self._wish.unfrozen(), extractable=True)
        searched = source.session.searched
        stages = on_token.OnToken(searched, with_copies, looked=[None]).stages("present")
        while (outcome := self._watched(source, lambda: end_of(stages))) is None:
            try:
                yield
            except GeneratorExit:  # it is not gone on with
                with contextlib.suppress(errors.HsmError):
                    stages.throw(errors.HsmError(f"Did not finish {self._wish}."))
                raise
            if isinstance(searched, index.IndexedSession):
                searched.resume(self._group.since, lambda: source.session)
        self.original, self.warnings = outcome.after, outcome.warnings
        if outcome.before is None and outcome.after is not None:
            self.made[source] = outcome.after.objects
            self.proven[source] = outcome.after, outcome.proof
        return outcome.proof

    def copy(self, donor: Token, original: keypair.KeyPair, token: Token) -> None:
        """Copies the pair to `token`, and proves it there.

        After an error nothing of this run is left there, or the error names what remains, or the token is doubtful.
        """
        if token in self._doubtful:  # the second time: what the first left goes before
            remains = self._take_back_from(token)
            if remains:
                raise errors.HsmError(remains)
            self._doubtful.discard(token)
        for lost in range(_RACES):
            try:
                return self._copy_once(donor, original, token)
            except RaceLost:
                time.sleep(random.uniform(0.1, 0.5) * 2**lost)
                there = self._on(token).find()
                if len(there) == 1 and there[0].whole and there[0].spki == original.spki:
                    self.made[token] = ()  # another host stored the same copy
                    return None
        raise errors.HsmError.failed(
            f"copy {self._wish} to the token '{token.session.token_name}'",
            f"{_RACES} times another host stored a pair of the same name at the same moment",
            "Nothing of this task's is left there.",
        )

    def _on(self, token: Token) -> actions.Actions:
        return actions.Actions(token.session, self._wish)

    def _copy_once(self, donor: Token, original: keypair.KeyPair, token: Token) -> None:
        source, replica = donor.session.transfer, token.session.transfer
        way = transfer.choose_way(original, source.able(), replica.able(), self._wrapping_key)
        keks = self._group.connect(donor, token, way)
        wrapped = source.wrap(way, keks.donor, original.private)
        templates: Templates = {half: transfer.copied(self._wish, original, half) for half in attributes.HALVES}
        there = self._before[token] or keypair.KeyPair()
        try:
            pair = self._watched(token, lambda: replica.receive(way, keks.token, wrapped, templates, there))
        except errors.TokenError as error:
            self._look_for_remains(token, error)
        self.made[token] = tuple(found for found in pair.objects if found not in there.objects)
        try:
            pair = self._mended(token, pair, templates)
            self._check(token, original, pair, templates)
        except (errors.HsmError, RaceLost) as error:
            self._undo(token, error)

    def _mended(self, token: Token, pair: keypair.KeyPair, templates: Templates) -> keypair.KeyPair:
        """Some tokens give an unwrapped key every use whatever the template says (NSS); what they let be set is set.

        A half that does not carry the id may be another's key, and is not changed.
        """
        mendable = pair.whole and token.session.facts.set_attribute and self._named(pair.objects)
        for half in attributes.HALVES if mendable else ():
            rows = difference.attribute_differences(half, pair.half(half), templates[half])
            values = {
                row.name: row.wished for row in rows if row.found is not None and row.name in attributes.CHANGEABLE
            }
            if values:
                pair = pair.with_half(token.session.set_attributes(pair.half(half), values))
        return pair

    def _check(self, token: Token, original: keypair.KeyPair, pair: keypair.KeyPair, templates: Templates) -> None:
        """That the copy is the key that it should be, as it should be, and the only one of its name."""
        where = f"the copy of {self._on(token).where}"
        if not pair.whole or pair.spki is None or pair.spki != original.spki:
            raise errors.HsmError.failed(f"finish {where}", f"its halves do not belong together, {pair}")
        # What the token does not have, and was not sent, is no matter.
        rows = [
            row
            for half, values in templates.items()
            for row in difference.attribute_differences(half, pair.half(half), values)
            if row.found is not None and token.session.facts.sends(half, row.name, row.wished)
        ]
        if rows:
            raise errors.HsmError.failed(f"finish {where}", f"the token stored it otherwise, {listed(rows, '; ')}")
        proof = self._on(token).prove_new(pair)
        if proof.method is None and self._wish.verify is not False:
            remedy = "With verify=false it counts without a proof."
            raise errors.HsmError.failed(f"prove {where}", f"{proof.reason}", remedy)
        self.proven[token], self.looked[token] = (pair, proof), self._seen(token, original, pair)

    def _seen(self, token: Token, original: keypair.KeyPair, pair: keypair.KeyPair) -> list[keypair.KeyPair]:
        """Looks again: the copy is there, and nothing else of its name."""
        there = self._on(token).find()
        if not there:
            what = f"find the copy of {self._on(token).where} again after storing it"
            raise errors.HsmError.failed(what, str(pair))
        if not is_clear(there) or there[0].spki != original.spki:
            raise RaceLost
        return there

    def _watched(self, token: Token, work: t.Callable[[], T]) -> T:
        """Does what makes something; after an error a process that is still there has undone what it began."""
        self._doubtful.add(token)
        try:
            done = work()
        except (errors.HsmError, RaceLost):  # any other is a bug, after which nothing is known
            if token.reached:
                self._doubtful.discard(token)
            raise
        self._doubtful.discard(token)
        return done

    def _look_for_remains(self, token: Token, error: errors.TokenError) -> t.NoReturn:
        """A token may have stored what it answered an error about (trap T14): it is removed, and `error` raised."""
        if not token.reached or not (self.original and self.original.private.id):
            raise error
        self._doubtful.add(token)
        with contextlib.suppress(errors.TokenError):
            error = error.at(error.attempt, self._destroyed_left(token))
            self._doubtful.discard(token)
        raise error

    def _undo(self, token: Token, error: errors.HsmError | RaceLost) -> t.NoReturn:
        """Removes the copy again and raises `error`; where the process is gone, that has to wait."""
        made = self.made.pop(token)
        self._doubtful.add(token)
        with contextlib.suppress(errors.TokenError):
            # A token may have answered with the handle of another's key; then the copy is looked for by its id.
            remains = self._destroyed(token, made) if self._named(made) else self._destroyed_left(token)
            self._doubtful.discard(token)
            if isinstance(error, errors.HsmError):
                told = f"{error.msg} {remains or 'The copy was removed again.'}"
                error = errors.HsmError(told, **error.data)
            elif remains:
                error = errors.HsmError(remains)
        raise error from None

    def take_back(self, deadline: worker.Deadline) -> str:
        """Removes all that this run made, also where a process was lost; the answer tells what remains."""
        involved = [token for token in self._group.all if self.made.get(token) or token in self._doubtful]
        if not involved:
            return ""
        self._reach_again(involved, deadline.share(3))
        # The source last: a task that is killed in between leaves what the next run can go on with.
        told = self._taken_back(self._group.replicas(involved), deadline.share(2))
        told |= self._taken_back([token for token in involved if token is self._group.source], deadline)
        gone = ", ".join(token.name for token in involved if not told[token])
        nothing = f"Nothing that this run made is left on {gone}." if gone else ""
        return " ".join(filter(None, (*told.values(), nothing)))

    def _reach_again(self, tokens: t.Sequence[Token], deadline: worker.Deadline) -> None:
        """A handle is one of its session, and the work on another pair may cost that while this one waits."""
        held = {token: token.session for token in tokens if token.reached}
        self._group.reach(tokens, deadline)
        self._doubtful.update(token for token in tokens if not token.reached or token.session is not held.get(token))

    def _taken_back(self, tokens: t.Sequence[Token], deadline: worker.Deadline) -> dict[Token, str]:
        reached = [token for token in tokens if token.reached]
        told = self._group.each(reached, self._take_back_from, deadline)
        unknown = "What is left of it on the {} is not known: {}".format
        return {token: told[token] if token in told else unknown(token, token.error) for token in tokens}

    def _take_back_from(self, token: Token) -> str:
        return self._destroyed_left(token) if token in self._doubtful else self._destroyed(token, self.made[token])

    def _destroyed_left(self, token: Token) -> str:
        """Removes what a lost process of this run left; the answer names what cannot be told from others' keys."""
        ident = self._ident
        left = self._left(token, ident) if ident else []
        if ident and not left:
            return ""
        sure = self.original is not None or self._wish.id is None  # an id that was given may be another's pair by now
        if ident and sure and len({found.half for found in left}) == len(left):
            return self._destroyed(token, left)
        where = f"What this run left on the token '{token.session.token_name}'"
        return f"{where} cannot be told from others' keys: {listed(left) or 'an object without an id'}."

    def _left(self, token: Token, ident: bytes) -> list[keypair.TokenObject]:
        """What has the pair's id, and was not there before."""
        before = self._before.get(token) or keypair.KeyPair()
        new = [found for found in self._on(token).search(id=ident) if found.half not in before.halves]
        if self.original is None:
            return new
        return [found for found in new if found.fingerprint in (None, self.original.fingerprint)]

    def _destroyed(self, token: Token, objects: t.Iterable[keypair.TokenObject]) -> str:
        """Destroys objects, private halves first; the answer names what remains."""
        left = []
        for found in sorted(objects, key=lambda found: found.half != attributes.PRIVATE):
            try:
                if not self._named([found]):
                    raise errors.HsmError("it does not carry the id of the pair")
                token.session.destroy(found)
            except errors.HsmError as error:
                if error.lost:
                    raise
                left.append(f"{found} ({error.msg})")
        return f"What remains on the token '{token.session.token_name}': {' and '.join(left)}." if left else ""

    def _named(self, objects: t.Iterable[keypair.TokenObject]) -> bool:
        """Whether these carry the id of the pair: nothing else is changed or destroyed by its handle."""
        return bool(self._ident) and all(found.id == self._ident for found in objects)

    @property
    def _ident(self) -> bytes | None:
        """The id that all copies carry: that of the original, told or drawn."""
        return self.original.private.id if self.original else self._wish.id or self._wish.drawn_id


def end_of(stages: Staged[T]) -> T | None:
    """What work came to; None where it stopped before."""
    try:
        next(stages)
    except StopIteration as end:
        return t.cast("T", end.value)
    return None
