# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of a task: one line of report.jsonl, made of what may be told, whatever else its result holds."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.evidence import evidence_of
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.options import told_options

OURS = "cryptoki.hsm."
# Statuses after which a task has done what it was to do.
DONE = ("ok", "changed")
# Fields of a result that are taken over as they are.
_TOLD = ("outcome", "changes", "reasons", "ckr", "provider_error", "counts")


class Step(t.NamedTuple):
    """What the play says of a task, and how it went; nothing of it comes from its options or its result."""

    name: str | None
    module: str
    host: str
    status: str
    seconds: float | None
    play: str | None = None
    role: str | None = None
    delegated_to: str | None = None
    check_mode: bool = False


def moment(seconds: float) -> str:
    """A time of the clock in UTC, as records have it."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(timespec="milliseconds")


def task_record(step: Step, result: t.Mapping[str, t.Any], item: int | None = None) -> dict[str, t.Any]:
    """One record. `item`: the number of the loop's item, beginning with 1, where the result is that of one item.

    Of a foreign module only the frame is told. A result that `no_log` hides tells that it is hidden.
    """
    told: dict[str, t.Any] = {"record": "task", **{name: value for name, value in step._asdict().items() if value}}
    if item is not None:
        told["item"] = item
    attempts = result.get("attempts")
    # What a retry tells of attempts is not the same in all versions of ansible-core.
    if isinstance(attempts, int) and attempts > 1 and step.status != "retried":
        told["attempt"] = attempts
    if isinstance(result.get("results"), list) and item is None:
        told["items"] = len(result["results"])
    if hidden(result):
        told["hidden"] = True
    elif step.module.startswith(OURS) and "items" not in told:
        told.update(_content(step, result))
    return told


def hidden(result: t.Mapping[str, t.Any]) -> bool:
    """Whether `no_log` hides it."""
    return "censored" in result or bool(result.get("_ansible_no_log"))


def _judged(step: Step, result: t.Mapping[str, t.Any]) -> bool:
    """Whether the module may have failed, and is taken as done by `failed_when`."""
    return step.status in DONE and "failed_when_result" in result and bool(result.get("msg"))


def _content(step: Step, result: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What a module of this collection was told, did and proves."""
    if step.status == "skipped":
        return {}
    if result.get("ansible_job_id") and not result.get("finished"):
        return {"status": "begun", "job": True}  # in the background; how it ended is in no result of this task
    told: dict[str, t.Any] = {}
    ran = isinstance(result.get("invocation"), dict)
    judged = _judged(step, result)
    if step.status in DONE and not judged:
        told["options"] = told_options(result.get("invocation"))
    elif ran:
        # No options: one that is misspelled was checked and masked by nobody. What Ansible itself says of a task that
        # did not begin may quote the playbook, so only a module's own message is taken.
        told["message"] = result.get("msg")
    told.update((name, result.get(name)) for name in _TOLD)
    warnings = result.get("warnings")
    told["warnings"] = len(warnings) if isinstance(warnings, list) else None
    told.update({"judged": judged or None, **evidence_of(result)})
    return {name: value for name, value in told.items() if value not in (None, [], {})}
