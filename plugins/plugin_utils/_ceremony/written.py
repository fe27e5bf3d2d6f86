# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a task stands in its playbook; what its templates become may be a secret."""

from __future__ import annotations

import typing as t


def written_name(thing: t.Any) -> str | None:
    """The name of a task or play, with its templates as they are."""
    written = getattr(thing, "_ds", None)
    name = written.get("name") if isinstance(written, dict) else None
    return str(name) if name else None


def module_of(task: t.Any) -> str:
    """The full name of a task's module."""
    return str(getattr(task, "resolved_action", None) or task.action)


def rescued(task: t.Any) -> bool:
    """Whether a task that failed stands in a block that has steps for that case."""
    below, above = task, getattr(task, "_parent", None)
    while above is not None:
        inside = any(one._uuid == below._uuid for one in getattr(above, "block", None) or ())
        if inside and getattr(above, "rescue", None):
            return True
        below, above = above, getattr(above, "_parent", None)
    return False
