# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a task as they are recorded: what its module says that it was given, never what the task says."""

from __future__ import annotations

import hashlib
import typing as t

# What may hold a secret is not told even where the module has masked it.
SECRET = {"pin", "so_pin", "crypto_user", "library_environment", "library_parameters", "token_uri"}
MASK = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
_LONGEST = 200


def told_options(invocation: t.Any) -> dict[str, t.Any]:
    """The options that have a value, those in dictionaries, too; a long text as its sum."""
    given = invocation.get("module_args") if isinstance(invocation, dict) else None
    return t.cast("dict[str, t.Any]", _told(given)) if isinstance(given, dict) else {}


def _told(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        known = {str(name): _told(one) for name, one in value.items() if name not in SECRET and one is not None}
        return {name: one for name, one in known.items() if one != MASK}
    if isinstance(value, list):
        return [_told(one) for one in value]
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"{len(value)} characters, SHA-256 {hashlib.sha256(value.encode(errors='replace')).hexdigest()}"
    return value
