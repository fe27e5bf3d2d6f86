# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the tool of an HSM cluster as a child: no shell, no terminal, an end in any case.

A secret goes into the environment of the child that needs it, and nowhere else: not on a command line, which every
user of the host can read, and not into this process's own environment.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import lock, parent
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

_LAST_WORDS = 5  # seconds for what a killed child wrote


@dataclasses.dataclass(frozen=True)
class Ended:
    """A child that came to its end by itself."""

    status: int
    stdout: bytes
    stderr: bytes


def run_child(argv: t.Sequence[str], environment: t.Mapping[str, str], timeout: float) -> Ended:
    """Runs `argv` with this environment alone; raises `subprocess.TimeoutExpired` after so many seconds.

    Raises `HsmError` where it cannot be started.
    """
    try:
        # AnsibleModule.run_command has no time-out.
        child = subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=lock.held_descriptors(),
            start_new_session=True,
            preexec_fn=parent.ending_with_parent(),  # pylint: disable=subprocess-popen-preexec-fn
        )
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise errors.HsmError(
            f"Could not start {argv[0]}: {reason}. Install the tool, or name it by executable."
        ) from None
    try:
        stdout, stderr = child.communicate(timeout=timeout)
    finally:
        if child.poll() is None:  # what it started may run, too
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.communicate(timeout=_LAST_WORDS)
    return Ended(child.returncode, stdout, stderr)
