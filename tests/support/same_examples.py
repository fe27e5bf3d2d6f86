# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of Hypothesis, the same in each run."""

from __future__ import annotations

import contextlib


def same_everywhere() -> None:
    """Hypothesis also tries the constants of those modules that are loaded by then: other ones in each process."""
    with contextlib.suppress(ImportError):  # other versions try none, or keep them elsewhere
        from hypothesis.internal.conjecture import providers

        if hasattr(providers, "_get_local_constants") and hasattr(providers, "_local_constants"):
            providers._get_local_constants = lambda: providers._local_constants
