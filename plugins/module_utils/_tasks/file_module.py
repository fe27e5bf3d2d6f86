# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module that has one file: read before, compared, and written anew in one step; Ansible's own rules for files."""

from __future__ import annotations

import contextlib
import os
import tempfile
import types
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.file import FileProblem, read
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import outcome, plan
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.diff import side_by_side
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import edge

LATER = "known after generation"


class Change(t.NamedTuple):
    """What was and what is in a file, by names, and the title of the diff; None in `after` is what is not known yet.

    `foretold`: what a diff tells besides, for who reviews what would be signed.
    """

    title: str
    before: t.Mapping[str, t.Any]
    after: t.Mapping[str, t.Any]
    foretold: t.Mapping[str, str] = types.MappingProxyType({})


class FileModule(edge.HsmModule):
    """A module with the options of the group FILE; `longest`: so many bytes may a file have."""

    longest = 1 << 20

    @property
    def none_there(self) -> str:
        """Why there is nothing to compare."""
        told = self.params["path"] or self.params["content"] is not None
        return "there is none" if told else "neither path nor content tells of an earlier one"

    def existing(self) -> bytes | None:
        """What is there already, from `path` or `content`; None where there is nothing. Raises `InputError`."""
        path, content = self.params["path"], self.params["content"]
        if path is None:
            return content.encode() if content else None
        folder = os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(folder) and not self.check_mode:  # an earlier task may make it
            raise errors.InputError("path", "its folder does not exist", path)
        self.target(path)
        if not os.path.exists(path):
            return None
        return self.read("path", path)

    def is_null(self, option: str) -> bool:
        """Whether an option is given without a value, as a template of what is not there yet makes it.

        That is another thing than an option that is not given, and Ansible tells both alike.
        """
        spec = self._ansible.argument_spec[option]
        checked = self._ansible.params
        try:
            self._ansible._load_params()  # Ansible keeps it for modules that want what came
            given = self._ansible.params
        finally:
            self._ansible.params = checked
        return any(name in given and given[name] is None for name in (option, *spec.get("aliases", ())))

    def read(self, option: str, path: str) -> bytes:
        """The content of a file that an option names; raises `InputError`."""
        try:
            return read(path, self.longest)
        except FileProblem as error:
            raise errors.InputError(option, f"it {error}", path) from None

    def check_alone(self, raw: bytes | None) -> None:
        """Refuses to write over a private key, or over several things where one is meant; raises `InputError`."""
        if self.params["path"] and raw and (raw.count(b"-----BEGIN ") > 1 or b"PRIVATE KEY-----" in raw):
            raise errors.InputError(
                "path", "it holds more than what is to be replaced, which would be lost; move it away"
            )

    def settle(self, content: bytes | None, there: bool, change: Change) -> edge.Result:
        """Writes `content` if there is any, then the file's owner and mode; what is returned of that.

        `there`: whether it takes the place of something. What goes wrong leaves the old file as it was.
        """
        path = self.params["path"]
        diff = {"before": dict(change.before), "after": dict(change.after)}
        result: edge.Result = {"changed": content is not None} if path is None else self._settled(path, content, diff)
        written = plan.Action.REPLACE if there else plan.Action.GENERATE
        action = plan.Action.NOTHING if not result["changed"] else plan.Action.CHANGE if content is None else written
        rows = outcome.changed_fields(**diff) if result["changed"] else []
        told = {"outcome": outcome.WORDS[action], "changes": [row.data() for row in rows]}
        if content == b"":  # check mode
            later = {name: LATER for name, value in change.after.items() if value is None}
            rows = outcome.changed_fields(diff["before"], {**diff["after"], **later, **change.foretold})
        return {**result, **told, "diff": [side_by_side(change.title, rows)] if result["changed"] else []}

    def _settled(self, path: str, content: bytes | None, diff: dict[str, t.Any]) -> edge.Result:
        result: edge.Result = {"changed": content is not None, "filename": path}
        target = self.target(path)
        existed = os.path.exists(target)
        done: edge.Result = {}
        with self._failures_raised(done):
            if content is not None and not self.check_mode:
                if self.params["backup"] and existed:
                    result["backup_file"] = self._ansible.backup_local(target)
                self._write(target, content)
                done |= result
            arguments = self._ansible.load_file_common_arguments(self.params, path=target)
            if not self._ansible.check_file_absent_if_check_mode(target):
                told = diff if existed else None  # what a new file was for a moment is no difference
                result["changed"] = self._ansible.set_fs_attributes_if_different(arguments, result["changed"], told)
        return result

    @staticmethod
    def target(path: str) -> str:
        """The file itself, where `path` is a link to it; raises `InputError` for a link that another user made."""
        if not os.path.islink(path):
            return path
        folder = os.stat(os.path.dirname(os.path.abspath(path)))
        if os.lstat(path).st_uid not in (0, os.geteuid(), folder.st_uid):
            raise errors.InputError("path", "it is a link that another user has put there", path)
        return os.path.realpath(path)

    def _write(self, path: str, content: bytes) -> None:
        descriptor, name = tempfile.mkstemp(dir=self._ansible.tmpdir)
        self._ansible.add_cleanup_file(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        except OSError as error:
            raise errors.HsmError.failed(f"write {path}", os.strerror(error.errno or 0)) from None
        self._ansible.atomic_move(name, path, unsafe_writes=self.params["unsafe_writes"])

    @contextlib.contextmanager
    def _failures_raised(self, done: edge.Result) -> t.Iterator[None]:
        """While the work's stdout is held back, what ends a module would say nothing: it becomes an error here.

        `done`: what was written before.
        """

        def told(msg: str, **dummy: t.Any) -> t.NoReturn:
            written = f" The new content of {self.params['path']} was written before." if done else ""
            raise errors.HsmError(f"{msg.rstrip('.')}.{written}", **done)

        self._ansible.fail_json = told  # type: ignore[method-assign]
        try:
            yield
        except errors.HsmError:
            raise
        except Exception as error:  # pylint: disable=broad-except
            # Of a file that cannot be moved, some versions of ansible-core say so by a bare exception.
            why = str(error.__cause__ or error).rstrip(".")
            raise errors.HsmError.failed(f"write {self.params['path']}", why) from None
        finally:
            del self._ansible.fail_json
