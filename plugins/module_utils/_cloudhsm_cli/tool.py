# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CloudHSM CLI in its single-command mode: each command is a process of its own, with a login of its own.

The credentials are in the environment of that process only (user guide of AWS CloudHSM, page cloudhsm_cli-modes).
"""

from __future__ import annotations

import contextlib
import functools
import subprocess
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli import answer, lists
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.keys import Key
from ansible_collections.cryptoki.hsm.plugins.module_utils._cluster_tool import environment
from ansible_collections.cryptoki.hsm.plugins.module_utils._cluster_tool.login import ToolLogin
from ansible_collections.cryptoki.hsm.plugins.module_utils._host import child
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.user import User
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.text import masked

# The CLI itself gives up after 87.2 seconds where a key is not available on enough HSMs; it must not be cut off then,
# and a slow generation neither.
TIMEOUT = 300.0
_PAGE = 500  # keys; each page costs a process and a login
_READINGS = 3  # for a list that changes while it is read
# Texts of failures, in lower case, and what to do (user guide of AWS CloudHSM, page
# manage-keys-cloudhsm-cli-filtering and those on quorums and troubleshooting; some are from public bug reports).
_HINTS = (
    (
        "must be available on at least 2 hsms",
        "add an HSM to the cluster, or let root disable the CLI's key availability check with configure-cli",
    ),
    ("invalid quorum value", "a quorum is 2 to 8, and at most the number of the users and the owner"),
    ("must be set to a value greater than 1", "a quorum is 2 to 8, and at most the number of the users and the owner"),
    ("quorum", "the key has a quorum: approve the operation in an interactive session of the CLI"),
    ("hsm is disconnected", "check the network, the cluster's state and its certificates"),
    ("failed to initialize hsm1 context", "check the network, the security groups and configure-cli"),
    ("invalid value", "check the configuration of the CLI, which configure-cli writes"),
)
_UNCLEAR = "what it did is not known; look at the tool by hand before the next run"

T = t.TypeVar("T")


class Tool:
    """The executable with a login; every method raises `TokenError` where it does not answer as it should."""

    def __init__(self, login: ToolLogin, timeout: float = TIMEOUT) -> None:
        self._login = login
        self._timeout = timeout
        self._logged_in = False
        self._refusal: errors.TokenError | None = None

    @functools.cached_property
    def version(self) -> tuple[int, ...]:
        """Its version; nothing is contacted."""
        attempt = f"ask {self._login.executable} for its version"
        output = self._run(attempt, ["--version"], {})
        try:
            return lists.version_of(output.decode(errors="replace"))
        except answer.Unclear as error:
            raise errors.TokenError(
                attempt, said=str(error), hint="it is not the CloudHSM CLI; check executable"
            ) from None

    def require(self, needed: tuple[int, int], what: str) -> None:
        """Refuses a version that lacks something."""
        if self.version < needed:
            there, wanted = (".".join(map(str, numbers)) for numbers in (self.version, needed))
            raise errors.HsmError(
                f"Refused to use the CloudHSM CLI {there}: {what} needs {wanted} or later. Update the client."
            )

    def hsms(self) -> list[lists.Hsm]:
        """The HSMs of the cluster; needs no login."""
        return self._read("list the HSMs of the cluster", ["cluster", "hsm-info"], lists.hsms_of)

    def users(self) -> list[User]:
        """The users of the cluster; needs no login."""
        return self._read("list the users of the cluster", ["user", "list"], lists.users_of)

    def _read(self, attempt: str, arguments: t.Sequence[str], parse: t.Callable[[t.Any], T]) -> T:
        data = self._answer(attempt, arguments, {})
        with self.clear(attempt):
            return parse(data)

    def keys(self, attempt: str, filters: t.Sequence[str] = (), at_most: int | None = None) -> list[Key] | None:
        """All keys that match, or None where they are more than `at_most`; a list that is not whole is an error."""
        for _again in range(_READINGS - 1):
            with contextlib.suppress(answer.Unclear):
                return self._pages(attempt, filters, at_most)
        with self.clear(attempt):
            return self._pages(attempt, filters, at_most)

    def _pages(self, attempt: str, filters: t.Sequence[str], at_most: int | None) -> list[Key] | None:
        pages = lists.Pages()
        arguments = ["key", "list", "--verbose", "--max-items", str(_PAGE)]
        chosen = ["--filter", *filters] if filters else []
        more = True
        while more:
            start = ["--starting-token", pages.token] if pages.token is not None else []
            more = pages.add(self.command(attempt, [*arguments, *start, *chosen]))
            if at_most is not None and (pages.total or 0) > at_most:
                return None
        return pages.keys

    def command(self, attempt: str, arguments: t.Sequence[str]) -> t.Any:
        """`data` of a command with a login. If the very first one fails, no other is tried: passwords lock."""
        if self._refusal:
            raise self._refusal.at(attempt)
        user, password = self._login.credentials()
        secrets = {"CLOUDHSM_ROLE": "crypto-user", "CLOUDHSM_PIN": f"{user}:{password}"}
        try:
            data = self._answer(attempt, arguments, secrets)
        except errors.TokenError as error:
            if not self._logged_in:
                self._refusal = error
            raise
        self._logged_in = True
        return data

    def _answer(self, attempt: str, arguments: t.Sequence[str], secrets: t.Mapping[str, str]) -> t.Any:
        """`data` of a command for the cluster that is meant, which is named after the words of the command."""
        words = next((i for i, word in enumerate(arguments) if word.startswith("--")), len(arguments))
        cluster = ["--cluster-id", self._login.cluster] if self._login.cluster else []
        output = self._run(attempt, [*arguments[:words], *cluster, *arguments[words:]], secrets)
        try:
            with self.clear(attempt):
                return answer.data_of(output, self._hidden)
        except answer.Refused as error:
            said = self._masked(str(error)).rstrip(".")
            hint = next((advice for text, advice in _HINTS if text in said.lower()), "")
            raise errors.TokenError(attempt, said=f"'{said}'", hint=hint) from None

    def _run(self, attempt: str, arguments: t.Sequence[str], secrets: t.Mapping[str, str]) -> bytes:
        try:
            ended = child.run_child(
                [self._login.executable, *arguments], environment.tool_environment(**secrets), self._timeout
            )
        except subprocess.TimeoutExpired:
            said = f"nothing within {self._timeout:g} seconds"
            raise errors.TokenError(attempt, said=said, hint=_UNCLEAR) from None
        if not ended.stdout.strip() and ended.status:
            said = (
                f"with exit status {ended.status} and {answer.shown(self._hidden(ended.stderr))} on its standard error"
            )
            raise errors.TokenError(attempt, said=said, hint="check executable and the tool's configuration")
        return ended.stdout

    @contextlib.contextmanager
    def clear(self, attempt: str) -> t.Iterator[None]:
        """For what reads an answer: one that is unclear is a failure, never an absence."""
        try:
            yield
        except answer.Unclear as error:
            raise errors.TokenError(attempt, said=self._masked(str(error)), hint=_UNCLEAR) from None

    def _masked(self, text: str) -> str:
        return self._hidden(text.encode(errors="surrogateescape")).decode(errors="replace")

    def _hidden(self, raw: bytes) -> bytes:
        return masked(raw, self._login.secrets())
