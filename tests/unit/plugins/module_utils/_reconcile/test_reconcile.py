# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a wish to a token in memory: twice is once, and check mode foretells what is done."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.difference import differences
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import reconcile
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import SCENARIOS, WISH, ec_pair, present, session_with

CHANGES = {"generate", "set_attributes", "freeze", "destroy"}


def handles(session: MemorySession) -> set[int]:
    return {found.handle for found in session.objects}


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_twice_is_once_and_check_mode_foretells(name: str) -> None:
    pairs, wish = SCENARIOS[name]
    session = session_with(*pairs)
    before = list(session.objects)
    foretold = present(session, wish, check_mode=True)
    assert not CHANGES & set(session.calls) and session.objects == before
    first = present(session, wish)
    assert (first.changed, first.warnings) == (foretold.changed, foretold.warnings)
    assert first.changed is (name not in ("keep", "nothing", "prove"))
    assert first.before == foretold.before and first.after and foretold.after
    assert all(found in session.objects for found in first.after.objects)
    assert name == "keep" or differences(wish, first.after) == [] == differences(wish, foretold.after)
    methods = {"replace what only derives": "CKM_ECDH1_DERIVE", "change": None}
    assert first.proof.method == methods.get(name, "CKM_ECDSA")
    session.calls.clear()
    again = present(session, wish)
    assert (again.changed, again.after) == (False, first.after)
    assert not CHANGES & set(session.calls)


@pytest.mark.parametrize("check_mode", [True, False])
def test_absent(check_mode: bool) -> None:
    session = session_with(ec_pair(), ec_pair(label="other", handle=3))
    outcome = reconcile(session, WISH, "absent", check_mode)
    assert outcome.changed and outcome.before and outcome.after is None
    assert handles(session) == ({1, 2, 3, 4} if check_mode else {3, 4})
    assert reconcile(session, WISH, "absent", check_mode).changed is check_mode


def test_a_rival_of_another_host_wins() -> None:
    class Contested(MemorySession):
        def prove(self, wish: Wish, pair: KeyPair, passive: bool = False) -> Proof:
            if self.calls.count("generate") == 1:
                self.objects.extend(ec_pair(handle=50).objects)
                self.keys.of[51] = private_key("secp256r1", 50)
            return super().prove(wish, pair, passive)

    session = Contested()
    outcome = present(session, WISH)
    assert not outcome.changed and handles(session) == {50, 51}
    assert outcome.after and {found.handle for found in outcome.after.objects} == {50, 51}


def test_a_race_that_is_never_won() -> None:
    class Hopeless(MemorySession):
        def prove(self, wish: Wish, pair: KeyPair, passive: bool = False) -> Proof:
            self.objects.append(ec_pair(handle=50).public)
            return super().prove(wish, pair, passive)

        def destroy(self, found: TokenObject) -> None:
            super().destroy(found)
            self.objects[:] = [one for one in self.objects if one.handle != 50]

    session = Hopeless()
    assert refusal(lambda: present(session, WISH)) == (
        "Could not generate the ECC key pair 'root' on the token 'memory': 5 times another host generated a pair of the"
        " same name at the same moment. Nothing of this task's is left; run it on one host."
    )


def test_a_session_pair_is_always_new() -> None:
    session, wish = session_with(ec_pair()), dataclasses.replace(WISH, session=True)
    assert present(session, wish, check_mode=True).changed and handles(session) == {1, 2}
    outcome = present(session, wish)
    assert outcome.changed and outcome.before is None and outcome.after and outcome.proof.method == "CKM_ECDSA"
    assert outcome.after.private.attributes["token"] is False and len(session.objects) == 4
    taken = dataclasses.replace(wish, id=b"\x01")
    assert "its id belongs to" in refusal(lambda: present(session, taken))


def test_a_pair_that_fails_its_proof_is_removed_again() -> None:
    class Mixed(MemorySession):
        def generate(self, wish: Wish) -> KeyPair:
            pair = super().generate(wish)
            self.keys.of[pair.private.handle] = private_key("secp256r1", 99)
            return pair

    session = Mixed()
    message = refusal(lambda: present(session, WISH))
    assert message.startswith("The halves (public ec key, on secp256r1,")
    assert message.endswith("does not fit the public half. The new pair was removed again.")
    assert session.objects == []


def test_a_token_that_makes_it_otherwise() -> None:
    class Careless(MemorySession):
        def generate(self, wish: Wish) -> KeyPair:
            made = super().generate(wish)
            self.objects[-1] = dataclasses.replace(
                made.private, attributes={**made.private.attributes, "extractable": True}
            )
            return KeyPair(made.publics, (self.objects[-1],))

    session = Careless()
    assert refusal(lambda: present(session, dataclasses.replace(WISH, extractable=False))) == (
        "Could not generate the ECC key pair 'root' on the token 'memory': the token made it otherwise, private half's"
        " extractable is true, wished false. Leave out what the token does not have. The new pair was removed again."
    )
    assert session.objects == []


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("check_mode", [True, False])
def test_a_write_protected_token(state: str, check_mode: bool) -> None:
    session = session_with(*([ec_pair()] if state == "absent" else []))
    session.write_protected = True
    verb = "generate" if state == "present" else "remove"
    assert refusal(lambda: reconcile(session, WISH, state, check_mode)) == (
        f"Refused to {verb} the ECC key pair 'root' on the token 'memory': the token is write-protected."
    )
    assert not reconcile(session, WISH, "absent" if state == "present" else "present", check_mode).changed


def test_what_is_asked_of_the_proof() -> None:
    unproven = present(session_with(), dataclasses.replace(WISH, verify=False))
    assert (unproven.proof, unproven.warnings) == (Proof(None, "verify is false"), ())
    session = session_with()
    session.keys.mechanisms = frozenset()
    made = present(session, WISH)
    assert made.proof.reason == "the token has no mechanism for it that can be checked outside"
    assert made.warnings == (
        "Could not prove the ECC key pair 'root' on the token 'memory', which is new: the token has no mechanism for it"
        " that can be checked outside.",
    )
    assert present(session, WISH).warnings == ()
    other, of_session = session_with(), dataclasses.replace(WISH, session=True)
    other.keys.mechanisms = frozenset()
    assert present(other, of_session, check_mode=True).warnings == ()
    assert present(other, of_session).warnings == made.warnings
    message = refusal(lambda: present(session, dataclasses.replace(WISH, verify=True)))
    assert message == (
        "Could not prove the ECC key pair 'root' on the token 'memory': the token has no mechanism for it that can be"
        " checked outside."
    )


@pytest.mark.parametrize(("check_mode", "state"), [(False, "present"), (False, "absent"), (True, "absent")])
def test_a_half_that_only_an_id_joins_is_proven_before_it_is_touched(check_mode: bool, state: str) -> None:
    stranger = ec_pair(public={"label": "renamed"})
    session = session_with(stranger)
    session.keys.of[2] = private_key("secp256r1", 99)
    message = refusal(lambda: reconcile(session, WISH, state, check_mode))
    assert "do not belong together" in message and session.objects == list(stranger.objects)
    own = session_with(ec_pair(public={"label": "renamed"}))
    assert reconcile(own, WISH, state, check_mode).changed
    unprovable = session_with(ec_pair(public={"label": "renamed"}, private={"sign": False}))
    if not check_mode:
        pair = KeyPair((unprovable.objects[0],), (unprovable.objects[1],))
        assert refusal(lambda: reconcile(unprovable, WISH, state, check_mode)) == (
            f"Refused to touch the ECC key pair 'root' on the token 'memory': only their id joins the halves {pair},"
            " and that they belong together cannot be proven (the private key may neither sign, decrypt nor derive"
            " with a mechanism that can be checked outside). Name them by label or id."
        )


def test_a_pair_that_another_host_has_finished_meanwhile_is_not_changed() -> None:
    """It was half a pair at the first look."""

    class Finished(MemorySession):
        def look_anew(self) -> None:
            super().look_anew()
            self.objects[:] = pair.objects

    pair = ec_pair()
    session = session_with(pair, kind=Finished)
    session.objects.pop()
    outcome = present(session, WISH)
    assert not outcome.changed and outcome.after == pair


def test_a_replacement_that_was_broken_off() -> None:
    wish = dataclasses.replace(WISH, on_mismatch="replace")
    label = "replacement " + hashlib.sha256(b"the ECC key pair 'root'").hexdigest()[:16]
    new, old = ec_pair(label=label, id=b"9", handle=5), ec_pair("secp384r1")
    session = session_with(old, new)
    for check_mode in (True, False):
        assert refusal(lambda: present(session, wish, check_mode)) == (  # noqa: B023
            "Refused to touch the ECC key pair 'root' on the token 'memory': a replacement of it was broken off, or"
            f" another host is at it: the old pair is there, and beside it the new one, {new}. If no other host is at"
            f" it, remove the new one (state=absent, label '{label}')."
        )
        assert len(session.objects) == 4
    session = session_with(new)
    assert present(session, wish, check_mode=True).changed and session.objects == list(new.objects)
    outcome = present(session, wish)
    assert outcome.changed and outcome.proof.method == "CKM_ECDSA" and "check_generation" not in session.calls
    assert [(found.label, found.handle) for found in session.objects] == [("root", 5), ("root", 6)]
    other = session_with(ec_pair("secp384r1", label=label, handle=5))
    assert "it is not as wished (curve is secp384r1, wished secp256r1)" in refusal(lambda: present(other, wish))
    second = ec_pair(label=label, id=b"8", handle=7)
    several = session_with(new, second)
    assert "it is not one pair, " in refusal(lambda: present(several, wish))
    assert several.objects == [*new.objects, *second.objects]
