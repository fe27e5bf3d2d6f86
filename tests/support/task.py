# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module that runs in the background."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.tests.support.module_process import start_module
from ansible_collections.cryptoki.hsm.tests.support.module_run import Run, run_from


class Task:
    """A module that runs in the background."""

    def __init__(
        self, module: str, given: bytes, environment: t.Mapping[str, str] | None = None, **options: t.Any
    ) -> None:
        self._process = start_module(module, given, environment, **options)
        self.pid = self._process.pid

    def finish(self, timeout: float = 60) -> Run:
        """Waits for the module's answer."""
        stdout, stderr = self._process.communicate(timeout=timeout)
        return run_from(stdout, stderr, self._process.returncode)

    def end(self, timeout: float = 60) -> tuple[bytes, bytes, int]:
        """Waits for the end, whatever it is: both outputs, and the status."""
        stdout, stderr = self._process.communicate(timeout=timeout)
        return stdout, stderr, self._process.returncode

    def kill(self) -> None:
        """SIGKILL, as by the kernel when memory is short; harmless when it has ended."""
        self._process.kill()
        self._process.communicate(timeout=10)

    def died(self, timeout: float = 60) -> bool:
        """Waits; whether SIGKILL ended the module before it answered anything."""
        stdout, _stderr = self._process.communicate(timeout=timeout)
        return self._process.returncode == -9 and not stdout.strip()

    def ended(self) -> bool:
        """Whether it is over."""
        return self._process.poll() is not None
