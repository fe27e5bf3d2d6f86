# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task pays before it does anything: our source that the target compiles, and the bytes that reach it."""

from __future__ import annotations

import ast
import json
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.support.module_process import start_module
from ansible_collections.cryptoki.hsm.tests.support.module_run import module_input

# At its end, the module's process writes which files of ours it has loaded.
_REPORT = """
import atexit, json, sys
def report():
    files = [vars(module).get("__file__") for module in list(sys.modules.values())]
    print(json.dumps([name for name in files if name and "/cryptoki/hsm/plugins/" in name]), file=sys.stderr)
atexit.register(report)
"""


_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def loaded(module: str, params: t.Mapping[str, t.Any]) -> list[Path]:
    """Files of ours that a run of the module loads, in a process of its own."""
    process = start_module(module, module_input(False, params), before=_REPORT)
    stdout, stderr = process.communicate()
    if "failed" in json.loads(stdout):
        raise AssertionError(stdout.decode())
    return sorted(map(Path, json.loads(stderr.decode().splitlines()[-1])))


def bare(source: str) -> str:
    """The source as the compiler meets it: without comments, docstrings and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def compiled(files: t.Iterable[Path]) -> int:
    """Bytes of the files' source, as `bare` leaves it."""
    return sum(len(bare(file.read_text(encoding="utf-8")).encode()) for file in files)
