# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A SoftHSM token behind a library that misbehaves as it is told (pkcs11_fault.c, which documents the rules)."""

from __future__ import annotations

import collections
import dataclasses
import re
import shlex
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.lock import lock_path
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.softhsm import lock_key
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.softhsm_store import UNFINISHED, mark_path
from ansible_collections.cryptoki.hsm.tests.support.listing import parse_listing
from ansible_collections.cryptoki.hsm.tests.support.module_run import Run, module_input
from ansible_collections.cryptoki.hsm.tests.support.soft_token import LABEL, PIN, SoftToken, library
from ansible_collections.cryptoki.hsm.tests.support.task import Task

# The calls that change a token.
WRITING = (
    "C_CreateObject",
    "C_CopyObject",
    "C_DestroyObject",
    "C_SetAttributeValue",
    "C_GenerateKey",
    "C_GenerateKeyPair",
    "C_UnwrapKey",
    "C_DeriveKey",
    "C_InitToken",
    "C_InitPIN",
    "C_SetPIN",
)


@dataclasses.dataclass(frozen=True)
class FaultyRun(Run):
    """A run through the interposer, with the number of calls of each function."""

    calls: t.Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def writes(self) -> dict[str, int]:
        """The calls that could change the token."""
        return {name: count for name, count in self.calls.items() if name in WRITING}


class FaultyToken(SoftToken):
    """A token that is reached directly, as every `SoftToken`, or through the interposer."""

    def __init__(
        self, folder: Path, interposer: Path, label: str = LABEL, pin: str = PIN, initialise: bool = True
    ) -> None:
        super().__init__(folder, label, pin, initialise)
        self.interposer = interposer
        self.log = folder / "calls"

    def calls(self) -> dict[str, int]:
        """The calls of the run through the interposer that was started last."""
        return dict(collections.Counter(self.log.read_text().split())) if self.log.exists() else {}

    def start(
        self,
        module: str,
        rules: str = "",
        *,
        interposer: Path | None = None,
        check_mode: bool = False,
        as_nobody: bool = False,
        environment: t.Mapping[str, str] | None = None,
        popen: t.Mapping[str, t.Any] | None = None,
        **params: t.Any,
    ) -> Task:
        """Starts a module through the interposer, with its `rules`; `params` win over the login's."""
        self.log.unlink(missing_ok=True)
        fault = {"FAULT_MODULE": library(), "FAULT": rules, "FAULT_LOG": str(self.log), **(environment or {})}
        login = {**self.login(), "module_path": str(interposer or self.interposer)}
        given = {name: value for name, value in {**login, **params}.items() if value is not None}
        options = {"as_nobody": as_nobody, "hurried": self.hurried, **(popen or {})}
        return Task(module, module_input(check_mode, given), fault, **options)

    def faulty(self, module: str, rules: str = "", **params: t.Any) -> FaultyRun:
        """Runs a module through the interposer; every function of the rules must have been called."""
        done = self.start(module, rules, **params).finish()
        calls = self.calls()
        functions = [re.split("[#@^~ ]", rule)[0] for rule in rules.splitlines()]
        unused = [name for name in functions if name not in calls]
        if unused:
            raise AssertionError(f"the module never called {unused}: {done.stdout}")
        return FaultyRun(done.result, done.stdout, done.stderr, done.status, calls)

    def faulty_ecc(self, rules: str = "", **params: t.Any) -> FaultyRun:
        """Runs hsm_ecc_keypair through the interposer, on P-256 if nothing else is said."""
        return self.faulty("hsm_ecc_keypair", rules, **{"curve": "P-256", **params})

    def faulty_rsa(self, rules: str = "", **params: t.Any) -> FaultyRun:
        """Runs hsm_rsa_keypair through the interposer, with 2048 bits if nothing else is said."""
        return self.faulty("hsm_rsa_keypair", rules, **{"modulus_bits": 2048, **params})

    def tool_command(self, *arguments: str) -> str:
        """A shell command that runs pkcs11-tool on this token, logged in: another host's doing, for the action run."""
        command = ["pkcs11-tool", "--module", library(), "--token-label", self.label, "--login", "--pin", self.pin]
        variables = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        return " ".join([*variables, shlex.join([*command, *arguments]), ">/dev/null", "2>&1"])

    def listing(self) -> list[dict[str, str]]:
        """All objects as pkcs11-tool sees them: class, label, id and what else it says."""
        return parse_listing(self.objects())

    def reread_command(self) -> str:
        """A shell command after which SoftHSM looks at its files again.

        It counts changes in a file. What others made before a change of its own it does not see: no HSM is like that.
        """
        return f"for count in {self.tokens}/*/generation; do printf '12345678' > $count; done"

    def slot_ids(self) -> list[int]:
        """The numbers of all slots, by softhsm2-util."""
        return [int(number) for number in re.findall(r"^Slot (\d+)", self.tool("softhsm2-util", "--show-slots"), re.M)]

    def halves(self, label: str) -> list[str]:
        """What a label has, by pkcs11-tool: for a whole pair `['private', 'public']`."""
        return sorted(row["class"] for row in self.listing() if row.get("label") == label)

    def text(self, text: str) -> str:
        """A message with words for what differs from run to run: serial numbers, slots, paths, ids, fingerprints."""
        for value, word in ((self.interposer, "LIBRARY"), (library(), "SOFTHSM"), (self.folder, "FOLDER")):
            text = text.replace(str(value), word)
        for pattern, word in (
            (r"\bslot \d+", "slot N"),
            (r"\bserial [0-9a-f]{16}\b", "serial SERIAL"),
            (r"\b[0-9a-f]{2}(:[0-9a-f]{2}){31}\b", "FINGERPRINT"),
            (r"\b[0-9a-f]{2}(:[0-9a-f]{2}){15}\b", "DRAWN"),
        ):
            text = re.sub(pattern, word, text)
        return text

    def call_unfinished(self, *paths: Path) -> None:
        """Lists files as what killed tasks left in the making; all others that are damaged are damage."""
        for path in paths:
            with path.with_name(UNFINISHED).open("a") as listed:
                listed.write(f"{path.name}\n")

    def marks(self) -> list[Path]:
        """Where tasks that make something say so; these files stay only where one is killed."""
        return [Path(mark_path(str(folder))) for folder in (self.tokens, *self.tokens.glob("*/"))]

    def lock_file(self) -> Path:
        """The lock that all modules on this token take."""
        return Path(lock_path(lock_key(str(self.tokens))))
