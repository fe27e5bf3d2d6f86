# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program at a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import select
import termios
import time
from pathlib import Path


class Terminal:
    """A tool at a pseudo-terminal of its own, and who types there."""

    def __init__(self, executable: Path, *words: str) -> None:
        self.child, self.descriptor = pty.fork()
        if self.child == 0:
            os.execve(executable, [str(executable), *words], {"TERM": "dumb"})
        self.written = self.unread = ""

    def until(self, prompt: str, patience: float = 60) -> str:
        """What is written up to a prompt."""
        end = time.monotonic() + patience
        while prompt not in self.unread:
            if time.monotonic() > end or not select.select([self.descriptor], [], [], patience)[0]:
                raise AssertionError(f"{prompt!r} did not come: {self.unread!r}")
            read = os.read(self.descriptor, 4096).decode().replace("\r", "")
            self.written += read
            self.unread += read
        text, _prompt, self.unread = self.unread.partition(prompt)
        return text + prompt

    def type(self, line: str, prompt: str) -> str:
        """Types a line; what is written up to the next prompt."""
        os.write(self.descriptor, line.encode() + b"\n")
        return self.until(prompt)

    def type_hidden(self, line: str, prompt: str) -> str:
        """Types a line when the terminal no longer echoes: tools ask first and turn the echo off then."""
        while termios.tcgetattr(self.descriptor)[3] & termios.ECHO:
            time.sleep(0.01)
        return self.type(line, prompt)

    def end(self, line: str) -> None:
        """Types a line that ends it."""
        os.write(self.descriptor, line.encode() + b"\n")
        if os.waitpid(self.child, 0)[1] != 0:
            raise AssertionError(f"{line!r} did not end it well: {self.written!r}")
        os.close(self.descriptor)
