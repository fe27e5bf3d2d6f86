# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What cannot be undone rests on what was checked, and is looked at afterwards, on a token in memory that lies."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.change import Change
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.difference import differences
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, Sharing, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VENDORS
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import (
    Reconciliation,
    finished,
    reconcile,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.replacement import Replacement
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC, Value
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key, without
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import WISH, ec_pair, handles, present, session_with

FROZEN = dataclasses.replace(WISH, private_attributes={"modifiable": False})
REPLACE = dataclasses.replace(WISH, on_mismatch="replace")


class Copying(MemorySession):
    """A token whose copies are as `lie` makes them; it gets the original and the copy."""

    lie: t.ClassVar[t.Callable[[t.Any, TokenObject, TokenObject], TokenObject]]

    def freeze(self, found: TokenObject, values: t.Mapping[str, bool]) -> TokenObject:
        copied = super().freeze(found, values)
        lied = type(self).lie(self, found, copied)
        self.objects[:] = [lied if one.handle == copied.handle else one for one in self.objects]
        return lied


def changed(**attributes: Value) -> t.Callable[..., TokenObject]:
    """A copy that has other attributes."""
    return lambda _token, _found, copied: dataclasses.replace(copied, attributes={**copied.attributes, **attributes})


def of_another_key(token: Copying, _found: TokenObject, copied: TokenObject) -> TokenObject:
    """A copy whose key is not that of the original."""
    token.keys.of[copied.handle] = private_key("secp256r1", 77)
    return copied


@pytest.mark.parametrize(
    ("lie", "told", "left"),
    [
        (changed(modifiable=True), "private half's modifiable is true, wished false. The copy was removed again.", 2),
        (changed(token=False), "private half's token is false, wished true. The copy was removed again.", 2),
        (of_another_key, "does not fit the public half). The copy was removed again.", 2),
        (changed(label="other"), "private half's label is other, wished root. It is left as it is: (private ec", 3),
        (changed(id=b"\x09"), "private half's id is 09, wished 01. It is left as it is: (private ec", 3),
        (changed(ec_params=b"\x06\x01\x00"), "It is left as it is: (private ec", 3),
    ],
)
@pytest.mark.parametrize("new", [True, False])
def test_a_copy_that_is_not_the_key(lie: t.Any, told: str, left: int, new: bool) -> None:
    """The original stays; a copy goes only where it carries the id and the label of the original."""
    kind = type("Lying", (Copying,), {"lie": lie})
    wish = dataclasses.replace(FROZEN, id=b"\x01")
    session = session_with(*([] if new else [ec_pair()]), kind=kind)
    message = refusal(lambda: present(session, wish))
    assert told in message
    assert len(session.objects) == left
    originals = session.objects[:2]
    assert not any("modifiable" in found.attributes and found.forbids("modifiable") for found in originals)
    assert ("Nothing was changed." in message) is (left == 2 and not new)


def test_a_copy_that_no_id_tells_from_other_keys_stays() -> None:
    kind = type("Lying", (Copying,), {"lie": of_another_key})
    session = session_with(ec_pair(id=b""), kind=kind)
    assert "It is left as it is: (private ec" in refusal(lambda: present(session, FROZEN))
    assert handles(session) == {1, 2, 100} and "destroy" not in session.calls


def test_a_copy_stays_where_the_original_is_not_seen_any_more() -> None:
    def instead(token: Copying, found: TokenObject, copied: TokenObject) -> TokenObject:
        token.objects.remove(found)
        return of_another_key(token, found, copied)

    session = session_with(ec_pair(), kind=type("Lying", (Copying,), {"lie": instead}))
    assert "It is not removed: Could not" in refusal(lambda: present(session, FROZEN))
    assert handles(session) == {1, 100}


def test_what_goes_one_way_is_not_asked_back() -> None:
    session = session_with(ec_pair(private={"extractable": True}))
    session.refused["freeze"] = "CKR_DEVICE_ERROR"
    message = refusal(lambda: present(session, dataclasses.replace(FROZEN, extractable=False)))
    assert message.endswith("What stays changed: private half's extractable.")
    assert session.calls.count("set_attributes") == 1


@pytest.mark.parametrize("verify", [None, True, False])
def test_only_whoever_wants_no_proof_goes_by_what_an_rsa_copy_tells(verify: bool | None) -> None:
    def other(token: Copying, _found: TokenObject, copied: TokenObject) -> TokenObject:
        token.keys.of[copied.handle] = private_key("2048", 77)
        return copied

    kind = type("Lying", (Copying,), {"lie": other})
    session = session_with(pair_of(private_key("2048", 0), {"sign": True}), kind=kind)
    wish = Wish("rsa", label="root", private_attributes={"modifiable": False}, verify=verify)
    if verify is False:
        assert present(session, wish).changed
    else:
        assert "does not fit the public half). The copy was removed again." in refusal(lambda: present(session, wish))


def test_an_rsa_copy_that_does_not_tell_its_exponent_is_proven() -> None:
    """Else nothing shows that it is the same key."""
    session = session_with(pair_of(private_key("2048", 0), {"sign": True}))
    session.objects[1] = without(session.objects[1], "public_exponent")
    session.keys.of[2] = private_key("2048", 77)
    wish = Wish("rsa", label="root", private_attributes={"modifiable": False}, verify=False)
    assert "does not fit the public half" in refusal(lambda: present(session, wish))
    assert len(session.objects) == 2 and "freeze" not in session.calls


@pytest.mark.parametrize("check_mode", [True, False])
def test_strangers_are_seen_before_what_cannot_be_taken_back(check_mode: bool) -> None:
    session = session_with(ec_pair(private={"extractable": True}))
    session.keys.of[2] = private_key("secp256r1", 77)
    wish = dataclasses.replace(FROZEN, extractable=False, verify=False)
    before = list(session.objects)
    assert "do not belong together" in refusal(lambda: present(session, wish, check_mode))
    assert session.objects == before and not {"set_attributes", "freeze"} & set(session.calls)


@pytest.mark.parametrize("check_mode", [True, False])
def test_strangers_are_seen_before_a_chosen_key_is_changed(check_mode: bool) -> None:
    pair = ec_pair(private={"extractable": True})
    session = session_with(pair)
    session.keys.of[2] = private_key("secp256r1", 77)
    chosen = Change("ecc", chosen="uri", chosen_exactly=True, extractable=False)
    wish = dataclasses.replace(chosen, private_attributes={"modifiable": False})
    work = Reconciliation(session, wish, check_mode)
    assert "do not belong together" in refusal(lambda: work.manage(pair, "present"))
    assert session.objects == [*pair.objects] and session.calls == ["prove"]


@pytest.mark.parametrize("verify", [None, False])
def test_a_check_does_not_give_the_pin_of_each_use(verify: bool | None) -> None:
    """The run does, before what cannot be taken back."""
    pair = ec_pair(private={"extractable": True, "always_authenticate": True})
    session = session_with(pair)
    session.keys.of[2] = private_key("secp256r1", 77)
    wish = dataclasses.replace(FROZEN, extractable=False, verify=verify)
    assert present(session, wish, True).changed and "prove" not in session.calls
    assert "do not belong together" in refusal(lambda: present(session, wish))
    assert session.objects == [*pair.objects] and "set_attributes" not in session.calls


def test_another_key_is_not_taken_for_a_frozen_copy() -> None:
    """Of neither half that shares the id does the token tell the public key."""
    pair = ec_pair()
    frozen = dataclasses.replace(pair.private, handle=9, attributes={**pair.private.attributes, "modifiable": False})
    for own, left in ((True, {1, 9}), (False, {1, 2, 9})):
        session = session_with(pair)
        session.objects.append(frozen)
        session.keys.of[9] = session.keys.of[2] if own else private_key("secp256r1", 77)
        if own:
            assert present(session, FROZEN).changed
        else:
            assert "Refused to touch" in refusal(lambda: present(session, FROZEN))  # noqa: B023
        assert handles(session) == left


def test_the_same_key_under_another_label_is_no_copy() -> None:
    pair = ec_pair()
    values = {**pair.private.attributes, "modifiable": False, "label": "other"}
    session = session_with(pair)
    session.objects.append(dataclasses.replace(pair.private, handle=9, attributes=values))
    session.keys.of[9] = session.keys.of[2]
    assert "Refused to touch" in refusal(lambda: present(session, dataclasses.replace(FROZEN, label=None, id=b"\x01")))
    assert handles(session) == {1, 2, 9}


def test_a_frozen_copy_of_an_rsa_half_is_known_by_its_public_key() -> None:
    session = session_with(pair_of(private_key("2048", 0)))
    (private,) = (found for found in session.objects if found.half == PRIVATE)
    frozen = {**private.attributes, "modifiable": False}
    session.objects.append(dataclasses.replace(private, handle=9, attributes=frozen))
    wish = Wish("rsa", label="root", private_attributes={"modifiable": False})
    assert present(session, wish).changed and handles(session) == {1, 9} and "prove" not in session.calls


def test_an_original_stays_where_its_pair_is_refused_afterwards() -> None:
    """The ids of the halves differ, and the task names one."""
    public, private = pair_of(private_key("2048", 0), {"sign": True}).objects
    public = dataclasses.replace(public, attributes={**public.attributes, "id": b"\x02"})
    frozen = dataclasses.replace(private, handle=9, attributes={**private.attributes, "modifiable": False})
    session = session_with(KeyPair((public,), (private, frozen)))
    wish = Wish("rsa", label="root", id=b"\x02", private_attributes={"modifiable": False})
    assert "3 RSA keys have that name" in refusal(lambda: present(session, wish))
    assert handles(session) == {1, 2, 9}


def test_only_one_half_is_taken_for_left_beside_its_copy() -> None:
    session = session_with(ec_pair())
    for found in list(session.objects):
        frozen = {**found.attributes, "modifiable": False}
        session.objects.append(dataclasses.replace(found, handle=found.handle + 10, attributes=frozen))
    session.keys.of[12] = session.keys.of[2]
    assert "Refused to touch" in refusal(lambda: present(session, FROZEN))
    assert handles(session) == {1, 2, 11, 12} and "destroy" not in session.calls


@pytest.mark.parametrize("made", [True, False])
def test_what_a_copy_without_an_answer_left_is_told(made: bool) -> None:
    class Silent(MemorySession):
        def freeze(self, found: TokenObject, values: t.Mapping[str, bool]) -> TokenObject:
            if made:
                super().freeze(found, values)
            raise TokenError("copy", "CKR_DEVICE_ERROR")

    session = session_with(ec_pair(), kind=Silent)
    message = refusal(lambda: present(session, FROZEN))
    assert (f"Beside it is {session.objects[-1]}." in message) is made and ("Beside it" in message) is made


def test_a_token_that_answers_with_another_key_of_its_own() -> None:
    """That key is not destroyed, and the copy that was made is told."""

    class Confused(Copying):
        def freeze(self, found: TokenObject, values: t.Mapping[str, bool]) -> TokenObject:
            super().freeze(found, values)
            return next(one for one in self.objects if one.label == "other" and one.half == found.half)

        lie = changed()

    session = session_with(ec_pair(), ec_pair(label="other", id=b"\x02", handle=3), kind=Confused)
    message = refusal(lambda: present(session, FROZEN))
    assert "private half's label is other, wished root" in message and handles(session) == {1, 2, 3, 4, 100}
    assert session.calls.count("destroy") == 0


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_an_ec_key_that_cannot_be_proven_is_not_copied(check_mode: bool, there: bool) -> None:
    session = session_with(*([ec_pair(private={"sign": False})] if there else []))
    before = list(session.objects)
    message = refusal(lambda: present(session, dataclasses.replace(FROZEN, usage=()), check_mode))
    assert message.startswith("Refused to set modifiable to false for the ECC key pair 'root'")
    assert session.objects == before


def test_a_key_that_no_mechanism_can_prove_is_not_copied() -> None:
    """A copy that may not be destroyed could not be taken back."""
    session = session_with(ec_pair())
    session.keys.mechanisms = frozenset()
    before = list(session.objects)
    message = refusal(lambda: present(session, dataclasses.replace(WISH, private_attributes={"destroyable": False})))
    assert "with a key that cannot be proven (the token has no mechanism for it" in message
    assert message.endswith("Nothing was changed.") and session.objects == before and "freeze" not in session.calls


def test_a_lone_ec_half_is_not_copied() -> None:
    pair = ec_pair()
    session = session_with(KeyPair(privates=pair.privates))
    wish = Change("ecc", chosen="uri", chosen_exactly=True, private_attributes={"modifiable": False})
    told = refusal(lambda: Reconciliation(session, wish).manage(KeyPair(privates=pair.privates), "present"))
    assert told.endswith("cannot be proven: its public key is not told.") and handles(session) == {2}


def test_a_lone_rsa_half_that_tells_its_key_is_copied() -> None:
    pair = pair_of(private_key("2048", 0), {"sign": True})
    session = session_with(KeyPair(privates=pair.privates))
    wish = Change("rsa", chosen="uri", chosen_exactly=True, private_attributes={"modifiable": False})
    assert Reconciliation(session, wish).manage(KeyPair(privates=pair.privates), "present").changed
    assert "prove" not in session.calls and handles(session) == {100}


class Elsewhere(MemorySession):
    """A token that answers a generation with a pair that was there before."""

    def generate(self, wish: Wish) -> KeyPair:
        super().generate(wish)
        return KeyPair((self.objects[0],), (self.objects[1],))


def test_another_pair_instead_of_the_new_one_is_not_destroyed() -> None:
    session = session_with(ec_pair(label="other", id=b"\x07"), kind=Elsewhere)
    message = refusal(lambda: present(session, dataclasses.replace(WISH, id=b"\x01")))
    assert "because no id tells it from others' keys: (public ec key" in message
    assert {1, 2} < handles(session) and "destroy" not in session.calls


class Mistaken(MemorySession):
    """A token whose answer to a generation has halves of another host's new pair."""

    others: t.Collection[str] = (PRIVATE,)
    bug = False

    def generate(self, wish: Wish) -> KeyPair:
        made, other = super().generate(wish), ec_pair(handle=51, id=b"\x07")
        self.objects += other.objects
        self.keys.of[52] = private_key("secp256r1", 51)
        public, private = ((other if half in self.others else made).all_of(half) for half in (PUBLIC, PRIVATE))
        return KeyPair(public, private)

    def prove(self, wish: Wish, pair: KeyPair, passive: bool = False) -> Proof:
        if self.bug:
            raise ZeroDivisionError
        return super().prove(wish, pair, passive)


@pytest.mark.parametrize("id_", [None, b"\x01"])
@pytest.mark.parametrize("half", [PRIVATE, PUBLIC])
def test_one_half_of_another_pair_is_not_destroyed(half: str, id_: bytes | None) -> None:
    session = Mistaken()
    session.others = (half,)
    assert "is not removed, because no id tells" in refusal(lambda: present(session, dataclasses.replace(WISH, id=id_)))
    assert {51, 52} < handles(session) and "destroy" not in session.calls


def test_a_bug_destroys_no_other_pair() -> None:
    """After it, too, only what is surely the new pair goes."""
    session = Mistaken()
    session.others, session.bug = (PUBLIC, PRIVATE), True
    with pytest.raises(ZeroDivisionError):
        present(session, dataclasses.replace(WISH, drawn_id=b"drawn"))
    assert {51, 52} < handles(session) and "destroy" not in session.calls


def test_an_id_that_the_device_drew_tells_nothing() -> None:
    session = Mistaken(facts=VENDORS["yubihsm"])
    session.others, session.refused["prove"] = (PUBLIC, PRIVATE), "CKR_DEVICE_ERROR"
    assert "What it left is not removed" in refusal(lambda: present(session, WISH))
    assert {51, 52} < handles(session) and "destroy" not in session.calls


def test_the_public_half_is_not_frozen_where_the_private_one_cannot_be() -> None:
    class Refusing(MemorySession):
        def freeze(self, found: TokenObject, values: t.Mapping[str, bool]) -> TokenObject:
            if found.half == PRIVATE:
                raise TokenError("copy", "CKR_DEVICE_ERROR")
            return super().freeze(found, values)

    session = Refusing()
    wish = dataclasses.replace(FROZEN, public_attributes={"modifiable": False})
    assert "The pair is there: (private ec key" in refusal(lambda: present(session, wish))
    assert [found.forbids("modifiable") for found in session.objects] == [False, False]


def test_a_new_pair_that_too_few_servers_have_goes_again() -> None:
    class Lagging(MemorySession):
        def await_servers(self, wish: Wish, pair: KeyPair, patient: bool = True) -> None:
            raise HsmError("Too few have it.")

    session = Lagging()
    assert refusal(lambda: present(session, WISH)) == "Too few have it. The new pair was removed again."
    assert not session.objects


def test_what_has_no_drawn_id_is_not_destroyed() -> None:
    """A vendor's device that draws ids itself."""
    session = MemorySession(facts=VENDORS["yubihsm"])
    session.refused["prove"] = "CKR_DEVICE_ERROR"
    message = refusal(lambda: present(session, WISH))
    assert "CKR_DEVICE_ERROR" in message and "What it left is not removed" in message
    assert len(session.objects) == 2 and all(str(found) in message for found in session.objects)


class Lost(MemorySession):
    """A token whose answers to some changes are lost: `at` counts them, and `when` is before or after the change."""

    at: t.Collection[int] = ()
    when = "after"
    changes = 0

    def set_attributes(self, found: TokenObject, values: t.Mapping[str, Value]) -> TokenObject:
        self.changes += 1
        fails = self.changes in self.at
        if not (fails and self.when == "before"):
            now = super().set_attributes(found, values)
        if fails:
            raise TokenError("set", "CKR_DEVICE_ERROR")
        return now


@pytest.mark.parametrize("sharing", [None, Sharing("me")])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", [1, 2])
def test_a_change_whose_answer_is_lost_is_undone(at: int, when: str, sharing: Sharing | None) -> None:
    session = session_with(ec_pair(), kind=Lost)
    session.objects[1] = dataclasses.replace(session.objects[1], sharing=sharing)
    session.at, session.when = (at,), when
    before = list(session.objects)
    message = refusal(lambda: present(session, dataclasses.replace(WISH, usage=("derive",))))
    assert "CKR_DEVICE_ERROR" in message and message.endswith("Nothing was changed.") and session.objects == before


@pytest.mark.parametrize(
    ("when", "at", "told"),
    [
        ("after", (1, 2, 3), "Nothing was changed."),
        ("before", (2, 3), "What stays changed: private half's sign, derive."),
    ],
)
def test_what_is_undone_is_looked_at(when: str, at: tuple[int, ...], told: str) -> None:
    session = session_with(ec_pair(), kind=Lost)
    session.at, session.when = at, when
    before = list(session.objects)
    assert refusal(lambda: present(session, dataclasses.replace(WISH, usage=("derive",)))).endswith(told)
    assert (session.objects == before) is (told == "Nothing was changed.")


def test_what_cannot_be_looked_at_is_not_called_unchanged() -> None:
    session = session_with(ec_pair(), kind=Lost)
    session.at, session.refused["read"] = (1,), "CKR_DEVICE_REMOVED"
    message = refusal(lambda: present(session, dataclasses.replace(WISH, usage=("derive",))))
    assert "Nothing was changed" not in message
    assert "What may be changed and could not be looked at: private half's sign, derive (Could not read" in message


def test_a_change_that_is_pretended_ends_before_what_goes_one_way() -> None:
    class Pretending(MemorySession):
        def set_attributes(self, found: TokenObject, values: t.Mapping[str, Value]) -> TokenObject:
            self._called("set_attributes")
            return found

    session = session_with(ec_pair(), kind=Pretending)
    wish = dataclasses.replace(FROZEN, usage=("derive",), extractable=False)
    message = refusal(lambda: present(session, wish))
    assert "the token took the change and did not make it" in message and message.endswith("Nothing was changed.")
    assert session.calls.count("set_attributes") == 1 and "freeze" not in session.calls


@pytest.mark.parametrize("id_", [None, b"\x01"])
def test_a_renaming_that_is_pretended_is_found_out_before(id_: bytes | None) -> None:
    """By a name that differs: the old pair is there, alone."""

    class Pretending(MemorySession):
        def set_attributes(self, found: TokenObject, values: t.Mapping[str, Value]) -> TokenObject:
            self._called("set_attributes")
            return self.read(found)

    pair = ec_pair("secp384r1")
    session = session_with(pair, kind=Pretending)
    message = refusal(lambda: present(session, dataclasses.replace(REPLACE, id=id_)))
    assert message.startswith("Did not replace the ECC key pair 'root'") and "CKR_OK and did not do it" in message
    assert session.objects == list(pair.objects)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("id_", "rehearsed", "renamed"), [(None, 4, 2), (b"\x01", 8, 4)])
def test_what_is_said_of_a_renaming_that_breaks_off_is_so(
    id_: bytes | None, rehearsed: int, renamed: int, when: str
) -> None:
    """Whatever the message advises ends in the wished pair."""
    wish = dataclasses.replace(REPLACE, id=id_)
    for at in range(rehearsed + 1, rehearsed + renamed + 1):
        session = session_with(ec_pair("secp384r1"), kind=Lost)
        session.at, session.when = (at,), when
        message = refusal(lambda: present(session, wish))  # noqa: B023
        where = f"change {at}: {message}"
        assert "The old pair is gone; the new one is whole: " in message, where
        assert all(str(found) in message for found in session.objects), where
        if not message.endswith("The same task finishes it."):
            assert message.endswith("Give both its halves the wished id and label with hsm_key, each named by its uri.")
            for found in list(session.objects):
                name = Change("ecc", label="root", id=id_, chosen="uri", chosen_exactly=True)
                finished(Reconciliation(session, name)._bring(KeyPair().with_half(found)))
        after = present(session, wish).after
        assert after and not differences(wish, after) and len(session.objects) == 2, where


def test_an_answer_that_is_lost_while_the_old_pair_is_there() -> None:
    for at in range(1, 9):
        pair = ec_pair("secp384r1")
        session = session_with(pair, kind=Lost)
        session.at = (at,)
        message = refusal(lambda: present(session, dataclasses.replace(REPLACE, id=b"\x01")))  # noqa: B023
        assert message.startswith("Did not replace") and message.endswith("The new pair was removed again.")
        assert session.objects == list(pair.objects)


def test_an_old_private_half_that_cannot_be_looked_for() -> None:
    class Gone(MemorySession):
        def destroy(self, found: TokenObject) -> None:
            self.refused["find"] = "CKR_DEVICE_REMOVED"
            raise TokenError("destroy", "CKR_DEVICE_REMOVED", remains="Whether it is gone is not known.")

    session = session_with(ec_pair("secp384r1"), kind=Gone)
    message = refusal(lambda: present(session, REPLACE))
    assert "The old private half may be there or not." in message and handles(session) == {1, 2, 100, 101}


def test_another_key_of_the_old_name_is_not_taken_for_the_old_one() -> None:
    """The old private half went, whatever was answered: the new pair is not taken back."""

    class Gone(MemorySession):
        def destroy(self, found: TokenObject) -> None:
            super().destroy(found)
            self.objects.append(ec_pair(handle=51, id=b"").private)
            raise TokenError("destroy", "CKR_DEVICE_ERROR")

    session = session_with(ec_pair("secp384r1", id=b""), kind=Gone)
    assert "The old private half is not seen any more." in refusal(lambda: present(session, REPLACE))
    assert handles(session) == {1, 52, 100, 101}


def test_a_pair_that_is_named_by_its_fingerprint_is_replaced() -> None:
    pair = ec_pair("secp384r1")
    session = session_with(pair)
    assert present(session, dataclasses.replace(REPLACE, fingerprint=pair.fingerprint)).changed
    assert handles(session) == {100, 101} and {found.label for found in session.objects} == {"root"}


def test_what_has_no_id_rehearses_its_label() -> None:
    session = session_with(pair := ec_pair(id=b""))
    draft = Replacement(session, REPLACE).draft
    draft.rehearse(pair, [{"id": b"\x01"}, {"label": "root"}])
    assert session.calls == ["set_attributes"] * 4 and session.objects == list(pair.objects)


def test_a_public_half_of_the_old_pair_is_told_beside_the_new_one() -> None:
    class Gone(MemorySession):
        def destroy(self, found: TokenObject) -> None:
            if found.half == PUBLIC:
                raise Killed
            super().destroy(found)

    session = session_with(ec_pair("secp384r1"), kind=Gone)
    with pytest.raises(Killed):
        present(session, REPLACE)
    assert handles(session) == {1, 100, 101}
    message = refusal(lambda: present(session, REPLACE))
    assert "of the old pair the public half is there, (public ec key" in message and "beside it the new pair" in message


class Killed(BaseException):
    """SIGKILL after a change."""


@pytest.mark.parametrize("at", range(1, 9))
def test_what_a_kill_during_the_rehearsal_leaves_goes_as_the_next_run_says(at: int) -> None:
    class Mortal(Lost):
        def set_attributes(self, found: TokenObject, values: t.Mapping[str, Value]) -> TokenObject:
            now = super().set_attributes(found, values)
            if self.changes == at:
                raise Killed
            return now

    pair, wish = ec_pair("secp384r1"), dataclasses.replace(REPLACE, id=b"\x01")
    session = session_with(pair, kind=Mortal)
    with pytest.raises(Killed):
        present(session, wish)
    new = [found for found in session.objects if found not in pair.objects]
    message = refusal(lambda: present(session, wish))
    assert all(str(found) in message for found in new)
    if message.endswith("remove its keys one by one (state=absent, each by its id)."):
        removed = [Wish("ecc", id=found.id) for found in new]
    else:
        removed = [Wish("ecc", label=message.rsplit("label '", maxsplit=1)[-1].removesuffix("')."))]
    for named in removed:
        assert finished(Reconciliation(session, named).stages("absent")).changed
    assert session.objects == list(pair.objects)
    assert present(session, wish).changed and len(session.objects) == 2


def test_a_key_that_another_host_removed_meanwhile_is_gone() -> None:
    class Faster(MemorySession):
        def destroy(self, found: TokenObject) -> None:
            self.objects[:] = [one for one in self.objects if one.handle != found.handle]
            super().destroy(found)

    session = session_with(ec_pair(), kind=Faster)
    assert finished(Reconciliation(session, WISH).stages("absent")).changed and session.objects == []


def test_what_may_remain_is_told_as_such() -> None:
    class Unseen(MemorySession):
        def destroy(self, found: TokenObject) -> None:
            raise TokenError("destroy", "CKR_DEVICE_REMOVED", remains="Whether it is gone is not known.")

    session = session_with(ec_pair(), kind=Unseen)
    with pytest.raises(HsmError, match=r"Whether it is gone is not known\. What may remain: \(public ec key"):
        finished(Reconciliation(session, WISH).stages("absent"))


class Damaged(MemorySession):
    """A token of whose keys some may be unseen, and that may make nothing."""

    def check_absence(self) -> None:
        raise HsmError("Some may be unseen.")

    def check_making(self, what: str) -> None:
        raise HsmError(f"Refused to {what}.")


@pytest.mark.parametrize("there", [True, False])
def test_nothing_is_taken_for_gone_where_some_may_be_unseen(there: bool) -> None:
    session = session_with(*([ec_pair()] if there else []), kind=Damaged)
    assert refusal(lambda: reconcile(session, WISH, "absent", False)) == "Some may be unseen."
    assert "destroy" not in session.calls


def test_nothing_is_changed_where_the_copy_may_not_be_made() -> None:
    session = session_with(ec_pair(), kind=Damaged)
    wish = dataclasses.replace(FROZEN, usage=("derive",))
    assert refusal(lambda: present(session, wish)).startswith("Refused to copy the ECC key pair 'root'")
    assert not {"set_attributes", "freeze"} & set(session.calls)


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_session_pair_that_cannot_be_as_wished_is_not_made(check_mode: bool) -> None:
    wish = dataclasses.replace(FROZEN, session=True)
    session = MemorySession()
    told = refusal(lambda: present(session, dataclasses.replace(wish, usage=()), check_mode))
    assert told.startswith("Refused to set modifiable to false")
    session.refused["check_generation"] = "CKR_MECHANISM_INVALID"
    assert "CKR_MECHANISM_INVALID" in refusal(lambda: present(session, wish, check_mode))
    assert "generate" not in session.calls


def test_a_certificate_stays_where_its_key_does() -> None:
    session = session_with(ec_pair())
    session.certified.append(Certificate(9, "root", b"\x01", b""))
    session.refused["destroy"] = "CKR_ACTION_PROHIBITED"
    wish = dataclasses.replace(WISH, certificates="follow")
    assert "CKR_ACTION_PROHIBITED" in refusal(lambda: reconcile(session, wish, "absent", False))
    assert len(session.certified) == 1 and handles(session) == {1, 2}


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_a_pair_that_the_token_cannot_make_is_not_begun(there: bool, check_mode: bool) -> None:
    session = session_with(*([ec_pair("secp384r1")] if there else []))
    session.refused["check_generation"] = "CKR_MECHANISM_INVALID"
    assert "CKR_MECHANISM_INVALID" in refusal(lambda: present(session, REPLACE, check_mode))
    assert "generate" not in session.calls
