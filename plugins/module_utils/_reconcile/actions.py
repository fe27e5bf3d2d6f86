# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done to a pair on a token: generate, change, remove. Each leaves nothing half-made, or names it."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.difference import (
    Difference,
    attribute_differences,
    differences,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.expectation import dishonoured, predicted
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Action, Plan, Step
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.proof import unprovable
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import NOT_THERE, Proof, Query
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.strict_token import stands
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import (
    RaceLost,
    Staged,
    Work,
    is_clear,
    listed,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    PRIVATE,
    PUBLIC,
    Changeable,
    Half,
    Value,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError

# What a copy has in common with its original, beside what is changed in it.
_SAME = ("class", "key_type", "label", "id", "token", "modulus", "public_exponent", "ec_params", "ec_point")
_NOTHING_CHANGED = "Nothing was changed."
_COPY_REMOVED = "The copy was removed again."


class Actions(Work):
    """What may be done once it is decided."""

    def destroy(self, pair: KeyPair) -> None:
        """Removes the private half first: should it be refused, the pair is still whole."""
        left = list(pair.objects)
        for found in (*pair.privates, *pair.publics):
            try:
                self.session.destroy(found)
            except TokenError as error:
                if error.ckr != NOT_THERE:  # else another host was faster
                    verb = "may remain" if error.remains else "remains"
                    raise error.at(f"remove {self.where}", f"What {verb}: {listed(left, ' and ')}.") from None
            left.remove(found)

    def generate(self, alone: bool = False) -> Staged[tuple[KeyPair, Proof]]:
        """A new pair that is as wished and proven; `alone`: and the only one of its name. Otherwise nothing is left."""
        pair = self.session.generate(self.wish)
        try:
            rows = dishonoured(self.wish, pair, self.session.facts)
            if rows and not stands(self.wish, pair, rows):
                why = f"the token made it otherwise, {listed(rows, '; ')}"
                raise self.failed("generate", why, "Leave out what the token does not have.")
            proof = self.prove_new(pair)
            if rows:
                told = f"The token made {self.where} stricter than the default: {listed(rows, '; ')}."
                proof = dataclasses.replace(proof, warning=" ".join(filter(None, (told, proof.warning))))
            self.session.await_servers(self.wish, pair)
            if alone:
                yield
                self._refuse_rival(pair)
        except (HsmError, RaceLost) as error:
            self.take_back(pair, error)
        except Exception:  # a bug of ours: it is reported as one, and leaves no pair either
            with contextlib.suppress(HsmError):
                if self._is_own(pair):
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

    def _is_own(self, pair: KeyPair) -> bool:
        """Whether a new pair carries the id that was drawn for it or told: nothing else is destroyed by its handle."""
        one_name = (self.wish.label or "").encode() if self.session.facts.label_is_id else None
        told = self.wish.id or self.wish.drawn_id or one_name
        ids = {found.id for found in pair.objects}
        return ids == {told} if told else self.session.facts.id_length > 0 and len(ids) == 1 and ids != {b""}

    def take_back(self, pair: KeyPair, error: HsmError | RaceLost) -> t.NoReturn:
        """Destroys the pair that this task made, and raises `error` again; what cannot be destroyed is named."""
        try:
            if not self._is_own(pair):
                remains = f"What it left is not removed, because no id tells it from others' keys: {pair}."
                raise HsmError(remains)
            self.destroy(pair)
        except HsmError as undo:
            data = error.data if isinstance(error, HsmError) else undo.data
            raise HsmError(f"{error} {undo}" if str(error) else str(undo), **data) from None
        if isinstance(error, RaceLost):
            raise error
        raise HsmError(f"{error.msg} The new pair was removed again.", **error.data) from None

    # Freezing

    def freeze(self, pair: KeyPair) -> KeyPair:
        """Sets modifiable, copyable and destroyable to false, after every check: nothing can be taken back then."""
        for half in (PRIVATE, PUBLIC):
            values = self.wish.freezing(half)
            if values:
                try:
                    pair = pair.with_half(self._freeze_half(pair, half, values))
                except TokenError as error:
                    attempt = f"set {' and '.join(values)} to false for {self.where}"
                    raise error.at(attempt, f"The pair is there: {pair.half(half)}.") from None
        rows = differences(self.wish, pair)
        if rows:
            raise self.failed("finish", listed(rows, "; "), f"The pair is there: {pair}.")
        return pair

    def check_freezing(self, plan: Plan) -> None:
        """Refuses, before anything is done, to copy a private half that nothing could show to be a copy then."""
        values = _to_freeze(self.wish, plan)
        pair = predicted(self.wish, plan, self.session.facts)
        if values and pair and self.session.freezes_by_copy and pair.private.key_type != "rsa":
            reason = unprovable(self.wish, pair.private.attributes) or self.session.barred(pair)
            if plan.steps and not (pair.whole and pair.spki):
                reason = reason or "its public key is not told"
            if reason:
                why = f"that takes a copy of the private half, and that it is whole cannot be proven: {reason}"
                raise self.refused(f"set {' and '.join(values)} to false for", why)

    def _freeze_half(self, pair: KeyPair, half: Half, values: t.Mapping[str, bool]) -> TokenObject:
        """The half in place, or a copy of it that is the same key; the original goes when that is sure."""
        found = pair.half(half)
        if self.session.freezes_by_copy:
            self._prove_copied(pair, found)  # what cannot be proven now cannot be as a copy, which may have to stay
        try:
            frozen = self.session.freeze(found, values)
        except TokenError as error:
            raise error.at(error.attempt, self._beside(found)) from None
        if frozen.handle == found.handle:
            return frozen
        try:
            self._check_copy(pair, frozen, values)
        except TokenError as error:
            raise error.at(error.attempt, self._without_copy(found, frozen)) from None
        try:
            self.session.destroy(found)
        except TokenError as error:
            raise error.at(error.attempt, f"Beside it is its copy, {frozen}.") from None
        return frozen

    def _check_copy(self, pair: KeyPair, frozen: TokenObject, values: t.Mapping[str, bool]) -> None:
        """That a copy is the same key, changed as it should be; of a private half by a proof, too."""
        found = pair.half(t.cast("Half", frozen.half))
        rows = _copy_differences(found, frozen, values)
        if rows:
            raise TokenError(f"copy {found}", said=f"with something else, {frozen}: {listed(rows, '; ')}", hint="")
        self._prove_copied(pair, frozen)

    def _prove_copied(self, pair: KeyPair, found: TokenObject) -> None:
        """A proof of a private half, or of its copy, as far as one is needed: an RSA key can be compared as well."""
        told = found.attributes.get("modulus") and found.attributes.get("public_exponent")
        if found.half == PUBLIC or (told and (found in pair.objects or self.wish.verify is False or not pair.whole)):
            return
        attempt, proof = f"copy {found}", Proof(None, "its other half is not there")
        try:
            if pair.whole:
                proof = self.session.prove(self.wish, pair.with_half(found))
        except TokenError:
            raise
        except HsmError as error:
            said = f"with a key that is not that of the pair ({error.msg.rstrip('.')})"
            raise TokenError(attempt, said=said, hint="") from None
        if proof.method is None and not told:
            raise TokenError(attempt, said=f"with a key that cannot be proven ({proof.reason})", hint="")

    def _without_copy(self, found: TokenObject, copied: TokenObject) -> str:
        """Removes a copy that is not as it should be, while the original is seen; the answer tells what remains."""
        own = found.id and not _copy_differences(found, copied, {}, but="token")
        try:
            if own and self.session.read(found).id == found.id:
                self.session.destroy(copied)
                return _COPY_REMOVED
        except TokenError as error:
            return f"Beside it is its copy, {copied}. It is not removed: {error.msg}"
        return f"It is left as it is: {copied}."

    def _beside(self, found: TokenObject) -> str:
        """What a copy without an answer may have left: an object of the same name."""
        names: dict[str, t.Any] = {"label": found.label, "id": found.id or None}
        if not (self.session.freezes_by_copy and any(names.values())):
            return ""
        try:
            there = self.session.find(Query(found.half, **names))
        except TokenError as error:
            return f"Whether a copy is left is not known ({error.ckr or error.said})."
        others = [other for other in there if other.handle != found.handle]
        return f"Beside it is {listed(others, ' and ')}." if others else ""

    # Changing

    def change(self, pair: KeyPair, steps: t.Sequence[Step]) -> KeyPair:
        """Makes the changes; if one is refused or only pretended, they are undone as far as they can be."""
        original, number = pair, 0
        for number, step in enumerate(steps, 1):
            try:
                pair = pair.with_half(self._change_half(pair, step))
            except TokenError as error:
                told = self._undo(original, pair, steps[:number])
                if step.kind is not Changeable.BY_COPY:
                    error.remains = ""  # it was looked at since
                elif told == _NOTHING_CHANGED and error.remains not in ("", _COPY_REMOVED):
                    told = ""
                raise error.at(f"change {self.where}", told) from None
            if step.kind is not Changeable.SHARING and _differs(pair.half(step.half), step.values):
                break
        rows = differences(self.wish, pair)
        if rows:
            why = f"the token took the change and did not make it, {listed(rows, '; ')}"
            raise self.failed("change", why, self._undo(original, pair, steps[:number]))
        return pair

    def _change_half(self, pair: KeyPair, step: Step) -> TokenObject:
        found = pair.half(step.half)
        if step.kind is Changeable.SHARING:
            return self.session.share(found, self.wish.users(found.sharing.shared_with if found.sharing else ()))
        if step.kind is Changeable.BY_COPY:
            return self._freeze_half(pair, step.half, t.cast("dict[str, bool]", step.values))
        return self.session.set_attributes(found, step.values)

    def _undo(self, original: KeyPair, pair: KeyPair, steps: t.Sequence[Step]) -> str:
        """Looks at what was changed, whatever was answered, and puts it back; the answer tells what stays."""
        left, unseen = [], []
        for step in steps:
            what = f"{step.half} half's {', '.join(step.values)}"
            try:
                now = self.session.read(pair.half(step.half))
                if not self._set_back(original.half(step.half), now, step):
                    left.append(what)
            except HsmError as error:
                unseen.append(f"{what} ({error.msg})")
        told = [f"What stays changed: {'; '.join(left)}."] if left else []
        if unseen:
            told.append(f"What may be changed and could not be looked at: {'; '.join(unseen)}.")
        return " ".join(told) or _NOTHING_CHANGED

    def _set_back(self, found: TokenObject, now: TokenObject, step: Step) -> bool:
        """Whether the half is as it was before the step, in the end; raises `HsmError` where that cannot be seen."""
        old = {name: found.attributes.get(name) for name in step.values}
        told = {name: value for name, value in old.items() if value is not None}
        if step.kind is Changeable.SHARING and found.sharing:
            if now.sharing != found.sharing:
                with contextlib.suppress(HsmError):
                    self.session.share(now, found.sharing.shared_with)
                now = self.session.read(now)
            return now.sharing == found.sharing
        if _differs(now, old) and step.kind is Changeable.ANY and len(told) == len(old):
            with contextlib.suppress(HsmError):
                self.session.set_attributes(now, told)
            now = self.session.read(now)
        if any(now.attributes.get(name) is None for name in old):
            raise HsmError("the token does not tell it")
        return not _differs(now, old)

    def set_and_seen(self, found: TokenObject, values: t.Mapping[str, Value]) -> TokenObject:
        """Changes a half in place; that a token only pretends to is a failure, too."""
        now = self.session.set_attributes(found, values)
        rows = _differs(now, values)
        if rows:
            attempt = f"set {', '.join(values)} of the {found.half} key '{found.label}'"
            raise TokenError(attempt, said=f"CKR_OK and did not do it, {listed(rows, '; ')}", hint="")
        return now

    def finish_freezing(self, pair: KeyPair) -> KeyPair | None:
        """Removes the original of a half that a killed run left beside its frozen copy; None if it is anything else."""
        if len(pair.objects) != 3 or len(pair.halves) != 2:
            return None
        half = PRIVATE if len(pair.privates) == 2 else PUBLIC
        values, there = self.wish.freezing(half), pair.all_of(half)
        frozen = [found for found in there if not _differs(found, values)]
        if not values or len(frozen) != 1 or not self._same_key(pair, there):
            return None
        original = there[1] if there[0] is frozen[0] else there[0]
        if _copy_differences(original, frozen[0], values):
            return None
        if not self.check_mode:
            self.destroy(KeyPair().with_half(original))
        return pair.with_half(frozen[0])

    def _same_key(self, pair: KeyPair, objects: t.Sequence[TokenObject]) -> bool:
        """Whether these are one key: by the public key that both tell, else by a proof of each with the other half."""
        if objects[0].spki:
            return objects[0].spki == objects[1].spki
        try:
            return all(self.session.prove(self.wish, pair.with_half(key), self.check_mode).method for key in objects)
        except HsmError:
            return False


def _to_freeze(wish: Wish, plan: Plan) -> t.Mapping[str, Value]:
    """What a plan sets to false of a private half, in a copy."""
    if plan.action is not Action.CHANGE:
        return wish.freezing(PRIVATE)
    copied = {step.half: step.values for step in plan.steps if step.kind is Changeable.BY_COPY}
    return copied.get(PRIVATE, {})


def _differs(found: TokenObject, values: t.Mapping[str, Value | None]) -> list[Difference]:
    return attribute_differences(t.cast("Half", found.half), found, values)


def _copy_differences(
    found: TokenObject, copied: TokenObject, values: t.Mapping[str, Value], but: str = ""
) -> list[Difference]:
    """In what a copy is not the original with `values` changed."""
    same = {name: found.attributes.get(name) for name in _SAME if name != but}
    return _differs(copied, {**same, **values})
