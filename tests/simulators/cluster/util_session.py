# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of key_mgmt_util: who is logged in, and how results are written."""

from __future__ import annotations

import contextlib
import typing as t
from pathlib import Path

from . import keys, util_codes
from .errors import Refused
from .faults import Fault
from .state import Key, State, User, opened
from .users import log_in
from .util_spellings import chosen, ordered


class Session:
    """What commands work with."""

    def __init__(self, folder: Path, environment: t.Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self.spelling = chosen(environment)
        self.name: str | None = None  # of the user who is logged in
        self.fault = Fault()

    @contextlib.contextmanager
    def state(self) -> t.Iterator[State]:
        """The cluster, for this command alone."""
        with opened(self.folder) as state:
            yield state

    def log_in(self, kind: str, name: str, password: str) -> str:
        """Logs in. Only crypto users can (key_mgmt_util-Error2String)."""
        if kind != "CU":
            raise Refused("user_type")
        with self.state() as state:
            self.name = log_in(state, name, password, "crypto-user").name
            return self.result("Cfm3LoginHSM", 0) + self.nodes(state, head=self.spelling.login_status)

    def user(self, state: State) -> User:
        """The user who is logged in."""
        if not state.running():
            raise Refused("disconnected")
        user = state.user(self.name or "")
        if user is None:
            raise Refused("not_logged_in")
        return user

    def key(self, state: State, handle: int, owned: bool = False) -> Key:
        """A key that the user may use, or own."""
        user = self.user(state)
        key = next((key for key in state.keys if key.handle == handle), None)
        if key is None or not any(key.on_node(node) for node in state.running()):
            raise Refused("unknown_handle")
        if key not in keys.visible(state, user) or (owned and key.owner != user.id):
            raise Refused("not_owner")
        return key

    def result(self, name: str, code: int) -> str:
        """The line that tells how a call ended."""
        return f"\n\t{name} returned: {self.code(code)}\n"

    def code(self, code: int) -> str:
        """A code and its text: on failure some builds write the text on a line of its own."""
        form = self.spelling.error if code else "0x{:02x} : {}"
        return form.format(code, util_codes.text_of(code))

    def nodes(self, state: State, codes: t.Mapping[int, int] | None = None, head: str = "") -> str:
        """The status block: a line for each node. Nodes that are off are told as unavailable (assumed)."""
        lines = [f"\n\t{head or self.spelling.status}"]
        for node in ordered(state, self.environment):
            code = util_codes.SUCCESS if node.running else util_codes.UNAVAILABLE
            code = codes.get(node.id, code) if codes else code
            lines.append("\t" + self.spelling.node.format(node.id, code, util_codes.text_of(code)))
        return "\n".join(lines) + "\n"

    def codes_of(self, state: State, key: Key) -> dict[int, int]:
        """How each node answers when it is asked for a key."""
        codes = {}
        for node in state.nodes:
            missing = util_codes.UNKNOWN_HANDLE if node.running else util_codes.UNAVAILABLE
            codes[node.id] = util_codes.SUCCESS if node.running and key.on_node(node) else missing
        if self.fault.kind == "inconsistent":
            codes[state.nodes[-1].id] = util_codes.UNKNOWN_HANDLE
        return codes
