# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host locks between real processes: excluded, released by the kernel, shared by users, honest about time-outs."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import random
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import lock as _lock
from ansible_collections.cryptoki.hsm.plugins.module_utils._host.lock import (
    HostLock,
    LockError,
    LockTimeout,
    host_locks,
    lock_folder,
    lock_path,
)

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")

ADVICE = "; name a folder for locks by lock_folder, the same in all tasks that use the token"


@pytest.fixture
def folder() -> t.Iterator[str]:
    """A folder like /tmp: sticky, for everybody."""
    path = tempfile.mkdtemp(prefix="cryptoki-")
    os.chmod(path, 0o1777)
    yield path
    shutil.rmtree(path)


class Child:
    """A forked process that runs `work(say)`; `say` sends a line, `hear` waits for one, '' at the end."""

    running: t.ClassVar[list[Child]] = []

    def __init__(self, work: t.Callable[[t.Callable[[str], None]], None], user: int | None = None) -> None:
        reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            with contextlib.suppress(BaseException):
                os.setsid()
                os.close(reading)
                if user is not None:
                    os.setgroups([])
                    os.setgid(user)
                    os.setuid(user)
                try:
                    work(lambda text: t.cast(None, os.write(writing, text.encode() + b"\n")))
                except LockTimeout as error:
                    os.write(writing, f"timeout {error.holder_pid}\n".encode())
                except LockError as error:
                    os.write(writing, f"error {error}\n".encode())
            os._exit(0)
        os.close(writing)
        self._lines = os.fdopen(reading)
        self.running.append(self)

    def hear(self) -> str:
        return self._lines.readline().rstrip("\n")

    def end(self, number: int = 0) -> None:
        if number:
            os.kill(self.pid, number)
        os.waitpid(self.pid, 0)
        self._lines.close()
        self.running.remove(self)


@pytest.fixture(autouse=True)
def children_end() -> t.Iterator[None]:
    """After a failed test too, with all that they have forked."""
    yield
    for child in list(Child.running):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.end()


def hold(folder: str, key: str = "key", seconds: float = 60) -> t.Callable[[t.Callable[[str], None]], None]:
    def work(say: t.Callable[[str], None]) -> None:
        with HostLock(key, 5, folder):
            say("held")
            time.sleep(seconds)

    return work


class Clock:
    """The clock of who waits for locks: only its sleep takes time, so that a busy machine changes nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.at: dict[float, t.Callable[[], None]] = {}  # what happens when it has come to a time
        monkeypatch.setattr(_lock, "time", types.SimpleNamespace(monotonic=lambda: self.now, sleep=self.sleep))

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        for moment in [moment for moment in self.at if moment <= self.now]:
            self.at.pop(moment)()


def test_timeout_names_holder_and_path(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    child = Child(hold(folder))
    assert child.hear() == "held"
    clock = Clock(monkeypatch)
    with pytest.raises(LockTimeout) as caught, HostLock("key", 0.3, folder):
        pytest.fail("got a lock that is held")
    child.end(signal.SIGKILL)
    assert clock.now == pytest.approx(1000.3)
    assert caught.value.holder_pid == child.pid
    assert caught.value.path == lock_path("key", folder)
    assert str(caught.value) == f"the lock file {caught.value.path} is held by process {child.pid}"


def test_killed_holder_releases(folder: str) -> None:
    child = Child(hold(folder))
    assert child.hear() == "held"
    os.kill(child.pid, signal.SIGKILL)
    with HostLock("key", 30, folder):
        assert Path(lock_path("key", folder)).read_text() == f"{os.getpid()}\n"
    child.end()


def test_waits_for_its_turn(folder: str) -> None:
    over = Path(folder, "over")

    def work(say: t.Callable[[str], None]) -> None:
        with HostLock("key", 5, folder):
            say("held")
            time.sleep(0.4)
            over.touch()

    child = Child(work)
    assert child.hear() == "held"
    with HostLock("key", 60, folder):
        assert over.exists()
    child.end()


def test_other_keys_are_free_and_zero_means_one_try(folder: str) -> None:
    with HostLock("a", 0, folder), HostLock("b", 0, folder), pytest.raises(LockTimeout) as caught:
        HostLock("a", 0, folder).__enter__()
    assert caught.value.holder_pid == os.getpid()
    with HostLock("a", -1, folder):
        pass


def test_error_inside_releases(folder: str) -> None:
    with pytest.raises(KeyError), HostLock("key", 0, folder):
        raise KeyError
    with host_locks(["key"], 0, folder):
        pass
    assert Path(lock_path("key", folder)).read_text() == ""


def test_no_descriptor_is_left(folder: str) -> None:
    gc.collect()  # what earlier tests have left open
    before = os.listdir("/proc/self/fd")
    with HostLock("key", 0, folder):
        for key in ("key", "other"):
            with contextlib.suppress(LockTimeout), HostLock(key, 0.05, folder):
                pass
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("remove", [False, True], ids=["files stay", "a cleaner removes them"])
def test_many_processes_exclude_each_other(folder: str, remove: bool) -> None:
    """Each reads a counter, dawdles and writes it back: without a lock most of the steps get lost."""
    counter = Path(folder, "counter")
    counter.write_text("0")
    processes, rounds = 8, 25

    def work(_say: t.Callable[[str], None]) -> None:
        for number in range(rounds):
            with host_locks(["key"], 60, folder):
                value = int(counter.read_text())
                time.sleep(random.uniform(0, 0.002))
                counter.write_text(str(value + 1))
                if remove and number % 5 == 0:
                    os.unlink(lock_path("key", folder))

    children = [Child(work) for number in range(processes)]
    for child in children:
        child.end()
    assert counter.read_text() == str(processes * rounds)
    assert sorted(os.listdir(folder)) == sorted({"counter", os.path.basename(lock_path("key"))})


def test_several_keys_in_any_order_do_not_block_each_other(folder: str) -> None:
    def work(_say: t.Callable[[str], None]) -> None:
        for number in range(20):
            keys = random.sample("abcde", 3)
            with host_locks(iter([*keys, *keys]), 60, folder):
                time.sleep(0.001 * (number % 2))
        _say("done")

    children = [Child(work) for number in range(4)]
    assert [child.hear() for child in children] == ["done"] * 4
    for child in children:
        child.end()


def test_keys_are_taken_in_sorted_order(folder: str) -> None:
    child = Child(hold(folder, "a"))
    assert child.hear() == "held"
    with pytest.raises(LockTimeout), host_locks(["c", "a", "b"], 0.1, folder):
        pytest.fail("got a lock that is held")
    assert os.listdir(folder) == [os.path.basename(lock_path("a"))]
    child.end(signal.SIGKILL)


def test_timeout_is_for_all_keys_together(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = [Child(hold(folder, key)) for key in "ab"]
    assert [first.hear(), second.hear()] == ["held", "held"]
    clock = Clock(monkeypatch)
    clock.at[1000.5] = lambda: first.end(signal.SIGKILL)
    with pytest.raises(LockTimeout) as caught, host_locks(["a", "b"], 1, folder):
        pytest.fail("got a lock that is held")
    second.end(signal.SIGKILL)
    assert clock.now == pytest.approx(1001) and caught.value.holder_pid == second.pid


@pytest.mark.parametrize("again", [True, False])
def test_file_that_is_replaced_before_it_is_locked(folder: str, monkeypatch: pytest.MonkeyPatch, again: bool) -> None:
    """Else two processes would hold two files of one name."""
    path = lock_path("key", folder)
    Path(path).touch()
    real_flock = fcntl.flock
    removed: list[int] = []

    def late(descriptor: int, operation: int) -> None:
        if not removed:
            removed.append(os.stat(path).st_ino)
            os.rename(path, path + ".old")
            if again:
                Path(path).touch()
        real_flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with HostLock("key", 1, folder) as lock:
        held = os.fstat(lock._descriptor).st_ino
        assert held == os.stat(path).st_ino
        assert held not in removed


def test_timeout_frees_the_first(folder: str) -> None:
    child = Child(hold(folder, "b"))
    assert child.hear() == "held"
    with pytest.raises(LockTimeout) as caught, host_locks(["a", "b", "c"], 0.3, folder):
        pytest.fail("got a lock that is held")
    assert caught.value.path == lock_path("b", folder)
    with host_locks(["a", "c"], 0, folder):
        pass
    child.end(signal.SIGKILL)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_mode_whatever_the_umask(folder: str, umask: int) -> None:
    old = os.umask(umask)
    try:
        with HostLock("key", 0, folder):
            pass
    finally:
        os.umask(old)
    status = os.lstat(lock_path("key", folder))
    assert stat.filemode(status.st_mode) == "-rw-rw-rw-" and status.st_nlink == 1
    assert os.listdir(folder) == [os.path.basename(lock_path("key"))]


@needs_root
@pytest.mark.parametrize(("first", "second"), [(0, NOBODY), (NOBODY, 0), (NOBODY, 1)])
def test_between_users(folder: str, first: int, second: int) -> None:
    def after(say: t.Callable[[str], None]) -> None:
        with HostLock("key", 0, folder):
            say("held")

    holder = Child(hold(folder), first)
    assert holder.hear() == "held"
    assert os.lstat(lock_path("key", folder)).st_uid == first
    other = Child(after, second)
    assert other.hear() == f"timeout {holder.pid}"
    other.end()
    holder.end(signal.SIGKILL)
    other = Child(after, second)
    assert other.hear() == "held"
    other.end()


@needs_root
def test_file_of_another_user_that_is_closed(folder: str) -> None:
    path = lock_path("key", folder)
    Path(path).touch(mode=0o600)
    child = Child(hold(folder), NOBODY)
    reason = "cannot be opened: Permission denied; it belongs to user id 0 and has mode 0600, not 0666"
    assert child.hear() == f"error the lock file {path} {reason}"
    child.end()


@needs_root
def test_folder_that_is_closed_or_missing(folder: str) -> None:
    os.chmod(folder, 0o755)
    child = Child(hold(folder), NOBODY)
    assert child.hear() == f"error the lock file {lock_path('key', folder)} cannot be made: Permission denied{ADVICE}"
    child.end()
    with pytest.raises(LockError, match="cannot be made: No such file"):
        HostLock("key", 0, folder + "/missing").__enter__()


def test_existing_file_is_never_opened_to_create(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """fs.protected_regular (proc(5)) refuses O_CREAT for another user's file in a sticky folder, even to root."""
    path = lock_path("key", folder)
    seen: list[tuple[str, int]] = []
    real_open = os.open

    def spy(name: str, flags: int, *rest: int) -> int:
        seen.append((name, flags))
        return real_open(name, flags, *rest)

    monkeypatch.setattr(os, "open", spy)
    with HostLock("key", 0, folder):
        pass
    with HostLock("key", 0, folder):
        pass
    assert any(name == path for name, flags in seen)
    for name, flags in seen:
        assert flags & os.O_CLOEXEC and flags & os.O_NOFOLLOW
        assert not flags & os.O_CREAT or (name != path and flags & os.O_EXCL)


def test_links_and_other_things_are_refused(folder: str, tmp_path: Path) -> None:
    path, victim = lock_path("key", folder), tmp_path / "victim"
    victim.write_text("precious")
    os.symlink(victim, path)
    with pytest.raises(LockError, match="is a symbolic link"):
        HostLock("key", 0, folder).__enter__()
    os.unlink(path)
    os.symlink(tmp_path / "missing", path)
    with pytest.raises(LockError, match="is a symbolic link"):
        HostLock("key", 0, folder).__enter__()
    assert not (tmp_path / "missing").exists()
    os.unlink(path)
    os.mkfifo(path)
    with pytest.raises(LockError, match="not a regular file"):
        HostLock("key", 0, folder).__enter__()
    os.unlink(path)
    os.mkdir(path)
    with pytest.raises(LockError, match="cannot be opened: Is a directory"):
        HostLock("key", 0, folder).__enter__()


def test_hard_link_to_a_file_of_value_is_not_written(folder: str) -> None:
    victim = Path(folder, "victim")
    victim.write_text("precious")
    victim.chmod(0o644)
    os.link(victim, lock_path("key", folder))
    with HostLock("key", 0, folder):
        with pytest.raises(LockTimeout) as caught:
            HostLock("key", 0, folder).__enter__()
        assert caught.value.holder_pid is None
        assert str(caught.value).endswith("is held by another process")
    assert victim.read_text() == "precious"


def test_full_disk_does_not_matter_for_the_lock(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: t.Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with HostLock("key", 0, folder), pytest.raises(LockTimeout) as caught:
        HostLock("key", 0, folder).__enter__()
    assert caught.value.holder_pid is None


def test_file_system_without_locks(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_descriptor: int, _operation: int) -> None:
        raise OSError(37, "No locks available")

    gc.collect()  # what earlier tests have left open
    before = os.listdir("/proc/self/fd")
    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.raises(LockError, match="cannot be locked: No locks available"):
        HostLock("key", 5, folder).__enter__()
    assert os.listdir("/proc/self/fd") == before


def test_killed_while_it_makes_the_file_blocks_nobody(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_arguments: t.Any, **_options: t.Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    for name in ("fchmod", "link", "unlink"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, die)
            child = Child(hold(folder, name))
            assert child.hear() == ""
            child.end()
        path = lock_path(name, folder)
        assert not os.path.exists(path) or os.stat(path).st_mode & 0o777 == 0o666
        with HostLock(name, 0, folder):
            pass


def test_forked_child_does_not_release(folder: str) -> None:
    def parent(say: t.Callable[[str], None]) -> None:
        lock = HostLock("key", 0, folder)
        lock.__enter__()
        if os.fork() == 0:
            lock.__exit__(None, None, None)
            say("child left")
            os._exit(0)
        time.sleep(60)

    holder = Child(parent)
    assert holder.hear() == "child left"
    with pytest.raises(LockTimeout) as caught:
        HostLock("key", 0.1, folder).__enter__()
    assert caught.value.holder_pid == holder.pid
    holder.end(signal.SIGKILL)


def test_forked_child_keeps_it_when_its_parent_is_killed_but_not_when_it_ends(folder: str) -> None:
    """A worker that still talks to the token must keep others out."""

    def parent(say: t.Callable[[str], None]) -> None:
        with HostLock("key", 0, folder):
            worker = os.fork()
            if worker == 0:
                time.sleep(20)
                os._exit(0)
            say(str(worker))
            time.sleep(60 if kill else 0)

    for kill in (True, False):
        holder = Child(parent)
        worker = int(holder.hear())
        holder.end(signal.SIGKILL if kill else 0)
        if kill:
            with pytest.raises(LockTimeout):
                HostLock("key", 0.1, folder).__enter__()
            os.kill(worker, signal.SIGKILL)
        with HostLock("key", 5, folder):
            pass
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


def test_program_started_meanwhile_does_not_keep_it(folder: str) -> None:
    with HostLock("key", 0, folder):
        process = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        with HostLock("key", 0, folder):
            pass
    finally:
        process.kill()
        process.wait()


def test_names() -> None:
    assert lock_path("/a/b", "/x") == "/x/cryptoki-hsm-662b7b62a798bb2d53e67cad9778e12e.lock"
    assert lock_path("a", "/x") != lock_path("b", "/x")
    assert lock_path("\udcff\0", "/x").startswith("/x/cryptoki-hsm-")
    assert os.path.dirname(lock_path("a")) == lock_folder()


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (0o41777, "/run/lock"),
        (0o40777, "/run/lock"),
        (0o41775, "/tmp"),
        (0o40755, "/tmp"),
        (0o120777, "/tmp"),
        (None, "/tmp"),
    ],
)
def test_folder_follows_the_mode(mode: int | None, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(path: str) -> os.stat_result:
        assert path == "/run/lock"
        if mode is None:
            raise FileNotFoundError
        return os.stat_result((mode, *[0] * 9))

    monkeypatch.setattr(_lock.os, "lstat", fake)
    monkeypatch.setattr(_lock.os, "statvfs", lambda path: types.SimpleNamespace(f_flag=0))
    assert lock_folder() == expected
    monkeypatch.setattr(_lock.os, "statvfs", lambda path: types.SimpleNamespace(f_flag=os.ST_RDONLY))
    assert lock_folder() == "/tmp", "mounted read-only"


def test_a_folder_that_was_chosen_wins(folder: str) -> None:
    try:
        _lock.use_lock_folder(folder)
        assert lock_folder() == folder == os.path.dirname(lock_path("a"))
    finally:
        _lock.use_lock_folder(None)
    assert lock_folder() != folder
