# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts that a user says, laid over the table of vendors."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import LOGIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.vendor_facts import facts_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.facts_told import sources, told
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.said_facts import with_said
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VENDORS
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import InputError
from ansible_collections.cryptoki.hsm.tests.support.task_options import refused, taken

OPTIONS = LOGIN.spec["vendor_facts"]["options"]


@pytest.mark.parametrize("name", sorted(VENDORS))
def test_a_row_can_be_said_in_full(name: str) -> None:
    """What is told of a row is taken by the option, and makes the same row of the generic one."""
    row = VENDORS[name]
    given = taken(LOGIN, {"vendor_facts": told(row)})["vendor_facts"]
    made = with_said(VENDORS["generic"], facts_from(given))
    assert told(made) == told(row) and set(told(row)) == set(OPTIONS)


def test_what_is_said_wins_and_the_rest_stays() -> None:
    nss = VENDORS["nss"]
    one = with_said(nss, {"not_sent_private": ["derive"], "copy": False, "label_max": 9})
    assert one.not_sent == frozenset({(PRIVATE, "derive"), (PUBLIC, "destroyable"), (PUBLIC, "copyable")})
    assert (one.copy, one.label_max, one.set_attribute, one.name) == (False, 9, True, "nss with vendor_facts")
    both = with_said(nss, {"not_sent_private": [], "not_sent_public": ["wrap"], "curves": ["secp256r1"]})
    assert both.not_sent == frozenset({(PUBLIC, "wrap")}) and both.curves == frozenset({"secp256r1"})
    searched = with_said(VENDORS["yubihsm"], {"not_searched": ["label"], "halves_are_one": False})
    assert searched.not_searched == frozenset({"label"}) and not searched.halves_are_one
    true_only = with_said(nss, {"only_true_private": ["unwrap"]})
    assert true_only.sent(PRIVATE, {"unwrap": False, "sign": False}) == {"sign": False}


@pytest.mark.parametrize(
    ("said", "length"),
    [({"id_max": 8}, 8), ({"id_max": 40}, 16), ({"id_max": 0}, 16), ({"id_max": 8, "id_length": 0}, 0)],
)
def test_a_drawn_id_is_not_too_long(said: dict[str, t.Any], length: int) -> None:
    assert with_said(VENDORS["generic"], said).id_length == length


def test_where_facts_come_from() -> None:
    told_of = sources(VENDORS["softhsm"], {"copy": True, "fixed": []})
    assert {name: source for name, source in told_of.items() if source != "standard"} == {
        "copy": "option",
        "fixed": "option",
        "copy_sets_copyable": "vendor",
    }


def test_an_unknown_fact_is_refused_with_the_list() -> None:
    (message,) = refused(LOGIN, {"vendor_facts": {"copies": False}})
    assert "vendor_facts.copies" in message and all(name in message for name in OPTIONS)


def test_curves_by_any_of_their_names() -> None:
    assert facts_from({"curves": ["P-256", "prime256v1"], "fixed": None}) == {"curves": ["secp256r1", "secp256r1"]}
    with pytest.raises(InputError, match=r"vendor_facts\.curves is refused: .*P-257"):
        facts_from({"curves": ["P-257"]})


def test_what_searches_can_go_by() -> None:
    assert facts_from({"not_searched": ["key_type", "modulus"]}) == {"not_searched": ["key_type", "modulus"]}
    with pytest.raises(InputError, match=r"vendor_facts\.not_searched 'sign' is refused: choose from ec_point, id, "):
        facts_from({"not_searched": ["sign"]})
