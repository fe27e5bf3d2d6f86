# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What SoftHSM 2 itself never tells: whether a library is it, where its tokens lie, and what may not be read there.

Its tokens are folders of files. It is not safe for parallel processes on one token (trap T5), so the folder is what a
lock is keyed by; and it passes over every folder and file that the caller may not read, in silence, so that a key
which exists looks absent. All of this was read in the sources of 2.6.1 and run against the library.
"""

from __future__ import annotations

import mmap
import os
import pwd
import stat
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import file as _file

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MARK = b"SOFTHSM2_CONF"
_SPY_MARK = b"PKCS11SPY"  # OpenSC's pkcs11-spy, which loads the library that this variable names

# Compiled in: Debian's path of the configuration, then Fedora's. The token folder is the same for both.
_DEFAULT_CONFIGURATIONS = ("/etc/softhsm/softhsm2.conf", "/etc/softhsm2.conf")
_DEFAULT_TOKENS = "/var/lib/softhsm/tokens/"
_USER_CONFIGURATION = ".config/softhsm2/softhsm2.conf"
_PATH_MAX = 255  # _POSIX_PATH_MAX less the NUL: a longer path of a home is cut there
_LINE_MAX = 1023  # fgets() into 1024 bytes: what is longer goes on as a line of its own

TOKEN_FILE = "token.object"
DATABASE = "sqlite3.db"  # objectstore.backend = db
_UMASK = "objectstore.umask"
# token.object holds per attribute two CK_ULONG of 8 bytes, big endian, its type and its kind; for a byte string then
# the length and the bytes. The type is SoftHSM's CKA_OS_TOKENSERIAL.
_SERIAL_HEAD = (0x8000534A).to_bytes(8, "big") + (3).to_bytes(8, "big")


def is_softhsm(library: str, environment: Mapping[str, str]) -> bool:
    """Whether the PKCS#11 library at this path is SoftHSM 2, seen through pkcs11-spy; False where it cannot be read.

    `environment` is what the library will see. A proxy that loads SoftHSM by its own configuration is not seen
    through (`p11_kit.py`).
    """
    if holds(library, _MARK):
        return True
    behind = environment.get("PKCS11SPY", "")
    return bool(behind) and holds(library, _SPY_MARK) and holds(behind, _MARK)


def holds(path: str, mark: bytes) -> bool:
    """Whether a regular file has these bytes; False where it cannot be read."""
    try:
        # Not to wait where somebody made a FIFO of it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return False
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as content:
            return content.find(mark) >= 0
    except (OSError, ValueError):  # ValueError: an empty file
        return False
    finally:
        os.close(descriptor)


def token_folder(environment: Mapping[str, str]) -> str | None:
    """The real path of the folder of all tokens, as SoftHSM finds it with this environment; it need not exist.

    None if SoftHSM has no configuration that it can read: C_Initialize fails then. A build with other default paths
    than Debian's and Fedora's needs SOFTHSM2_CONF and `directories.tokendir`.
    """
    found = _configured(environment, b"directories.tokendir")
    return None if found is None else os.path.realpath(os.fsdecode(found or _DEFAULT_TOKENS))


def file_umask(library: str, environment: Mapping[str, str]) -> str | None:
    """The umask for new files that the configuration sets; None if it sets none, or the library knows of none."""
    behind = environment.get("PKCS11SPY", "")
    if not any(holds(path, _UMASK.encode()) for path in (library, behind) if path):
        return None
    found = _configured(environment, _UMASK.encode())
    return os.fsdecode(found) if found else None


def lock_key(folder: str) -> str:
    """What all that work on this folder of tokens have in common, by whatever path they reach it."""
    try:
        status = os.stat(folder)
    except OSError:
        return f"softhsm {folder}"
    return f"softhsm {status.st_dev}:{status.st_ino}"


def _configured(environment: Mapping[str, str], name: bytes) -> bytes | None:
    """The value of a setting; empty if it has none, and None if there is no configuration that can be read."""
    for path in _configurations(environment):
        try:
            with os.fdopen(_file.opened(path), "rb") as file:
                return _setting(file, name) or b""
        except (OSError, ValueError, _file.FileProblem):
            continue
    return None


def configuration_problem(environment: Mapping[str, str]) -> str | None:
    """Why SoftHSM cannot start with this environment, as a clause; its own answer is CKR_GENERAL_ERROR, or none."""
    paths = _configurations(environment)
    said = "SOFTHSM2_CONF names" if "SOFTHSM2_CONF" in environment else "its configuration is"
    if not paths:
        return f"it has no configuration; make {_DEFAULT_CONFIGURATIONS[0]}, or name one by SOFTHSM2_CONF"
    try:
        os.close(_file.opened(paths[0]))
    except _file.FileProblem as problem:
        return f"{said} '{paths[0]}', which {problem}"
    return None


def _configurations(environment: Mapping[str, str]) -> list[str]:
    """The files that SoftHSM may open, of which it opens the first (SimpleConfigLoader.cpp, getConfigPath).

    SOFTHSM2_CONF counts even when it is empty or names no file: nothing else is tried then.
    """
    if "SOFTHSM2_CONF" in environment:
        return [environment["SOFTHSM2_CONF"]]
    home = environment.get("HOME", "") or _home()
    path = os.fsdecode(os.fsencode(f"{home}/{_USER_CONFIGURATION}")[:_PATH_MAX])
    if home and os.access(path, os.R_OK):
        return [path]
    return [path for path in _DEFAULT_CONFIGURATIONS if os.path.exists(path)][:1]


def _home() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""


def _setting(file: t.BinaryIO, wanted: bytes) -> bytes | None:
    """The last value of a setting in a configuration, read as SimpleConfigLoader.cpp does; None if it has none.

    A line ends at `#`; name and value are what stands between the equality signs, however many of these there are
    (strtok), without blanks at their ends; a third part is dropped; names are compared by case.
    """
    found = None
    for line in iter(lambda: file.readline(_LINE_MAX), b""):
        for end in (b"\0", b"#", b"\n", b"\r"):
            line = line.partition(end)[0]
        parts = [part.strip(b" \t\v\f") for part in line.split(b"=") if part]
        if len(parts) > 1 and parts[0] == wanted and parts[1]:
            found = parts[1]
    return found


def token_folder_of(folder: str, serial: str) -> str | None:
    """The path of the token with this serial number, in the folder of all tokens; None if none or several have it.

    SoftHSM draws a UUID for a new token: it is the folder's name, and its last two groups are the serial number
    (ObjectStore.cpp, newToken: `aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee` has the serial `ddddeeeeeeeeeeee`). What
    counts afterwards is the number written in the folder, which may have been renamed: so that decides.
    """
    serial = serial.strip()
    if not serial:
        return None
    try:
        with os.scandir(folder) as entries:
            folders = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return None
    likely = [path for path in folders if path.endswith(f"-{serial[:4]}-{serial[4:]}")]
    for candidates in (likely, folders):
        matching = [path for path in candidates if _has_serial(path, serial.encode())]
        if matching:
            return matching[0] if len(matching) == 1 else None
    return None


def _has_serial(token: str, serial: bytes) -> bool:
    mark = _SERIAL_HEAD + len(serial).to_bytes(8, "big") + serial
    return holds(os.path.join(token, TOKEN_FILE), mark) or holds(os.path.join(token, DATABASE), serial)


def unreadable(folder: str) -> list[str]:
    """What SoftHSM overlooks because the caller may not read it, sorted: paths of folders and files.

    `folder` is the folder of all tokens or that of one. Checked with the effective ids are the folder itself, the
    folders in it and every `*.object` and `sqlite3.db`: of the other files (locks, `generation`) none hides an
    object. SoftHSM takes neither symbolic links nor deeper folders. `lost+found` of a file system is left out. What
    vanishes meanwhile is not unreadable, nor is a `folder` that does not exist.
    """
    return sorted(_unreadable(folder, deeper=True))


def _unreadable(folder: str, deeper: bool) -> Iterator[str]:
    try:
        with os.scandir(folder) as scan:
            entries = list(scan)
    except FileNotFoundError:
        return
    except OSError:
        yield folder
        return
    if not _may(folder, os.X_OK):
        yield folder
        return
    for entry in entries:
        if deeper and entry.name != "lost+found" and entry.is_dir(follow_symlinks=False):
            yield from _unreadable(entry.path, deeper=False)
        elif _overlooked(entry):
            yield entry.path


def _overlooked(entry: os.DirEntry[str]) -> bool:
    if not entry.name.endswith(".object") and entry.name != DATABASE:
        return False
    return entry.is_file(follow_symlinks=False) and not _may(entry.path, os.R_OK)


def _may(path: str, mode: int) -> bool:
    """Whether the caller has this access, or the path is gone."""
    return os.access(path, mode, effective_ids=True) or not os.path.lexists(path)
