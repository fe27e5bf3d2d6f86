# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated cluster from the command line: cluster.py ROOT FOLDER COMMAND [ARGUMENT...].

ROOT is the folder that holds ansible_collections. The commands are: make NODES USER..., look, stop NODE, start NODE,
handles NUMBER..., fault KIND COMMAND, well, sign LABEL MECHANISM HASH FILE.
"""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

sys.path.insert(0, sys.argv[1])

from ansible_collections.cryptoki.hsm.tests.support.cluster import OWNER_PASSWORD, Cluster


def make(folder: Path, nodes: str, *users: str) -> None:
    """Makes the cluster, and installs its tools."""
    cluster = Cluster(folder, nodes=int(nodes))
    for user in users:
        cluster.add_user(user, f"password of {user}")
    cluster.install_cloudhsm_cli()
    cluster.install_key_mgmt_util(spelling="aws_status", CLUSTER_SIMULATOR_STRICT_ORDER="1")
    cluster.install_key_mgmt_util(name="azcloudhsm_util", spelling="azure")
    (folder / "pin").write_text(OWNER_PASSWORD + "\n")


def look(folder: Path) -> None:
    """Prints everything that the cluster has of its keys, a line a key."""
    for key in sorted(Cluster(folder).held(), key=lambda key: key.handle):
        print(key)


def sign(folder: Path, label: str, mechanism: str, hash_name: str, data: str) -> None:
    """Signs a file's content with the real private key, past the collection."""
    sys.stdout.buffer.write(Cluster(folder).sign(label, Path(data).read_bytes(), mechanism, hash_name))


COMMANDS: dict[str, t.Callable[..., None]] = {
    "make": make,
    "look": look,
    "sign": sign,
    "stop": lambda folder, node: Cluster(folder).stop_node(int(node)),
    "start": lambda folder, node: Cluster(folder).start_node(int(node)),
    "handles": lambda folder, *numbers: Cluster(folder).next_handles(*map(int, numbers)),
    "fault": lambda folder, kind, command: Cluster(folder).set_fault(kind, command),
    "well": lambda folder: Cluster(folder).clear_faults(),
}

if __name__ == "__main__":
    COMMANDS[sys.argv[3]](Path(sys.argv[2]), *sys.argv[4:])
