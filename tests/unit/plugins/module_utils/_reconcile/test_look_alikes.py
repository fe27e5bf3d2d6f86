# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pair is generated although the token has one that the user most likely means: refused, or told."""

from __future__ import annotations

import typing as t
import unicodedata

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.entries import Entry
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.many import reconcile_many
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.drawn_id import draw, is_drawn
from ansible_collections.cryptoki.hsm.tests.support.key_tasks import run
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key, rsa_material
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import P256, WISH, ec_pair, present, session_with

CHECK_MODES = pytest.mark.parametrize("check_mode", [True, False])
NFC, NFD = unicodedata.normalize("NFC", "\u00e9t\u00e9"), unicodedata.normalize("NFD", "\u00e9t\u00e9")
READING = "its id is the same digits, read as text there and as bytes here, or the reverse"
NEITHER = NFC[0] + NFD[-2:]


def wish(label: str | None = "root", **names: t.Any) -> Wish:
    return Wish("ecc", label=label, curve=P256, **names)


@CHECK_MODES
def test_a_task_that_gets_an_id_later(check_mode: bool) -> None:
    session = session_with()
    present(session, WISH)
    drawn = session.objects[0].id
    assert is_drawn(drawn)
    pair = KeyPair((session.objects[0],), (session.objects[1],))
    assert refusal(lambda: present(session, wish(id=b"new"), check_mode)) == (
        "Refused to generate the ECC key pair 'root', id 6e:65:77 on the token 'memory': there is a pair of that label"
        f" and type whose id was drawn, {pair}. If that pair is meant, give it the id (hsm_key with id_hex"
        f" '{drawn.hex(':')}', key_type 'ec' and new_id_hex '6e:65:77'), or leave id out to manage it by its label. If"
        " another one is meant, give that pair an id of its own before."
    )
    assert len(session.objects) == 2
    assert run(session, id_hex=drawn.hex(":"), key_type="ec", new_id_hex="6e:65:77")[0].changed
    assert not present(session, wish(id=b"new"), check_mode).changed


@CHECK_MODES
def test_a_key_of_another_type_is_not_meant(check_mode: bool) -> None:
    session = session_with(ec_pair(label="Root", id=b"\x07"), ec_pair(id=b"01", handle=5))
    other = Wish("rsa", label="root", id=b"\x01", modulus_bits=2048)
    assert present(session, other, check_mode).warnings == ()


@pytest.mark.parametrize("changed", [PUBLIC, PRIVATE])
@pytest.mark.parametrize("family", ["rsa", "ecc"])
def test_a_twin_of_which_another_program_changed_one_half(family: str, changed: str) -> None:
    drawn = draw(16)
    private, public = t.cast(
        "list[dict[str, t.Any]]",
        [
            {"id": b"web" if half == changed else drawn, bit: True}
            for half, bit in ((PRIVATE, "sign"), (PUBLIC, "verify"))
        ],
    )
    twin = pair_of(private_key("2048" if family == "rsa" else "secp256r1", 1), private, public)
    session: MemorySession = session_with(twin)
    later = Wish("rsa", label="root", id=b"new", modulus_bits=2048) if family == "rsa" else wish(id=b"new")
    message = refusal(lambda: present(session, later))
    assert "there is a pair of that label and type whose id was drawn" in message
    call: dict[str, t.Any] = {"id_hex": drawn.hex(":"), "key_type": twin.public.key_type, "new_id_hex": "6e:65:77"}
    assert (
        f"(hsm_key with id_hex '{call['id_hex']}', key_type '{call['key_type']}' and new_id_hex '6e:65:77')" in message
    )
    assert len(session.objects) == 2 and run(session, **call)[0].changed
    assert {found.id for found in session.objects} == {b"new"} and not present(session, later).changed


def test_a_twin_without_an_id() -> None:
    twin = ec_pair(id=b"")
    message = refusal(lambda: present(session_with(twin), wish(id=b"new")))
    assert f"there is a pair of that label and type without an id, {twin}. " in message
    assert "(hsm_key with label 'root', key_type 'ec' and new_id_hex '6e:65:77')" in message
    rsa = pair_of(rsa_material(2**2047 + 1), id=b"")
    others: tuple[tuple[KeyPair, ...], ...] = (
        (),
        (ec_pair(id=b"old"),),
        (ec_pair(label="x", id=b""),),
        (rsa,),
        (ec_pair(id=b""), ec_pair(handle=11, id=b"old")),
    )
    for pairs in others:
        assert present(session_with(*pairs), wish(id=b"new"), check_mode=True).warnings == ()
    assert present(session_with(ec_pair(label="x", id=b"")), WISH, check_mode=True).warnings == ()


def test_a_group_of_pairs_under_one_label_makes_no_noise() -> None:
    session = session_with()
    for id_ in (b"01", b"02", b"root-3"):
        assert present(session, wish(id=id_)).warnings == ()
    session.certified += [Certificate(900, "root", id_, b"") for id_ in (b"01", b"02")]
    assert present(session, wish(id=b"04")).warnings == ()
    entries = [Entry(number, "present", wish(id=b"5%d" % number)) for number in range(4)]
    done = reconcile_many(session, entries, False, 1, lambda _done: None)
    assert all(one.outcome and one.outcome.changed and not one.outcome.warnings for one in done)


def warned(session: MemorySession, wished: Wish, check_mode: bool) -> str:
    session.queries.clear()
    session.calls.clear()
    outcome = present(session, wished, check_mode)
    assert outcome.changed and len(outcome.warnings) == 1, outcome.warnings
    return outcome.warnings[0]


@CHECK_MODES
@pytest.mark.parametrize(
    ("there", "wished", "why"),
    [
        (ec_pair(id=b"\x01"), wish(None, id=b"01"), READING),
        (ec_pair(id=b"01"), wish(None, id=b"\x01"), READING),
        (ec_pair(id=b"\x01", label=""), wish(id=b"01"), READING),
        (ec_pair(id=b"\x01"), wish(id=b"01"), READING),
        (ec_pair(id=b"\x01\x02"), wish(id=b"01:02"), READING),
        (ec_pair(label="root\0"), WISH, "its label ends with a NUL"),
        (ec_pair(label=NFC), wish(NFD), "its label is the same in another Unicode form"),
        (ec_pair(label=NFD), wish(NFC), "its label is the same in another Unicode form"),
    ],
)
def test_every_other_look_alike_is_told(there: KeyPair, wished: Wish, why: str, check_mode: bool) -> None:
    session = session_with(there)
    assert warned(session, wished, check_mode) == (
        "Beside the new pair there is a key on the token 'memory' that may be meant instead of"
        f" {wished}: {there.private}; {why}."
    )


@CHECK_MODES
def test_a_pair_of_javas(check_mode: bool) -> None:
    """Its private half has no label, its certificate has."""
    alone = KeyPair((), ec_pair(label="", id=b"web").privates)
    session = session_with(alone)
    session.certified.append(Certificate(9, "root", b"web", b""))
    assert warned(session, WISH, check_mode) == (
        "Beside the new pair there is a key without a label on the token 'memory' that may be meant instead of"
        f" {WISH}: {alone.private}, to which (certificate, label 'root', id 77:65:62) belongs."
    )
    other = session_with(ec_pair(label="other", id=b"web"))
    other.certified.append(Certificate(9, "root", b"web", b""))
    assert present(other, WISH, check_mode).warnings == ()


def test_it_costs_five_searches_at_most_and_none_is_unfiltered() -> None:
    for label in ("root", NFC, NFD, NEITHER):
        session = session_with(ec_pair(label="", id=b"web"))
        session.certified.append(Certificate(9, label, b"web", b""))
        wished = wish(label, id=b"01")
        assert len(present(session, wished, check_mode=True).warnings) == 1
        found = session.queries[2:]  # less those by the id; of the rest, those for the twin and a broken replacement
        own = [query for query in found if query.label == label or "replacement" in (query.label or "")]
        assert all(query.attributes() for query in found)
        assert len(found) - len(own) + session.calls.count("certificates") <= 5


def test_an_unchanged_pair_is_not_compared_with_others() -> None:
    session = session_with(ec_pair(), ec_pair(label="root\0", handle=11))
    assert present(session, WISH).warnings == () and "certificates" not in session.calls


def test_a_drawn_id_is_drawn_for_a_provisional_pair_too() -> None:
    session = session_with(ec_pair("secp384r1", id=draw(16)))
    replaced = present(session, Wish("ecc", label="root", curve=P256, on_mismatch="replace"))
    assert replaced.after and all(is_drawn(found.id) for found in replaced.after.objects)
