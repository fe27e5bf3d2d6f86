# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done to a pair on a token: generate, change, remove. Each leaves nothing half-made, or names it."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.difference import differences
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.expectation import dishonoured
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Step
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import (
    RaceLost,
    Staged,
    Work,
    is_clear,
    listed,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC, Changeable
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError


class Actions(Work):
    """What may be done once it is decided."""

    def destroy(self, pair: KeyPair) -> None:
        """Removes the private half first: should it be refused, the pair is still whole."""
        left = list(pair.objects)
        for found in (*pair.privates, *pair.publics):
            try:
                self.session.destroy(found)
            except TokenError as error:
                raise error.at(f"remove {self.where}", f"What remains: {listed(left, ' and ')}.") from None
            left.remove(found)

    def generate(self, alone: bool = False) -> Staged[tuple[KeyPair, Proof]]:
        """A new pair that is as wished and proven; `alone`: and the only one of its name. Otherwise nothing is left."""
        pair = self.session.generate(self.wish)
        try:
            rows = dishonoured(self.wish, pair, self.session.facts)
            if rows:
                why = f"the token made it otherwise, {listed(rows, '; ')}"
                raise self.failed("generate", why, "Leave out what the token does not have.")
            proof = self.prove_new(pair)
            self.session.await_servers(self.wish, pair)
            if alone:
                yield
                self._refuse_rival(pair)
        except (HsmError, RaceLost) as error:
            self.take_back(pair, error)
        except Exception:  # a bug of ours: it is reported as one, and leaves no pair either
            with contextlib.suppress(HsmError):
                self.destroy(pair)
            raise
        return self.freeze(pair), proof

    def prove_new(self, pair: KeyPair) -> Proof:
        """The proof of a new pair, as far as the option `verify` asks for it."""
        return Proof(None, "verify is false") if self.wish.verify is False else self.proof(pair)

    def _refuse_rival(self, pair: KeyPair) -> None:
        """Looks again: a pair of the same name that another host made meanwhile wins, whoever was first."""
        there = self.find()
        if not there:
            what = f"find {self.wish} again on the token '{self.session.token_name}' after generating it"
            raise HsmError.failed(what, str(pair))
        if not is_clear(there) or there[0].fingerprint != pair.fingerprint:
            raise RaceLost

    def take_back(self, pair: KeyPair, error: HsmError | RaceLost) -> t.NoReturn:
        """Destroys the pair that this task made, and raises `error` again; what cannot be destroyed is named."""
        try:
            self.destroy(pair)
        except TokenError as undo:
            data = error.data if isinstance(error, HsmError) else undo.data
            raise HsmError(f"{error} {undo}" if str(error) else str(undo), **data) from None
        if isinstance(error, RaceLost):
            raise error
        raise HsmError(f"{error.msg} The new pair was removed again.", **error.data) from None

    def freeze(self, pair: KeyPair) -> KeyPair:
        """Sets modifiable, copyable and destroyable to false, after every check: nothing can be taken back then."""
        for half in (PRIVATE, PUBLIC):
            values = self.wish.freezing(half)
            if values:
                pair = pair.with_half(self._freeze_half(pair.half(half), values))
        rows = differences(self.wish, pair)
        if rows:
            raise self.failed("finish", listed(rows, "; "), f"The pair is there: {pair}.")
        return pair

    def _freeze_half(self, found: TokenObject, values: t.Mapping[str, bool]) -> TokenObject:
        try:
            return self.session.freeze(found, values)
        except TokenError as error:
            attempt = f"set {' and '.join(values)} to false for {self.where}"
            raise error.at(attempt, f"The pair is there: {found}.") from None

    def change(self, pair: KeyPair, steps: t.Sequence[Step]) -> KeyPair:
        """Makes the changes; if one is refused, those before it are undone as far as they can be."""
        original = pair
        for number, step in enumerate(steps):
            try:
                pair = pair.with_half(self._change_half(pair.half(step.half), step))
            except TokenError as error:
                raise error.at(f"change {self.where}", self._undo(original, steps[:number])) from None
        rows = differences(self.wish, pair)
        if rows:
            raise self.failed("change", f"the token took the change and did not make it, {listed(rows, '; ')}")
        return pair

    def _change_half(self, found: TokenObject, step: Step) -> TokenObject:
        if step.kind is Changeable.SHARING:
            return self.session.share(found, self.wish.users(found.sharing.shared_with if found.sharing else ()))
        if step.kind is Changeable.BY_COPY:
            return self._freeze_half(found, t.cast("dict[str, bool]", step.values))
        return self.session.set_attributes(found, step.values)

    def _undo(self, original: KeyPair, done: t.Sequence[Step]) -> str:
        left = []
        for step in done:
            found = original.half(step.half)
            old = {name: value for name in step.values if (value := found.attributes.get(name)) is not None}
            try:
                if step.kind is Changeable.SHARING and found.sharing:
                    self.session.share(found, found.sharing.shared_with)
                elif step.kind is Changeable.ANY and len(old) == len(step.values):
                    self.session.set_attributes(found, old)
                else:
                    raise HsmError("it goes one way")
            except HsmError:
                left.append(f"{step.half} half's {', '.join(step.values)}")
        return f"What stays changed: {'; '.join(left)}." if left else "Nothing was changed."

    def finish_freezing(self, pair: KeyPair) -> KeyPair | None:
        """Removes the original of a half that a killed run left beside its frozen copy; None if it is anything else."""
        if len(pair.objects) != 3 or len(pair.halves) != 2:
            return None
        half = PRIVATE if len(pair.privates) == 2 else PUBLIC
        values, there = self.wish.freezing(half), pair.all_of(half)
        frozen = [found for found in there if all(found.attributes.get(name) is False for name in values)]
        if not values or len(frozen) != 1 or not self._same_key(pair, there):
            return None
        if not self.check_mode:
            self.destroy(KeyPair().with_half(there[1] if there[0] is frozen[0] else there[0]))
        return pair.with_half(frozen[0])

    def _same_key(self, pair: KeyPair, objects: t.Sequence[TokenObject]) -> bool:
        """Whether these are one key: by the public key that both tell, else by a proof of each with the other half."""
        if objects[0].spki:
            return objects[0].spki == objects[1].spki
        try:
            return all(self.session.prove(self.wish, pair.with_half(key), self.check_mode).method for key in objects)
        except HsmError:
            return False
