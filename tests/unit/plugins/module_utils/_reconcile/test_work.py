# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finding the pair that is meant on a token in memory: what is found, joined, refused, and never taken for absence."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Family, Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import Work, is_clear
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key, rsa_material, without
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal

ROOT = Wish("ecc", label="root")
MODULI = [rsa_material(2**2047 + 1 + 2 * number) for number in range(3)]


def ec(number: int = 0, curve: str = "secp256r1", **changed: t.Any) -> KeyPair:
    return pair_of(private_key(curve, number), handle=10 * number + 1, **changed)


def rsa(number: int = 0, **changed: t.Any) -> KeyPair:
    return pair_of(MODULI[number], handle=100 + 10 * number, **changed)


def found(wish: Wish, *pairs: KeyPair) -> list[set[int]]:
    """The handles of each pair that is found."""
    return [{one.handle for one in pair.objects} for pair in Work(MemorySession(*pairs), wish).find()]


def colons(pair: KeyPair) -> str:
    return bytes.fromhex(pair.fingerprint or "").hex(":")


def halves(*objects: TokenObject) -> KeyPair:
    """Any objects on the token, whether they are a pair or not."""
    return KeyPair(tuple(objects))


OTHERS = (
    ec(5, label="other", id=b"5"),
    rsa(1, label="other", id=b"6"),
    rsa(2, label="root", id=b"7"),
)


@pytest.mark.parametrize(
    ("wish", "handles"),
    [
        (Wish("ecc", label="root"), [{1, 2}]),
        (Wish("ecc", label="root", id=b"\x01"), [{1, 2}]),
        (Wish("ecc", id=b"\x01"), [{1, 2}]),
        (Wish("ecc", fingerprint=ec().fingerprint), [{1, 2}]),
        (Wish("ecc", label="root", fingerprint=ec().fingerprint), [{1, 2}]),
        (Wish("ecc", label="other"), [{51, 52}]),
        (Wish("rsa", label="root"), [{120, 121}]),
        (Wish("rsa", fingerprint=rsa(1).fingerprint), [{110, 111}]),
        (Wish("ecc", label="Root"), []),
        (Wish("ecc", label="root", fingerprint="ab" * 32), []),
        (Wish("ecc", id=b"\x02"), []),
        (Wish("ecc", label="other", id=b"9"), []),
        (Wish("rsa", fingerprint=ec().fingerprint), []),
    ],
)
def test_the_pair_that_is_named_is_found_beside_others(wish: Wish, handles: list[set[int]]) -> None:
    assert found(wish, ec(), *OTHERS) == handles
    assert found(wish, *OTHERS[::-1], ec()) == handles


@pytest.mark.parametrize("family", ["rsa", "ecc"])
@pytest.mark.parametrize("name", [{"label": "x"}, {"id": b"1"}, {"fingerprint": "ab" * 32}, {"label": "x", "id": b"1"}])
def test_no_search_is_unfiltered(family: Family, name: dict[str, t.Any]) -> None:
    session = MemorySession(ec(), rsa())
    Work(session, Wish(family, **name)).find()
    Work(session, Wish(family, **name)).look_alikes()
    assert session.queries and all(query.attributes() for query in session.queries)
    assert {query.key_class for query in session.queries} == {"public", "private"}


@pytest.mark.parametrize("wish", [ROOT, Wish("ecc", id=b"1"), Wish("ecc", fingerprint="ab" * 32)])
def test_an_error_of_a_search_is_never_an_absence(wish: Wish) -> None:
    session = MemorySession(ec())
    session.refused["find"] = "CKR_DEVICE_ERROR"
    message = refusal(lambda: Work(session, wish).find())
    assert message.startswith(f"Could not search for {wish} on the token 'memory': the HSM answered CKR_DEVICE_ERROR")
    with pytest.raises(TokenError):
        Work(session, Wish("ecc", label="root", id=b"2")).look_alikes()


@pytest.mark.parametrize(
    ("wish", "other"),
    [
        (Wish("ecc", label="root", id=b"\x01"), ec(label="mine")),
        (Wish("ecc", label="root", id=b"\x01"), rsa()),
        (Wish("rsa", label="root", id=b"\x01"), ec(curve="ed25519")),
        (Wish("rsa", id=b"\x01"), halves(ec().private)),
    ],
)
def test_an_id_that_belongs_to_another(wish: Wish, other: KeyPair) -> None:
    listed = ", ".join(map(str, other.objects))
    assert refusal(lambda: found(wish, other)) == (
        f"Refused to touch {wish} on the token 'memory': its id belongs to {listed}. Choose another id, or give the"
        " label and the module of that pair."
    )


def test_an_id_on_halves_of_two_labels() -> None:
    one, two = ec().public, ec(label="mine").private
    message = refusal(lambda: found(Wish("ecc", label="root", id=b"\x01"), halves(one, two)))
    assert f"its id belongs to {two}." in message and str(one) not in message


def test_the_other_half_is_looked_for_by_id_before_a_half_is_called_one() -> None:
    for pair in (ec(), rsa()):
        wish = Wish("rsa" if pair.public.key_type == "rsa" else "ecc", label="root")
        for half in pair.objects:
            renamed = dataclasses.replace(half, attributes={**half.attributes, "label": "renamed"})
            other = next(one for one in pair.objects if one is not half)
            assert found(wish, halves(renamed, other)) == [{one.handle for one in pair.objects}]
            (lone,) = Work(MemorySession(halves(other), *OTHERS[:2]), wish).find()
            assert lone.lone is other


def test_what_shares_the_id_of_a_half_but_not_its_key() -> None:
    lone, stranger = ec(1).private, ec(2, curve="secp384r1", label="stranger").public
    assert found(ROOT, halves(lone, stranger)) == [{12}], "what was not named is told only if it belongs to the half"
    beside, own = rsa(label="stranger").public, ec(1, label="renamed").public
    assert found(ROOT, halves(lone, beside, own)) == [{11, 12}]
    assert found(ROOT, halves(ec(1, id=b"").private)) == [{12}]
    assert found(ROOT, halves(lone, own, ec(2, label="x").public)) == [{11, 12, 21}], "two could belong to it"


def test_a_half_chosen_by_fingerprint_is_looked_for_too() -> None:
    torn = ec(1, id=b"t", private={"label": "renamed"})
    wish = Wish("ecc", label="root", fingerprint=torn.fingerprint)
    assert found(wish, torn) == [{11, 12}]
    assert found(wish, torn, ec(2)) == [{11, 12}], "beside another pair of that label"


@pytest.mark.parametrize("wish", [ROOT, Wish("ecc", id=b"\x01"), Wish("ecc", label="root", id=b"\x01")])
def test_a_key_of_unreadable_type_is_no_absence(wish: Wish) -> None:
    odd = without(ec().private, "key_type")
    assert refusal(lambda: found(wish, halves(odd))) == (
        "Refused to go on with the token 'memory': the type of the private key 'root' (handle 2) cannot be read."
        " Repair or remove that object."
    )


def test_clear_is_nothing_or_one_whole_pair() -> None:
    one = ec()
    assert is_clear([]) and is_clear([one])
    for pairs in ([one, ec(1)], [KeyPair(one.publics)], [KeyPair(one.publics, one.privates * 2)]):
        assert not is_clear(pairs)
    Work(MemorySession(), ROOT).refuse_unclear([])
    Work(MemorySession(), ROOT).refuse_unclear([one])


LONE_PUBLIC = "Bring back its private half, or remove the public one by state=absent with its id or fingerprint."
LONE_PRIVATE = "Bring back its public half, from a backup or with the program that made the key."
LONE_RSA = "Set complete=true to have its public half, which its modulus tells, or bring that back from a backup."
STRANGER = (
    "Bring back the public half of the private one; what is in its place goes by hsm_key with state=absent, uri"
    " 'pkcs11:object=root;type=public;id=%01'."
)
MANY = "Name one pair by id or fingerprint, or remove what is not wanted by state=absent named so."
SURPLUS = "Remove the surplus keys with the vendor's tool or pkcs11-tool."
EDWARDS = KeyPair((), ec(1, curve="ed25519").privates)
ONE_LINE = [
    ([KeyPair(ec().publics)], "it is a public half without its private half", LONE_PUBLIC),
    ([KeyPair((), ec().privates)], "it is a private half without its public half", LONE_PRIVATE),
    ([KeyPair((), rsa().privates)], "it is a private half without its public half", LONE_RSA),
    ([KeyPair(ec().publics), EDWARDS], "its halves do not belong together (key_type, curve differ)", STRANGER),
    (
        [KeyPair(pair_of(rsa_material(2**2047 + 1, 1)).publics), KeyPair((), rsa().privates)],
        "its halves do not belong together (public_exponent differs)",
        STRANGER,
    ),
    ([KeyPair(ec().publics, ec().privates * 2)], "3 ECC keys have that name", SURPLUS),
]
ROWS = [
    ([ec(), ec(1)], "2 ECC key pairs have that name"),
    ([rsa(), rsa(1)], "2 RSA key pairs have that name"),
    ([ec(curve="ed25519"), KeyPair(ec(1).publics)], "1 ECC key pair and 1 half have that name"),
    ([ec(), ec(1), KeyPair(ec(2).publics), EDWARDS], "2 ECC key pairs and 2 halves have that name"),
    ([KeyPair(rsa().publics), KeyPair(rsa(1).publics)], "2 RSA key halves have that name"),
]


def unclear(pairs: list[KeyPair], what: str) -> str:
    wish = Wish("rsa", label="root") if "RSA" in what else ROOT
    told = refusal(lambda: Work(MemorySession(), wish).refuse_unclear(pairs))
    start = f"Refused to touch {wish} on the token 'memory': "
    assert told.startswith(start)
    return told.removeprefix(start)


@pytest.mark.parametrize(("pairs", "what", "remedy"), ONE_LINE)
def test_what_is_unclear_is_listed(pairs: list[KeyPair], what: str, remedy: str) -> None:
    objects = ", ".join(str(found) for pair in pairs for found in pair.objects)
    assert unclear(pairs, what) == f"{what}: {objects}. Nothing was changed. {remedy}"


@pytest.mark.parametrize(("pairs", "what"), ROWS)
def test_pairs_are_counted_as_pairs_and_listed_in_rows(pairs: list[KeyPair], what: str) -> None:
    rows = "".join(f"\n- {pair}" for pair in pairs)
    assert unclear(pairs, what) == f"{what}. Nothing was changed. {MANY}{rows}"


def test_a_label_makes_no_row_of_its_own() -> None:
    forged = ec(label="x\n- (public ec key")
    message = unclear([forged, ec(1)], "2 ECC key pairs have that name")
    assert len(message.splitlines()) == 3 and "label 'x\\n- (public ec key'" in message


def test_each_listed_object_tells_class_label_id_type_size_and_fingerprint() -> None:
    message = refusal(lambda: Work(MemorySession(), ROOT).refuse_unclear([ec(), KeyPair((), rsa().privates)]))
    assert f"(public ec key, on secp256r1, label 'root', id 01, fingerprint {colons(ec())})" in message
    assert "(private ec key, on secp256r1, label 'root', id 01, fingerprint unknown)" in message
    assert f"(private rsa key, of 2048 bits, label 'root', id 01, fingerprint {colons(rsa())})" in message


LABELS, IDS = st.sampled_from(["root", "other"]), st.sampled_from([b"", b"\x01", b"\x02"])
PAIRS = st.lists(
    st.builds(
        lambda number, curve, label, id_: ec(number, curve, label=label, id=id_),
        st.integers(0, 3),
        st.sampled_from(["secp256r1", "ed25519"]),
        LABELS,
        IDS,
    )
    | st.builds(lambda number, label, id_: rsa(number, label=label, id=id_), st.integers(0, 2), LABELS, IDS),
    max_size=4,
    unique_by=lambda pair: pair.public.handle,
)


@given(PAIRS, LABELS, st.sampled_from(["rsa", "ecc"]))
def test_all_of_one_label_and_type_are_found_and_nothing_else(pairs: list[KeyPair], label: str, family: t.Any) -> None:
    expected = {
        one.handle
        for pair in pairs
        for one in pair.objects
        if one.label == label and (one.key_type == "rsa") is (family == "rsa")
    }
    session = MemorySession(*pairs)
    groups = Work(session, Wish(family, label=label)).find()
    assert {one.handle for group in groups for one in group.objects} == expected
    assert set(session.calls) == {"find"}


@given(PAIRS)
def test_a_fingerprint_names_at_most_one_pair(pairs: list[KeyPair]) -> None:
    for pair in pairs:
        family: Family = "rsa" if pair.public.key_type == "rsa" else "ecc"
        groups = Work(MemorySession(*pairs), Wish(family, fingerprint=pair.fingerprint)).find()
        assert len(groups) == 1 and pair.public in groups[0].publics
