# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys: making, finding and dropping them, who may use them, and where they are."""

from __future__ import annotations

import dataclasses
import os
import time
import typing as t

from . import material
from .curves import Curve
from .errors import Refused
from .state import Key, State, User


@dataclasses.dataclass(frozen=True)
class Pair:
    """What is asked for: labels, id (hex) and attributes of both halves, RSA's numbers or a curve, who shares it."""

    public_label: str
    private_label: str
    public_id: str = ""
    private_id: str = ""
    bits: int = 0
    exponent: int = 0
    curve: Curve | None = None
    public_attributes: dict[str, bool] = dataclasses.field(default_factory=dict)
    private_attributes: dict[str, bool] = dataclasses.field(default_factory=dict)
    session: bool = False
    shared: tuple[int, ...] = ()
    manage_quorum: int = 0
    use_quorum: int = 0


def generate(state: State, owner: User, pair: Pair, private_first: bool = False) -> tuple[Key, Key]:
    """A new pair on the first node, on its way to the others."""
    check_policy(state, pair)
    if state.settings["limited_write"]:
        raise Refused("limited_write")  # AWS hsm1-to-hsm2-migration
    if len(state.keys) + 2 > state.settings["most_keys"]:
        raise Refused("full")
    if pair.curve:
        made, public = material.make_ec(state, pair.curve, pair.private_label)
    else:
        made, public = material.make_rsa(state, pair.bits, pair.exponent, pair.private_label)
    session = str(os.getpid()) if pair.session else ""
    common: dict[str, t.Any] = {
        "key_type": "ec" if pair.curve else "rsa",
        "owner": owner.id,
        "material": made,
        "public": public,
        "session": session,
    }
    handles = [state.handle(), state.handle()]
    public_handle, private_handle = reversed(handles) if private_first else handles
    public_key = Key(
        handle=public_handle,
        key_class="public-key",
        label=pair.public_label,
        id=pair.public_id,
        attributes=pair.public_attributes,
        nodes=_placed(state, session, "public-key"),
        **common,
    )
    private_key = Key(
        handle=private_handle,
        key_class="private-key",
        label=pair.private_label,
        id=pair.private_id,
        attributes=pair.private_attributes,
        nodes=_placed(state, session, "private-key"),
        shared=list(pair.shared),
        manage_quorum=pair.manage_quorum,
        use_quorum=pair.use_quorum,
        **common,
    )
    state.keys += [public_key, private_key]
    return public_key, private_key


def check_policy(state: State, pair: Pair) -> None:
    """What a FIPS policy refuses: small keys and exponents, P-192 (genRSAKeyPair, genECCKeyPair).

    Sizes up to 4096 in steps of 256: AWS pkcs11-key-types.
    """
    if pair.curve and not pair.curve.fips and state.settings["fips"]:
        raise Refused("policy")
    if not pair.curve and (pair.bits not in range(2048, 4097, 256) or pair.exponent < 65537 or pair.exponent % 2 == 0):
        raise Refused("policy")


def drop(state: State, key: Key) -> None:
    """Takes a key away from all nodes."""
    material.destroy(state, key.material, key.key_class)
    state.keys.remove(key)


def visible(state: State, user: User) -> list[Key]:
    """Keys that the user owns or shares, and all public ones (AWS cloudhsm_cli-key-list, findKey).

    Only what some running node has, and session keys only to the process that made them.
    """
    return [
        key
        for key in state.keys
        if (key.key_class == "public-key" or user.id == key.owner or user.id in key.shared)
        and key.session in ("", str(os.getpid()))
        and any(key.on_node(node) for node in state.running())
    ]


def coverage(state: State, key: Key) -> str:
    """'full' if every HSM that is in the cluster now has the key: one HSM is enough for that.

    Session keys are on one HSM by design (AWS concepts-key-sync), which is full for their users
    (cloudhsm_cli-key-generate-asymmetric-pair-ec; `cluster_coverage` for the whole cluster).
    """
    if key.session or all(key.on_node(node) for node in state.running()):
        return "full"
    return "inconsistent"


def cluster_coverage(state: State, key: Key) -> str:
    """As `coverage`; 'session' of a session key (AWS cloudhsm_cli-key-generate-asymmetric-pair-ec)."""
    return "session" if key.session else coverage(state, key)


def changed(state: State, key: Key, name: str) -> None:
    """Notes that an attribute or a share was set: HSMs that are off do not get it, and do not catch up by themselves.

    Source: AWS troubleshoot-sdk5-key-replicate-failures, which repairs it by setting it again; shareKey's warning.
    """
    for node in state.nodes:
        names = [other for other in key.outdated.get(str(node.id), []) if other != name]
        key.outdated[str(node.id)] = names if node.running else [*names, name]


def inconsistent(state: State, key: Key) -> set[str]:
    """What some running node has missed."""
    return {name for node in state.running() for name in key.outdated.get(str(node.id), [])}


def nodes_with(state: State, key: Key) -> int:
    """On how many running nodes the key is."""
    return sum(key.on_node(node) for node in state.running())


def synchronise(state: State, node_id: int) -> None:
    """A node that has come back gets what it lacks, after the usual delay."""
    for key in state.keys:
        if not key.session and key.nodes.get(str(node_id)) is None:
            key.nodes[str(node_id)] = time.time() + state.settings["sync_delay"]


def _placed(state: State, session: str, key_class: str) -> dict[str, float | None]:
    """Since when each node has a key that is made now; stopped ones do not."""
    placed: dict[str, float | None] = {}
    for index, node in enumerate(state.running()):
        lags = index and (session or state.settings["sync_fails"] in (True, key_class))
        placed[str(node.id)] = None if lags else time.time() + index * state.settings["sync_delay"]
    return placed
