# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The return codes of key_mgmt_util that its documentation tells, with what each means to the user.

Sources: the pages of the commands in the AWS CloudHSM user guide (2023), 'interpreting audit logs' there for 0xa3, and
its issue 20 for 0xce. The tool has the command Error2String for the others; their number and text are told as they are.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import UNAVAILABLE, Answer, Node
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

INVALID_HANDLE = 0xA8
ACCESS_DENIED = 0xC6


class Meaning(t.NamedTuple):
    """`text`: what the tool says, should it say nothing; `hint`: what to do."""

    text: str
    hint: str


_MEANINGS = {
    0x1B: Meaning("ERR_BAD_PKCS_DATA", "the signature does not fit the key"),
    0xA3: Meaning(
        "RET_USER_LOGIN_FAILURE",
        "check crypto_user and the password; it was tried once and not again, because five failures lock the user",
    ),
    INVALID_HANDLE: Meaning(
        "Invalid object handle is passed to this operation", "the key was removed meanwhile, or the handle is another's"
    ),
    0xB3: Meaning(
        "This operation violates the current configured/FIPS policies",
        "it is a refusal by policy (this curve, size or exponent in FIPS mode), not an outage, also where a server is"
        " called unavailable; choose what the policy allows",
    ),
    ACCESS_DENIED: Meaning("Key Access is denied", "only the owner of a key may do this; log in as its owner"),
    0xCE: Meaning("This user doesn't exist", "see hsm_user_info for the users of the cluster"),
    0xDB: Meaning("Invalid User Type", "log in as a crypto user (CU)"),
    UNAVAILABLE: Meaning(
        "Server in cluster is unavailable", "see that the client daemon runs and reaches every HSM of the cluster"
    ),
}

_UNKNOWN = Meaning("", "")


def said(told: Answer | Node) -> str:
    """What the tool, or one HSM of the cluster, answered, for a message: the code and its text; empty for success."""
    text = told.text or _MEANINGS.get(told.code, _UNKNOWN).text
    code = f"0x{told.code:02x}" if told.code else ""
    return f"{code} ({text})" if code and text else code


def listed(nodes: t.Iterable[Node]) -> str:
    """What each HSM of the cluster answered, for a message."""
    return ", ".join(f"node {node.id}: {said(node) or 'ok'}" for node in nodes) or "no HSM answered"


def hint(answer: Answer) -> str:
    """What to do about an error; empty where nothing is known."""
    return _MEANINGS.get(answer.code, _UNKNOWN).hint


def refusal(attempt: str, answer: Answer) -> errors.TokenError:
    """What the tool refused, as the user sees it."""
    return errors.TokenError(attempt, said=said(answer), hint=hint(answer))
