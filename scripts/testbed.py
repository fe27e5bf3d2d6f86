#!/usr/bin/env python
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find SoftHSM and the tools of the tests, get from Debian or Ubuntu what is missing, and write down where it is.

    testbed.py demo        SoftHSM alone
    testbed.py ceremony    SoftHSM, pkcs11-tool and openssl
    testbed.py test        SoftHSM and every tool of the tests

Root installs packages. Anybody else gets them unpacked under build/root, without touching the system.
SOFTHSM_LIBRARY names a library elsewhere. SOFTHSM_FORCE_UNPACK=1 unpacks although the system has it.

What was found goes to build/testbed.json (for programs) and build/testbed.env (for shells).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

BUILD = Path(__file__).resolve().parent.parent / "build"
UNPACKED = BUILD / "root"
FORCED = bool(os.environ.get("SOFTHSM_FORCE_UNPACK"))
LIBRARY_FOLDERS = ("usr/lib", "usr/lib64", "usr/lib/*-linux-gnu*", "usr/local/lib", "opt/homebrew/lib")

# name in testbed.json: (packages, file names below a library folder)
LIBRARIES = {
    "softhsm_library": ("softhsm2 libsofthsm2", ("softhsm/libsofthsm2.so", "pkcs11/libsofthsm2.so", "libsofthsm2.so")),
    "pkcs11_spy": ("opensc-pkcs11", ("pkcs11-spy.so", "pkcs11/pkcs11-spy.so")),
    "nss_softokn": ("libnss3", ("libsoftokn3.so", "nss/libsoftokn3.so")),
    "p11_kit_proxy": ("p11-kit-modules", ("p11-kit-proxy.so", "libp11-kit.so.0")),
}
TOOLS = {
    "softhsm2-util": "softhsm2",
    "pkcs11-tool": "opensc",
    "p11tool": "gnutls-bin",
    "p11-kit": "p11-kit",
    "openssl": "openssl",
    "ssh-keygen": "openssh-client",
    "gcc": "gcc libc6-dev",  # a compiler without headers builds nothing
    "sshd": "openssh-server",
    "chromium": "chromium",
}
WANTED = {
    "demo": ["softhsm_library"],
    "ceremony": ["softhsm_library", "pkcs11-tool", "openssl"],
    "test": [*LIBRARIES, *TOOLS],
}
NOT_UNPACKED = {"gcc", "chromium"}  # a compiler and a browser work only where they were installed
NOT_EVERYWHERE = {"chromium"}  # Ubuntu has no such package, and one that is unknown keeps all others away
NOT_INSTALLED = {"sshd"}  # a server that is installed is started, and open to all


def roots() -> list[Path]:
    """Where to look: the system, and what was unpacked."""
    return [UNPACKED] if FORCED else [Path("/"), UNPACKED]


def find_library(file_names: tuple[str, ...]) -> str | None:
    for root in roots():
        for folder in LIBRARY_FOLDERS:
            for file_name in file_names:
                for path in sorted(root.glob(f"{folder}/{file_name}")):
                    return str(path)
    return None


def find_tool(name: str) -> str | None:
    unpacked = [str(UNPACKED / folder) for folder in ("usr/bin", "bin", "usr/sbin")]
    system = [] if FORCED and name not in NOT_UNPACKED else [os.environ.get("PATH", os.defpath), "/usr/sbin"]
    return shutil.which(name, path=os.pathsep.join(system + unpacked))


def look() -> dict[str, str | None]:
    """Everything by its name, None for what is missing."""
    found = {name: find_library(file_names) for name, (_packages, file_names) in LIBRARIES.items()}
    found["softhsm_library"] = os.environ.get("SOFTHSM_LIBRARY") or found["softhsm_library"]
    return {**found, **{name: find_tool(name) for name in TOOLS}}


def packages_of(*names: str) -> list[str]:
    """Debian's packages for these libraries and tools."""
    packages = " ".join(LIBRARIES[name][0] if name in LIBRARIES else TOOLS[name] for name in names)
    return sorted(set(packages.split()))


def apt_get(*arguments: str, quiet: bool = False) -> bool:
    """Run apt-get; its words are shown only when it fails, and not if quiet."""
    command = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=120", *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # No standard input: nothing may ask.
    answer = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if answer.returncode and not quiet:
        print(f"testbed: {shlex.join(command)} failed:\n{answer.stdout[-2000:]}", file=sys.stderr)
    return answer.returncode == 0


def install(packages: list[str]) -> bool:
    print(f"testbed: installing {' '.join(packages)}", flush=True)
    command = ["install", "--no-install-recommends", *packages]
    # Lists of packages that are old or missing are the usual reason for a failure.
    return apt_get(*command, quiet=True) or (apt_get("update") and apt_get(*command))


def unpack(packages: list[str]) -> bool:
    """Let apt-get download the packages with what they need and the system lacks, then unpack them."""
    print(f"testbed: unpacking {' '.join(packages)} into {UNPACKED}", flush=True)
    state, archives = BUILD / "apt", BUILD / "apt/archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    (state / "lists/partial").mkdir(parents=True, exist_ok=True)
    # The system's list of installed packages is used, its lists of available ones are not: they may be old or missing.
    private = [f"Dir::State::Lists={state}/lists", f"Dir::Cache={state}", f"Dir::Cache::Archives={archives}"]
    options = [part for setting in [*private, "Debug::NoLocking=true"] for part in ("-o", setting)]
    download = ["install", "--no-install-recommends", "--download-only", *(["--reinstall"] if FORCED else [])]
    if not (apt_get(*options, "update") and apt_get(*options, *download, *packages)):
        return False
    for archive in sorted(archives.glob("*.deb")):
        # A second libc in the search path would break every program of the system.
        if not archive.name.startswith("libc6_"):
            subprocess.run(["dpkg", "-x", str(archive), str(UNPACKED)], check=True)
    return True


def get(missing: list[str]) -> None:
    """Get what is missing in the way that this user and this system have."""
    if not shutil.which("apt-get"):
        print(f"testbed: no apt-get here; install what corresponds to Debian's {' '.join(packages_of(*missing))}")
        return
    as_root = os.geteuid() == 0 and not FORCED
    installed = {name for name in missing if as_root and name not in NOT_INSTALLED}
    usual, apart = sorted(installed - set(NOT_EVERYWHERE)), sorted(installed & set(NOT_EVERYWHERE))
    unpacked = [name for name in missing if name not in {*installed, *NOT_UNPACKED}]
    if usual:
        install(packages_of(*usual))
    for name in apart:  # where a system has no such package, nothing else shall fail
        install(packages_of(name))
    if unpacked:
        unpack(packages_of(*unpacked))


def search_paths(found: dict[str, str]) -> dict[str, str]:
    """What has to stand in front of PATH and LD_LIBRARY_PATH so that unpacked things run."""
    if not any(path.startswith(str(UNPACKED)) for name, path in found.items() if name not in NOT_INSTALLED):
        return {"path": "", "ld_library_path": ""}
    libraries = [UNPACKED / "usr/lib", *UNPACKED.glob("usr/lib/*-linux-gnu*"), *UNPACKED.glob("lib/*-linux-gnu*")]
    return {
        "path": f"{UNPACKED}/usr/bin",
        "ld_library_path": os.pathsep.join(str(folder) for folder in libraries if folder.is_dir()),
    }


def write(found: dict[str, str]) -> None:
    """build/testbed.json and build/testbed.env, for programs and for shells."""
    BUILD.mkdir(exist_ok=True)
    extra = search_paths(found)
    document = {
        **{name: found.get(name, "") for name in LIBRARIES},
        "tools": {name: found[name] for name in TOOLS if name in found},
        **extra,
    }
    lines = [f"export SOFTHSM_LIBRARY={shlex.quote(found.get('softhsm_library', ''))}"]
    if extra["path"]:
        lines.append(f'export PATH={shlex.quote(extra["path"])}:"$PATH"')
        old = '"${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"'
        lines.append(f"export LD_LIBRARY_PATH={shlex.quote(extra['ld_library_path'])}{old}")
    (BUILD / "testbed.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    (BUILD / "testbed.env").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1] not in WANTED:
        sys.exit(__doc__)
    wanted = WANTED[sys.argv[1]]
    missing = [name for name in wanted if not look()[name]]
    if missing:
        get(missing)
    found = {name: path for name, path in look().items() if path}
    write(found)
    for name in wanted:
        if name not in found:
            print(f"testbed: {name} cannot be had here (Debian: {' '.join(packages_of(name))})")
    print(f"testbed: SoftHSM is {found.get('softhsm_library', 'missing')}")
    return 0 if "softhsm_library" in found else 1


if __name__ == "__main__":
    sys.exit(main())
