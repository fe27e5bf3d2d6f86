# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that no new pair gets, and that one which is there may have: it can be kept and removed."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import values
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors, refused_curves


def legacy_value(option: str, value: t.Any, refusal: errors.InputError) -> t.Any:
    """The value of a pair that is there; raises `refusal` for what no pair has."""
    if option == "label":
        return values.text("label", value)
    known = refused_curves.weak_curve(value) if option == "curve" else value if value > 0 else None
    if known is None:
        raise refusal
    return known
