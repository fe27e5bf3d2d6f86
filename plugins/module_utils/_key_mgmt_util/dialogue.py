# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The dialogue with key_mgmt_util at its own prompt, in a pseudo-terminal: one login, any number of commands.

So the password is never an argument that other users see, as it is in the single-command mode of the tool, and a
session's keys live until the dialogue ends. The prompts: AWS CloudHSM user guide (2023), pages
key_mgmt_util-getting-started and key_mgmt_util-loginHSM.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
import traceback
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._cluster_tool import environment
from ansible_collections.cryptoki.hsm.plugins.module_utils._host import parent
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import codes
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import (
    Answer,
    Node,
    Unreadable,
    parse_answer,
    plain_lines,
    readable,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.command import Command, typable
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

PEXPECT_IMPORT_ERROR: str | None = None
try:
    import pexpect
except ImportError:
    PEXPECT_IMPORT_ERROR = traceback.format_exc()

STARTING = 60.0  # seconds; a client that cannot reach its daemon says so at once
ANSWERING = 120.0  # seconds; more than the tool itself waits for an HSM
_ENDING = 5.0
# A prompt is the last thing that was printed, at the beginning of a line.
_PROMPT = re.compile(rb"(?:^|[\r\n])[ \t*]*Command:[ \t]*$")
_PASSWORD = re.compile(rb"(?:^|[\r\n])[ \t]*(?:[Ee]nter )?[Pp]assword[^\r\n]{0,40}:[ \t]*$")
# glibc's getpass, and others, throw away what was typed before they switched the echo off.
_SETTLING = 0.05


class Dialogue:
    """A running key_mgmt_util that somebody is logged in to; ends with `close`, and after any failure.

    `nodes`: the last report on the HSMs.
    """

    def __init__(self, executable: str) -> None:
        self._executable = executable
        self._secret = ""
        self.nodes: tuple[Node, ...] = ()
        self._child = self._started()
        try:
            self.banner, _mark = self._until((_PROMPT,), f"start {executable}", STARTING)
        except BaseException:
            self.close()
            raise

    def _started(self) -> t.Any:
        try:
            child = pexpect.spawn(
                self._executable,
                env=environment.tool_environment(TERM="dumb"),
                echo=False,
                timeout=None,
                maxread=65536,
                dimensions=(50, 2000),
                preexec_fn=parent.ending_with_parent(),
            )
        except (pexpect.ExceptionPexpect, OSError, ValueError) as error:
            reason = str(error).partition("\n")[0].rstrip(".")
            raise errors.HsmError(
                f"Could not start {self._executable}: {reason}. Install the vendor's client, or name its tool by the"
                " option executable."
            ) from None
        child.delaybeforesend = None
        return child

    @property
    def alive(self) -> bool:
        """Whether commands can be given."""
        return self._child is not None

    def login(self, user: str, password: str) -> None:
        """Logs in a crypto user, once: a password that was refused is not tried again, because that locks the user.

        `-hpswd` makes the tool ask for the password (AWS, Alibaba); a build that does not know it shows its syntax
        and tries no login. Then Oracle's form is given, which asks in any case, then that of Azure's documentation,
        with the password in the line: it is typed, not an argument.
        """
        attempt = f"log in to the HSM by {self._executable} as the crypto user '{user}'"
        self._secret = password
        if not typable(user):
            self.close()
            raise errors.HsmError(
                f"Could not {attempt}: a user's name with blanks cannot be typed at the tool's prompt."
            )
        form = f"loginHSM -u CU -s {user}"
        forms = [f"{form} -hpswd", form, *([f"{form} -p {password}"] if typable(password) else [])]
        printed, answered = "", False
        while forms and not answered:
            printed, answered = self._login(attempt, forms.pop(0))
        if not answered and not typable(password):
            self.close()
            raise errors.HsmError(
                f"Could not {attempt}: this build does not ask for the password, and one with blanks cannot be given in"
                " the line itself."
            )
        try:
            answer = parse_answer("loginHSM", printed)
        except Unreadable as error:
            raise self._failure(attempt, f"what cannot be read ({error})", printed) from None
        if answer.code:
            self.close()
            raise codes.refusal(attempt, answer)
        self.nodes = answer.nodes

    def _login(self, attempt: str, form: str) -> tuple[str, bool]:
        """What was printed, and whether it is the answer to a login."""
        self._send(form)
        printed, asked = self._until((_PROMPT, _PASSWORD), attempt, ANSWERING)
        if not asked:
            return printed, bool(re.search(r"LoginHSM ?:?\s*returned", printed))
        time.sleep(_SETTLING)
        self._send(self._secret)
        printed, asked = self._until((_PROMPT, _PASSWORD), attempt, ANSWERING)
        if asked:  # it would be a second try
            raise self._failure(attempt, "a second question for the password", printed)
        return printed, True

    def ask(self, command: Command, attempt: str, patience: float | None = ANSWERING) -> Answer:
        """The answer to a command; raises `TokenError` where it does not come, or cannot be read.

        `attempt` completes 'Could not …'; `patience`: seconds, None for ever.
        """
        printed = self.print(command, attempt, patience)
        with readable(attempt):
            answer = parse_answer(command.name, printed)
        if answer.reports:
            self.nodes = answer.nodes
        return answer

    def print(self, command: Command, attempt: str, patience: float | None = ANSWERING) -> str:
        """What a command prints until the next prompt."""
        if not self.alive:
            raise errors.TokenError(attempt, said=f"nothing, because {self._executable} was ended before", hint="")
        self._send(str(command))
        return self._until((_PROMPT,), attempt, patience)[0]

    def _send(self, line: str) -> None:
        with contextlib.suppress(OSError):  # it has ended: reading says so
            self._child.send(line.encode() + b"\n")

    def _until(self, marks: t.Sequence[re.Pattern[bytes]], attempt: str, patience: float | None) -> tuple[str, int]:
        """What was printed until one of `marks`, and which; ends the tool where none comes."""
        try:
            found = self._child.expect([*marks, pexpect.EOF, pexpect.TIMEOUT], timeout=patience)
        except (OSError, pexpect.ExceptionPexpect) as error:
            raise self._failure(attempt, f"what cannot be read ({type(error).__name__})", "") from None
        printed = (self._child.before or b"").decode("utf-8", "replace")
        if self._secret:
            printed = printed.replace(self._secret, "***")
        if found == len(marks):
            raise self._failure(attempt, "nothing, because the tool ended", printed)
        if found > len(marks):
            raise self._failure(attempt, f"nothing whole within {patience:g} seconds", printed)
        return printed, found

    def _failure(self, attempt: str, what: str, printed: str) -> errors.TokenError:
        """The tool is ended, because nobody knows what it does now."""
        self.close(patience=0)
        last = next((line.strip() for line in reversed(plain_lines(printed)) if line.strip()), "")
        said = f"{what}; its last words were '{last[:200]}'" if last else what
        known = "start the vendor's client daemon on this host" if "aemon" in printed else ""
        hint = known or "look for what it did before anything is done again"
        return errors.TokenError(attempt, said=said, hint=hint)

    def close(self, patience: float = _ENDING) -> None:
        """Ends the tool and everything that it started; a session's keys are gone then."""
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(OSError, pexpect.ExceptionPexpect):
            if patience:
                child.send(b"exit\n")
                child.expect(pexpect.EOF, timeout=patience)
        # It leads a session of its own: one edition prints prompts for ever when its terminal is gone.
        with contextlib.suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)
        with contextlib.suppress(OSError, pexpect.ExceptionPexpect):
            child.close(force=True)
