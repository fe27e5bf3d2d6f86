# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""key_mgmt_util as an HSM: each method is one command, its answer judged and read.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import tempfile
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import command as _command
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import (
    UNAVAILABLE,
    Answer,
    Node,
    readable,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.codes import ACCESS_DENIED, node_said, refusal
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.command import Command, typable
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.dialogue import ANSWERING, Dialogue
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.dump import (
    Attributes,
    dumped_count,
    key_attributes,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.handles import (
    Made,
    attested,
    found_keys,
    made_pair,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.users import KeyUsers, key_users, listed_users
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import User
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import KeyClass
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError

# A pair may take long to find, and the HSMs long to copy it, before the tool's own -timeout begins to count.
_GENERATING = 300.0
# '   findKey                Find Key' in the list of commands; a name alone where it has no description
_LISTED = re.compile(r"[ \t]+([A-Za-z0-9]+)(?:[ \t]{2,}\S.*)?")

T = t.TypeVar("T")


class Tool:
    """A running tool that somebody is logged in to; C(nodes) is the last report on the HSMs."""

    def __init__(self, dialogue: Dialogue, nodes: t.Sequence[Node], folder: str) -> None:
        self._dialogue = dialogue
        self._folder = folder
        self.nodes = tuple(nodes)

    @functools.cached_property
    def commands(self) -> frozenset[str]:
        """The commands that this build has, from its own list; some builds show it when they start."""
        text = self._dialogue.banner
        if "findKey" not in text:
            text = self._dialogue.print(Command("help"), "list the tool's commands")
        return frozenset(match[1] for match in map(_LISTED.fullmatch, text.replace("\r", "").split("\n")) if match)

    @property
    def alive(self) -> bool:
        """Whether commands can be given."""
        return self._dialogue.alive

    def _ask(self, command: Command, attempt: str, patience: float | None = ANSWERING) -> Answer:
        """The answer to a command, refused or not."""
        answer = self._dialogue.ask(command, attempt, patience)
        if answer.reports:
            self.nodes = answer.nodes
        return answer

    def _read(self, command: Command, attempt: str, reader: t.Callable[[Answer], T]) -> T:
        """What is read of an answer of success; raises `TokenError` for any other."""
        answer = self._ask(command, attempt)
        if answer.code:
            raise refusal(attempt, answer)
        with readable(attempt):
            return reader(answer)

    def users(self) -> tuple[User, ...]:
        """All users of the cluster."""
        return self._read(_command.LIST_USERS, "list the users of the cluster", listed_users)

    def find(self, command: Command, attempt: str) -> tuple[int, ...]:
        """The handles that a search finds; none only where the tool says so."""
        return self._read(command, attempt, found_keys)

    def users_of(self, handle: int, attempt: str) -> KeyUsers | None:
        """Who may use a key; None where the tool does not tell this user, who is not its owner then."""
        answer = self._ask(_command.get_key_info(handle), attempt)
        if answer.code == ACCESS_DENIED:
            return None
        if answer.code:
            raise refusal(attempt, answer)
        with readable(attempt):
            return key_users(answer)

    def attributes(self, handle: int, attempt: str) -> tuple[KeyClass, Attributes]:
        """All attributes of a key, through a file that nobody else can read and that is removed at once."""
        with self._file(f"attributes-{handle}") as path:
            count = self._read(_command.get_attribute(handle, path), attempt, dumped_count)
            with readable(attempt):
                return key_attributes(_content(path, attempt), count)

    def generate(self, wish: Wish, users: t.Sequence[int], attempt: str) -> tuple[Made, bool]:
        """A new pair, and whether the attestation passed; raises `TokenError` where there is none."""
        # For ever where the tool itself waits for ever (its option -timeout).
        for_ever = wish.min_servers is not None and wish.timeout is None
        patience = None if for_ever else _GENERATING + (wish.timeout or 0)
        answer = self._ask(_command.generate(wish, users), attempt, patience)
        with readable(attempt):
            made = made_pair(answer)
        if made is None:
            raise refusal(attempt, answer)
        self.nodes = made.nodes
        return made, attested(answer)

    def holders(self, handle: int, attempt: str) -> tuple[Node, ...]:
        """Every HSM of the cluster, its code 0 where it has the key."""
        return self._ask(_command.find_single_key(handle), attempt).nodes

    def delete(self, handle: int, attempt: str) -> None:
        """Removes a key from every HSM that is there; `nodes` tells which is not."""
        answer = self._read(_command.delete_key(handle), attempt, lambda answer: answer)
        off = [node for node in answer.unwell if node.code == UNAVAILABLE]
        if len(off) == len(answer.nodes):
            off = []
        for node in answer.unwell:
            if node not in off:
                hint = f"it may be left on the HSM {node.id}; remove it there when that HSM answers again"
                raise TokenError(attempt, said=node_said(node), hint=hint)

    def share(self, handle: int, users: t.Sequence[int], away: bool, attempt: str) -> None:
        """Shares a key with users, or takes it from them."""
        self._read(_command.share_key(handle, users, away), attempt, lambda answer: None)

    def sign(self, handle: int, mechanism: int, data: bytes, attempt: str) -> bytes:
        """A signature made inside the HSM."""
        with self._file(f"data-{handle}") as path, self._file(f"signature-{handle}") as signature_path:
            with open(path, "wb") as file:
                file.write(data)
            command = _command.sign(path, handle, mechanism, signature_path)
            self._read(command, attempt, lambda answer: None)
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
