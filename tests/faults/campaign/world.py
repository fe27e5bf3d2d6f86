# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token for each run of the campaign: a copy of one that was made once, so that no run pays for its keys."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import subprocess
import typing as t
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.faults.campaign.acts import Act
from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.folder import open_folder
from ansible_collections.cryptoki.hsm.tests.support.outside import Seen, look

_LONGEST = 60  # seconds of a run


@dataclasses.dataclass(frozen=True)
class Ran:
    """What a run did: its answer (none if it was killed), all that it wrote, its calls, and the token around it.

    `first`: the token before this run and all that were before it.
    """

    result: dict[str, t.Any] | None
    output: str
    status: int | None
    calls: Mapping[str, int]
    before: list[Seen]
    after: list[Seen]
    first: list[Seen]


class Prepared:
    """The token that all runs begin with: a pair of each type for the acts and one beside it, and other objects."""

    def __init__(self, interposer: Path) -> None:
        self._token = FaultyToken(open_folder(), interposer)
        for label in ("k", "other"):
            self._made(self._token.ecc(label=label, curve="P-256"))
        for label in ("r", "other rsa"):
            self._made(self._token.rsa(label=label, modulus_bits=2048))
        self._token.pkcs11_tool("--keygen", "--key-type", "AES:32", "--label", "secret", "--id", "77")
        self.before = look(self._token)
        self.calls: dict[str, Mapping[str, int]] = {}  # of each act when nobody lies

    @staticmethod
    def _made(run: t.Any) -> None:
        assert run.result.get("changed") is True, run.result

    def remove(self) -> None:
        """Removes the token."""
        _remove(self._token)

    @contextlib.contextmanager
    def copy(self) -> t.Iterator[FaultyToken]:
        """A token that is the same, and goes at the end."""
        folder = open_folder()
        shutil.copytree(self._token.tokens, folder / "tokens")
        token = FaultyToken(folder, self._token.interposer, initialise=False)
        token.hurried = True
        try:
            yield token
        finally:
            _remove(token)


def _remove(token: FaultyToken) -> None:
    for path in (token.lock_file(), *token.marks()):
        path.unlink(missing_ok=True)
    shutil.rmtree(token.folder)


def run(token: FaultyToken, act: Act, rules: str, first: list[Seen], before: list[Seen] | None = None) -> Ran:
    """Does the act with a library that lies so."""
    token.log.unlink(missing_ok=True)
    task = token.start(act.module, rules, **act.params)
    try:
        stdout, stderr, status = task.end(_LONGEST)
    except subprocess.TimeoutExpired:
        task.kill()
        stdout, stderr, status = b"", b"it did not end", None
    try:
        result = json.loads(stdout)
    except ValueError:
        result = None
    output = (stdout + stderr).decode(errors="replace")
    return Ran(result, output, status, token.calls(), before or first, look(token, first), first)
