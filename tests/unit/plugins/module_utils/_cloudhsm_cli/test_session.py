# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session of the CloudHSM CLI with a simulated cluster: what is found, made, proven, changed, shared and removed."""

from __future__ import annotations

import dataclasses
import functools
import json
import shutil
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli import session as _session
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.provider import CloudHsmCliProvider
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.session import CloudHsmCliSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._host import child
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import decide_present
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Query
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.tests.simulators.cluster.state import opened
from ansible_collections.cryptoki.hsm.tests.support.cluster import OWNER, OWNER_PASSWORD, Cluster
from ansible_collections.cryptoki.hsm.tests.support.forked_tool import forked
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import FREEZE, WISH
from ansible_collections.cryptoki.hsm.tests.support.task_options import params

pytestmark = pytest.mark.skipif(
    not (shutil.which("pkcs11-tool") and shutil.which("softhsm2-util")), reason="a simulated cluster needs both"
)
GENERATE, LIST, DELETE, SET = "key generate", "key list", "key delete", "key set-attribute"
RSA = Wish("rsa", label="root", modulus_bits=2048)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cluster = Cluster(tmp_path_factory.mktemp("made") / "cluster")
    cluster.add_user("alice", "password-alice")
    cluster.add_user("bob", "password-bob")
    return cluster.folder


@pytest.fixture
def cluster(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    folder = tmp_path / "cluster"
    shutil.copytree(made, folder)
    configuration = folder / "softhsm2.conf"
    configuration.write_text(configuration.read_text().replace(str(made), str(folder)))
    copy = Cluster(folder)
    monkeypatch.setattr(child, "run_child", forked(copy))
    return copy


def provider(**given: t.Any) -> CloudHsmCliProvider:
    usual = {"provider": "cloudhsm_cli", "crypto_user": OWNER, "pin": OWNER_PASSWORD}
    found, _login = CloudHsmCliProvider.connect(params("ecc", **{**usual, **given}), any_token=True)
    return t.cast(CloudHsmCliProvider, found)


def session(**given: t.Any) -> t.Any:
    return provider(**given).session(writable=True)


def handles(found: t.Any) -> list[int]:
    return sorted(one.handle for one in found)


def test_a_pair_from_its_generation_to_its_removal(cluster: Cluster) -> None:
    with session() as one:
        assert one.find(Query(PRIVATE, label="root")) == [] and one.token_name == "AWS CloudHSM" and one.user == OWNER
        assert one.uri_attributes == {
            "manufacturer": "Marvell Semiconductors, Inc.",
            "model": "NITROX-III CNN35XX-NFBE",
        }
        one.check_generation(WISH)
        pair = one.generate(WISH)
        assert pair.whole and len(pair.private.id) == 16 and [row.status for row in one.nodes()] == ["ok", "ok"]
        assert one.prove(WISH, pair).method == "CKM_ECDSA_SHA256"
        for query in (Query(PRIVATE, label="root"), Query(PRIVATE, id=pair.private.id), Query(PRIVATE)):
            assert handles(one.find(query)) == [pair.private.handle]
        assert handles(one.find(Query(PRIVATE, handle=pair.private.handle))) == [pair.private.handle]
        assert one.find(Query(PUBLIC, handle=pair.private.handle)) == []
        assert one.survey(Query(PUBLIC), 0) is None and handles(one.survey(Query(PUBLIC), 1)) == [pair.public.handle]
        asked = len(cluster.calls(LIST))
        one.find(Query(PRIVATE, label="root"))
        assert len(cluster.calls(LIST)) == asked  # known from before, until it is looked at anew
        one.look_anew()
        one.find(Query(PRIVATE, label="root"))
        assert len(cluster.calls(LIST)) == asked + 1
        one.look_anew()
        assert one.survey(Query(PUBLIC), 1) is None  # both halves are listed
        assert handles(one.survey(Query(PUBLIC), 2)) == [pair.public.handle]
        changed = one.set_attributes(pair.private, {"label": "new", "sign": False})
        assert (changed.label, changed.attributes["sign"], changed.handle) == ("new", False, pair.private.handle)
        one.destroy(changed)
        assert one.find(Query(PRIVATE)) == [] and handles(one.find(Query(PUBLIC))) == [pair.public.handle]
        with pytest.raises(TokenError, match="that it is not there"):
            one.read(changed)
    assert [key.key_class for key in cluster.held()] == ["public-key"]


def test_a_new_pair_is_not_used_before_it_is_everywhere(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    awaited: list[t.Any] = []
    monkeypatch.setattr(CloudHsmCliSession, "await_servers", lambda dummy, *given: awaited.append(given))
    with session() as one:
        pair = one.generate(WISH)
        one._lagging = {pair.private.handle}
        one.signer(pair)
        assert not one._lagging, "it was looked whether the other HSMs have it by now"
        one.prove(WISH, pair)
        assert awaited == [(WISH, pair)]
    with session() as another:
        another.prove(WISH, pair)
    assert len(awaited) == 1, "a pair that was there before is everywhere"


def test_a_label_that_the_tool_might_split_is_compared_here(cluster: Cluster) -> None:
    with session() as one:
        pair = one.generate(dataclasses.replace(WISH, label="two words"))
        assert handles(one.find(Query(PRIVATE, label="two words"))) == [pair.private.handle]
        assert one.find(Query(PRIVATE, label="two")) == []


def test_a_label_that_begins_with_a_dash(cluster: Cluster) -> None:
    with session() as one:
        pair = one.generate(dataclasses.replace(WISH, label="--session"))
        assert (pair.private.label, pair.public.label) == ("--session", "--session")
        assert handles(one.find(Query(PRIVATE, label="--session"))) == [pair.private.handle]
        assert one.set_attributes(pair.private, {"label": "-n"}).label == "-n"


def test_rsa(cluster: Cluster) -> None:
    with session() as one:
        pair = one.generate(dataclasses.replace(RSA, id=b"one", public_exponent=65539))
        assert pair.private.id == b"one" and pair.public.attributes["public_exponent"] == (65539).to_bytes(3, "big")
        assert one.prove(RSA, pair).method == "CKM_SHA256_RSA_PKCS"
        usual = one.generate(RSA)
        assert usual.public.attributes["public_exponent"] == (65537).to_bytes(3, "big")
        quiet = dataclasses.replace(WISH, usage=("derive",))
        assert one.prove(quiet, one.generate(quiet)).reason == "the CloudHSM CLI can only sign with it"


def test_ed25519_outside_of_the_fips_mode(cluster: Cluster) -> None:
    ed25519 = dataclasses.replace(WISH, curve=curve_by_name("Ed25519"))
    with session() as one:
        told = refusal(lambda: one.check_generation(ed25519))
        assert told.endswith("the HSMs have the curve ed25519 outside of the FIPS mode only.")
    cluster.set(fips=False)
    with session() as one:
        one.check_generation(ed25519)
        pair = one.generate(ed25519)
        assert (pair.public.curve.name, pair.private.key_type) == ("ed25519", "ec_edwards")
        assert one.prove(ed25519, pair).method == "CKM_EDDSA"
        assert handles(one.find(Query(PRIVATE, label="root", key_type="ec_edwards"))) == [pair.private.handle]


def test_an_older_client(cluster: Cluster) -> None:
    cluster.set(version="5.10.0")
    with session() as one:
        pair = one.generate(WISH)
        assert one.prove(WISH, pair).reason == "the CloudHSM CLI signs from version 5.11 on"
        told = refusal(lambda: one.check_generation(dataclasses.replace(WISH, quorum=2, share_with=("alice",))))
        assert told == ("Refused to use the CloudHSM CLI 5.10.0: a quorum needs 5.14 or later. Update the client.")
        told = refusal(lambda: one.check_generation(dataclasses.replace(WISH, curve=curve_by_name("Ed25519"))))
        assert "the curve ed25519 needs 5.17 or later" in told
    cluster.set(version="5.9.0")
    with pytest.raises(Exception, match="the management of keys needs 5.10 or later"), session():
        pass


REFUSED: list[tuple[dict[str, t.Any], str]] = [
    ({"min_servers": 3}, "min_servers is 3 and the cluster has 2 HSMs"),
    (
        {"quorum": 2, "share_with": ("alice",), "private_attributes": FREEZE},
        "destroyable=false and modifiable=false cannot be set later on a key with a quorum",
    ),
    *(
        ({"session": True, **more}, "a session pair is gone with the command that made it, nobody else can have it")
        for more in ({"share_with": ("alice",)}, {"min_servers": 2})
    ),
]


def test_what_is_refused_before_a_generation(cluster: Cluster) -> None:
    with session() as one:
        for wished, why in REFUSED:
            assert f"{why}." in refusal(functools.partial(one.check_generation, dataclasses.replace(WISH, **wished)))
        for allowed in ({"min_servers": 2}, {"private_attributes": FREEZE}, {"session": True}):
            one.check_generation(dataclasses.replace(WISH, **allowed))


def test_sharing(cluster: Cluster) -> None:
    with session() as one:
        pair = one.generate(dataclasses.replace(WISH, share_with=("alice",)))
        assert pair.private.sharing and pair.private.sharing.shared_with == ("alice",)
        one.change_sharing(pair.private, ["bob"], away=False)
        one.change_sharing(pair.private, ["alice"], away=True)
        assert one.read(pair.private).sharing.shared_with == ("bob",)
        assert one.crypto_user("bob") == "bob" and "no crypto user" in refusal(lambda: one.crypto_user("admin"))
    with session(crypto_user="bob", pin="password-bob") as other:
        assert other.find(Query(PRIVATE)) == []  # it is another user's
        assert handles(other.find(Query(PRIVATE, others=True))) == [pair.private.handle]


def test_an_hsm_that_lacks_a_key_is_told(cluster: Cluster) -> None:
    with session() as one:
        pair = one.generate(WISH)
        assert one.missing(2, pair) == ""
        assert one.missing(3, pair) == "2 answer"
    cluster.set(sync_fails=True, availability_check=False)
    with session() as one:
        late = one.generate(dataclasses.replace(WISH, label="late"))
        assert {row.status for row in one.nodes()} == {"unsynchronised"}
        assert one.missing(2, late) == "not all of them have both halves yet"
        one.look_anew()
        assert {row.status for row in one.nodes()} == {"ok"}
        one.find(Query(PRIVATE, label="late"))
        assert {row.status for row in one.nodes()} == {"unsynchronised"}


def test_a_session_pair_is_on_one_hsm_and_lags_nowhere(cluster: Cluster) -> None:
    with session() as one:
        pair = one.generate(dataclasses.replace(WISH, session=True))
        assert pair.private.attributes["token"] is False
        assert {row.status for row in one.nodes()} == {"ok"}


def test_what_was_set_before_a_failure_is_set_back(cluster: Cluster) -> None:
    with session() as one:
        pair = one.generate(WISH)
        cluster.set_fault("error", SET, skip=1, times=1)
        told = refusal(lambda: one.set_attributes(pair.private, {"label": "new", "sign": False}))
        assert told.startswith(f"Could not set sign of the private key key-reference=0x{pair.private.handle:016x}")
        assert "What stays changed" not in told
        one.look_anew()
        assert one.read(pair.private).label == "root"
        cluster.set_fault("error", SET, skip=1, times=2)
        told = refusal(lambda: one.set_attributes(pair.private, {"label": "new", "sign": False}))
        assert told.endswith("What stays changed of it: label.")
        frozen = one.freeze(pair.public, {"modifiable": False, "destroyable": False, "label": "x"})
        assert frozen.attributes["modifiable"] is False and frozen.label == "root"


def test_what_freezes_a_key_needs_no_copy() -> None:
    pair = pair_of(private_key("secp256r1"))
    frozen = dataclasses.replace(WISH, label=pair.private.label, private_attributes={"destroyable": False})
    plan = decide_present(frozen, pair, CloudHsmCliSession.facts, "cluster")
    assert [(step.half, step.values) for step in plan.steps] == [(PRIVATE, {"destroyable": False})]


def test_a_removal_that_fails_is_looked_at(cluster: Cluster) -> None:
    with session() as one:
        pair = one.generate(WISH)
        cluster.set_fault("error", DELETE, times=1)
        assert "Could not remove the private key" in refusal(lambda: one.destroy(pair.private))
        assert handles(one.find(Query(PRIVATE))) == [pair.private.handle]
        cluster.set_fault("error", DELETE, after=True)
        one.destroy(pair.private)
        assert one.find(Query(PRIVATE)) == []


def test_a_removal_that_is_only_pretended(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_session, "_SETTLING", 0.0)  # seconds that an HSM may take to see it
    with session() as one:
        pair = one.generate(WISH)
        success = '{"error_code": 0, "data": {"message": "Key deleted successfully"}}'
        cluster.set_fault("answer", DELETE, times=1, after=False, text=success)
        told = refusal(lambda: one.destroy(pair.private))
        assert "the HSM answered success, and the key is still there" in told
        assert handles(one.find(Query(PRIVATE))) == [pair.private.handle]
        cluster.set_fault("error", DELETE, times=1)
        cluster.set_fault("no_json", LIST)
        assert refusal(lambda: one.destroy(pair.private)).endswith("Whether the private half is gone is not known.")


def test_what_was_set_by_a_command_that_failed_is_set_back(cluster: Cluster) -> None:
    with session() as one:
        pair = one.generate(WISH)
        cluster.set_fault("error_after_success", SET, times=1)
        assert "What stays changed" not in refusal(lambda: one.set_attributes(pair.private, {"label": "new"}))
        assert one.read(pair.private).label == "root"


@pytest.mark.parametrize("kind", ["no_json", "silence"])
def test_a_list_that_is_none_is_no_absence(cluster: Cluster, kind: str) -> None:
    cluster.set_fault(kind, LIST)
    with session() as one:
        told = refusal(lambda: one.find(Query(PRIVATE, label="root")))
        assert told.startswith("Could not search the private keys on the token 'AWS CloudHSM'")
        again = refusal(lambda: one.find(Query(PUBLIC, id=b"x")))
        assert again.startswith("Could not search the public keys") and len(cluster.calls(LIST)) == 1  # passwords lock


def test_what_the_hsms_do_not_agree_on_is_no_absence(cluster: Cluster) -> None:
    with session() as one:
        one.generate(WISH)
        one.look_anew()
        cluster.set_fault("inconsistent", LIST, attributes=["key-type"])
        told = refusal(lambda: one.find(Query(PRIVATE, key_type="rsa")))
        assert "that the HSMs do not agree on the key_type of (private " in told
        assert one.find(Query(PRIVATE, key_type="rsa", label="another, not like it")) == []


def test_who_gets_in(cluster: Cluster) -> None:
    for name, told in (
        ("nobody", "Refused to log in as 'nobody': the cluster has no user of that name, and no crypto user."),
        ("admin", "Refused to log in as 'admin': the cluster has a user of the type "),
    ):
        assert refusal(lambda name=name: session(crypto_user=name).__enter__()).startswith(told)  # type: ignore[misc]
    for field, told in (("locked", "is locked;"), ("mfa", "has a second factor,")):
        with opened(cluster.folder) as state:
            user = state.user("alice")
            assert user is not None
            user.locked, user.mfa = field == "locked", field == "mfa"
        refused = refusal(lambda: session(crypto_user="alice").__enter__())
        assert refused.startswith(f"Refused to log in as 'alice': that user {told}")
    with session(pin="wrong") as one:
        assert "Could not search" in refusal(lambda: one.find(Query(PRIVATE)))
        assert refusal(lambda: one.find(Query(PUBLIC))) and len(cluster.calls(LIST)) == 1
    assert cluster.user(OWNER).failures == 1


def test_each_hsm_is_as_expected(cluster: Cluster) -> None:
    told = provider().identities()
    assert len(told) == 2 and told[0]["serial"] != told[1]["serial"]
    common = {name: value for name, value in told[0].items() if name != "serial" and value}
    assert provider(expect_token={**common, "fips_state": common["fips_state"].split(" ")[0]}).users()
    wrong = provider(expect_token={"model": "x"})
    assert "its model is " in refusal(wrong.users)
    assert "alice" in [user.name for user in provider(crypto_user=None, pin=None).users()], "it answers anybody"


@pytest.mark.parametrize(
    ("said", "advice"),
    [("Invalid quorum value", "a quorum is 2 to 8,"), ("This operation needs a Quorum", "approve the operation in ")],
)
def test_a_refusal_that_is_known_comes_with_advice(cluster: Cluster, said: str, advice: str) -> None:
    for text, hint in ((said, True), ("E9071: the flux is out of phase", False)):
        cluster.clear_faults()
        cluster.set_fault("answer", LIST, after=False, text=json.dumps({"error_code": 1, "data": text}))
        with session() as one:
            told = refusal(lambda: one.find(Query(PRIVATE)))  # noqa: B023
        assert f"'{text}'" in told and (advice in told) is hint


def test_one_of_several_clusters(cluster: Cluster) -> None:
    cluster.set(cluster_ids=["cluster-1", "cluster-2"])
    assert "Could not list the HSMs" in refusal(provider().identities)
    assert len(provider(token_label="cluster-1").identities()) == 2
    with session(token_label="cluster-1") as one:
        assert one.token_name == "cluster-1" and one.find(Query(PRIVATE)) == []
