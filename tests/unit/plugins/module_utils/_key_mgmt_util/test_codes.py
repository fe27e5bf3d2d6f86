# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of the codes that key_mgmt_util answers."""

from __future__ import annotations

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import codes
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import Node, parse_answer
from ansible_collections.cryptoki.hsm.tests.support import key_mgmt_util_samples as samples


@pytest.mark.parametrize(
    ("command", "text", "told"),
    [
        (
            "genECCKeyPair",
            samples.CURVE_REFUSED,
            "0xb3 (This operation violates the current configured/FIPS policies)",
        ),
        ("loginHSM", samples.LOGIN_REFUSED, "0xa3 (RET_USER_LOGIN_FAILURE)"),
        ("deleteKey", samples.DELETED_UNKNOWN, "0xa8 (Invalid object handle is passed to this operation)"),
        ("deleteKey", samples.DELETED_DENIED, "0xc6 (Key Access is denied)"),
        ("sign", "Cfm3Sign returned: 0x1b\n\nCSP Error: ERR_BAD_PKCS_DATA\n", "0x1b (ERR_BAD_PKCS_DATA)"),
        ("sign", "Cfm3Sign returned: 0xce\n", "0xce (This user doesn't exist)"),
        ("sign", "Cfm3Sign returned: 0x77\n", "0x77"),
        ("sign", "Cfm3Sign returned: 0x77 : HSM Error: Out of luck\n", "0x77 (Out of luck)"),
        # single-command mode: the login failed, and nothing else was tried
        ("findKey", samples.LOGIN_REFUSED, "0xa3 (RET_USER_LOGIN_FAILURE)"),
    ],
)
def test_an_answer_of_failure(command: str, text: str, told: str) -> None:
    answer = parse_answer(command, text)
    assert answer.code != 0
    assert codes.said(answer) == told


def test_a_refusal_by_policy_is_not_called_an_outage() -> None:
    answer = parse_answer("genECCKeyPair", samples.CURVE_REFUSED)
    assert answer.nodes == (Node(0, 0x30000085, "Server in cluster is unavailable"),)
    assert "a refusal by policy" in codes.hint(answer)
    assert "not an outage" in codes.hint(answer)
    assert codes.said(answer.nodes[0]) == "0x30000085 (Server in cluster is unavailable)"


def test_hints_for_known_codes_only() -> None:
    assert codes.hint(parse_answer("sign", "Cfm3Sign returned: 0x77\n")) == ""
    assert "tried once" in codes.hint(parse_answer("loginHSM", samples.LOGIN_REFUSED))


def test_what_each_hsm_answered() -> None:
    assert codes.listed([]) == "no HSM answered"
    told = codes.listed([Node(0, 0, ""), Node(1, 0x30000085, "Server in cluster is unavailable")])
    assert told == "node 0: ok, node 1: 0x30000085 (Server in cluster is unavailable)"
