# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of all unit tests: no deadlines (machines differ), nothing written beside the tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "cryptoki.hsm", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("cryptoki.hsm")
