# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another program gave one half an id of its own: the pair is found, what differs is named, and the call mends it."""

from __future__ import annotations

import dataclasses
import re
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import reconcile
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import Work
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.drawn_id import draw, is_drawn
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError
from ansible_collections.cryptoki.hsm.tests.support.key_tasks import run
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import SPKI, pair_of, private_key
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import ec_pair, handles, present, session_with

FAMILIES = pytest.mark.parametrize("family", ["rsa", "ecc"])
A, B = b"aa", b"bb"
CALL = re.compile(r"hsm_key with uri '([^']*)', new_id_hex '([^']*)'")


def torn(family: str, one: bytes = A, two: bytes = B, handle: int = 1, **private: t.Any) -> KeyPair:
    """A pair whose public half has the id `one` and whose private one has `two`."""
    halves: dict[str, t.Any] = {"public": {"id": one}, "private": {"id": two, "sign": True, **private}}
    if family == "ecc":
        return ec_pair(handle=handle, **halves)
    return pair_of(private_key("2048", handle - 1), handle=handle, **halves)


def wish_of(family: t.Any, **names: t.Any) -> Wish:
    return Wish(family, **{"label": "root", **names})


def told(session: MemorySession, wish: Wish) -> str:
    """The warning or the refusal of a task."""
    try:
        return present(session, wish).warnings[0]
    except HsmError as error:
        return error.msg


def mended(session: MemorySession, message: str) -> set[bytes]:
    """The ids after the call that a message names."""
    found = CALL.search(message)
    assert found, message
    (outcome,) = run(session, uri=found[1], new_id_hex=found[2])
    assert outcome.changed
    return {one.id for one in session.objects}


@FAMILIES
@pytest.mark.parametrize("names", [{"id": A}, {"id": B}, {"id": A, "label": None}])
@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("check_mode", [True, False])
def test_a_told_id_that_one_half_has_lost(family: str, names: t.Any, state: str, check_mode: bool) -> None:
    session = session_with(torn(family))
    before = list(session.objects)
    wish = wish_of(family, **names)
    message = refusal(lambda: reconcile(session, wish, state, check_mode))
    assert message.startswith(
        f"Refused to touch {wish} on the token 'memory': the ids of its halves differ, public 61:61, private 62:62: "
    )
    assert "state=absent" not in message and session.objects == before
    assert mended(session, message) == {names["id"]}
    assert not reconcile(session, wish, "present", check_mode).changed


@FAMILIES
def test_a_fingerprint_does_not_part_them(family: str) -> None:
    """What the message of a lone half advised once: it destroyed the living key."""
    session = session_with(torn(family))
    wish = wish_of(family, id=A, fingerprint=session.objects[0].fingerprint)
    assert "the ids of its halves differ" in refusal(lambda: reconcile(session, wish, "absent", False))
    assert "the ids of its halves differ" in refusal(lambda: run(session, id="aa", state="absent"))
    assert handles(session) == {1, 2}


@pytest.mark.parametrize("check_mode", [True, False])
def test_an_rsa_task_without_an_id_goes_on_and_warns(check_mode: bool) -> None:
    session = session_with(torn("rsa"))
    outcome = present(session, wish_of("rsa"), check_mode)
    assert not outcome.changed
    (warning,) = outcome.warnings
    assert warning.startswith(
        "The ids of the halves of the RSA key pair 'root' on the token 'memory' differ, public 61:61, private 62:62:"
        " another program changed one. "
    )
    assert mended(session, warning) == {B}
    assert present(session, wish_of("rsa"), check_mode).warnings == ()


def test_an_ecc_task_without_an_id_is_refused() -> None:
    session = session_with(torn("ecc"))
    message = refusal(lambda: present(session, wish_of("ecc")))
    assert "the ids of its halves differ, public 61:61, private 62:62" in message
    assert mended(session, message) == {B}


@FAMILIES
def test_a_drawn_id_is_brought_back(family: str) -> None:
    drawn = draw(16)
    for ids in ((drawn, B), (A, drawn)):
        session = session_with(torn(family, *ids))
        assert mended(session, told(session, wish_of(family))) == {drawn}


@FAMILIES
@pytest.mark.parametrize("names", [{"id": A}, {}])
def test_where_a_certificate_has_the_private_halfs_id_the_public_one_gets_it(family: str, names: t.Any) -> None:
    """`keytool -importcert` gives both its alias; whoever took that back would cut Java off."""
    session = session_with(torn(family))
    session.certified.append(Certificate(9, "root", B, b""))
    message = told(session, wish_of(family, **names))
    assert ("give this task id_hex '62:62', which the certificate has" in message) is bool(names)
    assert mended(session, message) == {B}


@FAMILIES
@pytest.mark.parametrize("on_mismatch", ["keep", "replace"])
def test_no_wish_goes_on_with_a_told_id_that_one_half_has_lost(family: str, on_mismatch: t.Any) -> None:
    session = session_with(torn(family))
    wish = wish_of(family, id=A, on_mismatch=on_mismatch)
    assert "the ids of its halves differ" in refusal(lambda: present(session, wish)) and handles(session) == {1, 2}


@FAMILIES
def test_a_half_without_an_id_gets_the_told_one(family: str) -> None:
    session = session_with(torn(family, two=b""))
    assert present(session, wish_of(family, id=A)).changed
    assert {one.id for one in session.objects} == {A}


def test_a_pair_that_cannot_be_proven_is_told_as_one_that_may_be() -> None:
    session = session_with(torn("ecc", always_authenticate=True))
    session.keys.pin_pad = True
    message = refusal(lambda: present(session, wish_of("ecc", id=A)))
    assert message.endswith(
        "Nothing was changed. That they belong together cannot be proven (always_authenticate asks for the PIN at each"
        " use, and this task has none to give); if they do, give them one id with the program that changed it."
    )
    assert "differ" in refusal(lambda: reconcile(session, wish_of("ecc", id=A), "absent", False))


def found(session: MemorySession, wish: Wish) -> list[set[int]]:
    return [set(pair.handles) for pair in Work(session, wish).find()]


def test_a_stranger_of_the_same_label_is_no_other_half() -> None:
    session = session_with(torn("ecc"))
    session.keys.of[2] = private_key("secp256r1", 99)
    assert found(session, wish_of("ecc", id=A)) == [{1}]
    assert "its halves do not belong together (id differs)" in refusal(lambda: present(session, wish_of("ecc")))


def test_a_half_that_tells_another_public_key_is_not_doubted() -> None:
    """It could not be proven either; without its public key it may be the other half."""
    stranger = pair_of(private_key("secp256r1", 99), handle=5).public.spki
    for spki, halves in ((None, {1, 2}), (stranger, {1})):
        session = session_with(torn("ecc", always_authenticate=True, public_key_info=spki))
        assert found(session, wish_of("ecc", id=A)) == [halves]


def test_a_half_of_another_pair_is_not_taken() -> None:
    """Also where no proof can show that it is none of ours."""
    lone = KeyPair(ec_pair(id=A).publics)
    for asks in (False, True):
        session = session_with(lone, ec_pair(handle=5, id=B, private={"always_authenticate": asks}))
        session.keys.pin_pad = True
        assert found(session, wish_of("ecc", id=A)) == [{1}]


def test_nothing_is_derived_to_find_the_other_half() -> None:
    """It would make an object, in check mode too."""
    session = session_with(torn("ecc", sign=False, derive=True))
    message = refusal(lambda: present(session, wish_of("ecc")))
    assert "cannot be proven (the key only derives, which makes an object" in message
    assert found(session, wish_of("ecc", id=A)) == [{1, 2}] and not session.keys.uses


def test_a_second_public_half_of_a_pair_stays_alone() -> None:
    other = pair_of(private_key("2048", 5), handle=5, label="other", id=B)
    copy = dataclasses.replace(other.public, handle=9, attributes={**other.public.attributes, "label": "root", "id": A})
    session = session_with(other, KeyPair((copy,)))
    assert found(session, wish_of("rsa")) == [{9}]
    assert reconcile(session, wish_of("rsa", id=A), "absent", False).changed and handles(session) == {5, 6}


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0)])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_no_pair_is_overlooked_where_a_half_comes_out_of_a_group(order: t.Sequence[int], state: t.Any) -> None:
    """Two pairs of one label without ids, one half of which got an id: one was removed, and the other not told of."""
    session = session_with(torn("ecc", A, b""), ec_pair(handle=5, id=b""))
    session.objects[:] = [session.objects[index] for index in order]
    changes: dict[str, t.Any] = {"new_label": "new"} if state == "present" else {"state": "absent"}
    for call in (
        lambda: reconcile(session, wish_of("ecc"), state, False),
        lambda: run(session, label="root", **changes),
    ):
        message = refusal(call)
        assert all(bytes.fromhex(one.fingerprint).hex(":") in message for one in session.objects if one.fingerprint)
        assert handles(session) == {1, 2, 5, 6}
    assert set().union(*found(session, wish_of("ecc"))) == {1, 2, 5, 6}


def test_a_half_that_is_left_of_a_group_is_told() -> None:
    """The private half is that of the public one with an id; the public one of its own label is another's."""
    other = ec_pair(handle=5, id=b"").publics
    session = session_with(torn("ecc", A, b""), KeyPair(other))
    assert sorted(map(sorted, found(session, wish_of("ecc")))) == [[1, 2], [5]]
    assert "1 ECC key pair and 1 half" in refusal(lambda: reconcile(session, wish_of("ecc"), "absent", False))


@pytest.mark.parametrize("state", ["present", "absent"])
def test_none_of_two_copies_is_taken(state: t.Any) -> None:
    pair = torn("ecc", b"", B)
    session = session_with(pair, KeyPair((dataclasses.replace(pair.public, handle=3),)))
    assert found(session, wish_of("ecc", id=B)) == [{1, 2, 3}]
    changes: dict[str, t.Any] = {"new_label": "new"} if state == "present" else {"state": "absent"}
    message = refusal(lambda: run(session, id="bb", **changes))
    assert "there are 2 keys, count is 1" in message and handles(session) == {1, 2, 3}


@FAMILIES
def test_a_frozen_copy_is_not_finished_where_the_ids_are_refused(family: str) -> None:
    """Nothing is changed by a task that says so."""
    pair = torn(family)
    session = session_with(pair)
    frozen = {**pair.private.attributes, "modifiable": False}
    session.objects.append(dataclasses.replace(pair.private, handle=9, attributes=frozen))
    session.keys.of[9] = session.keys.of[2]
    names: dict[str, t.Any] = {"id": A} if family == "rsa" else {}
    message = refusal(lambda: present(session, wish_of(family, private_attributes={"modifiable": False}, **names)))
    assert "Nothing was changed." in message and handles(session) == {1, 2, 9}


def test_the_private_half_is_found_by_its_modulus_whatever_its_name() -> None:
    session = session_with(torn("rsa", label="elsewhere"))
    for wish in (wish_of("rsa", id=A), wish_of("rsa"), Wish("rsa", label="elsewhere")):
        assert found(session, wish) == [{1, 2}]


def test_a_told_point_finds_the_public_half() -> None:
    key = private_key("secp256r1", 1)
    pair = ec_pair(private={"id": B, "label": "elsewhere", "sign": True})
    told = {**pair.private.attributes, "public_key_info": key.public_key().public_bytes(*SPKI)}
    for more in ({}, {"ec_point": b""}):  # some tokens answer an empty point where it is not told
        session = session_with(KeyPair(pair.publics, (TokenObject(2, "private", told | more),)))
        assert found(session, Wish("ecc", id=B)) == [{1, 2}]


def test_no_search_is_unfiltered_and_an_error_is_no_absence() -> None:
    session = session_with(KeyPair(torn("rsa").publics))
    Work(session, wish_of("rsa", id=A)).find()
    assert all(query.attributes() for query in session.queries)

    class Refusing(MemorySession):
        def find(self, query: t.Any) -> list[TokenObject]:
            if query.modulus:
                self.refused["find"] = "CKR_DEVICE_ERROR"
            return super().find(query)

    session = session_with(KeyPair(torn("rsa").publics), kind=Refusing)
    assert "CKR_DEVICE_ERROR" in refusal(lambda: Work(session, wish_of("rsa", id=A)).find())


@pytest.mark.parametrize("ckr", ["CKR_ATTRIBUTE_TYPE_INVALID", "CKR_DEVICE_ERROR"])
def test_a_token_that_cannot_search_by_a_value(ckr: str) -> None:
    class Refusing(MemorySession):
        def find(self, query: t.Any) -> list[TokenObject]:
            if query.modulus:
                raise TokenError("search", ckr)
            return super().find(query)

    session = session_with(KeyPair(torn("rsa").publics), kind=Refusing)
    if ckr == "CKR_DEVICE_ERROR":
        assert ckr in refusal(lambda: found(session, wish_of("rsa", id=A)))
    else:
        assert found(session, wish_of("rsa", id=A)) == [{1}]


def test_an_empty_modulus_is_no_value_to_search_by() -> None:
    session = session_with(torn("rsa"))
    session.objects[:] = [
        dataclasses.replace(one, attributes={**one.attributes, "modulus": b""}) for one in session.objects
    ]
    found(session, wish_of("rsa", id=A))
    assert all(query.modulus != b"" for query in session.queries)


def test_drawn_ids_are_known() -> None:
    for length in (8, 16):
        drawn = draw(length)
        assert len(drawn) == length and is_drawn(drawn) and is_drawn(drawn.hex().encode())
        assert not is_drawn(drawn[:-1] + bytes([drawn[-1] ^ 1]))
    assert not any(map(is_drawn, (b"", b"01", b"\x01", b"root-ca-2026", bytes(16))))
    assert len(draw(2)) == 2 and draw(0) == b"" and not is_drawn(draw(32))
