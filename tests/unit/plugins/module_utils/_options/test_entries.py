# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of wished pairs: each refusal names its entry, and no two entries may name one pair."""

from __future__ import annotations

import itertools
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.entries import Entry, entries_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import InputError
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.providers import provider_from
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.task_options import FAMILIES, LEAST, list_params, wished

PRINT = "ab" * 32
COLONS = ":".join(["ab"] * 32)


def rsa(**given: t.Any) -> dict[str, t.Any]:
    return {"type": "rsa", **LEAST["rsa"], **given}


def ecc(**given: t.Any) -> dict[str, t.Any]:
    return {"type": "ecc", **LEAST["ecc"], **given}


def absent(kind: str, **given: t.Any) -> dict[str, t.Any]:
    return {"type": kind, "state": "absent", **given}


def entries(*keypairs: dict[str, t.Any], **given: t.Any) -> list[Entry]:
    return entries_from(list_params(*keypairs, **given))


def test_each_entry_is_the_wish_of_its_module() -> None:
    own = {"id": "a", "extractable": False, "usage": ["sign"], "private_attributes": {"derive": True}}
    found = entries(
        rsa(e=65539, **own), ecc(label="other", on_mismatch="keep"), absent("ecc", id_hex="02"), verify=True
    )
    assert found == [
        Entry(0, "present", wished("rsa", public_exponent=65539, verify=True, **own)),
        Entry(1, "present", wished("ecc", label="other", on_mismatch="keep", verify=True)),
        Entry(2, "absent", Wish("ecc", id=b"\x02", verify=True)),
    ]
    assert [entry.option for entry in found] == ["keypairs[0]", "keypairs[1]", "keypairs[2]"]


def test_an_empty_list_is_no_error() -> None:
    assert entries() == []


REFUSALS: list[tuple[list[dict[str, t.Any]], dict[str, t.Any], str]] = [
    ([ecc(), rsa(curve="P-256")], {}, "keypairs[1].curve 'P-256' is refused: it is not for RSA pairs."),
    ([ecc(modulus_bits=2048)], {}, "keypairs[0].modulus_bits 2048 is refused: it is not for ECC pairs."),
    ([ecc(e=65537)], {}, "keypairs[0].public_exponent 65537 is refused: it is not for ECC pairs."),
    ([absent("rsa", label="x", curve=14)], {}, "keypairs[0].curve 14 is refused: it is not for RSA pairs."),
    (
        [{"type": "rsa", "label": "x"}],
        {},
        "keypairs[0].modulus_bits is refused: it is missing; a new RSA pair needs it.",
    ),
    (
        [rsa(), {"type": "ecc", "label": "x"}],
        {},
        "keypairs[1].curve is refused: it is missing; a new ECC pair needs it.",
    ),
    (
        [rsa(label=42)],
        {},
        "keypairs[0].label 42 is refused: it came as a number;"
        " quote it, in an INI inventory twice, or end its template in | string.",
    ),
    (
        [rsa(), ecc(id=True)],
        {},
        "keypairs[1].id True is refused: it came as a boolean;"
        " quote it, in an INI inventory twice, or end its template in | string.",
    ),
    ([rsa(m=1024)], {}, "keypairs[0].modulus_bits 1024 is refused: it must be at least 2048."),
    (
        [ecc(usage=["wrap"])],
        {},
        "keypairs[0].usage 'wrap' is refused: ECC keys encrypt nothing; choose sign or derive.",
    ),
    (
        [ecc(), absent("rsa", id="1", session=True)],
        {},
        "keypairs[1].session True is refused: a session pair is gone when its module ends, state=absent has none to"
        " remove.",
    ),
    (
        [ecc(curve="ed25519", usage=["derive"])],
        {},
        "keypairs[0].usage 'derive' is refused: keys on Edwards curves only sign.",
    ),
    # What is said once for all is refused by its own name.
    ([ecc(), rsa()], {"lock_timeout": -1}, "lock_timeout -1 is refused: it must not be below 0 seconds."),
    ([ecc()], {"timeout": 5}, "timeout 5 is refused: it needs min_servers or replicas."),
    ([ecc()], {"min_servers": 0}, "min_servers 0 is refused: it must be at least 1."),
    ([ecc()], {"wrapping_key": "kek"}, "wrapping_key 'kek' is refused: it needs replicas."),
    (
        [ecc(), rsa(session=True)],
        {"replicas": [{"name": "b"}]},
        "keypairs[1].session True is refused: a session pair lives in one session, replicas cannot have it.",
    ),
    (
        [ecc(), rsa(share_with=["ann"])],
        {"crypto_user": "ann"},
        "keypairs[1].share_with 'ann' is refused: the caller owns the key and is not shared with.",
    ),
    (
        [ecc(), rsa(usage=[])],
        {"verify": True},
        "verify 'true' is refused: a pair with the options of keypairs[1] cannot be proven, because the private key may"
        " neither sign, decrypt nor derive with a mechanism that can be checked outside.",
    ),
]


@pytest.mark.parametrize(("keypairs", "given", "message"), REFUSALS)
def test_what_is_refused(keypairs: list[dict[str, t.Any]], given: dict[str, t.Any], message: str) -> None:
    told = refusal(lambda: entries(*keypairs, **given))
    number = int(message[9]) if message.startswith("keypairs[") else None
    if number is not None and ".label" not in message:
        message += f" Its label is '{keypairs[number]['label']}'." if "label" in keypairs[number] else ""
    assert told == message


def test_what_cannot_be_proven_may_be_absent() -> None:
    entries(absent("rsa", label="x", usage=[]), verify=True)


SAME = "has the same"
OWN_ID = "give each an id of its own"
DUPLICATES: list[tuple[list[dict[str, t.Any]], str]] = [
    ([ecc(id="a"), rsa(id_hex="61")], f"keypairs[1] is refused: keypairs[0] {SAME} id 61."),
    ([rsa(), ecc(id="a"), absent("ecc", id="a")], f"keypairs[2] is refused: keypairs[1] {SAME} id 61."),
    ([ecc(id="a"), ecc(id="a", session=True)], f"keypairs[1] is refused: keypairs[0] {SAME} id 61."),
    (
        [ecc(fingerprint=PRINT), absent("rsa", fingerprint=COLONS.upper())],
        f"keypairs[1] is refused: keypairs[0] {SAME} fingerprint.",
    ),
    ([ecc(), ecc()], f"keypairs[1] is refused: keypairs[0] {SAME} type and label 'root'; {OWN_ID}."),
    ([ecc(), ecc(curve="ed25519")], f"keypairs[1] is refused: keypairs[0] {SAME} type and label 'root'; {OWN_ID}."),
    ([ecc(), ecc(id="a")], f"keypairs[1] is refused: keypairs[0] {SAME} type and label 'root'; {OWN_ID}."),
    (
        [ecc(id="a"), rsa(), ecc(id="b"), ecc()],
        f"keypairs[3] is refused: keypairs[0] {SAME} type and label 'root'; {OWN_ID}.",
    ),
    (
        [ecc(label="x"), absent("ecc", label="x", fingerprint=PRINT)],
        f"keypairs[1] is refused: keypairs[0] {SAME} type and label 'x'; {OWN_ID}.",
    ),
]


@pytest.mark.parametrize(("keypairs", "message"), DUPLICATES)
def test_two_entries_that_name_one_pair(keypairs: list[dict[str, t.Any]], message: str) -> None:
    assert refusal(lambda: entries(*keypairs)) == message


@pytest.mark.parametrize(
    "keypairs",
    [
        [ecc(), rsa()],
        [ecc(id="a"), ecc(id="b"), rsa(id="c")],
        [ecc(id="a"), absent("ecc", label="root", fingerprint=PRINT)],
        [ecc(), ecc(session=True), ecc(session=True)],
        [absent("ecc", id="a"), absent("ecc", id="b"), absent("rsa", label="root"), ecc()],
    ],
)
def test_entries_that_do_not_name_one_pair(keypairs: list[dict[str, t.Any]]) -> None:
    assert len(entries(*keypairs)) == len(keypairs)


ENTRIES = st.builds(
    lambda kind, **names: {"type": kind, "state": "absent", **{k: v for k, v in names.items() if v is not None}},
    st.sampled_from(FAMILIES),
    label=st.sampled_from([None, "a", "b"]),
    id_hex=st.sampled_from([None, "01", "02"]),
    fingerprint=st.sampled_from([None, PRINT, "cd" * 32]),
).filter(lambda entry: len(entry) > 2)


@given(st.lists(ENTRIES, max_size=5))
def test_a_refusal_does_not_hang_on_the_order(keypairs: list[dict[str, t.Any]]) -> None:
    given = list_params(*keypairs)  # once, for Ansible looks at each by itself

    def is_refused(listed: t.Sequence[dict[str, t.Any]]) -> bool:
        try:
            entries_from({**given, "keypairs": listed})
        except InputError:
            return True
        return False

    assert len({is_refused(order) for order in itertools.permutations(given["keypairs"])}) == 1


def test_what_the_provider_cannot_do_names_the_entry() -> None:
    login = {"module_path": "/lib.so", "token_label": "demo"}
    given = list_params(ecc(), rsa(attest=True), **login)
    provider, _login = provider_from(given)
    provider.refuse_unable(given["keypairs"][0], "keypairs[0]")
    assert refusal(lambda: provider.refuse_unable(given["keypairs"][1], "keypairs[1]")) == (
        "keypairs[1].attest is refused: the provider pkcs11 cannot do it; PKCS#11 has no attestation: pin the token's"
        " identity with expect_token."
    )
