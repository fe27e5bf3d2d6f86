# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few of the random inputs of `make fuzz`."""

from __future__ import annotations

import pytest

from ansible_collections.cryptoki.hsm.tests.support.option_fuzz import MODULES, Maker, run


@pytest.mark.parametrize("seed", range(3))
def test_random_options_show_no_secret_and_no_traceback(seed: int) -> None:
    assert run(100, 1000 + seed) == (100, "")


def test_a_seed_makes_the_same_inputs_of_all_modules() -> None:
    first, second = Maker(7), Maker(7)
    made = [first.input() for _count in range(300)]
    assert repr(made) == repr([second.input() for _count in range(300)])
    assert {one.module for one in made} == set(MODULES)
    assert sum(bool(one.secrets) for one in made) > 150
