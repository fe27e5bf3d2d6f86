# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hsm_token is for PKCS#11 alone: it refuses the tools of clusters, and does not bring them to the target."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider
from ansible_collections.cryptoki.hsm.plugins.modules.hsm_token import OPTIONS, kind_of
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal

PLUGINS = Path(__file__).parents[4] / "plugins"
PACKAGE = "ansible_collections.cryptoki.hsm.plugins."


def brought(module: str) -> set[str]:
    """The rooms that a module brings, as Ansible finds them: by every import in its source, wherever it stands."""
    todo, seen = {f"modules.{module}"}, set()
    while todo:
        name = todo.pop()
        file = PLUGINS / f"{name.replace('.', '/')}.py"
        if name in seen or not file.is_file():
            continue
        seen.add(name)
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
                below = (node.module or "").removeprefix(PACKAGE)
                todo |= {below, *(f"{below}.{alias.name}" for alias in node.names)}
    return {name.split(".")[1] for name in seen if name.startswith("module_utils.")}


@pytest.mark.parametrize("name", [name for name in OPTIONS.spec["provider"]["choices"] if name != "pkcs11"])
def test_the_tools_of_clusters_are_refused(name: str) -> None:
    assert kind_of({"provider": "pkcs11"}) is Pkcs11Provider
    assert refusal(lambda: kind_of({"provider": name})) == (
        f"provider '{name}' is refused: the tools of clusters make no tokens and have no slots; use the provider"
        " pkcs11."
    )


def test_they_are_not_brought_to_the_target() -> None:
    tools = {"_cloudhsm_cli", "_key_mgmt_util"}
    assert "_pkcs11" in brought("hsm_token") and not tools & brought("hsm_token")
    assert tools < brought("hsm_token_info"), "this one describes clusters as well"
