# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of CloudHSM CLI: who is logged in, and the keys that a command works on."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
import typing as t
from pathlib import Path

from . import cli_filters, keys
from .errors import Refused
from .faults import Fault
from .state import Key, State, User, opened
from .users import log_in

LOGIN_ROLES = ("crypto-user", "admin")


@dataclasses.dataclass
class Login:
    """Who is logged in, and in which session: approvals are valid in one only."""

    name: str
    role: str
    session: str = dataclasses.field(default_factory=lambda: os.urandom(8).hex())


class Session:
    """What commands work with. Waiting is done while the state is free for others."""

    def __init__(self, folder: Path, environment: t.Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self.login: Login | None = None
        self.fault = Fault()

    @contextlib.contextmanager
    def state(self) -> t.Iterator[State]:
        """The cluster, for this command alone."""
        with opened(self.folder) as state:
            yield state

    def log_in(self, name: str, password: str, role: str) -> Login:
        """Logs in; the login lasts as long as this object."""
        with self.state() as state:
            user = log_in(state, name, password, role)
        self.login = Login(user.name, role)
        return self.login

    def log_in_by_environment(self) -> None:
        """Single-command mode (AWS cloudhsm_cli-modes). The name ends at the first colon (assumed)."""
        role, pin = self.environment.get("CLOUDHSM_ROLE"), self.environment.get("CLOUDHSM_PIN")
        if not role or not pin:
            raise Refused("no_credentials")
        if role not in LOGIN_ROLES:
            raise Refused("password")
        name, _colon, password = pin.partition(":")
        with self.state() as state:
            user = state.user(name)
        if user and user.mfa:
            raise Refused("password")  # that a login without its token is told so is assumed
        self.log_in(name, password, role)

    def user(self, state: State, *roles: str) -> User:
        """The user who is logged in, if of one of the roles."""
        if self.login is None:
            raise Refused("no_credentials")
        if self.login.role not in roles:
            raise Refused("role", self.login.role)
        if not state.running():
            raise Refused("disconnected")
        user = state.user(self.login.name)
        if user is None:
            raise Refused("password")
        return user

    def select(self, roles: tuple[str, ...], words: t.Sequence[str] | None) -> list[int]:
        """Handles of the keys that fit a filter, when they are on enough HSMs."""
        self.available(roles, words)
        with self.state() as state:
            return [key.handle for key in self._fitting(state, roles, words)]

    def one(self, state: State, roles: tuple[str, ...], words: t.Sequence[str] | None) -> Key:
        """The one key that fits; commands on one key refuse to choose (AWS manage-keys-cloudhsm-cli-filtering)."""
        found = self._fitting(state, roles, words)
        if len(found) != 1:
            raise Refused("not_one", str(len(found)))
        return found[0]

    def owned(self, state: State, words: t.Sequence[str] | None) -> Key:
        """The one key that fits, which only its owner may change (AWS cloudhsm_cli-key-delete and others)."""
        key = self.one(state, ("crypto-user",), words)
        if key.owner != self.user(state, "crypto-user").id:
            raise Refused("not_owner")
        return key

    def available(self, roles: tuple[str, ...], words: t.Sequence[str] | None) -> None:
        """Waits until every key that fits is on two HSMs, or refuses after a fixed time.

        Source: AWS troubleshoot-key-availability-check, working-client-sync; the time was measured by a third party.
        Session keys are on one HSM by design and are not checked (assumed).
        """
        with self.state() as state:
            patience = time.monotonic() + state.settings["availability_wait"]
        while True:
            with self.state() as state:
                if not state.settings["availability_check"]:
                    return
                found = [key for key in self._fitting(state, roles, words) if not key.session]
                if all(keys.nodes_with(state, key) >= 2 for key in found):
                    return
            if time.monotonic() >= patience:
                raise Refused("availability")
            time.sleep(min(0.1, max(0.0, patience - time.monotonic())))

    def _fitting(self, state: State, roles: tuple[str, ...], words: t.Sequence[str] | None) -> list[Key]:
        user = self.user(state, *roles)
        # An admin has no keys of his own; that he sees all is assumed (key list is open to admins).
        seen = list(state.keys) if self.login and self.login.role == "admin" else keys.visible(state, user)
        return cli_filters.matching(state, seen, words or ())
