# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SoftHSM's configuration and folders, each rule beside the real library and tools."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import typing as t
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm as _softhsm
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.softhsm import (
    file_umask,
    is_softhsm,
    lock_key,
    token_folder,
    token_folder_of,
    unreadable,
)

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
SPY = "/usr/lib/x86_64-linux-gnu/pkcs11-spy.so"
NOBODY = 65534

needs_softhsm = pytest.mark.skipif(
    not shutil.which("softhsm2-util") or not Path(SOFTHSM).exists(), reason="needs softhsm2"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")


def init_token(environment: dict[str, str], label: str = "one") -> subprocess.CompletedProcess[str]:
    command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", "1234", "--so-pin", "1234"]
    environment = {**environment, "PATH": os.environ["PATH"]}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def shown_slots(environment: dict[str, str]) -> list[dict[str, str]]:
    """What softhsm2-util --show-slots says of each initialised token: a dict of its lines."""
    command = ["softhsm2-util", "--show-slots"]
    environment = {**environment, "PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    tokens = []
    for slot in done.stdout.split("\nSlot ")[1:]:
        lines = (line.partition(":") for line in slot.splitlines())
        tokens.append({name.strip(): value.strip() for name, sign, value in lines if sign})
    return [token for token in tokens if token.get("Initialized") == "yes"]


class Store(t.NamedTuple):
    folder: Path
    environment: dict[str, str]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    folder = tmp_path / "tokens"
    folder.mkdir()
    conf = tmp_path / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {folder}\n")
    return Store(folder, {"SOFTHSM2_CONF": str(conf)})


def as_nobody(work: t.Callable[[], t.Any]) -> t.Any:
    """What `work` returns (JSON) as the user nobody, in a child, since this process has to stay root."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writing, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading, "rb") as answer:
        return json.loads(answer.read())


def unreadable_to_nobody(folder: Path | str) -> t.Any:
    return as_nobody(lambda: unreadable(str(folder)))


def output_for_nobody(*command: str, **variables: str) -> str:
    """Everything that a program prints as the user nobody, with these variables in its environment."""
    environment = {"PATH": os.environ["PATH"], **variables}
    done = subprocess.run(
        command,
        env=environment,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture
def open_store() -> t.Iterator[Store]:
    """A store below a folder that every user may enter, which tmp_path is not; it belongs to nobody."""
    base = Path(tempfile.mkdtemp(prefix="cryptoki-"))
    base.chmod(0o755)
    folder = base / "tokens"
    folder.mkdir()
    (base / "conf").write_text(f"directories.tokendir = {folder}\n")
    yield Store(folder, {"SOFTHSM2_CONF": str(base / "conf")})
    shutil.rmtree(base)


# --- is_softhsm


@needs_softhsm
def test_softhsm_is_recognised_also_as_a_copy_and_through_the_spy(tmp_path: Path) -> None:
    copy = shutil.copy(SOFTHSM, tmp_path / "other-name.so")
    assert is_softhsm(SOFTHSM, {}) and is_softhsm(str(copy), {})
    assert os.path.exists(SPY), "opensc's pkcs11-spy is missing"
    assert is_softhsm(SPY, {"PKCS11SPY": str(copy)})
    assert not is_softhsm(SPY, {})
    assert not is_softhsm(SPY, {"PKCS11SPY": ""})
    assert not is_softhsm(SPY, {"PKCS11SPY": "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so"})
    assert not is_softhsm(SPY, {"PKCS11SPY": SPY})
    assert not is_softhsm("/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so", {"PKCS11SPY": SOFTHSM})


def test_other_files_are_not_softhsm(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("SOFTHSM2_CON")
    os.mkfifo(tmp_path / "fifo")
    for path in ("empty", "text", "fifo", "missing", ".", "a\0b"):
        assert not is_softhsm(str(tmp_path / path), {}), path
    assert not is_softhsm("", {})
    (tmp_path / "text").write_text("x" * 10000 + "SOFTHSM2_CONF")
    assert is_softhsm(str(tmp_path / "text"), {})


# --- token_folder


CONFIGURATIONS = {
    "plain": "directories.tokendir = {}/right\n",
    "no blanks, no newline": "directories.tokendir={}/right",
    "tabs, CRLF": "\t directories.tokendir\t=\t{}/right \t\r\n",
    "slash": "directories.tokendir = {}/right/\n",
    "a dotted way": "directories.tokendir = {}/wrong/../right\n",
    "comment behind": "directories.tokendir = {}/right # here\n",
    "comment without blank": "directories.tokendir = {}/right#here\n",
    "comment line": "# directories.tokendir = {}/wrong\ndirectories.tokendir = {}/right\n",
    "last one counts": "directories.tokendir = {}/wrong\nlog.level = INFO\ndirectories.tokendir = {}/right\n",
    "empty one does not count": "directories.tokendir = {}/right\ndirectories.tokendir =\ndirectories.tokendir = #\n",
    "case": "directories.tokendir = {}/right\nDirectories.TokenDir = {}/wrong\n",
    "more equality signs": "=directories.tokendir == {}/right=x\n",
    "a blank between them": "directories.tokendir = {}/right\ndirectories.tokendir = = {}/wrong\n",
    "blank within": "directories.tokendir = {}/right one\n",
    "quotes are part of it": 'directories.tokendir = {}/right"s\n',
    "long line goes on": "x" * 1023 + "directories.tokendir = {}/right\n",
    "long line is cut": "directories.tokendir = {}/right" + " " * 1100 + "y\n",
    "carriage return": "directories.tokendir = {}/right\rdirectories.tokendir = {}/wrong\n",
    "NUL": "directories.tokendir = {}/right\0/wrong\n",
    "form feed": "\v\fdirectories.tokendir = \f{}/right\v\n",
    "not UTF-8": "x.y = \udcff\ndirectories.tokendir = {}/right\udcff\n",
}


@needs_softhsm
@pytest.mark.parametrize("text", CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
def test_token_folder_is_where_softhsm_makes_a_token(text: str, tmp_path: Path) -> None:
    for name in ("right", "right one", 'right"s', "right\udcff", "wrong"):
        (tmp_path / name).mkdir()
    conf = tmp_path / "conf"
    conf.write_bytes(os.fsencode(text.replace("{}", str(tmp_path))))
    assert init_token({"SOFTHSM2_CONF": str(conf)}).returncode == 0
    (made,) = [path for path in tmp_path.iterdir() if path.is_dir() and any(path.iterdir())]
    assert made.name.startswith("right")
    assert token_folder({"SOFTHSM2_CONF": str(conf)}) == str(made)


def test_token_folder_is_the_default_if_the_configuration_has_none(tmp_path: Path) -> None:
    """Seen with strace: the library opens /var/lib/softhsm/tokens/. Not run here, it would touch the host's tokens."""
    conf = tmp_path / "conf"
    for text in ("", "log.level = INFO\n", "Directories.tokendir = /x\n", "directories.tokendir = = /x\n", "=\n"):
        conf.write_text(text)
        assert token_folder({"SOFTHSM2_CONF": str(conf)}) == "/var/lib/softhsm/tokens"


@needs_softhsm
def test_link_to_the_folder_and_relative_path(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(store.folder)
    conf = tmp_path / "conf"
    conf.write_text("directories.tokendir = link\n")
    monkeypatch.chdir(tmp_path)
    assert init_token({"SOFTHSM2_CONF": "conf"}).returncode == 0
    assert list(store.folder.iterdir())
    assert token_folder({"SOFTHSM2_CONF": "conf"}) == str(store.folder)


@needs_softhsm
def test_configuration_of_the_home(store: Store, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".config/softhsm2").mkdir(parents=True)
    shutil.copy(store.environment["SOFTHSM2_CONF"], home / ".config/softhsm2/softhsm2.conf")
    assert init_token({"HOME": str(home)}).returncode == 0
    assert len(list(store.folder.iterdir())) == 1
    assert token_folder({"HOME": str(home)}) == str(store.folder)
    # SOFTHSM2_CONF wins, even where it leads nowhere
    for nowhere in ("", str(tmp_path / "missing"), str(tmp_path)):
        environment = {"HOME": str(home), "SOFTHSM2_CONF": nowhere}
        if nowhere != str(tmp_path):  # a folder can be opened, but not read: SoftHSM then takes its default
            assert init_token(environment).returncode != 0
        assert token_folder(environment) is None
    assert len(list(store.folder.iterdir())) == 1


def test_configuration_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = tmp_path / "etc.conf"
    monkeypatch.setattr(_softhsm, "_DEFAULT_CONFIGURATIONS", (str(tmp_path / "missing"), str(conf)))
    without_conf = {"HOME": str(tmp_path)}
    assert token_folder(without_conf) is None
    conf.write_text("directories.tokendir = /of/the/host\n")
    assert token_folder(without_conf) == "/of/the/host"
    monkeypatch.setattr(_softhsm, "_home", lambda: str(tmp_path))
    user = tmp_path / ".config/softhsm2/softhsm2.conf"
    user.parent.mkdir(parents=True)
    user.write_text("directories.tokendir = /of/the/user\n")
    for environment in ({}, {"HOME": ""}, {"HOME": str(tmp_path)}):
        assert token_folder(environment) == "/of/the/user"
    assert token_folder({"HOME": "/nonexistent"}) == "/of/the/host"


@needs_root
@needs_softhsm
def test_configuration_of_the_home_that_is_not_readable_is_passed_over(
    open_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = open_store.folder.parent
    user = home / ".config/softhsm2/softhsm2.conf"
    user.parent.mkdir(parents=True)
    user.write_text("directories.tokendir = /of/the/user\n")
    user.chmod(0o600)
    monkeypatch.setattr(_softhsm, "_DEFAULT_CONFIGURATIONS", (open_store.environment["SOFTHSM2_CONF"],))
    assert as_nobody(lambda: token_folder({"HOME": str(home)})) == str(open_store.folder)
    assert token_folder({"HOME": str(home)}) == "/of/the/user"
    environment = {"SOFTHSM2_CONF": str(user)}
    assert as_nobody(lambda: token_folder(environment)) is None
    assert "Could not load the SoftHSM configuration" in output_for_nobody(
        "softhsm2-util", "--show-slots", **environment
    )


@given(st.binary(max_size=200))
def test_any_configuration_can_be_read(text: bytes) -> None:
    with tempfile.NamedTemporaryFile() as conf:
        conf.write(text)
        conf.flush()
        assert token_folder({"SOFTHSM2_CONF": conf.name}) == "/var/lib/softhsm/tokens"


# --- lock_key, file_umask


def test_lock_of_a_folder_is_that_of_all_its_paths(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "link").symlink_to("one")
    one, two, link, missing = (lock_key(str(tmp_path / name)) for name in ("one", "two", "link", "missing"))
    assert one == link
    assert len({one, two, missing}) == 3
    (tmp_path / "one").rename(tmp_path / "renamed")
    assert lock_key(str(tmp_path / "renamed")) == one


def test_umask_counts_where_the_library_knows_of_it(tmp_path: Path) -> None:
    conf, old, new = (tmp_path / name for name in ("conf", "old.so", "new.so"))
    conf.write_text("directories.tokendir = /of/mine\nobjectstore.umask = 0027\n")
    old.write_bytes(b"SOFTHSM2_CONF")
    new.write_bytes(b"SOFTHSM2_CONF\0objectstore.umask\0")
    environment = {"SOFTHSM2_CONF": str(conf)}
    assert file_umask(str(new), environment) == "0027"
    assert file_umask(str(old), environment) is None
    assert file_umask(str(tmp_path / "spy.so"), {**environment, "PKCS11SPY": str(new)}) == "0027"
    conf.write_text("directories.tokendir = /of/mine\n")
    assert file_umask(str(new), environment) is None


# --- token_folder_of


@needs_softhsm
def test_token_folder_of_a_serial_number(store: Store) -> None:
    for label in ("one", "two", "three"):
        assert init_token(store.environment, label).returncode == 0
    tokens = shown_slots(store.environment)
    assert len(tokens) == 3
    for token in tokens:
        found = token_folder_of(str(store.folder), token["Serial number"])
        assert found and Path(found).parent == store.folder
        name = Path(found).name
        assert str(uuid.UUID(name)) == name and token["Serial number"] == name[19:23] + name[24:]
        assert token["Label"].encode() in (Path(found) / "token.object").read_bytes()
    assert token_folder_of(str(store.folder), "0123456789abcdef") is None
    assert token_folder_of(str(store.folder), "") is None
    assert token_folder_of(str(store.folder / "missing"), "0123456789abcdef") is None


@needs_softhsm
def test_a_renamed_folder_keeps_its_serial_number(store: Store) -> None:
    assert init_token(store.environment, "one").returncode == 0
    (made,) = store.folder.iterdir()
    serial = shown_slots(store.environment)[0]["Serial number"]
    made.rename(store.folder / "restored")
    (store.folder / made.name).mkdir()  # has the name that belongs to the serial number, but no token in it
    assert shown_slots(store.environment)[0]["Serial number"] == serial
    assert token_folder_of(str(store.folder), serial) == str(store.folder / "restored")
    shutil.copytree(store.folder / "restored", store.folder / "copy")
    assert token_folder_of(str(store.folder), serial) is None  # it cannot be told which


@needs_softhsm
def test_a_label_like_the_serial_number_is_not_taken_for_it(store: Store) -> None:
    assert init_token(store.environment, "0123456789abcdef").returncode == 0
    assert token_folder_of(str(store.folder), "0123456789abcdef") is None


def test_database_backend(tmp_path: Path) -> None:
    token = tmp_path / "aaaaaaaa-bbbb-cccc-0123-456789abcdef"
    token.mkdir()
    (token / "sqlite3.db").write_bytes(b"SQLite format 3\0...0123456789abcdef...")
    assert token_folder_of(str(tmp_path), "0123456789abcdef") == str(token)


# --- unreadable


@needs_root
def test_unreadable_finds_what_softhsm_overlooks(open_store: Store) -> None:
    folder = open_store.folder
    for token in ("good", "closed", "only-list", "only-enter", "lost+found", "linked-from"):
        (folder / token).mkdir()
        for name in ("token.object", "a.object", "b.object", "a.lock", "generation", "sqlite3.db"):
            (folder / token / name).touch(mode=0o644)
    (folder / "good" / "a.object").chmod(0o600)
    (folder / "good" / "sqlite3.db").chmod(0o600)
    (folder / "good" / "a.lock").chmod(0o600)
    (folder / "good" / "generation").chmod(0o600)
    (folder / "good" / "link.object").symlink_to("/etc/shadow")
    (folder / "good" / "deeper").mkdir(mode=0o700)
    (folder / "link").symlink_to(folder / "closed")
    for name, mode in (("closed", 0o700), ("only-list", 0o744), ("only-enter", 0o711), ("lost+found", 0o700)):
        (folder / name).chmod(mode)
    expected = ["closed", "good/a.object", "good/sqlite3.db", "only-enter", "only-list"]
    assert unreadable_to_nobody(folder) == [str(folder / path) for path in expected]
    assert unreadable_to_nobody(folder / "good")[:2] == [
        str(folder / "good" / "a.object"),
        str(folder / "good/deeper"),
    ]
    assert unreadable_to_nobody(folder / "linked-from") == []
    assert unreadable_to_nobody(folder / "closed") == [str(folder / "closed")]
    assert unreadable_to_nobody(folder / "missing") == []
    folder.chmod(0o700)
    assert unreadable_to_nobody(folder) == [str(folder)]
    assert unreadable(str(folder)) == []  # root


@needs_softhsm
@needs_root
def test_softhsm_overlooks_them_in_silence(open_store: Store) -> None:
    """The premise: the real library says nothing of a file or folder that it may not read."""
    folder, environment = open_store
    for label in ("seen", "hidden"):
        assert init_token(environment, label).returncode == 0
    tool = ["pkcs11-tool", "--module", SOFTHSM, "--token-label", "seen", "--login", "--pin", "1234"]
    for label in ("kept", "lost"):
        write = [*tool, "--keypairgen", "--key-type", "EC:prime256v1", "--label", label]
        subprocess.run(write, env={**os.environ, **environment}, check=True, capture_output=True)
    serials = {token["Label"]: token["Serial number"] for token in shown_slots(environment)}
    paths = {label: token_folder_of(str(folder), serial) or "" for label, serial in serials.items()}
    for path in [*folder.rglob("*"), folder]:
        os.chown(path, NOBODY, NOBODY)
    os.chown(paths["hidden"], 0, 0)
    # SoftHSM encrypts the labels of private objects, not those of public ones.
    lost = [path for path in Path(paths["seen"]).glob("*.object") if b"lost" in path.read_bytes()]
    assert lost
    for path in lost:
        os.chown(path, 0, 0)
    listed = output_for_nobody(*tool, "--list-objects", "--type", "pubkey", **environment)
    assert "kept" in listed and "lost" not in listed
    shown = output_for_nobody("softhsm2-util", "--show-slots", **environment)
    assert "seen" in shown and "hidden" not in shown
    assert unreadable_to_nobody(folder) == sorted([paths["hidden"], *map(str, lost)])
    assert unreadable_to_nobody(paths["seen"]) == sorted(map(str, lost))


def test_what_vanishes_is_not_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(path: str, mode: int, **_options: bool) -> bool:
        if mode == os.R_OK:
            os.unlink(path)
        return mode == os.X_OK

    (tmp_path / "a.object").touch()
    monkeypatch.setattr(os, "access", gone)
    assert unreadable(str(tmp_path)) == []
    assert not list(tmp_path.iterdir())
