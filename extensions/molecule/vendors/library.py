# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A library that is tried on a token of its own, and the modules called on it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.support.module_run import run_module

Row = dict[str, t.Any]
Answer = dict[str, t.Any]

# What every token is asked for, unless its row says otherwise.
PAIRS: dict[str, dict[str, t.Any]] = {
    "rsa": {"label": "vendors rsa", "modulus_bits": 2048, "usage": ["sign", "decrypt"], "extractable": False},
    "ecc": {
        "label": "vendors ecc",
        "id": "vendors-ecc",
        "curve": "P-256",
        "usage": ["sign", "derive"],
        "extractable": False,
    },
}
STARTERS = Path(__file__).parent / "tokens"
SIMULATORS = Path(__file__).parents[3] / "tests/simulators"


class Refused(Exception):
    """A module, or another program, did not do it; its message."""


def filled(value: t.Any, folder: Path) -> t.Any:
    """A value of a row with the token's folder in the place of its name."""
    if isinstance(value, dict):
        return {name: filled(entry, folder) for name, entry in value.items()}
    return value.replace("{folder}", str(folder)) if isinstance(value, str) else value


class Library:
    """A row of the matrix at work, in a folder of its own."""

    def __init__(self, row: Row, folder: Path) -> None:
        self.row = row
        self.folder = folder
        self.login = filled(row["login"], folder)
        self.environment = {**os.environ, **self.login.get("library_environment", {})}
        self.pin_file = folder / "pin"
        self.pin_file.write_text(row["user_pin"] + "\n", encoding="utf-8")
        self._started: subprocess.Popen[bytes] | None = None

    @property
    def version(self) -> str:
        """Of Debian's package, less epoch and revision; empty where it is not here."""
        if "package_file" in self.row:
            command = ["sh", "-c", f"dpkg-deb --field {self.row['package_file']} Version"]
        else:
            command = ["dpkg-query", "--show", "--showformat=${Version}", self.row["package"]]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return re.sub(r"^\d+:|[-+].*$", "", done.stdout.strip())

    def start(self) -> None:
        """Makes the token; what the script leaves running is in a session of its own."""
        log = self.folder / "start.log"
        with open(log, "wb") as output:
            self._started = subprocess.Popen(
                ["sh", str(STARTERS / self.row["start"])],
                cwd=self.folder,
                env={
                    **self.environment,
                    "PIN": self.row["user_pin"],
                    "MODULE": self.login["module_path"],
                    "PYTHON": sys.executable,
                    "SIMULATORS": str(SIMULATORS),
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        if self._started.wait(timeout=180):
            raise AssertionError(f"{self.row['start']} failed: {log.read_text(errors='replace')[-1000:]}")

    def stop(self) -> None:
        """Ends what the script left running."""
        if self._started:
            subprocess.run(["pkill", "-KILL", "--session", str(self._started.pid)], check=False)

    def call(self, module: str, *, check_mode: bool = False, pin: str | None = None, **options: t.Any) -> Answer:
        """What a module returns; by the file with the PIN unless one is given. No PIN may be seen anywhere."""
        login = {"pin": pin} if pin else {"pin_file": str(self.pin_file)}
        run = run_module(module, {**self.login, **login, **options}, check_mode=check_mode)
        if any(secret in run.stdout + run.stderr for secret in (self.row["user_pin"], pin) if secret):
            raise AssertionError(f"{module} shows the PIN")
        if run.result.get("failed"):
            raise Refused(run.msg)
        return run.result

    def pair(self, kind: str, *, check_mode: bool = False, **options: t.Any) -> Answer:
        """Calls the module for the usual pair of this kind, which options change."""
        return self.call(f"hsm_{kind}_keypair", check_mode=check_mode, **{**self.wish(kind), **options})

    def wish(self, kind: str, label: str | None = None) -> dict[str, t.Any]:
        """The options of the usual pair of a kind on this token, or of one like it without an id."""
        wish = {**PAIRS[kind], **self.row.get(kind, {})}
        if label:
            wish.update(label=label, id=None, id_hex=None)
        if self.row.get("id_is_label"):
            wish["id"] = wish["label"]
        return {name: value for name, value in wish.items() if value is not None}

    @property
    def kinds(self) -> list[str]:
        """Of pairs that the token makes."""
        return [kind for kind, name in (("rsa", "RSA"), ("ecc", "ECC")) if name not in self.row.get("cannot", {})]

    def found(self) -> list[dict[str, t.Any]]:
        """The pairs and lone halves of the token."""
        return t.cast("list[dict[str, t.Any]]", self.call("hsm_key_info")["key_pairs"])
