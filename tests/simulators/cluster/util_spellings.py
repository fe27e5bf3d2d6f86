# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How builds of key_mgmt_util write their outputs.

- aws: AWS's guide of 2023 (github.com/awsdocs/aws-cloudhsm-user-guide, doc_source/key_mgmt_util-*.md) and
  genECCKeyPair.
- aws_status: genRSAKeyPair, where status block and attributes are written in the newer way.
- azure: Azure Cloud HSM's transcript of azcloudhsm_util (learn.microsoft.com, Azure Cloud HSM certificate storage), and
  for what it does not show Cavium's own source of the tool (Cfm3Util, 2017, BSD licence; public on GitHub as part of
  performance scripts). Called "source" in the comments of these files.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .state import Node, State

VARIABLE = "CLUSTER_SIMULATOR_SPELLING"
ORDER_VARIABLE = "CLUSTER_SIMULATOR_NODE_ORDER"  # ascending or descending: samples show both


@dataclasses.dataclass(frozen=True)
class Spelling:
    """One build's way. Texts are templates."""

    name: str
    status: str  # head of the status block
    login_status: str
    node: str
    error: str  # code and text of a failure
    total: str  # findKey
    matched: str
    handles: str
    dumped_all: str  # getAttribute
    dumped: str
    extended: bool  # dumps have 26 attributes (RSA) and not 20
    owner: str  # getKeyInfo
    shared: str
    signed: str
    users: str  # listUsers
    find_single: str = "Cfm3FindKey"
    unknown_handle: str = "Cfm3FindKey"  # what deleteKey names then
    masked: bool = False  # a hidden password is echoed as stars


_AWS = Spelling(
    name="aws",
    status="Cluster Error Status",
    login_status="Cluster Error Status",
    node="Node id {} and err state 0x{:08x} : {}",
    error="0x{:02x} : {}",
    total="Total number of keys present {}",
    matched="\n number of keys matched from start index 0::{}",
    handles="{}",
    dumped_all="got all attributes of size {} attr cnt {}\nAttributes dumped into {}",
    dumped="Attributes dumped into {} file",
    extended=False,
    owner="Owned by user {}",
    shared="also, shared to following {} user(s):",
    signed="\tCfm3Sign returned: {}\n\n\tsignature is written to file {}",
    users="\tNumber Of Users found {}",
)
SPELLINGS = {
    "aws": _AWS,
    "aws_status": dataclasses.replace(
        _AWS,
        name="aws_status",
        status="Cluster Status:",
        login_status="Cluster Status",  # key_mgmt_util-loginHSM
        node="Node id {} status: 0x{:08x} : {}",
        dumped_all="Attribute size: {}, count: {}\nWritten to: {} file",
        dumped="Written to: {} file",
        extended=True,
    ),
    "azure": dataclasses.replace(
        _AWS,
        name="azure",
        status="Cluster Status:",
        login_status="Cluster Status:",
        node="Node id {} status: 0x{:08x} : {}",
        error="0x{:02x} \n\n\t{}",
        total="\tTotal number of keys present: {}",
        matched="\n\tNumber of matching keys from start index 0::{}\n\n\tHandles of matching keys:",
        handles="\t{}",
        dumped_all="\nAttribute size: {}, count: {}\nWritten to: {} file",
        dumped="Written to: {} file",
        extended=True,
        owner="Owned by user: {}",
        shared="Shared with following {} user(s):",
        signed=(
            "\tSignature creation successful\n\n\tsignature is written to file {1}\n\n\tCfm3Sign: sign returned: {0}"
        ),
        users="\tNumber Of Users Found: {}",
        find_single="Cfm3FindSingleKey",
        unknown_handle="Cfm3DeleteKey",
        masked=True,
    ),
}


def chosen(environment: t.Mapping[str, str]) -> Spelling:
    """The spelling that the launcher asks for."""
    return SPELLINGS[environment.get(VARIABLE, "aws")]


def ordered(state: State, environment: t.Mapping[str, str]) -> list[Node]:
    """The nodes in the order of the status lines."""
    nodes = sorted(state.nodes, key=lambda node: node.id)
    return nodes[::-1] if environment.get(ORDER_VARIABLE) == "descending" else nodes
