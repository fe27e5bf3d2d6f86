# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates beside a pair that is removed, replaced or gets another id: no next key inherits another one's."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import reconcile
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import Value
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.tests.support.key_tasks import run
from ansible_collections.cryptoki.hsm.tests.support.memory_certificates import certificate_of
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import WISH, ec_pair, handles, session_with

OWN = certificate_of(private_key("secp256r1", 1))
OTHER = certificate_of(private_key("secp256r1", 1), ident=b"\x02", handle=51)
SHOWN = "(certificate, subject 'CN=web', serial number 4f:6e:17, label 'web', id 01)"
REMEDY = "Say what becomes of that: certificates=follow takes it along, certificates=keep leaves it."
CHANGES = {"generate", "set_attributes", "freeze", "destroy", "set_certificate_id", "destroy_certificate"}
Policy = t.Literal["fail", "keep", "follow"]


def token(*certificates: Certificate, kind: type[MemorySession] = MemorySession) -> t.Any:
    session = session_with(ec_pair(), kind=kind)
    session.certified = list(certificates)
    return session


def remove(session: MemorySession, policy: Policy = "fail", check_mode: bool = False) -> bool:
    return reconcile(session, dataclasses.replace(WISH, certificates=policy), "absent", check_mode).changed


def replace(session: MemorySession, policy: Policy = "fail", check_mode: bool = False) -> bool:
    """The new pair has the id of the old one."""
    wish = dataclasses.replace(WISH, id=b"\x01", usage=("derive",), on_mismatch="replace", certificates=policy)
    session.objects = session_with(ec_pair(private={"modifiable": False})).objects
    return reconcile(session, wish, "present", check_mode).changed


def rename(session: MemorySession, policy: Policy = "fail", check_mode: bool = False) -> bool:
    return run(session, check_mode, label="root", new_id="new", certificates=policy)[0].changed


ACTS: dict[str, t.Callable[..., bool]] = {"remove": remove, "replace": replace, "rename": rename}
each = pytest.mark.parametrize("act", ACTS)


@each
@pytest.mark.parametrize("check_mode", [True, False])
def test_a_certificate_of_the_id_is_named_and_nothing_is_done(act: str, check_mode: bool) -> None:
    session = token(OWN, OTHER)
    message = refusal(lambda: ACTS[act](session, check_mode=check_mode))
    assert message.startswith(f"Refused to {act} the ")
    assert message.endswith(f"on the token 'memory': its id is that of {SHOWN}. {REMEDY}")
    assert session.certified == [OWN, OTHER] and not CHANGES & set(session.calls)


@each
def test_certificates_of_other_ids_are_no_matter_and_are_asked_for_once(act: str) -> None:
    session = token(OTHER)
    assert ACTS[act](session) and session.certified == [OTHER]
    assert session.calls.count("certificates") == 1


@each
@pytest.mark.parametrize("check_mode", [True, False])
def test_keep_leaves_them_and_does_not_ask(act: str, check_mode: bool) -> None:
    session = token(OWN, OTHER)
    assert ACTS[act](session, "keep", check_mode)
    assert session.certified == [OWN, OTHER] and "certificates" not in session.calls


@pytest.mark.parametrize(
    ("act", "left"), [("remove", [OTHER]), ("replace", [OTHER]), ("rename", [OWN._replace(id=b"new"), OTHER])]
)
def test_follow_takes_them_along(act: str, left: list[Certificate]) -> None:
    session = token(OWN, OTHER)
    assert ACTS[act](session, "follow", True) and session.certified == [OWN, OTHER]
    assert not CHANGES & set(session.calls)
    assert ACTS[act](session, "follow") and session.certified == left


def test_what_is_as_wished_asks_for_no_certificates() -> None:
    session = token(OWN)
    assert not reconcile(session, WISH, "present", False).changed
    assert run(session, label="root", usage=["derive"])[0].changed
    assert run(session, label="root", new_label="x")[0].changed
    assert "certificates" not in session.calls


def test_a_certificate_goes_with_the_private_half() -> None:
    session = token(OWN)
    half = "pkcs11:object=root;type="
    assert run(session, uri=f"{half}public", new_id="x")[0].changed and session.certified == [OWN]
    assert SHOWN in refusal(lambda: run(session, uri=f"{half}private", new_id="x"))
    session = token(OWN)
    assert SHOWN in refusal(lambda: run(session, uri=f"{half}private", state="absent"))
    assert run(session, uri=f"{half}public", state="absent")[0].changed and handles(session) == {2}


class Lying(MemorySession):
    """Answers that certificates were changed, and does not change them."""

    def set_certificate_id(self, found: Certificate, identifier: bytes) -> None:
        self._called("set_certificate_id")

    def destroy_certificate(self, found: Certificate) -> None:
        self._called("destroy_certificate")


def test_what_did_not_go_is_named() -> None:
    session = token(OWN, kind=Lying)
    assert refusal(lambda: remove(session, "follow")) == (
        "Could not remove the certificates of the ECC key pair 'root' on the token 'memory': the token answered that"
        f" they are, and there is still {SHOWN}. The pair is gone."
    )
    session = token(OWN)
    session.refused["destroy_certificate"] = "CKR_ACTION_PROHIBITED"
    assert refusal(lambda: remove(session, "follow")).endswith(f"The pair is gone. What remains: {SHOWN}.")


@pytest.mark.parametrize("told", [{"remains": "Its file may still be there."}, {"lost": True}])
def test_what_may_have_gone_is_not_said_to_be_there(told: dict[str, t.Any]) -> None:
    class Doubtful(MemorySession):
        def destroy_certificate(self, found: Certificate) -> None:
            error = TokenError("remove it", "CKR_FUNCTION_FAILED")
            error.__dict__.update(told)
            raise error

    session = token(OWN, kind=Doubtful)
    assert refusal(lambda: remove(session, "follow")).endswith(f" What may remain: {SHOWN}.")


def test_what_did_not_move_leaves_the_pair_alone() -> None:
    session = token(OWN, kind=Lying)
    assert refusal(lambda: rename(session, "follow")) == (
        "Could not give the certificates of the key chosen by label 'root' on the token 'memory' the id 6e:65:77: the"
        " token answered that it is done, and they do not have it."
    )
    assert "set_attributes" not in session.calls


def test_a_pair_that_keeps_its_id_keeps_its_certificates() -> None:
    session = token(OWN, OTHER)
    session.refused["set_attributes"] = "CKR_ATTRIBUTE_READ_ONLY"
    assert "CKR_ATTRIBUTE_READ_ONLY" in refusal(lambda: rename(session, "follow"))
    assert session.certified == [OWN, OTHER]


def test_what_could_not_be_moved_back_is_named() -> None:
    class Stuck(MemorySession):
        def set_attributes(self, found: TokenObject, values: t.Mapping[str, Value]) -> TokenObject:
            self.refused["set_certificate_id"] = "CKR_DEVICE_ERROR"
            raise TokenError("set", "CKR_DEVICE_ERROR")

    session = token(OWN, kind=Stuck)
    message = refusal(lambda: rename(session, "follow"))
    assert message.endswith(f"Nothing was changed. What may have the new id: {SHOWN}.")


class Killed(BaseException):
    """SIGKILL between two calls."""


class Fatal(MemorySession):
    """A session whose process is killed before a call of this name."""

    at: tuple[str, int] = "", 0

    def _called(self, name: str) -> None:
        super()._called(name)
        if self.at == (name, self.calls.count(name)):
            raise Killed


@pytest.mark.parametrize("call", ["set_attributes", "set_certificate_id"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_renaming_that_was_killed_is_gone_on_with(call: str, number: int) -> None:
    session = token(OWN, OWN._replace(handle=60, label="second"), kind=Fatal)
    session.at = call, number
    with pytest.raises(Killed):
        rename(session, "follow")
    session.at = "", 0
    assert rename(session, "follow")
    assert {one.id for one in session.certified} == {found.id for found in session.objects} == {b"new"}


@pytest.mark.parametrize(("call", "number"), [("destroy_certificate", 1), ("certificates", 2), ("set_attributes", 9)])
def test_a_replacement_that_was_killed_is_gone_on_with(call: str, number: int) -> None:
    """The new pair has its name only when the old one's certificates are gone."""
    session = token(OWN, OTHER, kind=Fatal)
    session.at = call, number
    with pytest.raises(Killed):
        replace(session, "follow")
    session.at = "", 0
    wish = dataclasses.replace(WISH, id=b"\x01", usage=("derive",), on_mismatch="replace")
    if call == "destroy_certificate":
        assert SHOWN in refusal(lambda: reconcile(session, wish, "present", False))
    assert reconcile(session, dataclasses.replace(wish, certificates="follow"), "present", False).changed
    assert session.certified == [OTHER] and [found.id for found in session.objects] == [b"\x01", b"\x01"]


def test_damage_is_no_absence() -> None:
    class Damaged(MemorySession):
        def check_absence(self) -> None:
            self._called("check_absence")

    session = token(kind=Damaged)
    session.refused["check_absence"] = "CKR_DEVICE_ERROR"
    assert "CKR_DEVICE_ERROR" in refusal(lambda: rename(session))
    assert not CHANGES & set(session.calls)


def test_a_pair_without_an_id_has_no_certificates() -> None:
    session = session_with(ec_pair(id=b""))
    session.certified = [OWN._replace(id=b"")]
    assert remove(session) and "certificates" not in session.calls


def test_a_lone_half_is_removed_like_a_pair() -> None:
    session = session_with(KeyPair((), ec_pair().privates))
    session.certified = [OWN]
    assert SHOWN in refusal(lambda: remove(session))
    assert remove(session, "follow") and session.certified == []
