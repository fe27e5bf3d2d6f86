# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a half of a chosen pair was renamed already."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.change import Change
from ansible_collections.cryptoki.hsm.tests.support.scenarios import ec_pair


@pytest.mark.parametrize(
    ("names", "has"),
    [
        ({}, False),
        ({"label": "new"}, True),
        ({"label": "old"}, False),
        ({"id": b"n"}, True),
        ({"id": b"o"}, False),
        ({"label": "new", "id": b"n"}, True),
        ({"label": "new", "id": b"o"}, False),
        ({"label": "old", "id": b"n"}, False),
    ],
)
def test_who_has_the_new_name(names: dict[str, t.Any], has: bool) -> None:
    assert Change("ecc", chosen="uri", **names).has_name(ec_pair(label="new", id=b"n").private) is has
