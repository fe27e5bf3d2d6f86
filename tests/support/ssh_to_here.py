# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""This machine reached by ssh: OpenSSH's server, one process for each connection, at the other end of a pipe.

No port is open and nothing keeps running. Where the server was only unpacked, root lacks the user and the folder that
it separates its privileges by: it gets them in a mount namespace of its own.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
from pathlib import Path

_CONFIGURATION = """
HostKey {folder}/key
AuthorizedKeysFile {folder}/key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
"""
_SEPARATED = """
mount --bind {folder}/passwd /etc/passwd && mkdir -p /run/sshd && exec "$@"
"""


def ssh_options(folder: Path) -> tuple[list[str], str]:
    """The options of ssh that lead to this machine, and why there are none; keys and configuration are in `folder`."""
    server = os.environ.get("SSHD") or shutil.which("sshd", path="/usr/sbin")
    if not server or not shutil.which("ssh-keygen"):
        return [], "there is no OpenSSH server here (Debian: openssh-server)"
    folder.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")], check=True)
    (folder / "sshd_config").write_text(_CONFIGURATION.format(folder=folder))
    command = [server, "-i", "-f", str(folder / "sshd_config")]
    if os.geteuid() == 0 and not _has_user("sshd"):
        (folder / "passwd").write_text(f"{Path('/etc/passwd').read_text()}sshd:x:65533:65534::/run/sshd:/bin/false\n")
        command = ["unshare", "-m", "sh", "-c", _SEPARATED.format(folder=folder).strip(), "sh", *command]
    proxy = folder / "proxy"
    proxy.write_text(f"#!/bin/sh\nexec env {shlex.join([*_libraries(Path(server)), *command])}\n")
    proxy.chmod(0o755)
    options = [
        *("-F", "none", "-i", str(folder / "key"), "-o", f"ProxyCommand={proxy}", "-o", "IdentitiesOnly=yes"),
        *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"),
    ]
    command = ["ssh", *options, "-o", "BatchMode=yes", "here", "true"]
    probe = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return ([], f"its OpenSSH server lets nobody in: {probe.stderr.strip()}") if probe.returncode else (options, "")


def _libraries(server: Path) -> list[str]:
    """For env: where the libraries of a server lie that was only unpacked."""
    root = server.parents[2]
    folders = [str(folder) for place in ("lib", "usr/lib") for folder in root.glob(f"{place}/*-linux-gnu*")]
    return [] if root == Path("/") else [f"LD_LIBRARY_PATH={':'.join(folders)}"]


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
