# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules as processes of their own, each with its arguments on stdin and its answer on stdout.

Nearly all of the time of a short module goes into starting Python and importing. So one process for all tests imports
what modules need and forks for each of them: what is forked has loaded no PKCS#11 library yet, and has an environment,
a user, a folder and a session of its own, as if started. Where that is not enough (variables for the loader or
for Python, code to run before the module), Python is started anew.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import functools
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import typing as t

NOBODY = 65534
# What a module is, as Ansible starts it.
_RUN = """
import importlib, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = sys.stdin.buffer.read()
basic._ANSIBLE_PROFILE = "legacy"
importlib.import_module("ansible_collections.cryptoki.hsm.plugins.modules." + sys.argv[1]).main()
"""
# As root, a module becomes another user only after it has imported everything: the tests' Python may be out of reach.
_AS_NOBODY = f"""
import importlib, os, pathlib, sys
plugins = "ansible_collections.cryptoki.hsm.plugins"
importlib.import_module(f"{{plugins}}.modules.{{sys.argv[1]}}")
rooms = pathlib.Path(*importlib.import_module(plugins + ".module_utils").__path__)
for file in rooms.glob("_*/*.py"):  # what a module imports when it needs it
    importlib.import_module(f"{{plugins}}.module_utils.{{file.parent.name}}.{{file.stem}}")
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
os.environ["HOME"] = "/nonexistent"
"""
_HURRIED = """
import time
time.sleep = lambda seconds, sleep=time.sleep: sleep(seconds / 20)
"""
# Imported before the first fork.
_IMPORTED = (
    *("ansible.module_utils.basic", "cryptography.hazmat.primitives.asymmetric.rsa", "pexpect", "pkcs11"),
    *("modules.hsm_rsa_keypair", "modules.hsm_ecc_keypair", "modules.hsm_key", "modules.hsm_keypairs"),
    *("module_utils._pkcs11.provider", "module_utils._pair.proof_outside", "module_utils._replicas.options"),
    "ansible_collections.cryptoki.hsm.tests.support.outside",
    *("module_utils._reconcile.replacement", "module_utils._standard.curves", "module_utils._standard.return_values"),
)
_LONGEST = 1 << 17  # bytes of a request, which is mostly an environment


class Request(t.NamedTuple):
    """What is to be started, and as what."""

    command: t.Sequence[str]
    environment: t.Mapping[str, str]
    cwd: str
    start_new_session: bool


class Process(t.Protocol):
    """What the tests need of a process; `subprocess.Popen` has it."""

    pid: int

    @property
    def returncode(self) -> t.Any: ...

    def communicate(self, *, timeout: float | None = None) -> tuple[bytes, bytes]: ...

    def poll(self) -> int | None: ...

    def kill(self) -> None: ...


def module_command(module: str, before: str = "", as_nobody: bool = False) -> list[str]:
    """The command that runs a module; `before` is Python that runs first. Only root can run it as nobody."""
    return [sys.executable, "-c", before + (_AS_NOBODY if as_nobody else "") + _RUN, module]


def start_code(code: str, given: bytes, environment: t.Mapping[str, str] | None = None) -> Process:
    """Starts Python code with all that modules need imported; `environment` is added to this process's."""
    whole = {**os.environ, **(environment or {})}
    return _server().start(Request([sys.executable, "-c", code], whole, os.getcwd(), False), given)


def start_module(
    module: str,
    given: bytes,
    environment: t.Mapping[str, str] | None = None,
    *,
    before: str = "",
    as_nobody: bool = False,
    hurried: bool = False,
    **popen: t.Any,
) -> Process:
    """Starts a module; `environment` is added to this process's, `popen` goes to `subprocess.Popen`.

    `hurried`: its waits are a twentieth as long, for tests in which nobody else works on the token.
    """
    command = module_command(module, before + (_HURRIED if hurried else ""), as_nobody)
    whole = {**os.environ, **(environment or {})}
    if before or set(popen) - {"cwd", "start_new_session"} or _for_loader(whole) != _for_loader(_server().environment):
        process = subprocess.Popen(
            command, env=whole, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **popen
        )
        assert process.stdin is not None
        process.stdin.write(given)
        process.stdin.close()
        process.stdin = None
        return process
    cwd = os.fspath(popen.get("cwd") or os.getcwd())
    return _server().start(Request(command, whole, cwd, popen.get("start_new_session", False)), given)


def _for_loader(environment: t.Mapping[str, str]) -> dict[str, str]:
    """What counts only when a process begins."""
    return {name: value for name, value in environment.items() if name.startswith(("LD_", "PYTHON"))}


class Forked:
    """A module that the server forked; see `Process`."""

    def __init__(self, pid: int, status: socket.socket, outputs: t.Sequence[int], given: tuple[int, bytes]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._status = status
        self._read: list[bytes] = [b"", b""]
        self._threads = [threading.Thread(target=self._drain, args=pair, daemon=True) for pair in enumerate(outputs)]
        self._threads.append(threading.Thread(target=_feed, args=given, daemon=True))
        for thread in self._threads:
            thread.start()

    def _drain(self, number: int, descriptor: int) -> None:
        with open(descriptor, "rb") as pipe:
            self._read[number] = pipe.read()

    def communicate(self, *, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Waits for the end of both outputs and of the process."""
        end = None if timeout is None else time.monotonic() + timeout
        for thread in self._threads:
            left = None if end is None else max(0.0, end - time.monotonic())
            thread.join(left)
            if thread.is_alive():
                raise subprocess.TimeoutExpired(f"module {self.pid}", timeout or 0)
        if self.poll(None if end is None else max(0.0, end - time.monotonic())) is None:
            raise subprocess.TimeoutExpired(f"module {self.pid}", timeout or 0)
        return self._read[0], self._read[1]

    def poll(self, timeout: float | None = 0) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        if self.returncode is None:
            self._status.settimeout(timeout)
            with contextlib.suppress(BlockingIOError, TimeoutError):
                self.returncode = int(self._status.recv(32))
                self._status.close()
        return self.returncode

    def kill(self) -> None:
        """SIGKILL; harmless when it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def _feed(descriptor: int, given: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), open(descriptor, "wb") as pipe:
        pipe.write(given)


class Server:
    """The process that forks. It ends with the tests' process, which holds the other end of its socket."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self.environment = dict(os.environ)
        script = f"from {__name__} import serve; serve({theirs.fileno()})"
        self._process = subprocess.Popen(
            [sys.executable, "-c", script], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
        )
        theirs.close()
        atexit.register(self.stop)

    def stop(self) -> None:
        self._socket.close()
        self._process.wait()

    def start(self, request: Request, given: bytes) -> Forked:
        """Has a module forked; answers once its process is there."""
        status, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pipes = [os.pipe() for dummy in range(3)]
        (stdin, feed), (stdout_end, stdout), (stderr_end, stderr) = pipes
        passed = array.array("i", [theirs.fileno(), stdin, stdout, stderr])
        with self._lock:
            self._socket.sendmsg([json.dumps(request).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)])
        theirs.close()
        for descriptor in (stdin, stdout, stderr):
            os.close(descriptor)
        pid = status.recv(32)
        if not pid:
            raise RuntimeError("the server of modules is gone")
        return Forked(int(pid), status, (stdout_end, stderr_end), (feed, given))


@functools.cache
def _server() -> Server:
    return Server()


def serve(descriptor: int) -> None:
    """The server's life: a request, a supervisor, which forks the module, tells its number, and then its end."""
    for name in _IMPORTED:
        with contextlib.suppress(ModuleNotFoundError):  # some tests do without some
            package = "ansible_collections.cryptoki.hsm.plugins."
            importlib.import_module(package + name if name.startswith("module") else name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for supervisors
    with socket.socket(fileno=descriptor) as requests:
        while True:
            data, descriptors, dummy, dummy = socket.recv_fds(requests, _LONGEST, 4)
            if not data:
                return
            if os.fork() == 0:
                requests.close()
                _supervise(Request(*json.loads(data)), descriptors)
            for number in descriptors:
                os.close(number)


def _supervise(request: Request, descriptors: t.Sequence[int]) -> t.NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status = socket.socket(fileno=descriptors[0])
    pid = os.fork()
    if pid == 0:
        status.close()
        _be(request, descriptors[1:])
    for number in descriptors[1:]:
        os.close(number)
    with contextlib.suppress(BrokenPipeError):
        status.send(str(pid).encode())
    dummy, ended = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):
        status.send(str(os.waitstatus_to_exitcode(ended)).encode())
    os._exit(0)


def _be(request: Request, descriptors: t.Sequence[int]) -> t.NoReturn:
    """Becomes the module, and ends as Python would: exit status, functions of atexit, flushed outputs."""
    status = 1
    try:
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
        if request.start_new_session:
            os.setsid()
        os.chdir(request.cwd)
        os.environ.clear()
        os.environ.update(request.environment)
        tempfile.tempdir = None
        sys.argv = ["-c", *request.command[3:]]
        exec(request.command[2], {"__name__": "__main__"})
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        atexit._run_exitfuncs()
        for output in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                output.flush()
        os._exit(status)
