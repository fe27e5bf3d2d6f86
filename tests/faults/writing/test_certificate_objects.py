# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate is replaced on a token that is lost in the middle, or that lies: the old one goes when the new is whole."""

from __future__ import annotations

import datetime
import typing as t

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.memory_certificates import BEGIN, der, pem

MODULE = "hsm_certificate_object"
OLD, NEW = "01", "02"
# After the first call that changes something the token is gone.
LOST = "C_FindObjectsInit^C_CreateObject instead return 0x32"
FAULTS: dict[str, tuple[str, str, set[str]]] = {
    "it is gone before the new one is made": (
        f"C_CreateObject instead return 0x32\n{LOST}",
        "Whether it is there now is not known (CKR_DEVICE_REMOVED). As it was: (certificate, ",
        {OLD},
    ),
    "it makes the new one and says that it did not": (
        "C_CreateObject after return 0x30",
        "What is there now: (certificate, subject 'CN=web', serial number 02",
        {OLD, NEW},
    ),
    "it makes none and says that it did": (
        "C_CreateObject instead return 0",
        "CKR_OBJECT_HANDLE_INVALID",
        {OLD},
    ),
    "another value is read back": (
        "C_GetAttributeValue^C_CreateObject after value 0x11 3000",
        "what was read back is another value. Nothing of it is left on the token.",
        {OLD},
    ),
    "another subject is read back": (
        "C_GetAttributeValue^C_CreateObject after value 0x101 3000",
        "what was read back is another CKA_SUBJECT. Nothing of it is left on the token.",
        {OLD},
    ),
    "it is one of the session": (
        "C_GetAttributeValue^C_CreateObject after value 0x1 00",
        "what was read back is another CKA_TOKEN. Nothing of it is left on the token.",
        {OLD},
    ),
    "the old one does not go": (
        "C_DestroyObject instead return 0",
        "the token answered that it is done, and they are still there",
        {OLD, NEW},
    ),
    "the old one cannot go": (
        "C_DestroyObject instead return 0x1b",
        "What remains: (certificate, subject 'CN=web', serial number 01",
        {OLD, NEW},
    ),
    "it is gone after the old one went": (
        "C_FindObjectsInit^C_DestroyObject instead return 0x32",
        "Could not look at the certificates on the token",
        {NEW},
    ),
}


class Stored(t.NamedTuple):
    """A pair and its old certificate on the token, and the new one."""

    token: FaultyToken
    old: str
    new: str

    @property
    def serials(self) -> set[str]:
        """The serial numbers of what is there beside the pair."""
        (pair,) = self.token.run("hsm_key_info", label="k").result["key_pairs"]
        return {one["serial_number"] for one in pair["certificates"]}


@pytest.fixture(name="stored")
def made_stored(token: FaultyToken) -> Stored:
    pair = token.ecc(label="k", curve="P-256", id="one").key_pair
    key = load_pem_public_key(pair["public_key_pem"].encode())
    later = BEGIN + datetime.timedelta(days=30)
    made = Stored(token, *(pem(der(key, issuer="CA", serial=n, begin=begin)) for n, begin in ((1, BEGIN), (2, later))))
    assert token.run(MODULE, label="k", content=made.old).result["outcome"] == "generated"
    return made


@pytest.mark.parametrize("fault", FAULTS)
def test_the_key_has_a_certificate_whatever_happens(stored: Stored, fault: str) -> None:
    rules, told, left = FAULTS[fault]
    run = stored.token.faulty(MODULE, rules, label="k", content=stored.new)
    assert run.result["failed"] is True and told in run.msg
    assert stored.serials == left
    again = stored.token.run(MODULE, label="k", content=stored.new)
    assert again.result["outcome"] == ("none" if left == {NEW} else "replaced")
    assert stored.serials == {NEW}


def test_a_run_that_is_killed_is_finished_by_the_next(stored: Stored) -> None:
    assert stored.token.start(MODULE, "C_DestroyObject before kill", label="k", content=stored.new).died()
    assert stored.serials == {OLD, NEW}
    again = stored.token.faulty(MODULE, label="k", content=stored.new)
    assert again.result["outcome"] == "replaced" and again.writes == {"C_DestroyObject": 1}
    assert stored.serials == {NEW}


def test_names_that_are_not_set_are_no_success(stored: Stored) -> None:
    stored.token.run("hsm_key", label="k", new_label="j", certificates="keep")
    run = stored.token.faulty(MODULE, "C_SetAttributeValue instead return 0", label="j", content=stored.old)
    assert "the token answered that it is done, and there is (certificate" in run.msg
    fixed = stored.token.faulty(MODULE, "C_SetAttributeValue instead return 0x10", label="j", content=stored.old)
    assert fixed.result["outcome"] == "changed" and fixed.writes["C_CreateObject"] == 1
    unchanged = stored.token.faulty(MODULE, label="j", content=stored.old)
    assert unchanged.result["changed"] is False and not unchanged.writes and unchanged.calls["C_Login"] == 1


def test_a_token_that_takes_none(stored: Stored) -> None:
    """What to do is told with the token's answer."""
    stored.token.run(MODULE, label="k", state="absent")
    run = stored.token.faulty(MODULE, "C_CreateObject instead return 0x13", label="k", content=stored.old)
    assert run.result["ckr"] == "CKR_ATTRIBUTE_VALUE_INVALID"
    assert "A token that takes no certificates leaves them in files" in run.msg


def test_a_token_that_pays_no_heed_to_ids_loses_no_stranger(stored: Stored) -> None:
    """Certificates that go with a pair are those of its id, whatever the token's search finds."""
    other = stored.token.ecc(label="other", curve="P-256", id="two").key_pair
    stranger = pem(der(load_pem_public_key(other["public_key_pem"].encode()), issuer="CA", serial=3))
    stored.token.run(MODULE, label="other", content=stranger)
    task = {"label": "k", "id": "one", "state": "absent", "certificates": "follow"}
    run = stored.token.faulty("hsm_ecc_keypair", "C_FindObjectsInit#3 before ignore 0x102", **task)
    assert run.result["changed"] is True, run.msg
    classes = sorted((row["class"], row["id"]) for row in stored.token.listing())
    assert classes == [("certificate", "74776f"), ("private", "74776f"), ("public", "74776f")]
