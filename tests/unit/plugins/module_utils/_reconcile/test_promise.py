# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The promise as a state machine: tasks of ours and other programs act on one token in any order.

What must hold is known without the collection: no key goes that was not named, no name gets two pairs by a task, and
nothing is said that is not so. Which key an object is, the token in memory knows of every object, also of the private
half of an EC key, which tells nobody.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.entries import entries_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import LOGIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.key_groups import KEY
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.many import reconcile_many
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import Outcome, reconcile
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import public_key
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import HALVES, PRIVATE, PUBLIC, SECRET
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, InputError
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.key import task_from
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import SPKI, pair_of, private_key
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.promise import (
    CHANGES,
    IDS,
    KINDS,
    LABELS,
    Given,
    Names,
    Row,
    absent,
    names,
    nothing_unnamed,
    present,
)
from ansible_collections.cryptoki.hsm.tests.support.task_options import list_params, taken, wished


class Promise(RuleBasedStateMachine):
    """One token, and everybody at it."""

    def __init__(self) -> None:
        super().__init__()
        self.session = MemorySession()

    # ---- what is there ----

    def rows(self) -> collections.Counter[Row]:
        return collections.Counter(self.row(found) for found in self.session.objects)

    def row(self, found: TokenObject) -> Row:
        if found.half == SECRET:
            key = f"secret {found.handle}"
        elif found.half == PUBLIC:
            key = str(found.fingerprint)
        else:
            key = public_key.fingerprint(self.session.keys.of[found.handle].public_key().public_bytes(*SPKI))
        family = "rsa" if found.key_type == "rsa" else "ecc"
        return Row(found.half, key, family, found.label, found.id, repr(sorted(found.attributes.items())))

    def some(self, number: int) -> TokenObject:
        """One of the objects."""
        return self.session.objects[number % len(self.session.objects)]

    def put(self, found: TokenObject, key: t.Any) -> None:
        self.session.objects.append(found)
        if found.half == PRIVATE:
            self.session.keys.of[found.handle] = key

    def new_handle(self) -> int:
        return next(self.session._handles)

    # ---- other programs ----

    @rule(
        kind=st.sampled_from(KINDS),
        label=st.sampled_from(LABELS),
        id=st.sampled_from(IDS),
        halves=st.sampled_from([HALVES, HALVES, HALVES, (PUBLIC,), (PRIVATE,)]),
    )
    def others_add_a_pair(self, kind: str, label: str, id: bytes, halves: t.Sequence[str]) -> None:  # noqa: A002
        handle = self.new_handle()
        self.new_handle()
        key = private_key(kind, handle)
        pair = pair_of(key, {"sign": True}, {"verify": True}, handle, label=label, id=id)
        for found in pair.objects:
            if found.half in halves:
                self.put(found, key)

    there = precondition(lambda self: bool(self.session.objects))

    @there
    @rule(number=st.integers(0, 20), half=st.sampled_from(HALVES))
    def others_add_a_half_of_that_name(self, number: int, half: str) -> None:
        """A stranger's half, with the label and the id of another object."""
        beside = self.some(number)
        handle = self.new_handle()
        self.new_handle()
        key = private_key("2048" if beside.key_type == "rsa" else "secp256r1", handle)
        pair = pair_of(key, {"sign": True}, {"verify": True}, handle, label=beside.label, id=beside.id)
        self.put(pair.half(half), key)  # type: ignore[arg-type]

    @there
    @rule(number=st.integers(0, 20))
    def others_copy_an_object(self, number: int) -> None:
        found = self.some(number)
        self.put(dataclasses.replace(found, handle=self.new_handle()), self.session.keys.of.get(found.handle))

    @there
    @rule(
        number=st.integers(0, 20),
        name=st.one_of(
            st.fixed_dictionaries({"label": st.sampled_from(LABELS)}),
            st.fixed_dictionaries({"id": st.sampled_from(IDS)}),
        ),
    )
    def others_rename_an_object(self, number: int, name: Given) -> None:
        found = self.some(number)
        index = self.session.objects.index(found)
        self.session.objects[index] = dataclasses.replace(found, attributes={**found.attributes, **name})

    @there
    @rule(number=st.integers(0, 20))
    def others_remove_an_object(self, number: int) -> None:
        self.session.objects.remove(self.some(number))

    @rule(label=st.sampled_from(LABELS), id=st.sampled_from(IDS))
    def others_add_a_secret_key(self, label: str, id: bytes) -> None:  # noqa: A002
        values: Given = {"class": "secret_key", "key_type": "aes", "label": label, "id": id, "token": True}
        self.put(TokenObject(self.new_handle(), SECRET, values), None)

    @rule(label=st.sampled_from(LABELS), id=st.sampled_from(IDS))
    def others_add_a_certificate(self, label: str, id: bytes) -> None:  # noqa: A002
        self.session.certified.append(Certificate(self.new_handle(), label, id, b""))

    # ---- tasks ----

    @rule(task=st.one_of(present(), present(), absent()), fingerprint=st.one_of(st.none(), st.integers(0, 20)))
    def we_bring_a_pair(self, task: tuple[str, Given], fingerprint: int | None) -> None:
        family, given = task
        if fingerprint is not None and self.session.objects and given.get("on_mismatch") != "replace":
            key = self.row(self.some(fingerprint)).key
            given = given if key.startswith("secret") else {**given, "fingerprint": key}
        state = given.get("state", "present")
        if state == "absent":
            given = {"label": None, "curve": None, "modulus_bits": None, **given}
        goes = state == "absent" or given.get("on_mismatch") == "replace"
        try:
            wish = wished(family, **given)  # type: ignore[arg-type]
        except InputError:
            return
        named = names(given, family, goes=goes)
        self.judged(named, given, lambda check_mode: [reconcile(self.session, wish, state, check_mode)])

    @there
    @rule(
        number=st.integers(0, 20),
        by=st.sampled_from(["label", "id_hex", "fingerprint", "both", "half"]),
        changes=CHANGES,
    )
    def we_change_a_key(self, number: int, by: str, changes: Given) -> None:
        found = self.some(number)
        row = self.row(found)
        given: Given = {"label": found.label, "id_hex": found.id.hex(), "fingerprint": row.key}
        given = {name: value for name, value in given.items() if value and by in (name, "both", "half")}
        if by in ("both", "half"):
            given.pop("fingerprint", None)
        if "\0" in str(found.label) or not given or row.key.startswith("secret"):
            return
        named = names(given, goes=changes.get("state") == "absent", half=found.half if by == "half" else None)
        options = {**given, **changes}
        if by == "half":
            options["object_class"] = f"{found.half}_key"
            uri = [f"type={found.half}"]
            uri += [f"id={''.join(f'%{byte:02x}' for byte in found.id)}"] if found.id else []
            uri += ["object=" + "".join(f"%{byte:02x}" for byte in str(found.label).encode())] if found.label else []
            options = {"uri": "pkcs11:" + ";".join(uri), **changes}
        try:
            task = task_from(taken(LOGIN + KEY, options))
        except InputError:
            return
        self.judged(named, options, lambda check_mode: task.bring(self.session, check_mode))

    @rule(tasks=st.lists(st.one_of(present(), absent()), min_size=2, max_size=4), parallel=st.just(1))
    def we_bring_many_pairs(self, tasks: list[tuple[str, Given]], parallel: int) -> None:
        given = [{**entry, "type": family} for family, entry in tasks]
        for entry in given:
            entry.pop("verify", None)
        try:
            entries = entries_from(list_params(*given))
        except InputError:
            return
        before = self.rows()
        every = reconcile_many(self.session, entries, False, parallel, lambda done: None)
        after = self.rows()
        goes = [
            names(entry, entry["type"], goes=True)
            for entry in given
            if entry.get("state") == "absent" or entry.get("on_mismatch") == "replace"
        ]
        touched = [names(entry, entry["type"]) for entry in given]
        nothing_unnamed(before, after, goes, touched, str(given))
        if all(done.outcome for done in every):
            changed = any(done.outcome.changed for done in every if done.outcome)
            assert changed is (before != after), given

    # ---- what must hold ----

    def judged(self, named: Names, given: Given, work: t.Callable[[bool], list[Outcome]]) -> None:
        """The task in check mode, and then in earnest."""
        before, certified = self.rows(), list(self.session.certified)
        foretold, error = self.outcomes(work, True)
        assert self.rows() == before, f"check mode changed something: {given}"
        done, error = self.outcomes(work, False)
        after = self.rows()
        self.certificates_stay(certified, before, after, f"{given} {error}")
        event("failed" if done is None else "changed" if before != after else "unchanged")
        nothing_unnamed(before, after, [named] if named.goes else [], [named], f"{given} {error}")
        if done is None:
            assert before == after, f"failed, and something changed: {given}: {error}"
            return
        assert any(one.changed for one in done) is (before != after), f"changed is not so: {given}"
        assert foretold is None or [one.changed for one in foretold] == [one.changed for one in done], given
        self.ended(named, given, done, after)

    def certificates_stay(
        self,
        certified: list[Certificate],
        before: collections.Counter[Row],
        after: collections.Counter[Row],
        told: str,
    ) -> None:
        """No task says what becomes of them: none is touched, and no private key goes or gets another id beside one."""
        assert self.session.certified == certified, f"a certificate was touched: {told}"
        gone = {row.id for row in before - after if row.half == PRIVATE} - {row.id for row in after}
        beside = gone & {one.id for one in certified} - {b""}
        assert not beside, f"the key of a certificate went or has another id: {beside}; {told}"

    def outcomes(
        self, work: t.Callable[[bool], list[Outcome]], check_mode: bool
    ) -> tuple[list[Outcome] | None, HsmError | None]:
        try:
            return work(check_mode), None
        except HsmError as error:
            return None, error

    def ended(self, named: Names, given: Given, done: t.Sequence[Outcome], after: collections.Counter[Row]) -> None:
        """A success is so."""
        if given.get("state") == "absent":
            left = [row for row in after.elements() if named.fit(row) and row.half != SECRET]
            if named.fingerprint:  # which a private EC key does not tell
                left = [row for row in left if row.half == PUBLIC or row.family == "rsa"]
            assert not left, f"said to be absent: {left}; {given}"
        for outcome in done:
            if given.get("state") == "absent" or outcome.after is None or not outcome.after.whole:
                continue
            told = [self.row(found) for found in outcome.after.objects]
            assert all(after[row] == 1 for row in told), f"told of what is not there: {told}; {given}"
            # A public half that is not the private half's own is a failure, where the task neither names it by its
            # fingerprint nor leaves the proof out; `hsm_key` takes what is joined by its id.
            unproven = given.get("verify") is False or "fingerprint" in given or named.family is None
            assert unproven or len({row.key for row in told}) == 1, f"said to be a pair: {told}; {given}"


TestPromise = Promise.TestCase
TestPromise.settings = settings(stateful_step_count=20)
