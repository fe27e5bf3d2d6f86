# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_certificate_object makes of a token in memory."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.tests.support.certificate_tasks import Certifier, Result
from ansible_collections.cryptoki.hsm.tests.support.memory_certificates import BEGIN, der, pem
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key
from ansible_collections.cryptoki.hsm.tests.support.memory_module import use_token
from ansible_collections.cryptoki.hsm.tests.support.module_call import call_module

MODULE = "hsm_certificate_object"
KEY = private_key("secp256r1", 0)
LATER = BEGIN + datetime.timedelta(days=30)
OLD = der(KEY, issuer="CA", serial=1)
NEW = der(KEY, issuer="CA", serial=2, begin=LATER)
OTHERS = der(private_key("secp256r1", 9), name="other", issuer="CA", serial=3)
FROM_ANOTHER_CA = der(KEY, issuer="Another CA", serial=4)
CA_KEY = private_key("secp256r1", 8)
CA = der(CA_KEY, name="CA", issuer="Root", identifier=b"\xca")
ROOT = der(private_key("secp256r1", 7), name="Root")
CHANGES = {"store_certificate", "set_certificate_names", "destroy_certificate"}


class Holder(Certifier):
    """A token with the pair `root` and certificates, and the tasks that change these."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *certified: Certificate) -> None:
        super().__init__(monkeypatch)
        self.session.certified = list(certified)
        self.id = self.pair.private.id

    def here(self, value: bytes, handle: int = 50, **names: t.Any) -> Certificate:
        """A certificate beside the pair."""
        return Certificate(handle, **{"label": "root", "id": self.id, "value": value, **names})

    def hold(self, *certified: Certificate) -> Holder:
        self.session.certified = list(certified)
        return self

    def have(self, *given: bytes, check_mode: bool = False, **options: t.Any) -> Result:
        """The task, with certificates of which the first is the key's."""
        return self.run(MODULE, check_mode, **({"content": pem(*given)} if given else {}), **options)

    @property
    def held(self) -> list[tuple[str | None, bytes, bytes]]:
        return sorted((one.label, one.id, one.value) for one in self.session.certified)

    @property
    def changed(self) -> list[str]:
        """The calls that changed certificates."""
        return [name for name in self.session.calls if name in CHANGES]


def warned(result: Result) -> str:
    """Its one warning, in the form of whichever ansible-core this is."""
    (warning,) = result["warnings"]
    return str(warning)


@pytest.fixture(name="holder")
def made_holder(monkeypatch: pytest.MonkeyPatch) -> Holder:
    return Holder(monkeypatch)


def test_a_certificate_and_its_chain(holder: Holder, tmp_path: Path) -> None:
    """Four ways: stored with the names of the pair, and nothing afterwards."""
    (tmp_path / "www.pem").write_text(pem(NEW, CA))
    (tmp_path / "chain.pem").write_text(pem(ROOT, NEW))
    files = {"path": str(tmp_path / "www.pem"), "chain_path": str(tmp_path / "chain.pem")}
    result = holder.four_ways(MODULE, **files)
    assert result["outcome"] == "generated"
    root_id = next(one.id for one in holder.session.certified if one.value == ROOT)
    assert holder.held == sorted([("root", holder.id, NEW), ("CA", b"\xca", CA), ("Root", root_id, ROOT)])
    assert len(root_id) == 20, "an identifier is made of the key where the certificate tells none"
    assert [(one["kind"], one["outcome"], one["subject"]) for one in result["certificates"]] == [
        ("key", "generated", "CN=web"),
        ("chain", "generated", "CN=CA"),
        ("chain", "generated", "CN=Root"),
    ]
    assert result["certificates"][0]["uri"].startswith("pkcs11:token=memory;object=root;type=cert;id=%")
    assert result["certificates"][0]["issuer"] == "CN=CA" and result["certificates"][0]["serial_number"] == "02"
    titles = [f"certificate {label} on memory" for label in ("root", "CA", "Root")]
    assert [one["before_header"] for one in result["diff"]] == titles
    assert "serial_number: 02\n" in result["diff"][0]["after"] and result["diff"][0]["before"] == ""


def test_only_what_is_missing_is_stored(holder: Holder) -> None:
    holder.hold(holder.here(NEW), Certificate(60, "CA of another", b"x", CA))
    result = holder.have(NEW, CA, ROOT)
    assert holder.changed == ["store_certificate"] and result["outcome"] == "generated"
    assert [one["outcome"] for one in result["certificates"]] == ["none", "none", "generated"]
    assert result["certificates"][1]["label"] == "CA of another", "a certificate that is there keeps its names"


def test_a_renewed_certificate_takes_the_place_of_the_old_one(holder: Holder) -> None:
    holder.hold(holder.here(OLD, 50), holder.here(FROM_ANOTHER_CA, 51), Certificate(52, "other", b"o", OTHERS))
    result = holder.four_ways(MODULE, content=pem(NEW))
    assert holder.changed == ["store_certificate", "destroy_certificate"], "the new one is first"
    assert {one.value for one in holder.session.certified} == {NEW, FROM_ANOTHER_CA, OTHERS}
    assert result["outcome"] == "replaced"
    assert {row["name"]: (row["before"], row["after"]) for row in result["changes"]}["serial_number"] == ("01", "02")


def test_what_becomes_of_the_keys_own_certificate_is_told_in_one_word(holder: Holder) -> None:
    holder.hold(holder.here(OLD, 50))
    result = holder.have(NEW, CA)
    assert result["outcome"] == "replaced"
    assert [one["outcome"] for one in result["certificates"]] == ["replaced", "generated"]


def test_all_older_ones_and_copies_go(holder: Holder) -> None:
    """What other programs, or a killed run, left."""
    holder.hold(holder.here(OLD, 50), holder.here(OLD, 51, id=b""), holder.here(NEW, 52), holder.here(NEW, 53, id=b"?"))
    assert holder.four_ways(MODULE, content=pem(NEW))["outcome"] == "replaced"
    assert holder.held == [("root", holder.id, NEW)]
    assert "store_certificate" not in holder.changed


def test_copies_are_a_change(holder: Holder) -> None:
    holder.hold(holder.here(NEW, 52), holder.here(NEW, 53))
    result = holder.four_ways(MODULE, content=pem(NEW))
    assert result["outcome"] == "changed"
    assert result["changes"] == [{"half": None, "name": "copies", "before": 2, "after": 1}]
    holder.hold(holder.here(NEW, 52, label="x"), holder.here(NEW, 53))
    holder.session.calls.clear()
    holder.have(NEW)
    assert holder.changed == ["destroy_certificate"], "the copy that has the right names stays"


@pytest.mark.parametrize("names", [{"label": "x"}, {"id": b"x"}, {"id": b"", "label": None}])
def test_names_are_set_right_in_place(holder: Holder, names: dict[str, t.Any]) -> None:
    holder.hold(holder.here(NEW, **names))
    result = holder.four_ways(MODULE, content=pem(NEW))
    assert result["outcome"] == "changed" and holder.changed == ["set_certificate_names"]
    assert {row["name"] for row in result["changes"]} == {{"id": "id_hex"}.get(name, name) for name in names}
    assert holder.held == [("root", holder.id, NEW)]


@pytest.mark.parametrize("ckr", ["CKR_ATTRIBUTE_READ_ONLY", "CKR_ACTION_PROHIBITED", "CKR_FUNCTION_NOT_SUPPORTED"])
def test_where_names_cannot_be_set_it_is_made_anew(holder: Holder, ckr: str) -> None:
    holder.hold(holder.here(NEW, label="x"))
    holder.session.refused["set_certificate_names"] = ckr
    assert holder.four_ways(MODULE, content=pem(NEW))["outcome"] == "changed"
    assert holder.changed[-2:] == ["store_certificate", "destroy_certificate"]
    assert holder.held == [("root", holder.id, NEW)]


def test_an_earlier_one_needs_force(holder: Holder) -> None:
    holder.hold(holder.here(NEW))
    refused = holder.have(OLD)
    assert refused["msg"].startswith("Refused to store the certificate of (private ec key, on secp256r1, label 'root'")
    assert "there is a later one of the same issuer, (certificate, subject 'CN=web', serial number 02" in refused["msg"]
    assert holder.held == [("root", holder.id, NEW)] and not holder.changed
    assert holder.have(OLD, force=True)["outcome"] == "replaced"
    assert holder.held == [("root", holder.id, OLD)]


def test_one_that_begins_later_and_ends_earlier_is_a_later_one(holder: Holder) -> None:
    holder.hold(holder.here(OLD))
    short = der(KEY, issuer="CA", serial=9, begin=LATER, end=LATER + datetime.timedelta(days=90))
    assert holder.have(short)["outcome"] == "replaced"


def test_the_certificate_of_another_key_is_refused(holder: Holder) -> None:
    refused = holder.have(OTHERS)
    assert refused["msg"].startswith("content is refused: its first certificate is of another key than (private ec key")
    assert not holder.changed


def test_a_certificate_beside_another_pair_of_the_same_key_is_that_ones(holder: Holder) -> None:
    """Two objects of one key, each with its certificate: neither task touches the other's."""
    twin = pair_of(KEY, {"id": b"twin", "label": "twin"}, {"id": b"twin", "label": "twin"}, handle=80)
    holder.session.objects += twin.objects
    holder.hold(Certificate(60, "twin", b"twin", NEW))
    assert holder.four_ways(MODULE, content=pem(NEW), id_hex=holder.id.hex(), label=None)["outcome"] == "generated"
    assert holder.held == sorted([("root", holder.id, NEW), ("twin", b"twin", NEW)])
    assert holder.have(state="absent", id_hex=holder.id.hex(), label=None)["outcome"] == "removed"
    assert holder.held == [("twin", b"twin", NEW)]


def test_a_stranger_beside_the_key_is_named_and_stays(holder: Holder) -> None:
    holder.hold(holder.here(OTHERS, 70))
    tasks: list[dict[str, t.Any]] = [{"content": pem(NEW)}, {"state": "absent"}]
    for task in tasks:
        result = holder.have(**task)
        assert "is the certificate of another key" in warned(result)
        assert OTHERS in {one.value for one in holder.session.certified}
    assert holder.held == [("root", holder.id, OTHERS)]


def test_absent_takes_those_of_the_key_only(holder: Holder) -> None:
    others = [Certificate(52, "root", b"o", OTHERS), Certificate(53, "CA", b"\xca", CA)]
    holder.hold(holder.here(OLD, 50), holder.here(FROM_ANOTHER_CA, 51, id=b""), *others)
    result = holder.four_ways(MODULE, state="absent")
    assert result["outcome"] == "removed" and result["certificates"] == []
    assert holder.session.certified == others
    gone = result["changes"]
    assert {row["before"] for row in gone if row["name"] == "serial_number"} == {"01", "04"}
    assert all(row["before"] and row["after"] is None for row in gone)


def test_absent_takes_one_by_its_value(holder: Holder, tmp_path: Path) -> None:
    """It needs no key; the issuers in the file stay."""
    holder.session.objects = []
    (tmp_path / "www.pem").write_text(pem(OLD, CA))
    holder.hold(holder.here(OLD, 50), holder.here(NEW, 51), Certificate(53, "CA", b"\xca", CA))
    result = holder.four_ways(MODULE, state="absent", path=str(tmp_path / "www.pem"), label=None)
    assert result["outcome"] == "removed" and {one.value for one in holder.session.certified} == {NEW, CA}
    holder.have(NEW, state="absent")
    assert {one.value for one in holder.session.certified} == {CA}, "a choice whose key is gone is no hindrance"


def test_absent_by_value_alone_is_of_any_key(holder: Holder, tmp_path: Path) -> None:
    holder.hold(holder.here(NEW), Certificate(54, "other", b"o", OTHERS))
    assert holder.have(OTHERS, state="absent", label=None)["changed"] and holder.held == [("root", holder.id, NEW)]
    foretold = holder.run(MODULE, True, path=str(tmp_path / "none.pem"), state="absent", label=None)
    assert foretold["changed"] and "There is not yet" in warned(foretold)


def test_absent_by_value_of_another_key_is_refused(holder: Holder) -> None:
    holder.hold(Certificate(52, "other", b"o", OTHERS))
    assert "is of another key than" in holder.have(OTHERS, state="absent")["msg"]


def test_absent_without_a_key_names_what_has_its_name(holder: Holder) -> None:
    holder.hold(holder.here(NEW))
    holder.session.objects = []
    result = holder.have(state="absent")
    assert result["changed"] is False and len(holder.session.certified) == 1
    assert "There is not the private key chosen by label 'root', so that these certificates" in warned(result)
    names: dict[str, t.Any] = {"label": None, "id_hex": holder.id.hex()}
    assert "so that these certificates of its name stay: (certificate" in warned(holder.have(state="absent", **names))
    assert not holder.have(state="absent", **{**names, "id_hex": "0e"}).get("warnings")
    assert not holder.have(state="absent", label="other").get("warnings")


def test_what_is_damaged_may_hold_what_is_not_found(holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged() -> t.NoReturn:
        raise TokenError("look at the storage", said="damage", hint="")

    monkeypatch.setattr(holder.session, "check_absence", damaged)
    assert "damage" in holder.have(state="absent")["msg"] and "damage" in holder.have(NEW)["msg"]
    holder.hold(holder.here(NEW))
    assert holder.have(NEW)["changed"] is False
    assert holder.have(state="absent")["changed"], "it is there"


def test_what_is_not_there_yet_in_check_mode(holder: Holder, tmp_path: Path) -> None:
    path = str(tmp_path / "later.pem")
    for task in ({"path": path}, {"content": ""}, {"content": pem(NEW), "chain_path": path}):
        result = holder.run(MODULE, check_mode=True, **task)
        assert (result["changed"], result["outcome"], result["certificates"]) == (True, "generated", [])
        assert "There is not yet" in warned(result) and "is known when it is there" in warned(result)
    missing = holder.run(MODULE, path=path)
    assert missing["msg"] == f"path '{path}' is refused: it cannot be read (No such file or directory)."
    holder.session.objects = []
    assert "There is not yet the private key" in warned(holder.have(NEW, check_mode=True))
    assert "Could not find the private key chosen by label 'root'" in holder.have(NEW)["msg"]
    wrong = holder.run(MODULE, check_mode=True, content="no certificate")
    assert wrong["msg"] == "content is refused: it is no certificate that can be read."


@pytest.mark.parametrize(
    ("option", "state"),
    [
        *(("content", state) for state in ("present", "absent")),
        *(("path", state) for state in ("present", "absent")),
        *((option, "present") for option in ("chain_content", "chain_path")),
    ],
)
def test_what_is_given_as_null_is_not_taken_for_not_given(holder: Holder, option: str, state: str) -> None:
    """All certificates of the key would go where one was meant; an earlier task returns null in check mode."""
    holder.hold(holder.here(OLD, 50), holder.here(FROM_ANOTHER_CA, 51))
    before = holder.held
    task: dict[str, t.Any] = {"module_path": "/lib.so", "token_label": "memory", "pin": "93-user-7415", "label": "root"}
    task |= {"state": state, **({"content": pem(NEW)} if "chain" in option else {}), option: None}
    refused = call_module(MODULE, task).result
    assert refused["msg"] == f"{option} is refused: it is given and null; leave it out, or give it a value."
    foretold = call_module(MODULE, {**task, "_ansible_check_mode": True}).result
    assert foretold["changed"] and f"There is not yet what {option} is to hold" in str(foretold["warnings"])
    assert holder.held == before and not holder.changed


@pytest.mark.parametrize("ckr", ["CKR_TEMPLATE_INCONSISTENT", "CKR_DEVICE_ERROR"])
def test_a_token_that_takes_no_certificates_is_to_be_said_so(holder: Holder, ckr: str) -> None:
    holder.session.refused["store_certificate"] = ckr
    told = holder.have(NEW)["msg"]
    assert ckr in told and ("say vendor_facts certificates=false of it" in told) is (ckr == "CKR_TEMPLATE_INCONSISTENT")


def test_what_is_no_chain_is_refused(holder: Holder) -> None:
    refused = holder.run(MODULE, content=pem(NEW), chain_content=pem(CA, OTHERS))
    assert refused["msg"] == "chain_content is refused: 'CN=other' is no issuer of the first certificate."
    assert holder.have(OTHERS, NEW)["msg"] == "content is refused: 'CN=web' is no issuer of the first certificate."


def test_options_that_do_not_fit(holder: Holder) -> None:
    assert "any of the following are missing: path, content" in holder.run(MODULE)["msg"]
    assert "are missing: label, id" in holder.have(NEW, label=None)["msg"]
    assert "mutually exclusive" in holder.have(NEW, path="/x")["msg"]
    uri = "pkcs11:object=root;type=secret-key"
    assert "a secret key has no certificate" in holder.have(NEW, label=None, uri=uri)["msg"]
    assert holder.have(NEW, label=None, uri="pkcs11:object=root;type=public")["changed"] is True


def test_clusters_store_no_certificates(holder: Holder) -> None:
    for provider in ("cloudhsm_cli", "key_mgmt_util"):
        refused = holder.have(NEW, provider=provider, module_path=None, token_label=None)
        told = f"provider '{provider}' is refused: the tools of clusters store no certificates; use the provider pkcs11"
        assert refused["msg"].startswith(told)


def test_a_token_without_certificates(holder: Holder) -> None:
    holder.session.facts = dataclasses.replace(holder.session.facts, certificates=False)
    refused = holder.have(NEW)
    assert "it has no certificates" in refused["msg"] and "Leave it in its file" in refused["msg"]
    assert holder.have(state="absent")["changed"] is False


def test_a_key_without_an_id_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = Holder(monkeypatch)
    holder.session.objects = list(pair_of(KEY, {"id": b""}, {"id": b""}).objects)
    assert "the key has none. Give it one, by new_id of hsm_key." in holder.have(NEW)["msg"]


def test_what_cannot_be_read_is_a_failure(holder: Holder) -> None:
    broken = Certificate(66, "broken", b"b", b"", "CKR_DEVICE_ERROR")
    tasks: list[dict[str, t.Any]] = [{"content": pem(NEW)}, {"state": "absent"}]
    for task in (*tasks, {"content": pem(NEW), "state": "absent", "label": None}):
        result = holder.hold(broken).run(MODULE, **task)
        assert result["ckr"] == "CKR_DEVICE_ERROR" and "with handle 66" in result["msg"]
    holder.hold(holder.here(b"no certificate"))
    for task in tasks:
        assert "cannot be told" in holder.have(**task)["msg"]
    holder.hold(Certificate(66, "foreign", b"b", b"no certificate"))
    assert holder.have(NEW)["changed"] is True, "one that is not beside the key is no hindrance"
    assert not holder.session.refused and len(holder.session.certified) == 2


def test_the_token_is_opened_for_writing_where_something_is_to_be_changed(
    holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = use_token(monkeypatch, holder.session)
    for check_mode in (True, False, False):
        holder.have(NEW, check_mode=check_mode)
    holder.have(OLD)
    writable = [one[0] for one in asked]
    assert writable == [False, False, True, False, False]


def test_a_write_protected_token(holder: Holder) -> None:
    holder.session.write_protected = True
    assert "the token is write-protected" in holder.have(NEW, check_mode=True)["msg"]
    holder.hold(holder.here(NEW))
    assert holder.have(NEW)["changed"] is False
    assert "the token is write-protected" in holder.have(state="absent")["msg"]


def failing(holder: Holder, call: str, number: int) -> None:
    """Lets the token fail at this call, counted by its name, and ever after."""
    session, seen = holder.session, 0
    plain = session._called

    def called(name: str) -> None:
        nonlocal seen
        seen += name == call
        if seen >= number:
            raise TokenError(name, "CKR_DEVICE_REMOVED")
        plain(name)

    session._called = called  # type: ignore[method-assign]


CALLS = [
    *(("certificates", number) for number in range(1, 5)),
    ("store_certificate", 1),
    ("store_certificate", 2),
    ("destroy_certificate", 1),
    ("find", 1),
]


@pytest.mark.parametrize(("call", "number"), CALLS)
def test_a_token_that_is_lost_in_the_middle(holder: Holder, call: str, number: int) -> None:
    """The old certificate stays until the new one is whole, and the message tells what is there."""
    holder.hold(holder.here(OLD))
    failing(holder, call, number)
    result = holder.have(NEW, CA)
    assert result["failed"] and "CKR_DEVICE_REMOVED" in result["msg"]
    values = {one.value for one in holder.session.certified}
    assert OLD in values or NEW in values
    if call in ("store_certificate", "destroy_certificate"):
        assert OLD in values
        assert "not known (CKR_DEVICE_REMOVED)" in result["msg"]
    if call == "destroy_certificate":
        assert "What was stored and is whole: (certificate, subject 'CN=CA'" in result["msg"]
    if (call, number) == ("store_certificate", 2):
        assert NEW not in values and "As it was: (certificate, subject 'CN=web', serial number 01" in result["msg"]
    if call == "certificates" and number >= 3:
        assert values == ({CA, NEW, OLD} if number == 3 else {CA, NEW}), "it is seen before the old one goes"
        assert result["msg"].startswith("Could not look at the certificates on the token")


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_removal_that_did_not_happen(holder: Holder, state: str) -> None:
    """The token answers that it is done."""
    holder.hold(holder.here(OLD))
    holder.session.destroy_certificate = lambda found: None  # type: ignore[method-assign]
    result = holder.run(MODULE, state=state, content=pem(NEW) if state == "present" else None)
    assert "the token answered that it is done, and they are still there" in result["msg"]
    assert OLD in {one.value for one in holder.session.certified}


def test_an_error_of_a_removal_that_happened(holder: Holder) -> None:
    holder.hold(holder.here(OLD))
    plain = holder.session.destroy_certificate

    def destroy(found: Certificate) -> None:
        plain(found)
        raise TokenError("destroy", "CKR_GENERAL_ERROR")

    holder.session.destroy_certificate = destroy  # type: ignore[method-assign]
    assert holder.have(NEW)["outcome"] == "replaced"
    assert holder.held == [("root", holder.id, NEW)]


def test_a_removal_that_may_come_back_is_no_removal(holder: Holder) -> None:
    """SoftHSM forgets an object whose file it could not remove."""
    holder.hold(holder.here(OLD))
    plain = holder.session.destroy_certificate

    def destroy(found: Certificate) -> None:
        plain(found)
        raise TokenError("destroy", "CKR_GENERAL_ERROR", remains="Its file is still there.")

    holder.session.destroy_certificate = destroy  # type: ignore[method-assign]
    result = holder.have(NEW)
    assert result["failed"] and "Its file is still there." in result["msg"]


def test_names_that_were_perhaps_set(holder: Holder) -> None:
    holder.hold(holder.here(NEW, label="x"))
    failing(holder, "set_certificate_names", 1)
    assert "What names it has now is not known (CKR_DEVICE_REMOVED)." in holder.have(NEW)["msg"]


def test_names_that_were_not_set(holder: Holder) -> None:
    holder.hold(holder.here(NEW, label="x"))
    holder.session.set_certificate_names = lambda *dummy: None  # type: ignore[method-assign]
    assert "the token answered that it is done, and there is (certificate" in holder.have(NEW)["msg"]
    holder.session.refused["set_certificate_names"] = "CKR_DEVICE_ERROR"
    del holder.session.set_certificate_names
    told = holder.have(NEW)["msg"]
    assert "Could not give (certificate" in told and "What is there now: (certificate" in told


def test_a_name_that_was_not_set_replaces_nothing(holder: Holder) -> None:
    """The new one has another id, and the token answers that it has the key's now."""
    holder.hold(holder.here(OLD, 50), holder.here(NEW, 51, id=b"x"))
    before = holder.held
    holder.session.set_certificate_names = lambda *dummy: None  # type: ignore[method-assign]
    msg = holder.have(NEW)["msg"]
    assert "the token answered that it is done, and there is (certificate" in msg
    assert holder.held == before, "the one that programs find is still there"


@pytest.mark.parametrize("lie", [{"value": OTHERS}, {"id": b"x"}, {"label": "cut"}])
def test_one_that_is_stored_otherwise_is_taken_back(holder: Holder, lie: dict[str, t.Any]) -> None:
    holder.hold(holder.here(OLD))
    plain = holder.session.store_certificate
    holder.session.store_certificate = lambda wished: plain(wished._replace(**lie))  # type: ignore[method-assign]
    result = holder.have(NEW)
    told = "another value" if "value" in lie else "(certificate, subject 'CN=web', serial number 02"
    assert f"what was read back is {told}" in result["msg"] and "Nothing of it is left on the token." in result["msg"]
    assert holder.held == [("root", holder.id, OLD)]


def test_one_that_is_stored_otherwise_and_cannot_be_taken_back_is_named(holder: Holder) -> None:
    plain = holder.session.store_certificate
    holder.session.store_certificate = lambda wished: plain(wished._replace(label="cut"))  # type: ignore[method-assign]
    holder.session.refused["destroy_certificate"] = "CKR_DEVICE_ERROR"
    told = holder.have(NEW)["msg"]
    (left,) = holder.session.certified
    assert f", handle {left.handle} (CKR_DEVICE_ERROR)." in told and "What may remain: (certificate, subject" in told


@pytest.mark.parametrize("kept", [{}, {"id": b"cut"}, {"value": b"no certificate"}])
def test_an_error_of_an_attempt_that_left_something_names_that_alone(holder: Holder, kept: dict[str, t.Any]) -> None:
    """By its value or its id; what was there before, and what another program stored meanwhile, is not of it."""
    holder.hold(holder.here(OLD, 50), Certificate(52, "other", b"o", OTHERS))

    def store(wished: Certificate) -> Certificate:
        holder.session.certified += [wished._replace(handle=70, **kept), Certificate(71, "CA", b"ca", CA)]
        raise TokenError("store", "CKR_GENERAL_ERROR")

    holder.session.store_certificate = store  # type: ignore[method-assign]
    told = holder.have(NEW)["msg"]
    assert f"What is there now: {holder.session.certified[2]}." in told


def test_a_handle_of_what_was_there_is_never_destroyed(holder: Holder) -> None:
    """A token that answers with another's handle."""
    held = [holder.here(OLD, 50), Certificate(52, "other", b"o", OTHERS)]
    holder.hold(*held)
    holder.session.store_certificate = lambda wished: held[1]  # type: ignore[method-assign]
    assert "the handle of a certificate that was there before" in holder.have(NEW)["msg"]
    assert holder.session.certified == held


def test_a_token_that_puts_the_new_one_in_the_place_of_the_old(holder: Holder) -> None:
    """Its objects are known by their ids, so that both have one handle."""
    holder.hold(holder.here(OLD, 50))

    def store(wished: Certificate) -> Certificate:
        holder.session.certified = [wished._replace(handle=50)]
        return holder.session.certified[0]

    holder.session.store_certificate = store  # type: ignore[method-assign]
    assert holder.have(NEW)["outcome"] == "replaced"
    assert holder.held == [("root", holder.id, NEW)] and "destroy_certificate" not in holder.changed
