# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The promise as a state machine on SoftHSM: modules, other programs and damage to files, in any order.

The token in memory has the same in bulk (the unit test of this name). Here are a few steps, the same each time.
"""

from __future__ import annotations

import collections
import datetime
import shutil
import typing as t
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.other_programs import do
from ansible_collections.cryptoki.hsm.tests.support.outside import Seen, look
from ansible_collections.cryptoki.hsm.tests.support.promise import (
    CHANGES,
    LABELS,
    Given,
    Names,
    Row,
    absent,
    names,
    nothing_unnamed,
    present,
)
from ansible_collections.cryptoki.hsm.tests.support.same_examples import same_everywhere

same_everywhere()

IDS = st.sampled_from(["", "01", "02", "3031"])
NUMBER = st.integers(0, 20)
POINT = "044104" + (  # the generator of P-256, which is a key of somebody's
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)


def _certificate() -> dict[str, str]:
    """A certificate of a key that is on no token."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "one")])
    begin = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + datetime.timedelta(9999))
    made = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    return {"subject": name.public_bytes().hex(), "value": made.hex()}


CERTIFICATE = _certificate()
STEPS = settings(
    max_examples=6,
    stateful_step_count=15,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Machine(RuleBasedStateMachine):
    """One token, and everybody at it."""

    make: t.ClassVar[t.Callable[[], FaultyToken]]

    def __init__(self) -> None:
        super().__init__()
        self.token = type(self).make()
        self.token.hurried = True
        self.known: list[Seen] = []  # every public key that was ever there
        self.certificates: list[str] = []
        self.damaged: dict[Path, tuple[bytes, list[Row]]] = {}
        self.in_order: list[Path] = []  # of the objects' files, whose names are drawn

    def teardown(self) -> None:
        shutil.rmtree(self.token.tokens)
        self.token.tokens.mkdir()

    # ---- what is there ----

    def rows(self) -> collections.Counter[Row]:
        seen = look(self.token, self.known)
        self.known = list({one.key: one for one in (*self.known, *seen) if one.kind == "public"}.values())
        self.certificates = [str(one) for one in seen if one.kind == "certificate"]
        return collections.Counter(_row(one) for one in seen if one.kind in ("public", "private", "secret"))

    def hidden(self) -> collections.Counter[Row]:
        """What is in damaged files."""
        return collections.Counter(row for dummy, rows in self.damaged.values() for row in rows)

    def files(self) -> list[Path]:
        """As they came, and what came at once by its class, which an object's file begins with."""
        there = {path for path in self.token.tokens.glob("*/*.object") if path.name != "token.object"}
        new = sorted(there - {*self.in_order}, key=lambda path: path.read_bytes()[:66][24:])
        self.in_order = [*(path for path in self.in_order if path in there), *new]
        return self.in_order

    there = precondition(lambda self: bool(self.files()) and not self.damaged)

    # ---- other programs ----

    @there
    @rule(number=NUMBER, label=st.sampled_from(LABELS))
    def others_rename(self, number: int, label: str) -> None:
        do(self.token, "rename", number, label=label)

    @there
    @rule(number=NUMBER, id_=IDS)
    def others_change_an_id(self, number: int, id_: str) -> None:
        do(self.token, "change id", number, id=id_)

    @there
    @rule(number=NUMBER, act=st.sampled_from(["remove", "copy"]))
    def others_remove_or_copy(self, number: int, act: str) -> None:
        do(self.token, act, number)

    @there
    @rule(number=NUMBER)
    def others_add_a_strangers_half(self, number: int) -> None:
        do(self.token, "add a stranger's half", number, point=POINT)

    @rule(label=st.sampled_from(LABELS), id_=IDS, act=st.sampled_from(["add a pair", "add a pair", "add a secret key"]))
    def others_add(self, label: str, id_: str, act: str) -> None:
        do(self.token, act, label=label, id=id_)

    @rule(label=st.sampled_from(LABELS), id_=IDS)
    def others_add_a_certificate(self, label: str, id_: str) -> None:
        do(self.token, "add a certificate", label=label, id=id_, **CERTIFICATE)

    @there
    @rule(number=NUMBER, kept=st.sampled_from([0, 66, 300]))
    def a_file_is_damaged(self, number: int, kept: int) -> None:
        files = self.files()
        path = files[number % len(files)]
        before, whole = self.rows(), path.read_bytes()
        path.write_bytes(whole[:kept])
        self.damaged[path] = whole, list((before - self.rows()).elements())

    @precondition(lambda self: bool(self.damaged))
    @rule()
    def what_is_damaged_is_restored(self) -> None:
        for path, (whole, dummy) in self.damaged.items():
            path.write_bytes(whole)
        self.damaged.clear()

    # ---- tasks ----

    @rule(task=st.one_of(present(), present(), absent()))
    def we_bring_a_pair(self, task: tuple[str, Given]) -> None:
        family, given = task
        goes = given.get("state") == "absent" or given.get("on_mismatch") == "replace"
        self.judged(f"hsm_{family}_keypair", given, names(given, family, goes=goes))

    @there
    @rule(label=st.sampled_from(LABELS), id_=IDS, changes=CHANGES)
    def we_change_a_key(self, label: str, id_: str, changes: Given) -> None:
        given: Given = {"label": label, **({"id_hex": id_} if id_ else {})}
        self.judged("hsm_key", {**given, **changes}, names(given, goes=changes.get("state") == "absent"))

    @rule()
    def we_list_all_keys(self) -> None:
        self.judged("hsm_key_info", {}, Names(label="no such label"))

    def judged(self, module: str, given: Given, named: Names) -> None:
        """The task, and what came of it; what is in a damaged file counts as there."""
        before, certificates = self.rows() + self.hidden(), self.certificates
        result = self.token.run(module, **given).result
        after = self.rows() + self.hidden()
        told = f"{module} {given}: {result.get('msg')}"
        assert self.certificates == certificates, f"a certificate was touched: {told}"
        assert "Unexpected" not in str(result.get("msg")), told
        nothing_unnamed(before, after, [named] if named.goes else [], [named], told)
        if result.get("failed"):
            assert before == after, f"failed, and something changed: {told}"
            return
        assert result["changed"] is (before != after), f"changed is not so: {told}"
        if given.get("state") == "absent":
            left = [row for row in after.elements() if named.fit(row) and row.half != "secret"]
            assert not left, f"said to be absent: {left}; {told}"
        elif "key_pair" in result and given.get("verify") is not False:
            pair = {row.key for row in after if row.half == "private" and named.fit(row)}
            digits = result["key_pair"]["fingerprint"].replace(":", "")
            assert digits in pair, f"told of a pair that is none: {digits}, {pair}; {told}"


def _row(seen: Seen) -> Row:
    family = "rsa" if seen.get("MODULUS") else "ecc"
    key = (seen.key or f"unknown {seen.id}").replace(":", "")
    if seen.kind == "secret":
        key = f"secret {seen.label} {seen.id}"
    return Row(seen.kind, key, family, seen.label, bytes.fromhex(seen.id), repr(seen.told))


def test_promise(make_token: t.Callable[..., FaultyToken], monkeypatch: pytest.MonkeyPatch) -> None:
    """No key goes that was not named, no name gets two pairs by a task, and nothing is said that is not so."""
    monkeypatch.setattr(Machine, "make", staticmethod(make_token), raising=False)
    run_state_machine_as_test(Machine, settings=STEPS)  # type: ignore[no-untyped-call]
