# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a tool's process sees of our environment: the same for both tools, and none of our secrets."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.tool import Tool
from ansible_collections.cryptoki.hsm.plugins.module_utils._cluster_tool.environment import tool_environment
from ansible_collections.cryptoki.hsm.plugins.module_utils._cluster_tool.login import ToolLogin
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.dialogue import Dialogue
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import Secret

HIDDEN = (
    *("HSM_PIN", "HSM_PIN_FILE", "HSM_CRYPTO_USER", "PKCS11_MODULE", "PKCS11_PIN", "ANSIBLE_VAULT_PASSWORD_FILE"),
    *("CLOUDHSM_ROLE", "CLOUDHSM_PIN", "DESTINATION_CLOUDHSM_ROLE", "DESTINATION_CLOUDHSM_PIN"),
)
HARMLESS = ("LC_MESSAGES", "CLOUDHSM_CLUSTER", "MY_HSM_PIN")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> t.Callable[[str], dict[str, str]]:
    """Runs a tool that says its part, and tells the environment that it saw."""
    for name in (*HIDDEN, *HARMLESS):
        monkeypatch.setenv(name, f"value of {name}")

    def run(tool: str) -> dict[str, str]:
        path = tmp_path / tool
        path.write_text("#!/bin/sh\nenv > \"$0.seen\"\necho 'cloudhsm-cli 5.17.0'\nprintf '\\nCommand: '\nread line\n")
        path.chmod(0o755)
        if tool == "cloudhsm_cli":
            assert Tool(ToolLogin(str(path), None, None, None, {})).version == (5, 17, 0)
        else:
            Dialogue(str(path)).close()
        return dict(line.split("=", 1) for line in Path(f"{path}.seen").read_text().splitlines() if "=" in line)

    return run


@pytest.mark.parametrize("tool", ["cloudhsm_cli", "key_mgmt_util"])
def test_secrets_of_ours_are_hidden_and_nothing_else(tool: str, seen: t.Callable[[str], dict[str, str]]) -> None:
    environment = seen(tool)
    assert not [name for name in HIDDEN if name in environment]
    assert {name: environment.get(name) for name in HARMLESS} == {name: f"value of {name}" for name in HARMLESS}


def test_what_a_tool_is_given_stands_in_for_what_was_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDHSM_PIN", "of somebody:else")
    monkeypatch.setenv("PATH", "/usr/bin")
    given = tool_environment(CLOUDHSM_PIN="alice:secret", TERM="dumb")
    assert (given["CLOUDHSM_PIN"], given["TERM"], given["PATH"]) == ("alice:secret", "dumb", "/usr/bin")


def test_only_a_command_with_a_login_gets_the_password(tmp_path: Path) -> None:
    path = tmp_path / "tool"
    path.write_text('#!/bin/sh\nenv > "$0.$1"\necho \'{"error_code": 0, "data": {"users": []}}\'\n')
    path.chmod(0o755)
    tool = Tool(ToolLogin(str(path), None, "alice", Secret("12-alice-3456"), {}))
    assert tool.users() == []
    tool.command("look", ["key"])
    assert "alice" not in Path(f"{path}.user").read_text()
    assert "CLOUDHSM_PIN=alice:12-alice-3456\n" in Path(f"{path}.key").read_text()
