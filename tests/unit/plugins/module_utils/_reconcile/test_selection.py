# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which keys a choice means: the options, and what they select on a token in memory."""

from __future__ import annotations

import dataclasses
import re
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import LOGIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.key_groups import KEY_INFO
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.pattern import Pattern
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, Sharing, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Query
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.selection import Selection, select, selection_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC, SECRET, KeyClass
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.public_key import kcv
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key, rsa_material, without
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.task_options import taken

MODULI = [rsa_material(2**2047 + 1 + 2 * number) for number in range(2)]


def selection(**given: t.Any) -> Selection:
    return selection_from(taken(LOGIN + KEY_INFO, given))


def ec(number: int = 0, curve: str = "secp256r1", **changed: t.Any) -> KeyPair:
    return pair_of(private_key(curve, number), handle=10 * number + 1, **changed)


def rsa(number: int = 0, **changed: t.Any) -> KeyPair:
    return pair_of(MODULI[number], handle=100 + 10 * number, **changed)


def secret(handle: int = 200, **changed: t.Any) -> KeyPair:
    values: dict[str, t.Any] = {
        "class": "secret_key",
        "key_type": "aes",
        "token": True,
        "label": "root",
        "check_value": b"\xab\xcd\xef",
    }
    return KeyPair((TokenObject(handle, SECRET, {**values, **changed}),))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"label": 12},
            "label 12 is refused: it came as a number;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        ({"label": "a\0"}, "label is refused: it holds a NUL character."),
        ({"label_regex": "("}, "label_regex '(' is refused: it is no regular expression of Python, missing ), unter"),
        ({"label_regex": ""}, "label_regex is refused: it is empty."),
        (
            {"id": True},
            "id True is refused: it came as a boolean;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        ({"id_hex": "abc"}, "id_hex 'abc' is refused: give pairs of hexadecimal digits, with or without colons."),
        (
            {"fingerprint": "ab"},
            "fingerprint 'ab' is refused: give the SHA-256 of the public key as 64 hexadecimal dig",
        ),
        (
            {"key_type": "idea"},
            "key_type 'idea' is refused: choose from rsa, dsa, dh, ec, generic_secret, des2, des3, ",
        ),
        (
            {"key_type": 3},
            "key_type 3 is refused: it came as a number;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        ({"modulus": "0xabc"}, "modulus is refused: give pairs of hexadecimal digits, with or without colons."),
        (
            {"modulus": 77},
            "modulus 77 is refused: it came as a number;"
            " quote it, in an INI inventory twice, or end its template in | string.",
        ),
        ({"kcv": "ab:cd"}, "kcv 'ab:cd' is refused: give at least six hexadecimal digits."),
        ({"kcv": "abcdef0"}, "kcv 'abcdef0' is refused: give at least six hexadecimal digits."),
        ({"uri": "http://x"}, "uri is refused: a PKCS#11 URI starts with 'pkcs11:'."),
        (
            {"uri": "pkcs11:object=x?pin-value=1"},
            "uri is refused: pin-value in a URI is refused: give the PIN by the o",
        ),
        ({"uri": "pkcs11:token=x"}, "uri is refused: it names no key; give object or id in it."),
        (
            {"uri": "pkcs11:object=x;type=cert"},
            "uri 'cert' is refused: it names no key; its type may be public, privat",
        ),
        ({"uri": "pkcs11:object=x;slot-id=1"}, "uri is refused: slot-id does not choose a key; leave it out."),
        (
            {"uri": "pkcs11:object=x;slot-manufacturer=y"},
            "uri is refused: slot-manufacturer does not choose a key; lea",
        ),
        ({"uri": "pkcs11:object=x?module-path=y"}, "uri is refused: module-path does not choose a key; leave it out."),
        (
            {"uri": "pkcs11:object=x;type=private", "object_class": "public_key"},
            "object_class 'public_key' is refused: the uri names a key of the type private.",
        ),
    ],
)
def test_what_is_refused_before_the_login(given: dict[str, t.Any], message: str) -> None:
    assert refusal(lambda: selection(**given)).startswith(message)


@pytest.mark.parametrize("given", [{"handle": 0}, {"handle": 7}, {"shared_with": []}, {"shared_with": ["alice"]}])
def test_what_plain_pkcs11_cannot_choose_by(given: dict[str, t.Any]) -> None:
    """Passed over, it would choose every key."""
    (name,) = given
    message = refusal(lambda: Pkcs11Provider.refuse_unable(taken(LOGIN + KEY_INFO, given)))
    assert message.startswith(f"{name} is refused: the provider pkcs11 cannot do it; ")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, "any"),
        ({"label": "", "id": ""}, "label '', id empty"),
        (
            {"label": "x", "label_regex": "^x$", "object_class": "secret_key"},
            "label 'x', label_regex '^x$', object_clas",
        ),
        ({"uri": "pkcs11:object=a;id=%00;type=public"}, "label 'a', id 00, object_class public_key"),
        ({"key_type": "EC", "fingerprint": "SHA256:" + "AB" * 32}, f"key_type ec, fingerprint {'ab:' * 31}ab"),
        ({"key_type": "0x1f", "kcv": "0xC51C18"}, "key_type aes, kcv c51c18"),
        ({"key_type": "0x80000001"}, "key_type 0x80000001"),
        ({"modulus": "0xAB:CD\n 01"}, "any"),
    ],
)
def test_how_a_choice_is_named(given: dict[str, t.Any], shown: str) -> None:
    assert str(selection(**given)).startswith(shown)


def test_longer_labels_than_ours_are_found() -> None:
    long = "l" * 200
    found = select(MemorySession(ec(label=long)), selection(label=long))
    assert {key.handle for key in found.objects} == {1, 2}


EC, RSA, OTHER = ec(), rsa(label="web", id=b"w"), ec(2, "ed25519", label="web-1", id=b"\x02", token=False)
ALL = (EC, RSA, OTHER, secret(id=b"\x01"))
EVERY = {1, 2, 100, 101, 21, 22, 200}


@pytest.mark.parametrize(
    ("given", "handles"),
    [
        ({}, EVERY),
        ({"label": "root"}, {1, 2, 200}),
        ({"label": "roo"}, set()),
        ({"label_regex": "^web"}, {100, 101, 21, 22}),
        ({"label_regex": "OOT"}, set()),
        ({"id": "w"}, {100, 101}),
        ({"id_hex": "01"}, {1, 2, 200}),
        ({"object_class": "public_key"}, {1, 100, 21}),
        ({"object_class": "secret_key"}, {200}),
        ({"key_type": "ec"}, {1, 2}),
        ({"key_type": "aes"}, {200}),
        ({"key_type": "0x80000001"}, set()),
        ({"session": True}, {21, 22}),
        ({"session": False}, {1, 2, 100, 101, 200}),
        ({"modulus": t.cast(bytes, MODULI[0]["public"]["modulus"]).hex(":")}, {100, 101}),
        ({"fingerprint": EC.fingerprint}, {1, 2}),
        ({"fingerprint": EC.fingerprint, "object_class": "private_key"}, {2}),
        ({"kcv": kcv(RSA.spki or b"")}, {100, 101}),
        ({"kcv": "ABCDEF"}, {200}),
        ({"uri": "pkcs11:token=memory;object=root;type=private"}, {2}),
        ({"uri": "pkcs11:id=%01;type=secret-key"}, {200}),
        ({"label": "root", "key_type": "ec", "object_class": "public_key"}, {1}),
        ({"label": "root", "id": "w"}, set()),
        ({"label": "", "id": ""}, set()),
    ],
)
def test_each_filter(given: dict[str, t.Any], handles: set[int]) -> None:
    session = MemorySession(*ALL)
    found = select(session, selection(**given))
    assert {key.handle for key in found.objects} == handles
    assert all({key.handle for key in pair.objects} & handles for pair in found.pairs)
    assert all(pair.whole for pair in found.pairs) and not found.unread


def test_a_uri_of_another_token() -> None:
    wish = selection(uri="pkcs11:token=other;object=root")
    assert refusal(lambda: select(MemorySession(*ALL), wish)) == (
        "uri is refused: it names a key of another token than 'memory'."
    )


def test_the_other_half_is_found_by_id_whatever_its_label() -> None:
    for pair in (ec(public={"label": "renamed"}), rsa(public={"label": "renamed"})):
        found = select(MemorySession(pair), Selection(label="root"))
        assert found.objects == pair.privates
        assert [one.objects for one in found.pairs] == [pair.objects]
    twice = KeyPair(ec().publics, (dataclasses.replace(ec(1, label="x").private, handle=2),))
    more = KeyPair((dataclasses.replace(ec(2).public, handle=3),))
    (torn,) = select(MemorySession(twice, more), Selection(label="root")).pairs
    assert {key.handle for key in torn.objects} == {1, 2, 3}, "two public halves have no private one of that label"


def test_what_is_found_beside_a_half_must_fit_the_filters_itself() -> None:
    pair = ec(public={"token": False})
    found = select(MemorySession(pair), Selection(id=b"\x01", session=True))
    assert found.objects == pair.publics and [one.objects for one in found.pairs] == [pair.objects]


def test_a_fingerprint_is_of_a_key_and_not_of_all_that_share_an_id() -> None:
    one, two = ec(1), ec(2)
    for wanted, other in ((one, two), (two, one)):
        found = select(MemorySession(one, two), Selection(fingerprint=wanted.fingerprint))
        assert wanted.public in found.objects and other.public not in found.objects
        assert {key.handle for key in found.pairs[0].objects} == {11, 12, 21, 22}


@pytest.mark.parametrize(
    "wish", [Selection(label=""), Selection(id=b""), Selection(label_regex=Pattern("label_regex", ".*"))]
)
def test_an_unreadable_name_is_no_empty_one(wish: Selection) -> None:
    nameless = without(ec().private, "label", "id")
    hidden = dataclasses.replace(nameless, handle=9, unreadable={"label": "no valid value", "id": "CKR_GENERAL_ERROR"})
    found = select(MemorySession(KeyPair((), (nameless, hidden))), wish)
    assert found.objects == (nameless,)


class Damaged(MemorySession):
    """Some of its keys cannot be read."""

    broken: t.Collection[int] = ()

    def survey(self, query: Query, at_most: int | None = None) -> list[TokenObject] | None:
        told = {"class": "CKR_OBJECT_HANDLE_INVALID"}
        return [
            TokenObject(key.handle, key.half, {}, told) if key.handle in self.broken else key
            for key in super().survey(query, at_most) or ()
        ]


@pytest.mark.parametrize(
    ("wish", "unread"),
    [
        (Selection(), {2, 200}),
        (Selection(label="root"), {2, 200}),
        (Selection(label=""), {2, 200}),
        (Selection(fingerprint="ab" * 32), {2, 200}),
        (Selection(key_class=PUBLIC), set()),
        (Selection(key_class=SECRET), {200}),
        (Selection(label="web"), set()),
    ],
)
def test_what_cannot_be_read_is_told_apart(wish: Selection, unread: set[int]) -> None:
    session = Damaged(*ALL)
    session.broken = {2, 200}
    found = select(session, wish)
    assert {key.handle for key in found.unread} == unread
    assert not unread & {key.handle for key in (*found.objects, *(key for pair in found.pairs for key in pair.objects))}


def test_a_half_that_cannot_be_read_when_it_is_looked_for_by_id() -> None:
    session = Damaged(ec(public={"label": "renamed"}))
    session.broken = {1}
    found = select(session, Selection(label="root"))
    assert [key.handle for key in found.unread] == [1] and [pair.lone for pair in found.pairs] == [session.objects[1]]


def test_an_error_of_a_search_is_never_an_absence() -> None:
    session = MemorySession(*ALL)
    session.refused["find"] = "CKR_DEVICE_ERROR"
    with pytest.raises(TokenError):
        select(session, Selection())


@pytest.mark.parametrize("wish", [Selection(), Selection(label="root"), Selection(fingerprint="ab" * 32)])
def test_no_search_is_without_a_class_and_few_attributes_are_read(wish: Selection) -> None:
    session = MemorySession(*ALL)
    select(session, wish, frozenset({"extractable"}))
    assert {query.key_class for query in session.queries} == {PUBLIC, PRIVATE, SECRET}
    assert all(query.read and {"extractable", "label", "ec_point"} <= query.read for query in session.queries)
    assert not any("check_value" in (query.read or ()) for query in session.queries)
    select(session, Selection(kcv="abcdef"), frozenset())
    assert "check_value" in (session.queries[-1].read or ())


NAMES: t.Any = {"label": st.sampled_from(["root", "web", ""]), "id_": st.sampled_from([b"", b"\x01", b"\x02"])}
PAIRS = st.lists(
    st.builds(lambda number, label, id_: ec(number, label=label, id=id_), st.integers(0, 3), **NAMES)
    | st.builds(lambda number, label, id_: rsa(number, label=label, id=id_), st.integers(0, 1), **NAMES)
    | st.builds(lambda number, label, id_: secret(200 + number, label=label, id=id_), st.integers(0, 1), **NAMES),
    max_size=5,
    unique_by=lambda pair: pair.objects[0].handle,
)
CLASSES: st.SearchStrategy[KeyClass | None] = st.sampled_from([None, PUBLIC, PRIVATE, SECRET])
WISHES = st.builds(
    Selection,
    label=st.none() | NAMES["label"],
    label_regex=st.none() | st.sampled_from([re.compile("o"), re.compile("^$")]),
    id=st.none() | NAMES["id_"],
    key_class=CLASSES,
    key_type=st.sampled_from([None, "rsa", "ec", "aes"]),
    session=st.sampled_from([None, False, True]),
)


def fits(wish: Selection, key: TokenObject) -> bool:
    """A plain filter, which knows nothing of queries."""
    checks = {
        "label": wish.label is None or key.label == wish.label,
        "label_regex": wish.label_regex is None or wish.label_regex.search(key.label or "") is not None,
        "id": wish.id is None or key.id == wish.id,
        "class": wish.key_class is None or key.half == wish.key_class,
        "key_type": wish.key_type is None or key.key_type == wish.key_type,
        "session": wish.session is None or key.attributes["token"] is not wish.session,
    }
    return all(checks.values())


@given(PAIRS, st.lists(st.integers(0, 9), max_size=3), WISHES)
def test_a_choice_is_a_plain_filter_over_all_objects(pairs: list[KeyPair], lost: list[int], wish: Selection) -> None:
    session = MemorySession(*pairs)
    session.objects = [key for index, key in enumerate(session.objects) if index not in lost]
    found = select(session, wish)
    expected = {key.handle for key in session.objects if fits(wish, key)}
    assert {key.handle for key in found.objects} == expected
    assert len(found.objects) == len(expected)
    paired = [key.handle for pair in found.pairs for key in pair.objects]
    assert len(paired) == len(set(paired))
    assert {key.handle for key in found.objects if key.half != SECRET} <= set(paired)


@pytest.mark.parametrize(
    ("users", "taken"),
    [((), True), (("bob",), True), (("me", "bob"), True), (("eve",), False), (("bob", "eve"), False)],
)
def test_a_key_is_chosen_by_all_who_may_use_it(users: tuple[str, ...], taken: bool) -> None:
    pair = pair_of(private_key("secp256r1"))
    shared = pair.with_half(dataclasses.replace(pair.private, sharing=Sharing("me", ("bob", "carol"))))
    assert Selection(shared_with=users).takes_key(shared.private, shared) is taken
    unowned = pair.with_half(dataclasses.replace(pair.private, sharing=Sharing(None, ("bob",))))
    assert Selection(shared_with=users).takes_key(unowned.private, unowned) is (users in ((), ("bob",)))
    assert Selection(shared_with=users).takes_key(pair.private, pair) is (users == ())


def test_keys_of_other_users_are_not_chosen_unless_that_is_said() -> None:
    """Where owners are told, hsm_key changes its own user's keys only; hsm_key_info lists all."""
    assert not Selection().query(PRIVATE, None).others and Selection(others=True).query(PRIVATE, None).others
