# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tool that tells the password back, in every way in which its output gets into a message."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.tool import Tool
from ansible_collections.cryptoki.hsm.plugins.module_utils._cluster_tool.login import ToolLogin
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import Secret
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError

PASSWORDS = [
    "sesame",
    "sesame  open  sesame",
    "sesame\\back\\sesame",
    "sesame'\"quo\"te'sesame",
    "sesame\u00d6\u2603sesame",
    "sesame\topen\tsesame",
    "sesame" * 8,
]
# What the tool writes, where to, and with which status it ends.
WAYS: dict[str, tuple[t.Callable[[str], str], str]] = {
    "text on its standard error": (str, ">&2; exit 2"),
    "a representation on its standard error": (repr, ">&2; exit 2"),
    "JSON on its standard error": (json.dumps, ">&2; exit 2"),
    "no JSON": (str, ""),
    "no answer": (lambda text: json.dumps({"data": text}), ""),
    "no object": (lambda text: json.dumps([text], ensure_ascii=False), ""),
    "an error code alone": (lambda text: json.dumps({"error_code": 3, "data": [text]}), ""),
    "a refusal": (lambda text: json.dumps({"error_code": 1, "data": text}), ""),
    "a refusal with JSON in it": (lambda text: json.dumps({"error_code": 1, "data": json.dumps(text)}), ""),
}


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("way", WAYS)
def test_no_part_of_the_password_is_told(way: str, password: str, tmp_path: t.Any) -> None:
    written, end = WAYS[way]
    # The message ends within the second of them.
    output, tool = tmp_path / "output", tmp_path / "cli"
    output.write_text(written(f"ann:{password} {'x' * 130} {password} {password}"), encoding="utf-8")
    tool.write_text(f"#!/bin/sh\ncat '{output}' {end}\n", encoding="utf-8")
    tool.chmod(0o755)
    with pytest.raises(HsmError) as caught:
        Tool(ToolLogin(str(tool), None, "ann", Secret(password), {})).command("list keys", ["key", "list"])
    told = caught.value.msg + repr(caught.value.data)
    assert "sesa" not in told and "open" not in told
    assert "****" in told and "xxxx" in told
