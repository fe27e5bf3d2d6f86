# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task pays before it does anything: our source that the target compiles, and the bytes that reach it."""

from __future__ import annotations

import ast
import json
import typing as t
import zlib
from pathlib import Path

from ansible_collections.cryptoki.hsm.tests.support.module_process import start_module
from ansible_collections.cryptoki.hsm.tests.support.module_run import module_input

# At its end, the module's process writes which files of ours it has loaded, and the first lines of the functions
# that it has entered in each.
_REPORT = """
import atexit, json, sys
entered = set()
def profile(frame, event, _argument):
    if event == "call":
        entered.add((frame.f_code.co_filename, frame.f_code.co_firstlineno))
def report():
    sys.setprofile(None)
    files = [vars(module).get("__file__") for module in list(sys.modules.values())]
    ours = [name for name in files if name and "/cryptoki/hsm/plugins/" in name]
    print(json.dumps({name: [line for file, line in entered if file == name] for name in ours}), file=sys.stderr)
atexit.register(report)
sys.setprofile(profile)
"""


_PLUGINS = Path(__file__).parents[2] / "plugins"
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def loaded(module: str, params: t.Mapping[str, t.Any]) -> list[Path]:
    """Files of ours that a run of the module loads, in a process of its own."""
    return sorted(entered(module, params))


def entered(module: str, params: t.Mapping[str, t.Any]) -> dict[Path, set[int]]:
    """The files of `loaded`, each with the first lines of the functions that the run entered."""
    process = start_module(module, module_input(False, params), before=_REPORT)
    stdout, stderr = process.communicate()
    if "failed" in json.loads(stdout):
        raise AssertionError(stdout.decode())
    told = json.loads(stderr.decode().splitlines()[-1])
    return {Path(name): set(lines) for name, lines in told.items()}


def bare(source: str) -> str:
    """The source as the compiler meets it: without comments, docstrings and layout."""
    return ast.unparse(_undocumented(ast.parse(source)))


def _undocumented(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


class _Entered(ast.NodeTransformer):
    """Leaves the functions empty that were not entered; their names may stand in tables."""

    def __init__(self, lines: t.Container[int]) -> None:
        self._lines = lines

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        if first in self._lines:
            return self.generic_visit(node)
        node.body = [ast.Pass()]
        return node


def compiled(files: t.Iterable[Path]) -> int:
    """Bytes of the files' source, as `bare` leaves it."""
    return sum(len(bare(file.read_text(encoding="utf-8")).encode()) for file in files)


def run(files: t.Mapping[Path, t.Container[int]]) -> dict[Path, str]:
    """The files' source as `bare` leaves it, with only the functions in it that ran: less does not do the same."""
    return {
        file: ast.unparse(_Entered(lines).visit(_undocumented(ast.parse(file.read_text(encoding="utf-8")))))
        for file, lines in files.items()
    }


def write_run(files: t.Mapping[Path, t.Container[int]], top: Path) -> None:
    """Makes a collection that has nothing but what `run` says, to see what all the rest costs."""
    for file, source in run(files).items():
        copy = top / "ansible_collections/cryptoki/hsm/plugins" / file.relative_to(_PLUGINS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if file.name == "archive.py":  # which does its work in an archive only
            source = bare(file.read_text(encoding="utf-8"))
        copy.write_text(source, encoding="utf-8")


def shipped(module: str) -> set[Path]:
    """Files of ours that Ansible sends with the module: what its imports name, and so on."""
    found: set[Path] = set()
    left = [_PLUGINS / "modules" / f"{module}.py"]
    while left:
        file = left.pop()
        if file not in found:
            found.add(file)
            left.extend(named for named, is_file in _named(file) if is_file)
    return found


def looked_for(files: t.Iterable[Path]) -> int:
    """How often Ansible looks on disk, in vain, for a file of ours that has the name of what is imported from one."""
    return sum(not is_file for file in files for dummy, is_file in _named(file))


def packed(files: t.Iterable[Path]) -> int:
    """Bytes that files take of what is sent: they are compressed, and written in base64."""
    return sum(len(zlib.compress(file.read_bytes())) for file in files) * 4 // 3


def _named(file: Path) -> set[tuple[Path, bool]]:
    """What may be a file by the imports of another, those in functions too, each with whether it is one."""
    named: set[tuple[Path, bool]] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and ".module_utils." in node.module:
            room = _PLUGINS.joinpath("module_utils", *node.module.split(".module_utils.")[1].split("."))
            if room.with_suffix(".py").is_file():
                named.add((room.with_suffix(".py"), True))
            named |= {(place, place.is_file()) for alias in node.names for place in [room / f"{alias.name}.py"]}
    return named
