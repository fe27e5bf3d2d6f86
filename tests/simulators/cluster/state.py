# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder that holds a simulated cluster, used by one process at a time.

state.json has users, nodes, keys, tokens of the quorum, faults and settings; tokens/ is SoftHSM's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import time
import typing as t
from pathlib import Path

from .process import runs

FOLDER_VARIABLE = "CLUSTER_SIMULATOR_STATE"

# What a test may set. Sources stand where a setting is used; README.md lists what is assumed.
SETTINGS: dict[str, t.Any] = {
    "fips": True,
    "hsm_type": "hsm2m.medium",
    "version": "5.17.2",  # of CloudHSM CLI
    "cluster_ids": [],  # that CloudHSM CLI is configured for
    "sync_delay": 0.0,  # seconds from node to node
    "sync_fails": False,  # new keys stay on the node that made them; or only those of one class, by its name
    "availability_check": True,  # CloudHSM CLI: a key must be on two HSMs
    "availability_wait": 87.2,  # seconds until the check gives up
    "availability_leaves_key": True,
    "lock_after": 5,  # wrong logins
    "most_keys": 3333,  # asymmetric keys of hsm2m.medium (AWS limits)
    "limited_write": False,  # a cluster that is being migrated
    "failure_status": 1,  # exit status of a command that failed
    "empty_id": "0x",  # how CloudHSM CLI shows a key without id; older samples have ""
    "point_form": "raw",  # how it shows a point; or der
    "unique_ids": {"cloudhsm_cli": False, "key_mgmt_util": True},
    "create_object_minimum_nodes": 1,  # key_mgmt_util's client configuration
    "rollback_fails": False,  # key_mgmt_util cannot take back a pair that did not spread
    "attestation": True,  # what -attest finds
}


@dataclasses.dataclass
class User:
    """A user of the HSMs. Names are kept in lower case."""

    id: int
    name: str
    type: str  # PCO, CO, CU, AU: as key_mgmt_util calls them
    password: str = ""  # salted hash
    failures: int = 0
    locked: bool = False
    quorum_key: str = ""  # PEM
    coverage: str = "full"
    mfa: bool = False  # whether CloudHSM CLI wants a signed token at the login


@dataclasses.dataclass
class Node:
    """An HSM of the cluster."""

    id: int
    serial: str
    running: bool = True


@dataclasses.dataclass
class Key:
    """One half of a pair, or another key."""

    handle: int
    key_class: str  # public-key, private-key
    key_type: str  # rsa, ec
    label: str
    id: str  # hex
    owner: int
    material: str  # CKA_ID in the SoftHSM token, hex
    attributes: dict[str, bool]
    public: dict[str, t.Any]  # modulus, exponent, bits; or point, curve; and der: all hex
    shared: list[int] = dataclasses.field(default_factory=list)
    manage_quorum: int = 0
    use_quorum: int = 0
    session: str = ""  # process that may use a session key
    nodes: dict[str, float | None] = dataclasses.field(default_factory=dict)  # node id: since when it has the key
    outdated: dict[str, list[str]] = dataclasses.field(default_factory=dict)  # node id: what it missed while it was off

    def on_node(self, node: Node) -> bool:
        """Whether the node has the key now."""
        since = self.nodes.get(str(node.id))
        return since is not None and since <= time.time()


@dataclasses.dataclass
class State:
    """Everything about a cluster."""

    folder: Path
    settings: dict[str, t.Any] = dataclasses.field(default_factory=lambda: dict(SETTINGS))
    tools: dict[str, str] = dataclasses.field(default_factory=dict)
    users: list[User] = dataclasses.field(default_factory=list)
    nodes: list[Node] = dataclasses.field(default_factory=list)
    keys: list[Key] = dataclasses.field(default_factory=list)
    next_handle: int = 262145  # the documentation's handles are of this size
    handles: list[int] = dataclasses.field(default_factory=list)  # to be given next
    tokens: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)  # of the quorum
    faults: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    calls: list[str] = dataclasses.field(default_factory=list)  # commands that were run, without secrets

    def handle(self) -> int:
        """A handle for a new key."""
        if self.handles:
            return self.handles.pop(0)
        self.next_handle += 1
        return self.next_handle - 1

    def user(self, name: str) -> User | None:
        """The user of a name; case does not matter (AWS cloudhsm_cli-login)."""
        return next((user for user in self.users if user.name == name.lower()), None)

    def running(self) -> list[Node]:
        """The nodes that can be reached."""
        return [node for node in self.nodes if node.running]

    def save(self) -> None:
        """Writes it all, at once or not at all."""
        values = dataclasses.asdict(self)
        del values["folder"]
        temporary = self.folder / "state.json.new"
        temporary.write_text(json.dumps(values, indent=1), encoding="utf-8")
        temporary.replace(self.folder / "state.json")


def read(folder: Path) -> State:
    """The state as it was saved."""
    values = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    kinds: dict[str, t.Any] = {"users": User, "nodes": Node, "keys": Key}
    for name, kind in kinds.items():
        values[name] = [kind(**item) for item in values[name]]
    values["settings"] = {**SETTINGS, **values["settings"]}
    return State(folder=folder, **values)


@contextlib.contextmanager
def opened(folder: Path) -> t.Iterator[State]:
    """The state, for this process alone; what was changed is saved, whatever else happens."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        state = read(folder)
        _end_dead_sessions(state)
        try:
            yield state
        finally:
            state.save()
    finally:
        os.close(descriptor)


def hash_of(password: str) -> str:
    """What is kept of a password: a test may search the folder for it."""
    salt = os.urandom(8).hex()
    return f"{salt}:{hashlib.sha256((salt + password).encode()).hexdigest()}"


def fits(password: str, kept: str) -> bool:
    """Whether it is the password that was kept."""
    salt, _colon, digest = kept.partition(":")
    return hashlib.sha256((salt + password).encode()).hexdigest() == digest


def _end_dead_sessions(state: State) -> None:
    """Session keys go with the process that made them, however it ended."""
    from . import keys

    for key in [key for key in state.keys if key.session and not runs(key.session)]:
        keys.drop(state, key)
