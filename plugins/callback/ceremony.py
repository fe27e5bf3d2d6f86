# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ceremony
type: aggregate
short_description: Write the report of a key ceremony
version_added: 1.0.0
author:
  - The cryptoki.hsm authors (!UNKNOWN)
description:
  - Writes down what a playbook does, as it happens, for those who witness the making of a key and for those who ask
    years later. It never logs in to a token, and works with any playbook.
  - Each run has a new folder below O(folder). C(report.jsonl) gets a record at each step; C(report.html) is one page
    for screen and paper, C(sources.sha256) the list of the files that were run, C(signer.pem) the public key that
    checks a signature over the sums, and C(SHA256SUMS) has the sums of them. All of these follow from C(report.jsonl),
    whose SHA-256 is shown on the terminal and on the page, for the witness to write down.
  - A report holds no secret. Options are those that the modules of this collection say themselves, with their secrets
    masked; of failed tasks there are none. Of modules from elsewhere only name, host, status, and time are kept, and a
    task with C(no_log) is told as hidden. Names of tasks and plays stand as they are in the playbook, before templates
    are filled in.
  - A failed run has a report of what happened until then. Check mode is marked as a rehearsal, with a word on it if
    C(check_mode=false) at a task made it change something all the same. A run that was killed leaves
    C(report.jsonl).
  - A run whose report cannot be begun is not begun.
requirements:
  - It is enabled by C(callbacks_enabled) in the section C(defaults) of C(ansible.cfg), or by the environment variable
    E(ANSIBLE_CALLBACKS_ENABLED).
notes:
  - Options and messages of failed tasks come from the C(invocation) in results. Since ansible-core 2.21 there is none
    by default, so this sets the environment variable E(ANSIBLE_INJECT_INVOCATION) of the run where it is not set.
  - Keep PINs out of the folder of the playbook. A file there with one short line has no sum in the report, because the
    sum of a PIN would tell the PIN; of other files that hold one it has.
options:
  folder:
    description:
      - The folder in which each run has its own, named by time and playbook. It is left out of the list of files that
        were run, so it cannot be the folder of the playbook itself.
    type: path
    default: ceremony-reports
    ini:
      - section: callback_ceremony
        key: folder
    env:
      - name: ANSIBLE_CEREMONY_FOLDER
  title:
    description:
      - The heading of the page.
    type: str
    default: Key ceremony
    ini:
      - section: callback_ceremony
        key: title
    env:
      - name: ANSIBLE_CEREMONY_TITLE
  participants:
    description:
      - Who takes part, each for a line to sign on, for instance V(Witness Alice Example).
      - If none are given, the page has lines for two operators, a witness, and an auditor.
    type: list
    elements: str
    ini:
      - section: callback_ceremony
        key: participants
    env:
      - name: ANSIBLE_CEREMONY_PARTICIPANTS
  signing_key:
    description:
      - Label of the key pair whose private half is to sign the sums, for the line that the page shows. It is one of
        those that the run tells of.
      - If not given, it is the first one that may sign.
    type: str
    ini:
      - section: callback_ceremony
        key: signing_key
    env:
      - name: ANSIBLE_CEREMONY_SIGNING_KEY
seealso:
  - plugin: cryptoki.hsm.ceremony_report
    plugin_type: lookup
  - module: cryptoki.hsm.hsm_token_info
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_ceremony
    description: A rehearsal, the day, its report, and what that proves.
"""

import atexit
import contextlib
import os
import time
import typing as t
from pathlib import Path

from ansible.plugins.callback import CallbackBase

from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.folder import Folder
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.page_parts import digit_groups
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.record import Step, moment, task_record
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.run import Sources, described
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.written import module_of, rescued, written_name


def of(result: t.Any, name: str) -> t.Any:
    """`task`, `host` or `result` of a task's result, whose names begin with an underscore before ansible-core 2.19."""
    return getattr(result, name) if hasattr(result, name) else getattr(result, f"_{name}")


class CallbackModule(CallbackBase):
    """Hears what happens, and hands it on to the report's folder."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "cryptoki.hsm.ceremony"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._folder: Folder | None = None
        self._sources = Sources()
        self._play: str | None = None
        self._missed = False  # a play that no host was meant by
        self._lost = False  # a record that could not be written
        self._since: dict[tuple[str, str], float] = {}
        self._items: dict[tuple[str, str], int] = {}
        self._process = os.getpid()
        # Since ansible-core 2.21 modules say what options they were given only where this is wanted.
        os.environ.setdefault("ANSIBLE_INJECT_INVOCATION", "true")
        atexit.register(self._broken_off)

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        """Begins the report, or ends the run: keys that are made without their evidence are made in vain."""
        now = time.time()
        name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        parent = Path(self.get_option("folder")).resolve()
        options = {name: self.get_option(name) for name in ("title", "participants", "signing_key")}
        self._sources, self._missed, self._lost = Sources(), False, False  # each playbook of a command has its report
        try:
            if parent == Path(playbook._file_name).resolve().parent:
                raise ValueError("it is the folder of the playbook, whose files must have their sums in the report")
            self._folder = Folder(str(parent), f"{name}-{Path(playbook._file_name).stem}")
            self._folder.append({"record": "start", "at": moment(now), **options, **described(playbook)})
            for record in self._sources.at_start(playbook, parent):
                self._folder.append(record)
        except Exception as error:  # pylint: disable=broad-except
            self._display.error(f"Refused to begin, because the report in {parent} cannot be begun: {error}")
            self._folder = None
            raise SystemExit(1) from None

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        """A play begins."""
        self._play = written_name(play)
        self._append({"record": "play", "name": self._play})
        self._append_all(self._sources.of_play(play))

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """The play that began has nothing to do."""
        self._missed = True
        self._append({"record": "no_hosts", "play": self._play})

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        """A task begins on a host; the files that it is made of are summed before it is done, where they are new."""
        self._since[host.get_name(), task._uuid] = time.time()
        self._append_all(self._sources.of_task(task))

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """A task is done."""
        self._task(result, self._done(result))

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        """A task failed."""
        self._task(result, "ignored" if ignore_errors else "rescued" if rescued(of(result, "task")) else "failed")

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        """A task was left out."""
        self._task(result, "skipped")

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        """A host was not reached."""
        self._task(result, "unreachable")

    def v2_runner_retry(self, result: t.Any) -> None:
        """A task is tried again."""
        self._task(result, "retried")

    def v2_runner_item_on_ok(self, result: t.Any) -> None:
        """An item of a loop is done."""
        self._item(result, self._done(result))

    def v2_runner_item_on_failed(self, result: t.Any) -> None:
        """An item of a loop failed; whether that is ignored or rescued, the record of the whole task tells."""
        self._item(result, "failed")

    def v2_runner_item_on_skipped(self, result: t.Any) -> None:
        """An item of a loop was left out."""
        self._item(result, "skipped")

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        """The run has come to its end."""
        hosts = {host: stats.summarize(host) for host in sorted(stats.processed)}
        bad = self._missed or self._lost or any(one["failures"] or one["unreachable"] for one in hosts.values())
        self._finish({"status": "failed" if bad else "complete", "hosts": hosts})

    @staticmethod
    def _done(result: t.Any) -> str:
        return "changed" if of(result, "result").get("changed") else "ok"

    def _task(self, result: t.Any, status: str, item: int | None = None) -> None:
        try:
            self._append(self._record(result, status, item))
        except Exception as error:  # pylint: disable=broad-except
            self._lose(error)

    def _record(self, result: t.Any, status: str, item: int | None) -> dict[str, t.Any]:
        task, host = of(result, "task"), of(result, "host").get_name()
        now = time.time()
        started = self._since.get((host, task._uuid))
        if item is not None:
            self._since[host, task._uuid] = now  # of the next item
        elif status != "retried":
            self._items.pop((host, task._uuid), None)  # a handler may run once more
        role = getattr(task, "_role", None)
        step = Step(
            name=written_name(task),
            module=module_of(task),
            host=host,
            status=status,
            seconds=None if started is None else round(now - started, 3),
            play=self._play,
            role=role.get_name() if role else None,
            delegated_to=str(task.delegate_to) if task.delegate_to else None,
            check_mode=bool(task.check_mode),
        )
        return {"at": moment(now), **task_record(step, of(result, "result"), item)}

    def _item(self, result: t.Any, status: str) -> None:
        key = (of(result, "host").get_name(), of(result, "task")._uuid)
        self._items[key] = self._items.get(key, 0) + 1
        self._task(result, status, self._items[key])

    def _append(self, record: t.Mapping[str, t.Any]) -> None:
        if self._folder is None:
            return
        try:
            self._folder.append(record)
        except (OSError, TypeError, ValueError) as error:
            self._lose(error)

    def _append_all(self, records: t.Iterator[t.Mapping[str, t.Any]]) -> None:
        """Of an error that is not caught here, Ansible warns, and the run would be told as complete."""
        try:
            for record in records:
                self._append(record)
        except Exception as error:  # pylint: disable=broad-except
            self._lose(error)

    def _lose(self, error: Exception) -> None:
        """Not the end of the run: what works on a token just now is not to be cut off."""
        self._lost = True
        self._display.error(f"Could not write down a step in the report: {error}")

    def _finish(self, end: t.Mapping[str, t.Any]) -> None:
        folder = self._folder
        if folder is None:
            return
        self._append({"record": "end", "at": moment(time.time()), **end})
        self._folder = None
        try:
            anchor = folder.finish()
        except Exception as error:  # pylint: disable=broad-except
            self._display.error(f"Could not finish the report in {folder.path}: {error}")
            self._lost = True
        else:
            self._display.display(f"\nThe report of this run is {folder.path}/report.html")
            self._display.display("The witness writes down the SHA-256 of report.jsonl:")
            self._display.display(f"  {digit_groups(anchor)}")
        if self._lost:
            raise SystemExit(1)

    def _broken_off(self) -> None:
        """Of a run that ends without having come to its end, by an error of Ansible's or by Ctrl-C."""
        if os.getpid() == self._process and self._folder:
            with contextlib.suppress(SystemExit):
                self._finish({"status": "failed", "broken_off": True})
