# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes, changes and shows a simulated cluster, for tests that are playbooks: JSON in, JSON out.

Input, all but C(folder) optional: C(nodes), C(settings), C(users) (name: password), C(install) (path of an executable:
cloudhsm_cli or key_mgmt_util), C(variables) (of the installed ones), C(stop) and C(start) (nodes), C(faults) (a list in
place of those that there are), C(handles) (of the next keys). The cluster is made if the folder has none.

Output: C(keys) with label, class, handle, owner, nodes…, C(users), C(calls) since the last time.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import typing as t
from pathlib import Path

# the folder that holds ansible_collections: of the checkout, or where tests/ was copied to on another machine
sys.path.insert(0, str(Path(__file__).absolute().parents[5]))

from ansible_collections.cryptoki.hsm.tests.support.cluster_tools import Cluster


def work(wish: dict[str, t.Any]) -> dict[str, t.Any]:
    """Does what is asked for; returns what the cluster holds."""
    cluster = Cluster(Path(wish["folder"]), wish.get("nodes", 2))
    cluster.set(**wish.get("settings", {}))
    known = {user.name for user in cluster.state().users}
    for name, password in wish.get("users", {}).items():
        if name.lower() not in known:
            cluster.add_user(name, password)
    for path, simulator in wish.get("install", {}).items():
        cluster.install(simulator, Path(path), **wish.get("variables", {}))
    for number in wish.get("stop", []):
        cluster.stop_node(number)
    for number in wish.get("start", []):
        cluster.start_node(number)
    if "faults" in wish:
        cluster.clear_faults()
        for fault in wish["faults"]:
            cluster.set_fault(**fault)
    cluster.next_handles(*wish.get("handles", []))
    calls = cluster.calls()
    cluster.forget_calls()
    users = [{"name": user.name, "id": user.id, "locked": user.locked} for user in cluster.state().users]
    return {"keys": [dataclasses.asdict(key) for key in cluster.held()], "users": users, "calls": calls}


if __name__ == "__main__":
    print(json.dumps(work(json.load(sys.stdin))))
