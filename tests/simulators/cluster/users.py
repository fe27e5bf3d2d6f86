# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users: logins, and the lock after wrong ones."""

from __future__ import annotations

from .errors import Refused
from .state import State, User, fits

# AWS listUsers of both tools: PCO and CO are admins, AU is the appliance's own user.
ROLES = {"PCO": "admin", "CO": "admin", "CU": "crypto-user", "AU": "internal(APPLIANCE_USER)"}


def log_in(state: State, name: str, password: str, role: str) -> User:
    """The user, or a refusal.

    Five wrong passwords lock the account until an admin sets a new one (AWS cloudhsm_cli-login, loginHSM). On real
    clusters each HSM counts for itself; here the cluster counts as one, as AWS recommends to test it.
    """
    if not state.running():
        raise Refused("disconnected")
    user = state.user(name)
    if user is None:
        raise Refused("no_user")
    if user.locked:
        raise Refused("locked")
    if ROLES[user.type] != role:
        raise Refused("user_type")
    if not fits(password, user.password):
        user.failures += 1
        user.locked = user.failures >= state.settings["lock_after"]
        raise Refused("password")
    user.failures = 0
    return user
