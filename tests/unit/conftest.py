# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of all unit tests: no deadlines (machines differ), nothing written beside the tests."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import HealthCheck, Phase, settings

from ansible_collections.cryptoki.hsm.tests.support.same_examples import same_everywhere

# The same examples each time: who changes one thing does not meet a fault of another. `make explore` finds those.
settings.register_profile(
    "cryptoki.hsm",
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.register_profile("explore", settings.get_profile("cryptoki.hsm"), derandomize=False, max_examples=5000)
# For scripts/mutants.py: the first that fails is enough.
settings.register_profile("mutants", settings.get_profile("cryptoki.hsm"), phases=[Phase.explicit, Phase.generate])
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "cryptoki.hsm")
settings.load_profile(PROFILE)
if PROFILE != "explore":
    same_everywhere()


@pytest.fixture(autouse=True)
def _garbage() -> None:
    """A module that an earlier test ran here has switched it off for what it took for its own process."""
    gc.enable()
    gc.unfreeze()
