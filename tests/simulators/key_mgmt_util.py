# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""key_mgmt_util and its relatives (azcloudhsm_util, key_mgmt_tool) in front of a simulated cluster.

Interactive prompt and singlecmd. tests/support/cluster.py installs it; README.md lists what is assumed.
"""

from __future__ import annotations

import os
import sys
import termios
from pathlib import Path

from .cluster import faults, keys, util_codes
from .cluster.errors import Refused
from .cluster.state import FOLDER_VARIABLE, opened, read
from .cluster.util_arguments import UsageError, parse
from .cluster.util_commands import COMMANDS, set_attribute
from .cluster.util_session import Session

TOOL = "key_mgmt_util"
PROMPT = "\nCommand:  "
LONGEST_LINE = 1400  # the source
# How the password is asked for: by -hpswd (AWS, Alibaba Cloud), whenever -p is missing (OCI), never (the source)
PASSWORD_VARIABLE = "CLUSTER_SIMULATOR_PASSWORD_PROMPT"
# Alibaba Cloud's pages of the tool say that flags have to stand in the order of the syntax
ORDER_VARIABLE = "CLUSTER_SIMULATOR_STRICT_ORDER"
LOGIN_FAILED = 255  # the source: exit status if the login of singlecmd fails; 0 otherwise, whatever the command did


def main(words: list[str]) -> int:
    """Runs what the command line asks for; returns the exit status."""
    session = Session(Path(os.environ[FOLDER_VARIABLE]), os.environ)
    try:
        if not words:
            write(banner(session) + help_text(session))
            interactive(session)
        elif words[0] == "singlecmd":
            write(banner(session))
            return single(session, words[1:])
        else:
            write('\n\tError: Unknown commandline arguments. \n\t\t\t"Cfm3Util singlecmd <command>" \n')
        return 0
    finally:
        end_session(session)


def banner(session: Session) -> str:
    """Azure's transcript; that other builds write it too is assumed."""
    mode = 2 if read(session.folder).settings["fips"] else 0
    versions = "Version info, Client Version: 2.09.07.02, SDK API Version: 2.09.07.02, SDK Package Version: 2.0.1.2\n"
    lines = (
        "Cfm3Initialize() returned app id : 01000000 ",
        "session_handle 1000000 ",
        f"Current FIPS mode is: {mode:08x}",
    )
    told = "".join(f"\n\t{line}\n" for line in lines)
    return (versions if session.spelling.name == "azure" else "") + told


def help_text(session: Session) -> str:
    """The commands that this simulator knows (key_mgmt_util-help); AWS's build has no shareKey."""
    known = ["exit", "help", "loginHSM", "setAttribute", *COMMANDS]
    listed = [name for name in known if name != "shareKey" or session.spelling.name == "azure"]
    return "\nHelp Commands Available:\n\nSyntax: <command> -h\n\n   " + "\n   ".join(listed) + "\n"


def single(session: Session, words: list[str]) -> int:
    """singlecmd: a login of exactly eight words, then one command (Azure's page, the source)."""
    if words[:1] == ["loginHSM"] and len(words) >= 7:
        login, words = words[:7], words[7:]
        if not run(session, login):
            return LOGIN_FAILED
    if words:
        write("Command: " + " ".join(words) + "\n")
        run(session, words)
    return 0


def interactive(session: Session) -> None:
    """The prompt. Words end at blanks, nothing quotes (the source). At the end of the input it ends (assumed)."""
    while True:
        write(PROMPT)
        line = read_line()
        if line is None:
            return
        words = line[: LONGEST_LINE - 1].split(" ")
        words = [word for word in words if word]
        if words == ["exit"]:
            return
        if words:
            run(session, words)


def run(session: Session, words: list[str]) -> bool:
    """One command; whether it went well."""
    command = words[0]
    if command in ("help", "exit") or (command == "shareKey" and session.spelling.name != "azure"):
        write(help_text(session))
        return True
    fault = session.fault = faults.take(session.folder, TOOL, command, os.environ)
    fault.before()
    good, answer = True, ""
    if not fault.instead:
        good, answer = attempt(session, command, words[1:])
    if fault.is_error:
        good, answer = False, error_of(session, command, fault)
    fault.write(answer, 0)
    return good


def attempt(session: Session, command: str, words: list[str]) -> tuple[bool, str]:
    """What a command prints, and whether it went well."""
    try:
        if command == "loginHSM":
            return True, log_in(session, words)
        strict = bool(os.environ.get(ORDER_VARIABLE))
        if command == "setAttribute":
            return True, set_attribute(session, parse(command, words, strict), ask)
        if command not in COMMANDS:
            return False, help_text(session)
        return True, COMMANDS[command][0](session, parse(command, words, strict))
    except UsageError as error:
        return False, str(error)
    except Refused as refused:
        return False, refusal(session, command, util_codes.REFUSALS[refused.kind])
    except OSError as error:
        return False, f'\n\tWARNING: Failed to read from the file "{error.filename}".\n'


def refusal(session: Session, command: str, code: int) -> str:
    """A failure, and for what the policy refuses the line that looks like an outage (genECCKeyPair)."""
    text = session.result(api_of(command), code)
    if code == util_codes.POLICY:
        with session.state() as state:
            node = state.nodes[0].id
        line = session.spelling.node.format(node, util_codes.UNAVAILABLE, util_codes.text_of(util_codes.UNAVAILABLE))
        text += f"\n\t{session.spelling.status}\n\t{line}\n"
    return text


def api_of(command: str) -> str:
    """The name of the call in the result line."""
    names = {"loginHSM": "Cfm3LoginHSM", "setAttribute": "Cfm3SetAttribute"}
    return names.get(command) or COMMANDS[command][1]


def error_of(session: Session, command: str, fault: faults.Fault) -> str:
    """The failure that a test asked for."""
    code = fault.values.get("code", 0xEE if fault.kind == "unknown_error" else util_codes.UNAVAILABLE)
    text = fault.text if "text" in fault.values or code == 0xEE else util_codes.text_of(code)
    return f"\n\t{api_of(command)} returned: {session.spelling.error.format(code, text)}\n"


def log_in(session: Session, words: list[str]) -> str:
    """key_mgmt_util-loginHSM. How a build asks for the password differs."""
    prompts = os.environ.get(PASSWORD_VARIABLE, "hpswd")
    values = parse("loginHSM", words)
    if "-hpswd" in values and prompts == "none":
        raise UsageError("loginHSM")
    if "-p" not in values:
        if "-hpswd" not in values and prompts != "without_p":
            raise UsageError("loginHSM", "Password (-p) is missing.")
        values["-p"] = hidden("Enter password: ", session.spelling.masked)
    return session.log_in(values["-u"], values["-s"], values["-p"])


def write(text: str) -> None:
    """Writes at once: who waits for a prompt sees it."""
    sys.stdout.write(text)
    sys.stdout.flush()


def read_line() -> str | None:
    """A line of the input, or nothing at its end; never more, so that a password is not read with it."""
    line = b""
    while True:
        octet = os.read(0, 1)
        if not octet:
            return line.decode(errors="replace") if line else None
        if octet == b"\n":
            return line.rstrip(b"\r").decode(errors="replace")
        line += octet


def ask(question: str) -> str:
    """An answer typed after a question."""
    write(question)
    return read_line() or ""


def hidden(question: str, masked: bool) -> str:
    """A password typed without echo, on the controlling terminal if there is one.

    The question comes before the echo goes, as in the source: who types too early sees the password.
    """
    write(question)
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        return read_line() or ""
    before = termios.tcgetattr(terminal)
    silent = [*before[:3], before[3] & ~(termios.ECHO | termios.ICANON), *before[4:]]
    termios.tcsetattr(terminal, termios.TCSADRAIN, silent)
    typed = b""
    try:
        while (octet := os.read(terminal, 1)) not in (b"", b"\n"):
            typed += octet
            if masked:
                write("*")
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        os.close(terminal)
    write("\n")
    return typed.rstrip(b"\r").decode(errors="replace")


def end_session(session: Session) -> None:
    """Session keys go with the session."""
    with opened(session.folder) as state:
        for key in [key for key in state.keys if key.session == str(os.getpid())]:
            keys.drop(state, key)
