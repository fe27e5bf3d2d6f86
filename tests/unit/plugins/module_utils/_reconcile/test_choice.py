# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys that hsm_key is to touch: as many as were said, and nothing that was not named."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC, SECRET
from ansible_collections.cryptoki.hsm.tests.support.key_tasks import CHANGES, NEW, changed_half, names, rsa_pair, run
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import ec_pair, handles, session_with

_EITHER: tuple[dict[str, t.Any], ...] = ({"state": "absent"}, {"usage": ["sign"]})

EITHER: tuple[dict[str, t.Any], ...] = ({"state": "absent"}, {"usage": ["sign"]})


def test_the_half_that_a_uri_names_alone() -> None:
    session = session_with(ec_pair())
    run(session, uri="pkcs11:object=root;type=public", new_label="new")
    assert names(session) == [(1, "new", b"\x01"), (2, "root", b"\x01")]
    run(session, uri="pkcs11:id=%01;type=private", state="absent")
    assert handles(session) == {1}
    assert not run(session, uri="pkcs11:id=%01;type=private", state="absent")


def test_numbers() -> None:
    one, two = ec_pair(), ec_pair(handle=11, id=b"\x02")
    session = session_with(one, two, ec_pair(handle=21, label="x", id=b"x"))
    for task in ({"state": "absent"}, {"usage": ["derive"]}):
        assert refusal(lambda: run(session, label="root", **task)) == (  # noqa: B023
            "Refused to touch the keys chosen by label 'root' on the token 'memory': there are 2 pairs, count"
            f" is 1. Choose one by id, uri or fingerprint, or set count=2.\n- {one}\n- {two}"
        )
    assert refusal(lambda: run(session, label="root", count=3)) == (
        "Could not find 3 keys chosen by label 'root' on the token 'memory': there are 2."
        " hsm_rsa_keypair, hsm_ecc_keypair and hsm_keypairs generate keys, hsm_key does not."
    )
    assert ": there is 1. hsm_rsa" in refusal(lambda: run(session, label="x", count=2, usage=["sign"]))
    assert not CHANGES & set(session.calls)
    assert [outcome.changed for outcome in run(session, label="root", count=2, usage=["derive"])] == [True, True]
    assert len(run(session, label="root", count=5, state="absent")) == 2
    assert handles(session) == {21, 22}
    assert run(session, label="root", count=2, state="absent") == []
    assert refusal(lambda: run(session, label="root")).startswith("Could not find the key chosen by label 'root' on")


def test_every_refusal_comes_before_the_first_change() -> None:
    lone = KeyPair(ec_pair(handle=11, id=b"\x02").publics)
    kept = ec_pair(handle=21, id=b"\x03", private={"destroyable": False})
    for other, reason in ((lone, "it is a public half without its private half"), (kept, "destroyable is false for")):
        session = session_with(ec_pair(), other)
        assert reason in refusal(lambda: run(session, label="root", count=2, state="absent"))  # noqa: B023
        assert not CHANGES & set(session.calls)


@pytest.mark.parametrize("make", [ec_pair, rsa_pair])
@pytest.mark.parametrize("number", [0, 1])
def test_a_lone_half(make: t.Callable[..., KeyPair], number: int) -> None:
    lone = make().objects[number]
    session = session_with(KeyPair((lone,)) if lone.half == PUBLIC else KeyPair((), (lone,)))
    half, other = lone.half, {PUBLIC: PRIVATE, PRIVATE: PUBLIC}[t.cast(t.Any, lone.half)]
    assert refusal(lambda: run(session, label="root", usage=["sign"])) == (
        f"Refused to touch the key chosen by label 'root' on the token 'memory': it is a {half} half without its"
        f" {other} half: {lone}. Nothing was changed. To change this half alone, choose it by a uri with type=."
    )
    assert run(session, uri=f"pkcs11:object=root;type={half}", new_label="new")[0].changed
    if half == PUBLIC:
        assert refusal(lambda: run(session, label="new", state="absent")) == (
            "Refused to remove the key chosen by label 'new' on the token 'memory': it is a public half without its"
            f" private half, {changed_half(lone, label='new')}. Name it by id or fingerprint to remove it."
        )
    assert run(session, label="new", id_hex="01", state="absent")[0].changed and not session.objects


def test_halves_that_only_an_id_joins_are_proven_first() -> None:
    torn = ec_pair(public={"label": "renamed"})
    for task in ({"label": "root", "usage": ["derive"]}, {"label": "root", "state": "absent"}):
        session = session_with(torn)
        session.keys.of[2] = private_key("secp256r1", 99)
        assert "do not belong together" in refusal(lambda: run(session, **task))  # noqa: B023
        assert session.objects == list(torn.objects)
        assert run(session_with(torn), **task)[0].changed
    session = session_with(ec_pair())
    session.keys.of[2] = private_key("secp256r1", 99)
    half: dict[str, t.Any] = {"uri": "pkcs11:object=root;type=private", "fingerprint": ec_pair().fingerprint}
    assert "do not belong together" in refusal(lambda: run(session, **half, state="absent"))
    assert run(session_with(ec_pair()), **half, state="absent")[0].changed


def test_nothing_goes_with_what_was_named() -> None:
    named, nameless = rsa_pair(), changed_half(rsa_pair().public, label="", id=b"")
    torn = KeyPair((nameless,), named.privates, "material")
    for task in EITHER:
        session = session_with(torn)
        assert refusal(lambda: run(session, label="", **task)) == (  # noqa: B023
            "Refused to touch the key chosen by label '' on the token 'memory': it cannot be kept apart from what was"
            f" not named, {named.private}. Choose the key by its id, or one half by a uri with type=."
        )
    copy = dataclasses.replace(nameless, handle=9)
    session = session_with(named, KeyPair((copy,)))
    assert "count is 1" in refusal(lambda: run(session, label="", id="", state="absent"))
    assert "cannot be kept apart" in refusal(lambda: run(session, label="", id="", state="absent", count=2))
    assert run(session, uri="pkcs11:object=;id=;type=public", state="absent")[0].changed
    assert handles(session) == {1, 2}


def test_duplicates_of_an_id_do_not_go_with_the_one_that_was_named() -> None:
    one, two = ec_pair(label="one"), ec_pair(handle=11, label="two")
    for choice in ({"id_hex": "01"}, {"fingerprint": one.fingerprint}, {"fingerprint": two.fingerprint}):
        session = session_with(one, two)
        for count in (1, 2):
            if count == 2 and "id_hex" in choice:
                continue  # both have it, and both were meant
            message = refusal(lambda: run(session, **choice, count=count, state="absent"))  # noqa: B023
            assert "count is 1" in message if count == 1 else "cannot be kept apart" in message
        assert handles(session) == {1, 2, 11, 12}
    session = session_with(one, two)
    assert run(session, label="one", state="absent") and handles(session) == {11, 12}
    session = session_with(one, two)
    assert run(session, uri="pkcs11:object=one;type=public", state="absent") and handles(session) == {2, 11, 12}


def test_orphans_that_tell_nothing_of_themselves() -> None:
    """What SoftHSM has of a public half when it is killed early: a class, and no key."""
    orphan = TokenObject(7, PUBLIC, {"class": "public_key", "label": "", "id": b""})
    session = session_with(ec_pair(), KeyPair((orphan,)))
    assert run(session, label="", id="", state="absent")[0].changed
    assert handles(session) == {1, 2} and run(session, label="", id="", state="absent") == []


def test_secret_keys_are_not_touched() -> None:
    secret = TokenObject(7, SECRET, {"class": "secret_key", "key_type": "aes", "label": "root"})
    alone = session_with(KeyPair((secret,)))
    meant: list[dict[str, t.Any]] = [{"new_label": "x"}, {"state": "absent", "key_type": "aes"}]
    for task in meant:
        assert refusal(lambda: run(alone, label="root", **task)) == (  # noqa: B023
            "Refused to touch (secret aes key, label 'root', id none, fingerprint unknown) on the token 'memory':"
            " hsm_key changes and removes the keys of pairs only."
        )
    beside = session_with(ec_pair(), KeyPair((secret,)))
    assert run(beside, label="root", state="absent")[0].changed and handles(beside) == {7}


def test_a_secret_key_of_the_same_name_does_not_decide() -> None:
    """The outcome is that of the pair, the same every time."""
    secret = TokenObject(7, SECRET, {"class": "secret_key", "key_type": "aes", "label": "root"})
    session = session_with(ec_pair(), KeyPair((secret,)))
    for check_mode, changed in ((True, True), (False, True), (True, False), (False, False)):
        assert [one.changed for one in run(session, check_mode, label="root", new_label="new")] == [changed]
    for name, left in (("new", 1), ("root", 0)):
        for check_mode in (True, False, True, False):
            done = run(session, check_mode, label=name, state="absent")
            assert len(done) == left
            left = left if check_mode else 0
    assert handles(session) == {7}


def test_a_key_that_cannot_be_read_is_no_absence() -> None:
    class Damaged(MemorySession):
        def survey(self, query: t.Any, at_most: int | None = None) -> list[TokenObject] | None:
            told = {"class": "CKR_OBJECT_HANDLE_INVALID"}
            return [TokenObject(key.handle, key.half, {}, told) for key in super().survey(query, at_most) or ()]

    for task in EITHER:
        assert refusal(lambda: run(Damaged(ec_pair()), label="root", **task)) == (  # noqa: B023
            "Could not read the public key with handle 1 on the token 'memory': the HSM answered"
            " CKR_OBJECT_HANDLE_INVALID; another process removed the object; run the task again."
        )


def half_renamed(*others: KeyPair) -> t.Any:
    """A token with a pair whose private half has its new names already."""
    pair = ec_pair()
    return session_with(pair.with_half(changed_half(pair.private, label="new", id=b"new")), *others)


def test_the_half_that_was_renamed_stays_out_of_what_one_half_gets() -> None:
    session = half_renamed()
    private = session.objects[1]
    assert run(session, uri="pkcs11:object=root;type=public", **NEW, usage=["derive"])[0].changed
    assert names(session) == [(1, "new", b"new"), (2, "new", b"new")] and session.objects[1] == private


def test_a_third_half_of_the_old_name_is_not_passed_over() -> None:
    session = half_renamed(KeyPair((), ec_pair(handle=11, id=b"\x02").privates))
    before = list(session.objects)
    assert "count is 1" in refusal(lambda: run(session, label="root", **NEW))
    assert session.objects == before


def test_an_id_alone_makes_no_other_half() -> None:
    """A half may have the name of its other half, if a proof shows that it is that."""
    for own in (True, False):
        session = session_with(ec_pair(private={"label": "other"}))
        if not own:
            session.keys.of[2] = private_key("secp256r1", 99)
        if own:
            assert run(session, uri="pkcs11:object=root;type=public", new_label="other")[0].changed
        else:
            told = refusal(lambda: run(session, uri="pkcs11:object=root;type=public", new_label="other"))  # noqa: B023
            assert "the new label belongs to" in told and names(session)[0] == (1, "root", b"\x01")


def test_one_half_of_what_is_one_object_of_the_hsm_does_not_go() -> None:
    session = session_with(ec_pair())
    session.facts = dataclasses.replace(session.facts, halves_are_one=True)
    told = refusal(lambda: run(session, uri="pkcs11:object=root;type=public", state="absent"))
    assert "both halves are one object of the HSM and go together" in told and handles(session) == {1, 2}
    assert run(session, label="root", state="absent")[0].changed and not session.objects


def test_a_half_does_not_get_the_name_of_another_key() -> None:
    """That of its other half it may get: not that of a second half of its kind, nor one that others have as well."""
    public, private = rsa_pair().objects
    copied = dataclasses.replace(changed_half(public, label="other"), handle=9)
    stranger = changed_half(rsa_pair(handle=11).private, label="other", id=b"\x09")
    own = changed_half(private, label="other")
    for others in ((KeyPair((copied,)),), (KeyPair((), (own,)), KeyPair((), (stranger,)))):
        session = session_with(KeyPair((public,)), *others)
        told = refusal(lambda: run(session, uri="pkcs11:object=root;type=public", new_label="other"))  # noqa: B023
        assert "the new label belongs to" in told and not CHANGES & set(session.calls)


def test_certificates_without_an_id_are_nobodys() -> None:
    session = session_with(ec_pair(id=b""))
    session.certified.append(Certificate(9, "web", b"", b""))
    assert run(session, label="root", new_id="new", certificates="follow")[0].changed
    assert [one.id for one in session.certified] == [b""]
