# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An error of the token or a kill at each call in turn: no key is lost, and the next run finishes or names it."""

from __future__ import annotations

import copy
import dataclasses
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.difference import differences
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import Outcome, reconcile
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import SPKI
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import (
    FREEZE,
    SCENARIOS,
    WISH,
    ec_pair,
    handles,
    present,
    session_with,
)

each = pytest.mark.parametrize("name", sorted(SCENARIOS))


class Killed(BaseException):
    """SIGKILL between two calls."""


class Faulty(MemorySession):
    """A session in which call number `at` is refused, or the process killed before it."""

    at = 0
    kill = False

    def _called(self, name: str) -> None:
        super()._called(name)
        if len(self.calls) == self.at:
            if self.kill:
                raise Killed
            raise TokenError(name, "CKR_DEVICE_ERROR")


def usable(session: MemorySession) -> int:
    """How many private keys there are that have their public half on the token, whatever joins the two."""
    publics = {found.spki for found in session.objects if found.half == PUBLIC}
    keys = [session.keys.of[found.handle] for found in session.objects if found.half == PRIVATE]
    return len({key.public_key().public_bytes(*SPKI) for key in keys} & publics)


def at_each_call(name: str, kill: bool) -> t.Iterator[tuple[int, Faulty, t.Any]]:
    """Runs a scenario with a fault at each call in turn; gives the session and what the run raised."""
    pairs, wish = SCENARIOS[name]
    whole = session_with(*pairs)
    present(whole, wish)
    for at in range(1, len(whole.calls) + 1):
        session = session_with(*pairs, kind=Faulty)
        session.at, session.kill = at, kill
        try:
            raised: t.Any = present(session, wish)
        except (HsmError, Killed) as error:
            raised = error
        session.at = 0
        yield at, session, raised


@each
def test_no_refusal_by_the_token_loses_a_key_or_stays_untold(name: str) -> None:
    pairs, wish = SCENARIOS[name]
    for at, session, raised in at_each_call(name, kill=False):
        where = f"{name}, call {at} ({session.calls[at - 1]}): {raised}"
        if session.calls[at - 1] in ("prove", "certificates") and isinstance(raised, Outcome):
            # The proof of a pair that was there before, or a look-alike: what is not known is a warning.
            assert any("CKR_DEVICE_ERROR" in warning for warning in raised.warnings), where
            continue
        assert isinstance(raised, HsmError) and raised.data.get("ckr") == "CKR_DEVICE_ERROR", where
        assert "\n" not in raised.msg, where
        assert usable(session) >= len(pairs), where
        if "Nothing was changed" in raised.msg or "untouched" in raised.msg or "removed again" in raised.msg:
            assert session.objects == [found for pair in pairs for found in pair.objects], where
        if "The same task finishes it" in raised.msg:
            assert not differences(wish, t.cast(KeyPair, present(session, wish).after)), where


@each
def test_after_a_kill_the_next_run_finishes_or_names_what_it_finds(name: str) -> None:
    pairs, wish = SCENARIOS[name]
    for at, session, raised in at_each_call(name, kill=True):
        where = f"{name}, killed before call {at} ({session.calls[at - 1]})"
        assert isinstance(raised, Killed), where
        assert usable(session) >= len(pairs), where
        left = copy.copy(session.objects)
        try:
            outcome = present(session, wish)
        except HsmError as error:
            assert error.msg.startswith("Refused to touch"), where
            assert any(str(found) in error.msg for found in left), where
            assert len(session.objects) >= len(left), where
        else:
            assert name == "keep" or differences(wish, outcome.after) == [], where  # type: ignore[arg-type]
            if name == "replace what only derives" and outcome.after:
                told = [outcome.after.private.attributes[bit] for bit in ("extractable", "sign", "derive")]
                assert told == [False, False, True], where
            assert usable(session) <= max(1, len(pairs) + (name == "generate beside another")), where


@pytest.mark.parametrize("refused", [1, 2])
def test_an_absence_that_is_broken_off_names_what_remains(refused: int) -> None:
    session = session_with(ec_pair(), kind=Faulty)
    session.at = 3 + refused  # after two searches for keys and one for certificates
    message = refusal(lambda: reconcile(session, WISH, "absent", False))
    left = " and ".join(map(str, session.objects))
    assert message.startswith("Could not remove the ECC key pair 'root' on the token 'memory': the HSM answered")
    assert message.endswith(f" What remains: {left}."), message
    # The private half goes first: while it is refused, the pair is still whole.
    assert [found.half for found in session.objects] == ([PUBLIC, PRIVATE] if refused == 1 else [PUBLIC])


@pytest.mark.parametrize("name", ["change", "generate and freeze"])
def test_a_freeze_that_is_broken_off_names_the_copy(name: str) -> None:
    broken_off = [(session, raised) for _at, session, raised in at_each_call(name, kill=False)]
    doubled = [(session, raised) for session, raised in broken_off if len(session.objects) > 2]
    assert doubled
    for session, raised in doubled:
        copies = [found for found in session.objects if found.attributes["destroyable"] is False]
        assert f"Beside it is its copy, {copies[-1]}." in raised.msg


@pytest.mark.parametrize("name", ["replace", "replace with id", "replace and freeze"])
def test_a_replacement_stays_when_the_old_private_half_went_with_an_error(name: str) -> None:
    class Unsure(MemorySession):
        def destroy(self, found: TokenObject) -> None:
            super().destroy(found)
            if found.handle == 2:
                raise TokenError("destroy", "CKR_DEVICE_ERROR")

    pairs, wish = SCENARIOS[name]
    session = session_with(*pairs, kind=Unsure)
    message = refusal(lambda: present(session, wish))
    new = [found for found in session.objects if found.handle > 2]
    assert [found.half for found in session.objects] == [PUBLIC, PUBLIC, PRIVATE] and usable(session) == 1
    assert "The old private half is not seen any more." in message
    assert all(str(found) in message for found in session.objects) and len(new) == 2


@pytest.mark.parametrize(
    ("original", "frozen", "done"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_an_original_beside_its_frozen_copy_goes(original: bool, frozen: bool, done: bool) -> None:
    """What a kill between the copy and the removal leaves; anything else is not told apart."""
    pair = ec_pair(private=dict.fromkeys(FREEZE, original))
    wish = dataclasses.replace(WISH, private_attributes=FREEZE)
    session = session_with(pair)
    attributes = {**pair.private.attributes, **dict.fromkeys(FREEZE, frozen)}
    session.objects.append(dataclasses.replace(pair.private, handle=9, attributes=attributes))
    session.keys.of[9] = session.keys.of[2]
    if not done:
        assert refusal(lambda: present(session, wish)).startswith("Refused to touch")
        assert handles(session) == {1, 2, 9}
        return
    assert present(session, wish, check_mode=True).changed and handles(session) == {1, 2, 9}
    assert present(session, wish).changed and handles(session) == {1, 9}
    assert not present(session, wish).changed


def test_a_replacement_is_taken_back_while_the_old_private_half_is_there() -> None:
    class Keeping(MemorySession):
        def destroy(self, found: TokenObject) -> None:
            if found.handle == 2:
                raise TokenError("destroy", "CKR_DEVICE_ERROR")
            super().destroy(found)

    pairs, wish = SCENARIOS["replace"]
    session = session_with(*pairs, kind=Keeping)
    message = refusal(lambda: present(session, wish))
    assert "is not seen any more" not in message and "CKR_DEVICE_ERROR" in message
    assert handles(session) == {1, 2}
