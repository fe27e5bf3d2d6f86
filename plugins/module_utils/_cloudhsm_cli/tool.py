# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CloudHSM CLI in its single-command mode: each command is a process of its own, with a login of its own.

The credentials are in the environment of that process only (user guide of AWS CloudHSM, page cloudhsm_cli-modes).

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.answer import (
    Refused,
    Unclear,
    data_of,
    shown,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.keys import Key
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.lists import (
    Hsm,
    Pages,
    hsms_of,
    users_of,
    version_of,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._host.child import ChildTimeout, run_child
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import ToolLogin
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import User
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.text import masked

# The CLI itself gives up after 87.2 seconds where a key is not available on enough HSMs; it must not be cut off then,
# and a slow generation neither.
TIMEOUT = 300.0
_PAGE = 500  # keys; each page costs a process and a login
_ATTEMPTS = 3  # for a list that changes while it is read
# Texts of failures, in lower case, and what to do (page manage-keys-cloudhsm-cli-filtering, quorum and
# troubleshooting pages; the texts marked M in the research were measured by third parties).
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


class Tool:
    """The executable with a login; every method raises L{TokenError} where it does not answer as it should."""

    def __init__(self, login: ToolLogin, timeout: float = TIMEOUT) -> None:
        self._login = login
        self._timeout = timeout
        self._logged_in = False
        self._refusal: TokenError | None = None

    def version(self) -> tuple[int, ...]:
        """Its version; nothing is contacted."""
        attempt = f"ask {self._login.executable} for its version"
        ended = self._run(attempt, ["--version"], {})
        try:
            return version_of(ended.decode(errors="replace"))
        except Unclear as error:
            raise TokenError(attempt, said=str(error), hint="it is not the CloudHSM CLI; check executable") from None

    def hsms(self) -> list[Hsm]:
        """The HSMs of the cluster; needs no login."""
        return self._read("list the HSMs of the cluster", ["cluster", "hsm-info"], hsms_of)

    def users(self) -> list[User]:
        """The users of the cluster; needs no login."""
        return self._read("list the users of the cluster", ["user", "list"], users_of)

    def keys(self, attempt: str, filters: t.Sequence[str] = (), at_most: int | None = None) -> list[Key] | None:
        """All keys that match, or None where they are more than C(at_most); a list that is not whole is an error."""
        for left in reversed(range(_ATTEMPTS)):
            try:
                return self._pages(attempt, filters, at_most)
            except Unclear as error:
                if not left:
                    raise self._unclear(attempt, error) from None
        raise AssertionError("the last attempt returns or raises")

    def _pages(self, attempt: str, filters: t.Sequence[str], at_most: int | None) -> list[Key] | None:
        pages = Pages()
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
        """C(data) of a command with a login. If the very first one fails, no other is tried: passwords lock."""
        if self._refusal:
            raise self._refusal.at(attempt)
        try:
            data = self._answer(attempt, arguments, self._secrets())
        except TokenError as error:
            if not self._logged_in:
                self._refusal = error
            raise
        self._logged_in = True
        return data

    def _secrets(self) -> dict[str, str]:
        user, password = self._login.credentials()
        return {"CLOUDHSM_ROLE": "crypto-user", "CLOUDHSM_PIN": f"{user}:{password}"}

    def _read(self, attempt: str, arguments: t.Sequence[str], parse: t.Callable[[t.Any], T]) -> T:
        try:
            return parse(self._answer(attempt, arguments, {}))
        except Unclear as error:
            raise self._unclear(attempt, error) from None

    def _answer(self, attempt: str, arguments: t.Sequence[str], secrets: t.Mapping[str, str]) -> t.Any:
        try:
            return data_of(self._run(attempt, self._chosen(arguments), secrets), self._hidden)
        except Refused as error:
            said = self._masked(str(error))
            raise TokenError(attempt, said=f"'{said.rstrip('.')}'", hint=_hint(said)) from None
        except Unclear as error:
            raise self._unclear(attempt, error) from None

    def _chosen(self, arguments: t.Sequence[str]) -> list[str]:
        """The command for the cluster that is meant, where several are configured; after the words of the command."""
        words = next((i for i, word in enumerate(arguments) if word.startswith("--")), len(arguments))
        cluster = ["--cluster-id", self._login.cluster] if self._login.cluster else []
        return [*arguments[:words], *cluster, *arguments[words:]]

    def _run(self, attempt: str, arguments: t.Sequence[str], secrets: t.Mapping[str, str]) -> bytes:
        try:
            ended = run_child([self._login.executable, *arguments], secrets, self._timeout)
        except ChildTimeout:
            said = f"nothing within {self._timeout:g} seconds"
            raise TokenError(attempt, said=said, hint=_UNCLEAR) from None
        if not ended.stdout.strip() and ended.status:
            said = f"with exit status {ended.status} and {shown(self._hidden(ended.stderr))} on its standard error"
            raise TokenError(attempt, said=said, hint="check executable and the tool's configuration")
        return ended.stdout

    def _unclear(self, attempt: str, error: Unclear) -> TokenError:
        return TokenError(attempt, said=self._masked(str(error)), hint=_UNCLEAR)

    def _masked(self, text: str) -> str:
        return self._hidden(text.encode(errors="surrogateescape")).decode(errors="replace")

    def _hidden(self, raw: bytes) -> bytes:
        return masked(raw, self._login.secrets())


T = t.TypeVar("T")


def _hint(text: str) -> str:
    return next((advice for words, advice in _HINTS if words in text.lower()), "")


def too_old(version: t.Sequence[int], needed: tuple[int, int], what: str) -> HsmError | None:
    """The refusal of a version that lacks something; None where it has it."""
    if tuple(version) >= needed:
        return None
    there, wanted = (".".join(map(str, numbers)) for numbers in (version, needed))
    return HsmError(f"Refused to use the CloudHSM CLI {there}: {what} needs {wanted} or later. Update the client.")
