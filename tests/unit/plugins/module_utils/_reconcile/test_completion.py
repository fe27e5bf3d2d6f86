# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A private RSA half gets its public one from its own modulus, where the task asks for it."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import FREEZING
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key, without
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import ec_pair, present, session_with


def wish(**given: t.Any) -> Wish:
    return Wish("rsa", **{"label": "root", "modulus_bits": 2048, "complete": True, **given})


def alone(*untold: str, **private: t.Any) -> tuple[MemorySession, KeyPair]:
    """A token with a private half, and the pair that it should become."""
    whole = pair_of(private_key("2048", 1), private={"sign": True, "decrypt": True, **private})
    session: MemorySession = session_with(KeyPair((), (without(whole.private, *untold),)))
    return session, whole


@pytest.mark.parametrize("untold", [(), ("public_exponent",)])
def test_a_private_half_gets_its_public_one(untold: tuple[str, ...]) -> None:
    session, whole = alone(*untold)
    assert "it is a private half without its public half" in refusal(lambda: present(session, wish(complete=False)))
    before = list(session.objects)
    foretold = present(session, wish(), check_mode=True)
    assert foretold.changed and session.objects == before
    done = present(session, wish())
    assert done.changed and done.before and done.before.lone == before[0] and done.after and done.after.whole
    assert done.after.spki == whole.spki and foretold.after and foretold.after.spki == whole.spki
    public = done.after.public
    for half in (foretold.after.public, public):
        assert all(half.attributes[name] is True for name in FREEZING)
    names = ("label", "id", "private", "token", "verify", "encrypt", "wrap")
    assert [public.attributes.get(name) for name in names] == ["root", b"\x01", False, True, True, True, False]
    again = present(session, wish())
    assert not again.changed and again.after and again.after.handles == done.after.handles


def test_a_key_of_javas_has_no_label() -> None:
    session, _whole = alone(label="", id=b"web")
    assert "its id belongs to" in refusal(lambda: present(session, wish(id=b"web", complete=False)))
    done = present(session, wish(id=b"web"))
    assert done.changed and {found.label for found in session.objects} == {"root"}
    assert {found.id for found in session.objects} == {b"web"}


def test_an_exponent_that_is_not_told_is_proven() -> None:
    session, _whole = alone("public_exponent")
    session.keys.of[2] = private_key("2048", 7)
    assert "do not belong together" in refusal(lambda: present(session, wish()))
    session, _whole = alone("public_exponent", sign=False, decrypt=False)
    assert "has the exponent 65537 cannot be proven" in refusal(lambda: present(session, wish()))
    assert len(session.objects) == 1
    told, _whole = alone(sign=False, decrypt=False)
    assert present(told, wish()).changed


@pytest.mark.parametrize("verify", [None, True, False])
def test_only_whoever_wants_no_proof_goes_by_what_is_told(verify: bool | None) -> None:
    session, _whole = alone()
    session.keys.of[2] = private_key("2048", 7)
    if verify is False:
        assert present(session, wish(verify=verify)).changed
    else:
        assert "do not belong together" in refusal(lambda: present(session, wish(verify=verify)))
        assert len(session.objects) == 1


@pytest.mark.parametrize("given", [{"verify": False}, {"public_exponent": 65539}])
def test_an_exponent_that_is_not_told_is_proven_whatever_is_wished(given: dict[str, t.Any]) -> None:
    session, _whole = alone("public_exponent")
    if "verify" in given:
        session.keys.of[2] = private_key("2048", 7)
    assert "do not belong together" in refusal(lambda: present(session, wish(**given)))
    assert len(session.objects) == 1


def test_an_empty_exponent_is_none() -> None:
    session, whole = alone()
    session.objects[:] = [
        dataclasses.replace(found, attributes={**found.attributes, "public_exponent": b""}) for found in session.objects
    ]
    done = present(session, wish())
    assert done.after and done.after.public.spki == whole.spki


def test_what_is_wished_of_the_public_half_goes_before_what_the_private_one_may() -> None:
    session, _whole = alone()
    done = present(session, wish(public_attributes={"verify": False}))
    assert done.after and done.after.public.attributes["verify"] is False
    assert session.calls.count("set_attributes") == 0


def test_nothing_is_completed_where_nothing_may_be_made() -> None:
    class Foreign(MemorySession):
        def check_making(self, what: str) -> None:
            raise HsmError(f"Refused to {what}.")

    private = alone()[0].objects
    session = session_with(KeyPair((), (private[0],)), kind=Foreign)
    assert refusal(lambda: present(session, wish())).startswith("Refused to complete the RSA key pair 'root'")
    assert len(session.objects) == 1


def test_what_is_not_completed() -> None:
    session, _whole = alone("modulus")
    assert "the token does not tell the modulus of" in refusal(lambda: present(session, wish()))
    told_empty = dataclasses.replace(session.objects[0], attributes={**session.objects[0].attributes, "modulus": b""})
    session.objects[:] = [told_empty]
    assert "the token does not tell the modulus of" in refusal(lambda: present(session, wish()))
    session, whole = alone()
    session.objects[:] = [whole.public]
    assert "it is a public half without its private half" in refusal(lambda: present(session, wish()))
    session, _whole = alone()
    session.write_protected = True
    assert "the token is write-protected" in refusal(lambda: present(session, wish(), check_mode=True))
    session, _whole = alone()
    session.refused["store_public"] = "CKR_TEMPLATE_INCONSISTENT"
    assert refusal(lambda: present(session, wish())).startswith(
        "Could not complete the RSA key pair 'root' on the token"
    )
    other = session_with(ec_pair())
    assert present(other, wish()).after and len(other.objects) == 4


@pytest.mark.parametrize("check_mode", [True, False])
def test_what_is_refused_of_the_pair_is_refused_before_it_is_completed(check_mode: bool) -> None:
    session, _whole = alone()
    told = refusal(lambda: present(session, wish(modulus_bits=3072), check_mode))
    assert told.startswith("Refused to change the RSA key pair 'root' on the token 'memory': modulus_bits is 2048")
    assert len(session.objects) == 1 and "store_public" not in session.calls
    assert present(session, wish(modulus_bits=3072, on_mismatch="keep"), check_mode).warnings


@pytest.mark.parametrize("name", ["modifiable", "destroyable"])
def test_a_public_half_that_is_frozen_is_foretold(name: str) -> None:
    session, _whole = alone()
    frozen = wish(public_attributes={name: False})
    foretold = present(session, frozen, check_mode=True)
    done = present(session, frozen)
    for outcome in (foretold, done):
        assert outcome.changed and outcome.after and outcome.after.public.attributes[name] is False
    assert not present(session, frozen).changed
