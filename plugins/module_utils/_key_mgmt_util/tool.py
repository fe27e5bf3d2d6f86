# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""key_mgmt_util as an HSM: each method is one command, its answer judged and read.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import command as _command
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import dump as _dump
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import Answer, readable
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.codes import ACCESS_DENIED, refusal
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.command import Command, typable
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.dialogue import Dialogue
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.handles import Made, made_pair
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.users import KeyUsers, key_users, listed_users
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import User
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import KeyClass
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError

# A pair may take long to find, and the HSMs long to copy it, before the tool's own -timeout begins to count.
_GENERATING = 300.0

T = t.TypeVar("T")


class Tool(Dialogue):
    """A running tool that somebody is logged in to; `folder` is for the files that it exchanges."""

    def __init__(self, executable: str, folder: str) -> None:
        super().__init__(executable)
        self._folder = folder

    def has(self, command: str) -> bool:
        """Whether this build has a command, by its own list; some builds show it when they start."""
        text = self.banner
        if "findKey" not in text:
            text = self.print(Command("help"), "list the tool's commands")
        # '   findKey                Find Key'; a name alone where it has no description
        return bool(re.search(rf"^[ \t]+{command}\s", text, re.MULTILINE))

    def run(self, command: Command, attempt: str) -> Answer:
        """The answer of success to a command; raises `TokenError` for any other."""
        answer = self.ask(command, attempt)
        if answer.code:
            raise refusal(attempt, answer)
        return answer

    def read(self, command: Command, attempt: str, reader: t.Callable[[Answer], T]) -> T:
        """What is read of an answer of success."""
        answer = self.run(command, attempt)
        with readable(attempt):
            return reader(answer)

    def users(self) -> tuple[User, ...]:
        """All users of the cluster."""
        return self.read(_command.LIST_USERS, "list the users of the cluster", listed_users)

    def users_of(self, handle: int, attempt: str) -> KeyUsers | None:
        """Who may use a key; None where the tool does not tell this user, who is not its owner then."""
        answer = self.ask(_command.get_key_info(handle), attempt)
        if answer.code == ACCESS_DENIED:
            return None
        if answer.code:
            raise refusal(attempt, answer)
        with readable(attempt):
            return key_users(answer)

    def attributes(self, handle: int, attempt: str) -> tuple[KeyClass, _dump.Attributes]:
        """All attributes of a key, through a file that nobody else can read and that is removed at once."""
        with self._file(f"attributes-{handle}") as path:
            count = self.read(_command.get_attribute(handle, path), attempt, _dump.dumped_count)
            with readable(attempt):
                return _dump.key_attributes(_content(path, attempt), count)

    def generate(self, wish: Wish, users: t.Sequence[int], attempt: str) -> Made:
        """A new pair; raises `TokenError` where there is none."""
        # For ever where the tool itself waits for ever (its option -timeout).
        for_ever = wish.min_servers is not None and wish.timeout is None
        patience = None if for_ever else _GENERATING + (wish.timeout or 0)
        answer = self.ask(_command.generate(wish, users), attempt, patience)
        with readable(attempt):
            made = made_pair(answer)
        if made is None:
            raise refusal(attempt, answer)
        self.nodes = made.nodes
        return made

    def sign(self, handle: int, mechanism: int, data: bytes, attempt: str) -> bytes:
        """A signature made inside the HSM."""
        with self._file(f"data-{handle}") as path, self._file(f"signature-{handle}") as signature_path:
            with open(path, "wb") as file:
                file.write(data)
            command = _command.sign(path, handle, mechanism, signature_path)
            self.run(command, attempt)
            return _content(signature_path, attempt)

    @contextlib.contextmanager
    def _file(self, name: str) -> t.Iterator[str]:
        """A path in a private folder; what the tool writes there is gone afterwards."""
        path = os.path.join(self._folder, name)
        try:
            yield path
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


@contextlib.contextmanager
def private_folder() -> t.Iterator[str]:
    """A folder of this user alone, for the files that the tool exchanges; its name can be typed."""
    with tempfile.TemporaryDirectory(prefix="cryptoki-hsm-") as folder:
        if not typable(folder):
            raise HsmError(
                f"The folder {folder} cannot be typed at the tool's prompt; set TMPDIR to one without blanks."
            )
        yield folder


def _content(path: str, attempt: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        reason = f"success, and its file cannot be read ({os.strerror(error.errno or 0)})"
        raise TokenError(attempt, said=reason, hint="see that the tool runs as the task's user") from None
