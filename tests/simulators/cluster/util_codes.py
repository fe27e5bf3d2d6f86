# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Return codes of key_mgmt_util and their texts. Where no source is named, code and text are assumed."""

from __future__ import annotations

SUCCESS = 0x00
POLICY = 0xB3
UNKNOWN_HANDLE = 0xA8
DENIED = 0xC6
UNAVAILABLE = 0x30000085
INCOMPLETE = 0x30000086
BAD_SIGNATURE = 0x1B

TEXTS = {
    SUCCESS: "HSM Return: SUCCESS",
    # key_mgmt_util-verify
    BAD_SIGNATURE: "CSP Error: ERR_BAD_PKCS_DATA",
    # 157 in interpreting-audit-logs
    0x9D: "HSM Error: user isn't initialized or user with this name doesn't exist",
    # 163 in interpreting-audit-logs
    0xA3: "HSM Error: RET_USER_LOGIN_FAILURE",
    # key_mgmt_util-deleteKey
    UNKNOWN_HANDLE: "HSM Error: Invalid object handle is passed to this operation",
    # genECCKeyPair
    POLICY: "HSM Error: This operation violates the current configured/FIPS policies",
    # key_mgmt_util-Error2String
    DENIED: "HSM Error: Key Access is denied",
    # github.com/awsdocs/aws-cloudhsm-user-guide/issues/20
    0xCE: "HSM Error: This user doesn't exist",
    # key_mgmt_util-Error2String
    0xDB: "HSM Error: Invalid User Type.",
    # genECCKeyPair
    UNAVAILABLE: "HSM CLUSTER ERROR: Server in cluster is unavailable",
    # RET_CLUSTER_OPERATION_INCOMPLETE of the source; number and text are assumed
    INCOMPLETE: "HSM CLUSTER ERROR: Operation is not complete on all servers",
    # the text is in quorum-authentication-crypto-officers; the number, and that keys answer so too, are assumed
    0xD1: "HSM Error: RET_MXN_AUTH_FAILED",
    # all below: assumed
    0x94: "HSM Error: This operation needs a login",
    0xB4: "HSM Error: Attribute does not exist",
    0xB5: "HSM Error: An object with this ID exists",
    0xB6: "HSM Error: Invalid quorum value",
    0xB7: "HSM Error: Key cannot be shared with this user",
    0xB8: "HSM Error: Key cannot be used for this operation",
    0xB9: "HSM Error: Label is too long",
    0xBA: "HSM Error: No more keys can be stored",
}

# What the cluster refuses, as a code
REFUSALS = {
    "no_user": 0x9D,
    "password": 0xA3,
    "locked": 0xA3,  # assumed to be told like a wrong password
    "user_type": 0xDB,
    "disconnected": UNAVAILABLE,
    "not_logged_in": 0x94,
    "policy": POLICY,
    "limited_write": POLICY,
    "unknown_handle": UNKNOWN_HANDLE,
    "not_owner": DENIED,
    "no_attribute": 0xB4,
    "unknown_user": 0xCE,
    "id": 0xB5,
    "quorum_value": 0xB6,
    "quorum": 0xD1,
    "share": 0xB7,
    "usage": 0xB8,
    "label": 0xB9,
    "full": 0xBA,
}


def text_of(code: int) -> str:
    """The text of a code, as Error2String gives it."""
    return TEXTS.get(code, "HSM Error: Unknown error")
