# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CloudHSM CLI (AWS CloudHSM, Client SDK 5) in front of a simulated cluster: single-command and interactive mode.

tests/support/cluster.py installs it as cloudhsm-cli. README.md lists what is assumed.
"""

from __future__ import annotations

import getpass
import os
import shlex
import sys
import typing as t
from pathlib import Path

from .cluster import cli_answers, faults, keys
from .cluster.cli_arguments import COMMANDS as SYNTAX
from .cluster.cli_arguments import UsageError, parse
from .cluster.cli_commands import COMMANDS, NO_LOGIN
from .cluster.cli_session import Session
from .cluster.errors import Refused
from .cluster.state import FOLDER_VARIABLE, opened, read

TOOL = "cloudhsm_cli"
PROMPT = "aws-cloudhsm > "


def main(words: list[str]) -> int:
    """Runs what the command line asks for; returns the exit status."""
    session = Session(Path(os.environ[FOLDER_VARIABLE]), os.environ)
    version = cli_answers.version(read(session.folder))
    if words in (["--version"], ["-V"]):
        # the form is third parties' who installed it; AWS documents only the package's version
        print("cloudhsm-cli", ".".join(map(str, version)))
        return 0
    try:
        if words == ["interactive"]:
            return interactive(session, version)
        if not words or words[-1] in ("--help", "-h", "help"):
            print("Usage: cloudhsm-cli [OPTIONS] <COMMAND>\n\nCommands:\n  " + "\n  ".join(SYNTAX))
            return 0
        return single(session, *_parsed(words, version))
    except UsageError as error:
        sys.stderr.write(f"{error}\nFor more information, try '--help'.\n")
        return 2
    finally:
        end_session(session)


def _parsed(words: list[str], version: tuple[int, ...]) -> tuple[str, dict[str, t.Any]]:
    command, options = parse(words, version)
    if command.startswith("crypto"):
        options["mechanism"] = command.split()[-1]
    return command, options


def single(session: Session, command: str, options: dict[str, t.Any]) -> int:
    """One command, with a login of its own where it needs one."""
    fault = session.fault = faults.take(session.folder, TOOL, command, os.environ)
    fault.before()
    if fault.instead:
        return fault.write(cli_answers.envelope(1, fault.text), status(session))
    try:
        check_cluster(session, options["cluster-id"])
        if command not in NO_LOGIN and session.login is None:
            session.log_in_by_environment()
        answer, code = cli_answers.envelope(0, COMMANDS[command](session, options)), 0
    except Refused as refused:
        answer, code = cli_answers.envelope(1, worded(refused)), status(session)
    if fault.is_error:
        answer, code = cli_answers.envelope(1, fault.text), status(session)
    return fault.write(answer, code)


def check_cluster(session: Session, given: str | None) -> None:
    """With several clusters configured, one has to be named (all pages of the commands)."""
    known = read(session.folder).settings["cluster_ids"]
    if (known and given and given not in known) or (len(known) > 1 and not given):
        raise Refused("cluster", given or "(none)")


def worded(refused: Refused) -> str:
    """The tool's text for a refusal."""
    return cli_answers.text_of(refused.kind, *refused.text.split(" ", 1))


def status(session: Session) -> int:
    """Exit status of a failure: AWS tells none."""
    return int(read(session.folder).settings["failure_status"])


def interactive(session: Session, version: tuple[int, ...]) -> int:
    """The prompt (AWS cloudhsm_cli-modes, cloudhsm_cli-login)."""
    while True:
        sys.stdout.write(PROMPT)
        sys.stdout.flush()
        line = sys.stdin.readline()
        words = shlex.split(line)
        if not line or words in (["quit"], ["exit"]):
            return 0
        if not words:
            continue
        try:
            _interactive_command(session, *_parsed(words, version))
        except UsageError as error:
            print(error)


def _interactive_command(session: Session, command: str, options: dict[str, t.Any]) -> None:
    if command == "logout":
        session.login = None
        sys.stdout.write(cli_answers.envelope(0, "Logout successful"))
    elif command == "login":
        password = options["password"] or getpass.getpass("Enter password:")
        try:
            login = session.log_in(options["username"], password, options["role"])
            sys.stdout.write(cli_answers.envelope(0, {"username": login.name, "role": login.role}))
        except Refused as refused:
            sys.stdout.write(cli_answers.envelope(1, worded(refused)))
    elif session.login is None and command not in NO_LOGIN:
        sys.stdout.write(cli_answers.envelope(1, cli_answers.text_of("no_credentials")))
    else:
        single(session, command, options)


def end_session(session: Session) -> None:
    """Session keys go with the session."""
    with opened(session.folder) as state:
        for key in [key for key in state.keys if key.session == str(os.getpid())]:
            keys.drop(state, key)
