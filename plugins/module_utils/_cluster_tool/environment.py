# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tool of an HSM cluster sees of this process's environment."""

from __future__ import annotations

import os

# Variables with our own secrets, which are nothing to the tool, or with a login of an interactive user of the tool,
# which would stand in for the one that the task gives.
_HIDDEN = ("HSM_", "PKCS11_", "ANSIBLE_", "CLOUDHSM_ROLE", "CLOUDHSM_PIN", "DESTINATION_CLOUDHSM_")


def tool_environment(**given: str) -> dict[str, str]:
    """This process's environment without what is hidden from a tool, and with what it is given."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_HIDDEN)} | given
