# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""key_mgmt_util as an HSM: each method is one command, its answer judged and read."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import tempfile
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import codes, dialogue, dump, handles
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import command as _command
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import Answer, readable
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.users import KeyUsers, key_users, listed_users
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.user import User
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import KeyClass

# A pair may take long to find, and the HSMs long to copy it, before the tool's own -timeout begins to count.
_GENERATING = 300.0

T = t.TypeVar("T")


class Tool(dialogue.Dialogue):
    """A running tool that somebody is logged in to; `folder` is for the files that it exchanges."""

    def __init__(self, executable: str, folder: str) -> None:
        super().__init__(executable)
        self._folder = folder

    def has(self, command: str) -> bool:
        """Whether this build has a command, by its own list; some builds show it when they start."""
        text = self.banner
        if "findKey" not in text:
            text = self.print(_command.Command("help"), "list the tool's commands")
        # '   findKey                Find Key'; a name alone where it has no description
        return bool(re.search(rf"^[ \t]+{command}\s", text, re.MULTILINE))

    def lists_attribute(self, name: str) -> bool:
        """Whether this build has an attribute, by its own list; true where it has no list."""
        text = self.print(_command.LIST_ATTRIBUTES, "list the attributes that the tool knows")
        return "OBJ_ATTR_" not in text or bool(re.search(rf"\bOBJ_ATTR_{name.upper()}\b", text))

    def run(self, command: _command.Command, attempt: str, also: int = 0) -> Answer:
        """The answer of success to a command, or that of the code `also`; raises `TokenError` for any other."""
        answer = self.ask(command, attempt)
        if answer.code not in (0, also):
            raise codes.refusal(attempt, answer)
        return answer

    def read(self, command: _command.Command, attempt: str, reader: t.Callable[[Answer], T]) -> T:
        """What is read of an answer of success."""
        answer = self.run(command, attempt)
        with readable(attempt):
            return reader(answer)

    def users(self) -> tuple[User, ...]:
        """All users of the cluster."""
        return self.read(_command.LIST_USERS, "list the users of the cluster", listed_users)

    def users_of(self, handle: int, attempt: str) -> KeyUsers | None:
        """Who may use a key; None where the tool does not tell this user, who is not its owner then."""
        answer = self.run(_command.on_key("getKeyInfo", handle), attempt, also=codes.ACCESS_DENIED)
        with readable(attempt):
            return None if answer.code else key_users(answer)

    def attributes(self, handle: int, attempt: str) -> tuple[KeyClass, dump.Attributes, str]:
        """All attributes of a key, and the text of which they were read."""
        command = functools.partial(_command.get_attribute, handle)
        answer, raw = self._written(f"attributes-{handle}", command, attempt)
        with readable(attempt):
            half, attributes = dump.key_attributes(raw, dump.dumped_count(answer))
        return half, attributes, raw.decode(errors="backslashreplace")

    def generate(self, wish: Wish, users: t.Sequence[int], attempt: str) -> handles.Made:
        """A new pair; raises `TokenError` where there is none."""
        # For ever where the tool itself waits for ever (its option -timeout).
        for_ever = wish.min_servers is not None and wish.timeout is None
        patience = None if for_ever else _GENERATING + (wish.timeout or 0)
        answer = self.ask(_command.generate(wish, users), attempt, patience)
        with readable(attempt):
            made = handles.made_pair(answer)
        if made is None:
            raise codes.refusal(attempt, answer)
        self.nodes = made.nodes
        return made

    def sign(self, handle: int, mechanism: int, data: bytes, attempt: str) -> bytes:
        """A signature made inside the HSM."""
        with tempfile.NamedTemporaryFile(dir=self._folder) as file:
            file.write(data)
            file.flush()
            command = functools.partial(_command.sign, file.name, handle, mechanism)
            return self._written(f"signature-{handle}", command, attempt)[1]

    def _written(self, name: str, command: t.Callable[[str], _command.Command], attempt: str) -> tuple[Answer, bytes]:
        """The answer to a command that writes a file, and what it wrote; nobody else can read that, and it is gone."""
        path = os.path.join(self._folder, name)
        try:
            answer = self.run(command(path), attempt)
            with open(path, "rb") as file:
                return answer, file.read()
        except OSError as error:
            reason = f"success, and its file cannot be read ({os.strerror(error.errno or 0)})"
            raise errors.TokenError(attempt, said=reason, hint="see that the tool runs as the task's user") from None
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


@contextlib.contextmanager
def private_folder() -> t.Iterator[str]:
    """A folder of this user alone, for the files that the tool exchanges; its name can be typed."""
    with tempfile.TemporaryDirectory(prefix="cryptoki-hsm-") as folder:
        if not _command.typable(folder):
            raise errors.HsmError(
                f"The folder {folder} cannot be typed at the tool's prompt; set TMPDIR to one without blanks."
            )
        yield folder
