# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session of key_mgmt_util with a simulated cluster: what is found, made, proven, shared and removed."""

from __future__ import annotations

import dataclasses
import functools
import shutil
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import Answer
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.command import Command
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.handles import Made
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.provider import KeyMgmtUtilProvider
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.session import KeyMgmtUtilSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import Sharing, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Query
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.tests.simulators.cluster.state import opened
from ansible_collections.cryptoki.hsm.tests.support.cluster import OWNER, OWNER_PASSWORD
from ansible_collections.cryptoki.hsm.tests.support.key_mgmt_util_runs import BOB, BOBS_PASSWORD, Kmu
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import WISH, ec_pair
from ansible_collections.cryptoki.hsm.tests.support.task_options import params

pytestmark = pytest.mark.skipif(
    not (shutil.which("pkcs11-tool") and shutil.which("softhsm2-util")), reason="a simulated cluster needs both"
)
EC = dataclasses.replace(WISH, id=b"one")


@pytest.fixture
def kmu(tmp_path: Path) -> Kmu:
    return Kmu(tmp_path / "cluster")


def session(kmu: Kmu, **given: t.Any) -> t.Any:
    usual = {
        "provider": "key_mgmt_util",
        "executable": str(kmu.executable),
        "crypto_user": OWNER,
        "pin": OWNER_PASSWORD,
    }
    found, _login = KeyMgmtUtilProvider.connect(params("ecc", **{**usual, **given}), any_token=False)
    return found.session(writable=True)


def handles(found: t.Any) -> list[int]:
    return sorted(one.handle for one in found)


def test_a_pair_from_its_generation_to_its_removal(kmu: Kmu) -> None:
    with session(kmu) as one:
        assert one.find(Query(PRIVATE, label="root")) == [] and one.user == OWNER
        one.check_generation(EC)
        pair = one.generate(EC)
        assert pair.whole and pair.private.id == b"one" and [row.status for row in one.nodes()] == ["ok", "ok"]
        assert one.prove(EC, pair).method == "CKM_ECDSA_SHA256"
        for query in (Query(PRIVATE, label="root"), Query(PRIVATE, id=b"one"), Query(PRIVATE)):
            assert handles(one.find(query)) == [pair.private.handle]
        assert handles(one.find(Query(PRIVATE, handle=pair.private.handle))) == [pair.private.handle]
        assert one.find(Query(PRIVATE, handle=pair.public.handle)) == []
        assert one.find(Query(PRIVATE, label="two words")) == one.find(Query(PRIVATE, key_type="rsa")) == []
        assert one.survey(Query(PUBLIC), 0) is None and handles(one.survey(Query(PUBLIC), 1)) == [pair.public.handle]
        assert one.missing(2, pair) == "" and one.missing(3, pair).startswith("it is on 2 (")
        assert "changes no attributes of a key" in refusal(lambda: one.set_attributes(pair.private, {"label": "x"}))
        one.destroy(pair.private)
        assert one.find(Query(PRIVATE)) == [] and handles(one.find(Query(PUBLIC))) == [pair.public.handle]
        one.destroy(pair.private)  # that it is gone is what was wished


def test_whether_sharing_can_be_changed_depends_on_the_build(kmu: Kmu, tmp_path: Path) -> None:
    with session(kmu) as one:
        assert one.facts.fixed == {"shared_with"}
    with session(Kmu(tmp_path / "azure", spelling="azure")) as one:
        assert one.facts.fixed == set()


def test_the_eighth_user_of_a_key_is_asked_for(kmu: Kmu) -> None:
    names = sorted([BOB, *(f"user{number}" for number in range(8))])
    for name in names:
        if name != BOB:
            kmu.cluster.add_user(name, "53-many-2071")
    with session(kmu) as one:
        pair = one.generate(dataclasses.replace(EC, share_with=tuple(names[:8])))
        assert pair.private.sharing.shared_with == tuple(names[:8])


def test_a_key_without_an_owner_is_nobodys(kmu: Kmu) -> None:
    with session(kmu) as one:
        pair = one.generate(EC)
        with opened(kmu.cluster.folder) as state:
            next(key for key in state.keys if key.key_class == "public-key").owner = 0
        assert one.find(Query(PUBLIC)) == []
        (found,) = one.find(Query(PUBLIC, others=True))
        assert (found.handle, found.sharing.owner) == (pair.public.handle, None)


def test_sharing(kmu: Kmu) -> None:
    with session(kmu) as one:
        pair = one.generate(dataclasses.replace(EC, share_with=("bob",)))
        assert (pair.private.sharing.owner, pair.private.sharing.shared_with) == (OWNER, (BOB,))
        assert one.crypto_user("4") == one.crypto_user(BOB) == BOB
        assert "has no crypto user of that name or number" in refusal(lambda: one.crypto_user("admin"))
    with session(kmu, crypto_user=BOB, pin=BOBS_PASSWORD) as other:
        assert other.find(Query(PRIVATE)) == []  # it is another user's


def test_what_fails_is_taken_back_or_told(kmu: Kmu) -> None:
    with session(kmu) as one:
        kmu.cluster.set_fault("error_after_success", "genECCKeyPair", times=1)
        told = refusal(lambda: one.generate(WISH))
        assert told.startswith("Could not generate the ECC key pair 'root'") and "Nothing of it is left" in told
        assert kmu.cluster.held() == []
        pair = one.generate(EC)
        kmu.cluster.set_fault("unknown_error", "deleteKey", times=1)
        with pytest.raises(TokenError, match="remove the private key"):
            one.destroy(pair.private)
        assert handles(one.find(Query(PRIVATE))) == [pair.private.handle]
        kmu.cluster.set_fault("error_after_success", "deleteKey", times=1)
        one.destroy(pair.private)
        assert one.find(Query(PRIVATE)) == []


def test_what_is_not_surely_the_new_pair_is_not_taken_back(kmu: Kmu, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tool may answer with the handles of another pair, and its search takes no id that is no text."""
    with session(kmu) as one:
        other = one.generate(EC)
        made = Made(other.public.handle, other.private.handle, (), rolled_back=False)
        monkeypatch.setattr(one._tool, "generate", lambda *dummy: made)
        for ident, left in ((b"two", 1), (b"\xff", 1), (None, 1), (b"one", 0)):
            wish = dataclasses.replace(WISH, id=ident, attest=True)
            assert "no 'Attestation Check : [PASS]'" in refusal(functools.partial(one.make, wish, "generate"))
            assert len(one.find(Query(PRIVATE))) == len(one.find(Query(PUBLIC))) == left


@pytest.mark.parametrize(("timeout", "told"), [(9, "not on 3 HSMs within 9 seconds ("), (None, "not on 3 HSMs (")])
def test_a_pair_that_is_on_too_few_hsms_is_told(
    timeout: int | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool: t.Any = Ended(False)
    tool.generate = lambda *dummy: Made(1, 2, (), rolled_back=True)
    wish = dataclasses.replace(EC, min_servers=3, timeout=timeout)
    assert f"that it is {told}" in refusal(lambda: Answering(tool).make(wish, "generate"))


def test_a_removal_that_is_only_pretended(kmu: Kmu) -> None:
    with session(kmu) as one:
        pair = one.generate(EC)
        success = "\tCfm3DeleteKey returned: 0x00 : HSM Return: SUCCESS"
        kmu.cluster.set_fault("answer", "deleteKey", times=1, after=False, text=success)
        with pytest.raises(TokenError, match="the HSM answered success, and the key is still there"):
            one.destroy(pair.private)
        assert handles(one.find(Query(PRIVATE))) == [pair.private.handle]


def test_an_rsa_pair_and_a_session_pair(kmu: Kmu) -> None:
    with session(kmu) as one:
        rsa = Wish("rsa", label="rsa", modulus_bits=2048, id=b"two")
        assert one.prove(rsa, one.generate(rsa)).method == "CKM_SHA256_RSA_PKCS"
        fleeting = dataclasses.replace(EC, label="short", session=True)
        pair = one.generate(fleeting)
        assert pair.private.attributes["token"] is False
        attested = dataclasses.replace(EC, label="sure", id=b"three", attest=True)
        assert one.generate(attested).whole
        kmu.cluster.set(attestation=False)
        told = refusal(lambda: one.generate(dataclasses.replace(attested, label="unsure", id=b"four")))
        assert "no 'Attestation Check : [PASS]'" in told and "unsure" not in [key.label for key in kmu.cluster.held()]
    assert sorted({key.label for key in kmu.cluster.held()}) == ["rsa", "sure"]


def test_who_gets_in(kmu: Kmu) -> None:
    for given in ({"pin": "wrong"}, {"crypto_user": "nobody"}):
        told = refusal(lambda given=given: session(kmu, **given).__enter__())  # type: ignore[misc]
        assert told.startswith("Could not log in to the HSM by ") and "wrong" not in told
    assert kmu.cluster.user(OWNER).failures == 1


@pytest.mark.parametrize("name", ["P-384", "P-521"])
def test_a_curve_on_which_it_may_not_sign(kmu: Kmu, name: str) -> None:
    wish = dataclasses.replace(EC, curve=curve_by_name(name))
    with session(kmu) as one:
        pair = one.generate(wish)
        kmu.cluster.set_fault("unknown_error", "sign", times=1)
        if name == "P-384":
            assert refusal(lambda: one.prove(wish, pair)).startswith("Could not sign")
        else:
            assert one.prove(wish, pair).reason.startswith("the tool did not sign on secp521r1 (")
        assert [row.status for row in one.nodes()] == ["ok", "ok"]


class Ended:
    """A tool that does not know a key to remove, or says that it did; and then it ends, or cannot search."""

    alive = True
    nodes = ()

    def __init__(self, refused: bool) -> None:
        self.refused = refused

    def run(self, command: Command, attempt: str, also: int = 0) -> Answer:
        if self.refused:
            raise TokenError(attempt, said="no removal", hint="")
        return Answer(0, "", (), ())


class Unsearchable(KeyMgmtUtilSession):
    """A session whose searches fail."""

    def _handles(self, query: Query, attempt: str) -> t.NoReturn:
        raise TokenError(attempt, said="no search", hint="")


@pytest.mark.parametrize(("refused", "said"), [(True, "no removal"), (False, "no search")])
def test_what_is_told_where_nothing_shows_that_a_key_is_gone(refused: bool, said: str) -> None:
    tool: t.Any = Ended(refused)
    told = refusal(lambda: Unsearchable(tool, OWNER, "hsm", lambda: tool).remove(PRIVATE, 7))
    assert said in told and "Whether the private half is gone is not known." in told


def test_only_a_tool_that_has_ended_is_started_again() -> None:
    tool: t.Any = Ended(False)
    started: list[t.Any] = []
    one = KeyMgmtUtilSession(tool, OWNER, "hsm", lambda: started.append(tool) or tool)  # type: ignore[func-returns-value]
    one.reconnect()
    assert started == []
    tool.alive = False
    one.reconnect()
    assert started == [tool]


class Answering(KeyMgmtUtilSession):
    """A session that finds these keys: None is another user's, a text the reason why one cannot be read."""

    def __init__(self, tool: t.Any, *keys: TokenObject | str | None) -> None:
        super().__init__(tool, OWNER, "hsm", lambda: tool)
        self.keys = keys

    def _handles(self, query: Query, attempt: str) -> tuple[int, ...]:
        return tuple(range(len(self.keys)))

    def _key(self, handle: int, attempt: str) -> TokenObject | None:
        found = self.keys[handle]
        if isinstance(found, str):
            raise TokenError(attempt, said=found, hint="")
        return found


def test_what_a_survey_tells() -> None:
    tool: t.Any = Ended(False)
    own = [dataclasses.replace(found, sharing=Sharing(OWNER)) for found in ec_pair().objects]
    rsa = dataclasses.replace(own[1], attributes={**own[1].attributes, "key_type": "rsa"})
    others = dataclasses.replace(own[1], sharing=Sharing(BOB))
    one = Answering(tool, *own, None, rsa, others, "no answer")
    *found, unread = t.cast("list[TokenObject]", one.survey(Query(PRIVATE, key_type="ec")))
    assert found == own[1:] and unread.unreadable == {"class": "no answer"}
    tool.alive = False
    assert "no answer" in refusal(lambda: one.survey(Query(PRIVATE)))
