# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules that are run on a simulated cluster, through key_mgmt_util."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.support.cluster import Cluster
from ansible_collections.cryptoki.hsm.tests.support.cluster_runs import ClusterRuns

BOB, BOBS_PASSWORD = "bob", "62-bob-8840"


class Kmu(ClusterRuns):
    """A cluster of two HSMs with key_mgmt_util in one of its spellings, and a second user."""

    def __init__(self, folder: Path, spelling: str = "aws", nodes: int = 2, **variables: str) -> None:
        self.spelling = spelling
        cluster = Cluster(folder, nodes=nodes)
        cluster.add_user(BOB, BOBS_PASSWORD)
        name = "azcloudhsm_util" if spelling == "azure" else "key_mgmt_util"
        executable = cluster.install_key_mgmt_util(
            folder / "bin", name=name, spelling=spelling, CLUSTER_SIMULATOR_STRICT_ORDER="1", **variables
        )
        super().__init__(cluster, "key_mgmt_util", executable)

    def wrote(self) -> list[str]:
        """The commands that change the cluster."""
        return [call for call in self.cluster.calls() if any(word in call for word in ("gen", "delete", "share"))]
