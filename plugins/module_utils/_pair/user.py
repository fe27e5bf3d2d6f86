# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A user of an HSM, where an HSM has several."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class User:
    """A user of an HSM cluster, as key_mgmt_util's listUsers has it; None is what the cluster's tool does not tell."""

    id: int | None
    name: str
    type: str
    two_factor: bool | None
    login_failures: int | None
    quorum_key: bool | None
    locked: bool | None = None
