# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done to a pair on a token: generate, change, remove. Each leaves nothing half-made, or names it."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import (
    difference,
    expectation,
    keypair,
    session,
    strict_token,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Action, Plan, Step
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.proof import unprovable
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import work
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors

# What a copy has in common with its original, beside what is changed in it.
_SAME = ("class", "key_type", "label", "id", "token", "modulus", "public_exponent", "ec_params", "ec_point")
_NOTHING_CHANGED = "Nothing was changed."
_COPY_REMOVED = "The copy was removed again."


class Actions(work.Work):
    """What may be done once it is decided."""

    def destroy(self, pair: keypair.KeyPair) -> None:
        """Removes the private half first: should it be refused, the pair is still whole."""
        left = list(pair.objects)
        for found in (*pair.privates, *pair.publics):
            try:
                self.session.destroy(found)
            except errors.TokenError as error:
                if error.ckr != session.NOT_THERE:  # else another host was faster
                    verb = "may remain" if error.remains or error.lost else "remains"
                    raise error.at(f"remove {self.where}", f"What {verb}: {work.listed(left, ' and ')}.") from None
            left.remove(found)

    def generate(self, alone: bool = False) -> work.Staged[tuple[keypair.KeyPair, session.Proof]]:
        """A new pair that is as wished and proven; `alone`: and the only one of its name. Otherwise nothing is left."""
        pair = self.session.generate(self.wish)
        try:
            rows = expectation.dishonoured(self.wish, pair, self.session.facts)
            if rows and not strict_token.stands(self.wish, pair, rows):
                why = f"the token made it otherwise, {work.listed(rows, '; ')}"
                raise self.failed("generate", why, "Leave out what the token does not have.")
            proof = self.prove_new(pair)
            if rows:
                told = f"The token made {self.where} stricter than the default: {work.listed(rows, '; ')}."
                proof = dataclasses.replace(proof, warning=" ".join(filter(None, (told, proof.warning))))
            self.session.await_servers(self.wish, pair)
            if alone:
                yield
                self._refuse_rival(pair)
        except (errors.HsmError, work.RaceLost) as error:
            self.take_back(pair, error)
        except Exception:  # a bug of ours: it is reported as one, and leaves no pair either
            with contextlib.suppress(errors.HsmError):
                if self._is_own(pair):
                    self.destroy(pair)
            raise
        return self.freeze(pair), proof

    def prove_new(self, pair: keypair.KeyPair) -> session.Proof:
        """The proof of a new pair, as far as the option `verify` asks for it."""
        return session.Proof(None, "verify is false") if self.wish.verify is False else self.proof(pair)

    def _refuse_rival(self, pair: keypair.KeyPair) -> None:
        """Looks again: a pair of the same name that another host made meanwhile wins, whoever was first."""
        there = self.find()
        if not there:
            what = f"find {self.wish} again on the token '{self.session.token_name}' after generating it"
            raise errors.HsmError.failed(what, str(pair))
        if not work.is_clear(there) or there[0].fingerprint != pair.fingerprint:
            raise work.RaceLost

    def _is_own(self, pair: keypair.KeyPair) -> bool:
        """Whether a new pair carries the id that was drawn for it or told: nothing else is destroyed by its handle."""
        one_name = (self.wish.label or "").encode() if self.session.facts.label_is_id else None
        told = self.wish.id or self.wish.drawn_id or one_name
        ids = {found.id for found in pair.objects}
        return ids == {told} if told else self.session.facts.id_length > 0 and len(ids) == 1 and ids != {b""}

    def take_back(self, pair: keypair.KeyPair, error: errors.HsmError | work.RaceLost) -> t.NoReturn:
        """Destroys the pair that this task made, and raises `error` again; what cannot be destroyed is named."""
        try:
            if not self._is_own(pair):
                remains = f"What it left is not removed, because no id tells it from others' keys: {pair}."
                raise errors.HsmError(remains)
            self.destroy(pair)
        except errors.HsmError as undo:
            if undo.lost:  # who reaches the token again looks for what remains
                raise error from None
            data = error.data if isinstance(error, errors.HsmError) else undo.data
            raise errors.HsmError(f"{error} {undo}" if str(error) else str(undo), **data) from None
        if isinstance(error, work.RaceLost):
            raise error
        raise errors.HsmError(f"{error.msg} The new pair was removed again.", **error.data) from None

    # Freezing

    def freeze(self, pair: keypair.KeyPair) -> keypair.KeyPair:
        """Sets modifiable, copyable and destroyable to false, after every check: nothing can be taken back then."""
        for half in (attributes.PRIVATE, attributes.PUBLIC):
            values = self.wish.freezing(half)
            if values:
                try:
                    pair = pair.with_half(self._freeze_half(pair, half, values))
                except errors.TokenError as error:
                    attempt = f"set {' and '.join(values)} to false for {self.where}"
                    raise error.at(attempt, f"The pair is there: {pair.half(half)}.") from None
        rows = difference.differences(self.wish, pair)
        if rows:
            raise self.failed("finish", work.listed(rows, "; "), f"The pair is there: {pair}.")
        return pair

    def check_freezing(self, plan: Plan) -> None:
        """Refuses, before anything is done, to copy a private half that nothing could show to be a copy then."""
        values = _to_freeze(self.wish, plan)
        if not (values and self.session.freezes_by_copy):
            return
        pair = expectation.predicted(self.wish, plan, self.session.facts)
        if pair and pair.private.key_type != "rsa":
            reason = unprovable(self.wish, pair.private.attributes) or self.session.barred(pair)
            if plan.steps and not (pair.whole and pair.spki):
                reason = reason or "its public key is not told"
            if reason:
                why = f"that takes a copy of the private half, and that it is whole cannot be proven: {reason}"
                raise self.refused(f"set {' and '.join(values)} to false for", why)

    def _freeze_half(
        self, pair: keypair.KeyPair, half: attributes.Half, values: t.Mapping[str, bool]
    ) -> keypair.TokenObject:
        """The half in place, or a copy of it that is the same key; the original goes when that is sure."""
        found = pair.half(half)
        if self.session.freezes_by_copy:
            self._prove_copied(pair, found)  # what cannot be proven now cannot be as a copy, which may have to stay
        try:
            frozen = self.session.freeze(found, values)
        except errors.TokenError as error:
            raise error.at(error.attempt, self._beside(found)) from None
        if frozen.handle == found.handle:
            return frozen
        try:
            self._check_copy(pair, frozen, values)
        except errors.TokenError as error:
            raise error.at(error.attempt, self._without_copy(found, frozen)) from None
        try:
            self.session.destroy(found)
        except errors.TokenError as error:
            raise error.at(error.attempt, f"Beside it is its copy, {frozen}.") from None
        return frozen

    def _check_copy(self, pair: keypair.KeyPair, frozen: keypair.TokenObject, values: t.Mapping[str, bool]) -> None:
        """That a copy is the same key, changed as it should be; of a private half by a proof, too."""
        found = pair.half(t.cast("attributes.Half", frozen.half))
        rows = _copy_differences(found, frozen, values)
        if rows:
            raise errors.TokenError(
                f"copy {found}", said=f"with something else, {frozen}: {work.listed(rows, '; ')}", hint=""
            )
        self._prove_copied(pair, frozen)

    def _prove_copied(self, pair: keypair.KeyPair, found: keypair.TokenObject) -> None:
        """A proof of a private half, or of its copy, as far as one is needed: an RSA key can be compared as well."""
        told = found.attributes.get("modulus") and found.attributes.get("public_exponent")
        if found.half == attributes.PUBLIC or (
            told and (found in pair.objects or self.wish.verify is False or not pair.whole)
        ):
            return
        attempt, proof = f"copy {found}", session.Proof(None, "its other half is not there")
        try:
            if pair.whole:
                proof = self.session.prove(self.wish, pair.with_half(found))
        except errors.TokenError:
            raise
        except errors.HsmError as error:
            said = f"with a key that is not that of the pair ({error.msg.rstrip('.')})"
            raise errors.TokenError(attempt, said=said, hint="") from None
        if proof.method is None and not told:
            raise errors.TokenError(attempt, said=f"with a key that cannot be proven ({proof.reason})", hint="")

    def _without_copy(self, found: keypair.TokenObject, copied: keypair.TokenObject) -> str:
        """Removes a copy that is not as it should be, while the original is seen; the answer tells what remains."""
        own = found.id and not _copy_differences(found, copied, {}, but="token")
        try:
            if own and self.session.read(found).id == found.id:
                self.session.destroy(copied)
                return _COPY_REMOVED
        except errors.TokenError as error:
            return f"Beside it is its copy, {copied}. It is not removed: {error.msg}"
        return f"It is left as it is: {copied}."

    def _beside(self, found: keypair.TokenObject) -> str:
        """What a copy without an answer may have left: an object of the same name."""
        names: dict[str, t.Any] = {"label": found.label, "id": found.id or None}
        if not (self.session.freezes_by_copy and any(names.values())):
            return ""
        try:
            there = self.session.find(session.Query(found.half, **names))
        except errors.TokenError as error:
            return f"Whether a copy is left is not known ({error.ckr or error.said})."
        others = [other for other in there if other.handle != found.handle]
        return f"Beside it is {work.listed(others, ' and ')}." if others else ""

    # Changing

    def change(self, pair: keypair.KeyPair, steps: t.Sequence[Step]) -> keypair.KeyPair:
        """Makes the changes; if one is refused or only pretended, they are undone as far as they can be."""
        original, number = pair, 0
        for number, step in enumerate(steps, 1):
            try:
                pair = pair.with_half(self._change_half(pair, step))
            except errors.TokenError as error:
                told = self._undo(original, pair, steps[:number])
                if step.kind is not attributes.Changeable.BY_COPY:
                    error.remains = ""  # it was looked at since
                elif told == _NOTHING_CHANGED and error.remains not in ("", _COPY_REMOVED):
                    told = ""
                raise error.at(f"change {self.where}", told) from None
            if step.kind is not attributes.Changeable.SHARING and _differs(pair.half(step.half), step.values):
                break
        rows = difference.differences(self.wish, pair)
        if rows:
            why = f"the token took the change and did not make it, {work.listed(rows, '; ')}"
            raise self.failed("change", why, self._undo(original, pair, steps[:number]))
        return pair

    def _change_half(self, pair: keypair.KeyPair, step: Step) -> keypair.TokenObject:
        found = pair.half(step.half)
        if step.kind is attributes.Changeable.SHARING:
            return self.session.share(found, self.wish.users(found.sharing.shared_with if found.sharing else ()))
        if step.kind is attributes.Changeable.BY_COPY:
            return self._freeze_half(pair, step.half, t.cast("dict[str, bool]", step.values))
        return self.session.set_attributes(found, step.values)

    def _undo(self, original: keypair.KeyPair, pair: keypair.KeyPair, steps: t.Sequence[Step]) -> str:
        """Looks at what was changed, whatever was answered, and puts it back; the answer tells what stays."""
        left, unseen = [], []
        for step in steps:
            what = f"{step.half} half's {', '.join(step.values)}"
            try:
                now = self.session.read(pair.half(step.half))
                if not self._set_back(original.half(step.half), now, step):
                    left.append(what)
            except errors.HsmError as error:
                unseen.append(f"{what} ({error.msg})")
        told = [f"What stays changed: {'; '.join(left)}."] if left else []
        if unseen:
            told.append(f"What may be changed and could not be looked at: {'; '.join(unseen)}.")
        return " ".join(told) or _NOTHING_CHANGED

    def _set_back(self, found: keypair.TokenObject, now: keypair.TokenObject, step: Step) -> bool:
        """Whether the half is as it was before the step, in the end; raises `HsmError` where that cannot be seen."""
        old = {name: found.attributes.get(name) for name in step.values}
        told = {name: value for name, value in old.items() if value is not None}
        if step.kind is attributes.Changeable.SHARING and found.sharing:
            if now.sharing != found.sharing:
                with contextlib.suppress(errors.HsmError):
                    self.session.share(now, found.sharing.shared_with)
                now = self.session.read(now)
            return now.sharing == found.sharing
        if _differs(now, old) and step.kind is attributes.Changeable.ANY and len(told) == len(old):
            with contextlib.suppress(errors.HsmError):
                self.session.set_attributes(now, told)
            now = self.session.read(now)
        if any(now.attributes.get(name) is None for name in old):
            raise errors.HsmError("the token does not tell it")
        return not _differs(now, old)

    def set_and_seen(self, found: keypair.TokenObject, values: t.Mapping[str, attributes.Value]) -> keypair.TokenObject:
        """Changes a half in place; that a token only pretends to is a failure, too."""
        now = self.session.set_attributes(found, values)
        rows = _differs(now, values)
        if rows:
            attempt = f"set {', '.join(values)} of the {found.half} key '{found.label}'"
            raise errors.TokenError(attempt, said=f"CKR_OK and did not do it, {work.listed(rows, '; ')}", hint="")
        return now

    def finish_freezing(self, pair: keypair.KeyPair) -> keypair.KeyPair | None:
        """Removes the original of a half that a killed run left beside its frozen copy; None if it is anything else."""
        if not self._may_be_finished(pair):
            return None
        half = attributes.PRIVATE if len(pair.privates) == 2 else attributes.PUBLIC
        values, there = self.wish.freezing(half), pair.all_of(half)
        frozen = [found for found in there if not _differs(found, values)]
        if not values or len(frozen) != 1 or not self._same_key(pair, there):
            return None
        original = there[1] if there[0] is frozen[0] else there[0]
        if _copy_differences(original, frozen[0], values):
            return None
        if not self.check_mode:
            self.destroy(keypair.KeyPair().with_half(original))
        return pair.with_half(frozen[0])

    def _may_be_finished(self, pair: keypair.KeyPair) -> bool:
        """Whether one half is there twice, with ids that are not refused afterwards."""
        if len({found.id for found in pair.objects}) > 1 and (pair.pairing == "id" or self.wish.id is not None):
            return False
        return len(pair.objects) == 3 and len(pair.halves) == 2

    def _same_key(self, pair: keypair.KeyPair, objects: t.Sequence[keypair.TokenObject]) -> bool:
        """Whether these are one key: by the public key that both tell, else by a proof of each with the other half."""
        if objects[0].spki:
            return objects[0].spki == objects[1].spki
        try:
            return all(self.session.prove(self.wish, pair.with_half(key), self.check_mode).method for key in objects)
        except errors.HsmError:
            return False


def _to_freeze(wish: Wish, plan: Plan) -> t.Mapping[str, attributes.Value]:
    """What a plan sets to false of a private half, in a copy."""
    if plan.action is not Action.CHANGE:
        return wish.freezing(attributes.PRIVATE)
    copied = {step.half: step.values for step in plan.steps if step.kind is attributes.Changeable.BY_COPY}
    return copied.get(attributes.PRIVATE, {})


def _differs(
    found: keypair.TokenObject, values: t.Mapping[str, attributes.Value | None]
) -> list[difference.Difference]:
    return difference.attribute_differences(t.cast("attributes.Half", found.half), found, values)


def _copy_differences(
    found: keypair.TokenObject, copied: keypair.TokenObject, values: t.Mapping[str, attributes.Value], but: str = ""
) -> list[difference.Difference]:
    """In what a copy is not the original with `values` changed."""
    same = {name: found.attributes.get(name) for name in _SAME if name != but}
    return _differs(copied, {**same, **values})
