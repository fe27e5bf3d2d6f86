# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The diff as a person reads it: a few lines a pair, one where the pairs are many."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.diff import MANY, Told, diffs
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import Action
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, rsa_material
from ansible_collections.cryptoki.hsm.tests.support.scenarios import WISH, ec_pair

PAIR = ec_pair()
PRINT = bytes.fromhex(str(PAIR.fingerprint)).hex(":")
HEADERS = {"before_header": "root on demo", "after_header": "root on demo"}


def rsa_pair(bits: int) -> KeyPair:
    """One of which only the numbers matter."""
    return pair_of(rsa_material(1 << (bits - 1) | 1))


def told(action: Action, before: KeyPair | None, after: KeyPair | None, token: str = "demo") -> Told:
    return Told(WISH, token, action, before, after)


def no_longer(label: str) -> Told:
    """A pair that may not sign any more."""
    return told(Action.CHANGE, ec_pair(label=label), ec_pair(label=label, private={"sign": False}))


def test_a_change_is_what_changed_under_the_name_of_pair_and_token() -> None:
    values = {"before": "private.sign: true\n", "after": "private.sign: false\n"}
    assert diffs([[no_longer("root")]]) == [{**HEADERS, **values}]


def test_a_new_pair_and_a_removed_one_have_one_side() -> None:
    (made,) = diffs([[told(Action.GENERATE, None, PAIR)]])
    (gone,) = diffs([[told(Action.REMOVE, PAIR, None)]])
    assert made["before"] == gone["after"] == "" and {**made, **HEADERS} == made and {**gone, **HEADERS} == gone
    assert len(made["after"].splitlines()) < 12 and f"fingerprint: {PRINT}\n" in made["after"]
    assert gone["before"] == f"label: root\nid_hex: 01\nkey_type: ec\ncurve: secp256r1\nfingerprint: {PRINT}\n"


def test_a_replaced_pair_has_both_sides() -> None:
    (diff,) = diffs([[told(Action.REPLACE, rsa_pair(2048), rsa_pair(3072))]])
    assert "modulus_bits: 2048\n" in diff["before"] and "modulus_bits: 3072\n" in diff["after"]
    assert diff["before"].count("\n") == diff["after"].count("\n") == 2


def test_the_removal_of_remains_is_told() -> None:
    repaired = told(Action.REPAIR, PAIR, PAIR)
    assert [row.name for row in repaired.changes] == ["remains"]
    assert diffs([[repaired]]) == [{**HEADERS, "before": "remains: of a run that was killed\n", "after": ""}]


@pytest.mark.parametrize(("number", "one_text"), [(1, False), (MANY - 1, False), (MANY, True), (200, True)])
def test_many_pairs_have_one_line_each(number: int, one_text: bool) -> None:
    shown = diffs([[no_longer(f"dev-{count:03}")] for count in range(number)])
    assert [list(diff) == ["prepared"] for diff in shown] == ([True] if one_text else [False] * number)
    if one_text:
        lines = shown[0]["prepared"].splitlines()
        assert lines == [f"dev-{count:03}: private.sign true -> false" for count in range(number)]


def test_the_lines_of_other_outcomes_and_of_several_tokens() -> None:
    every = [
        [told(Action.GENERATE, None, ec_pair(label="new"), token) for token in ("alpha", "beta")],
        [told(Action.REMOVE, ec_pair(label="old"), None, "alpha")],
        [told(Action.REPLACE, rsa_pair(2048), rsa_pair(3072), "alpha")],
        *([no_longer("other")] for _count in range(MANY)),
    ]
    lines = diffs(every)[0]["prepared"].splitlines()
    born = f"generated, key_type ec, curve secp256r1, fingerprint {PRINT}, public.verify true, private.sign true"
    assert lines[:3] == [
        f"new on alpha: {born}, private.extractable true, private.sensitive true",
        f"new on beta: {born}, private.extractable true, private.sensitive true",
        f"old on alpha: removed, fingerprint {PRINT}",
    ]
    assert lines[3].startswith("root on alpha: replaced, modulus_bits 2048 -> 3072, fingerprint ")


def test_the_line_of_a_new_pair_tells_what_it_may_be_used_for_and_that_it_does_not_leave_the_token() -> None:
    wish = dataclasses.replace(WISH, usage=("sign",), extractable=False)
    pair = ec_pair(private={"extractable": False, "decrypt": False})
    line = dataclasses.replace(told(Action.GENERATE, None, pair), wish=wish).line(several=False)
    assert "private.extractable false" in line and "decrypt" not in line


def test_the_line_of_a_new_pair_tells_what_can_never_be_done_to_it() -> None:
    wish = dataclasses.replace(WISH, private_attributes={"destroyable": False, "decrypt": False})
    pair = ec_pair(private={"destroyable": False, "decrypt": False})
    line = dataclasses.replace(told(Action.GENERATE, None, pair), wish=wish).line(several=False)
    assert "private.destroyable false" in line and "decrypt" not in line


def test_pairs_of_one_label_are_told_apart() -> None:
    one, two, other = ec_pair(id=b"\1"), ec_pair(id=b"\2"), ec_pair(label="other")
    shown = diffs([[told(Action.REMOVE, pair, None, "alpha")] for pair in (one, two, other)])
    assert [diff["before_header"] for diff in shown] == [
        f"root 01 {PRINT} on alpha",
        f"root 02 {PRINT} on alpha",
        "other on alpha",
    ]
    both = [told(Action.REMOVE, one, None, "alpha"), told(Action.REMOVE, one, None, "beta")]
    assert [diff["before_header"] for diff in diffs([both])] == ["root on alpha", "root on beta"]


@pytest.mark.parametrize("foreseen", [True, False])
def test_new_pairs_of_one_label_are_told_apart_by_what_check_mode_knows(foreseen: bool) -> None:
    pairs = [ec_pair(id=b"\1"), ec_pair(id=b"\2"), rsa_pair(2048)]
    wishes = [*(dataclasses.replace(WISH, id=pair.private.id) for pair in pairs[:2]), WISH]
    told_of = [KeyPair((), (pair.private,)) if foreseen else pair for pair in pairs]
    shown = diffs(
        [[Told(wish, "alpha", Action.GENERATE, None, pair)] for wish, pair in zip(wishes, told_of, strict=True)]
    )
    assert [diff["before_header"] for diff in shown] == ["root 01 on alpha", "root 02 on alpha", "root rsa on alpha"]


def test_a_label_of_several_lines_stays_in_one() -> None:
    wild = ec_pair(label="a\n+ b")
    title = told(Action.REMOVE, wild, None, "de\nmo").title
    assert "\n" not in title and title.endswith(" on de\\nmo")
    assert diffs([[told(Action.REMOVE, wild, None)]])[0]["before"].count("\n") == 5


def test_a_pair_without_a_label_is_named_by_its_id_or_fingerprint() -> None:
    assert told(Action.REMOVE, ec_pair(label=""), None).name == "01"
    assert told(Action.REMOVE, ec_pair(label="", id=b""), None).name == PRINT
    nameless = dataclasses.replace(ec_pair(label="", id=b"").private)
    assert told(Action.REMOVE, KeyPair((), (nameless,)), None).name == "not known"
