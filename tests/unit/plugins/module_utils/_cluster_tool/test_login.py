# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a cluster's tool is reached: executable, cluster, user and password."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._cluster_tool.login import ToolLogin, tool_login_from
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.task_options import params


def login(**given: t.Any) -> ToolLogin:
    return tool_login_from(params("ecc", **given), "/opt/tool", ("serial",))


def test_the_least() -> None:
    least = login()
    assert least == ToolLogin("/opt/tool", cluster=None, crypto_user=None, pin=None, expect={})
    assert least.harmless() == [] and least.secrets() == []


def test_all_that_can_be_said() -> None:
    pins = {"serial": "01"}
    one = login(executable="/usr/tool", token_label="cluster-1", crypto_user="Ann", pin="sesame", expect_token=pins)
    assert (one.executable, one.cluster, one.crypto_user, one.expect) == ("/usr/tool", "cluster-1", "ann", pins)
    assert one.credentials() == ("ann", "sesame") and one.harmless() == ["ann"]
    assert one.secrets() == ["sesame", "ann:sesame"]
    assert login(pin="sesame").secrets() == ["sesame"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"executable": "tool"}, "executable 'tool' is refused: give an absolute path."),
        ({"token_label": ""}, "token_label is refused: it is empty."),
        ({"crypto_user": ""}, "crypto_user is refused: it is empty."),
        (
            {"expect_token": {"model": "x"}},
            "expect_token.model is refused: this provider does not tell it; choose from serial.",
        ),
    ],
)
def test_what_is_refused(given: dict[str, t.Any], message: str) -> None:
    assert refusal(lambda: login(**given)) == message


def test_a_user_and_a_password_may_be_needed() -> None:
    message = "crypto_user is refused: it is missing; give the crypto user who owns the keys."
    assert refusal(login(pin="sesame").credentials) == message
    message = "pin is refused: it is missing; give pin or pin_file, or set HSM_PIN_FILE."
    assert refusal(login(crypto_user="ann").credentials) == message
