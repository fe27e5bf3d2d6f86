#!/usr/bin/env python
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make random small changes in `plugins/module_utils`, one at a time, and tell which of them no test notices.

    mutants.py COLLECTION [--seed N] [--number N] [--rooms ROOM ...] [--faults] [--workers N]

COLLECTION is a folder `…/ansible_collections/cryptoki/hsm`, which is copied and not changed. A change turns a
comparison, puts `and` for `or`, flips a boolean or negates a condition. Unit tests that run the changed line come
first, those of its own room before others; then, with `--faults`, the fault tests of the room. The same seed makes
the same changes. Changes that change nothing stand in `mutants_equivalent.yml` and are not counted.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import ctypes
import faulthandler
import importlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import yaml

EQUIVALENT = Path(__file__).with_name("mutants_equivalent.yml")
# Unit tests of documentation and scripts run no line of a function, and some want a work tree of git.
CODE, UNITS = "plugins/module_utils", "unit/plugins"
# What compares the options, which are read at import, with what is written of them.
DOCUMENTED = "unit/docs/test_documented_options.py"
# What the controller loads ends with warnings elsewhere than modules do, so these tests run in processes of their own.
CONTROLLER = ("action", "callback")
# Rooms that run in other processes, where nobody sees which lines a test runs: all tests of the room run.
UNSEEN = {"_host", "_pkcs11", "_replicas"}
# What stops the work of a room half way, or answers it wrongly.
FAULTS = {
    "_cloudhsm_cli": ["faults/providers/test_cloudhsm_cli.py", "faults/providers/test_all_three.py"],
    "_host": ["faults/login", "faults/race", "faults/keypairs", "faults/token/test_storage.py"],
    "_key_mgmt_util": ["faults/providers"],
    "_pkcs11": ["faults/writing", "faults/reading", "faults/login", "faults/token", "faults/kill", "faults/race"],
    "_reconcile": ["faults/writing", "faults/reading", "faults/keypairs", "faults/kill"],
    "_replicas": ["faults/replicas"],
    "_tasks": ["faults/writing", "faults/reading", "faults/token", "faults/keypairs", "faults/login"],
}
# A change that makes a program wait forever is noticed, too: after so many seconds of one test (unit, fault).
ONE_TEST = 20, 120
# Of all tests of a change; the nearest come first, and what none of them noticed until then is not noticed.
ALL_TESTS = 60, 600
PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
PASSED = 77  # an exit status that nothing else has: a changed program may end the tests with 0
# Imported before tests run in children, which so need not do it again.
NOT_OURS = ("pytest", "hypothesis", "cryptography.x509", "pkcs11", "ansible.module_utils.basic", "yaml", "pexpect")
TURNED = {
    **{ast.Eq: ast.NotEq, ast.Lt: ast.GtE, ast.Gt: ast.LtE, ast.In: ast.NotIn, ast.Is: ast.IsNot},
    **{ast.NotEq: ast.Eq, ast.GtE: ast.Lt, ast.LtE: ast.Gt, ast.NotIn: ast.In, ast.IsNot: ast.Is},
}


class Place(NamedTuple):
    """Where a syntax tree can change: a node, what holds it, and what comes in its stead."""

    holder: ast.AST
    field: str
    at: int | None  # in the field, where that is a list
    node: ast.expr
    successor: ast.expr
    function: str  # "" outside of functions
    first: int | None  # line of the statement; None for what runs once, be it at import or for a cache

    def put(self, node: ast.expr) -> None:
        if self.at is None:
            setattr(self.holder, self.field, node)
        else:
            getattr(self.holder, self.field)[self.at] = node


class Mutant(NamedTuple):
    """One small change: where it is, and what it makes of what."""

    file: str  # below `plugins/module_utils`
    number: int  # of the change in the file
    function: str
    change: str
    first: int | None
    line: int
    last: int

    @property
    def room(self) -> str:
        return self.file.split("/")[0]


def successor(node: ast.AST, holder: ast.AST) -> ast.expr | None:
    """What comes in a node's stead, or None for a node that stays."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return ast.Compare(node.left, [TURNED[type(node.ops[0])]()], node.comparators)
    if isinstance(node, ast.BoolOp):
        return ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return ast.Constant(not node.value)
    conditions = [getattr(holder, "test", None), *getattr(holder, "ifs", ())]
    if isinstance(node, ast.expr) and any(node is condition for condition in conditions):
        return node.operand if isinstance(node, ast.UnaryOp) else ast.UnaryOp(ast.Not(), node)
    return None


def children(holder: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    """The nodes in a node, with field and place in it; not declarations, which do nothing at a run."""
    for field, value in ast.iter_fields(holder):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            types_only = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
            if isinstance(node, ast.AST) and not types_only:
                yield field, index, node


def first_line(node: ast.stmt, holder: ast.AST, function: str, first: int | None) -> int | None:
    """The line whose tests run a statement: None where it runs once for all of them, when its file is imported."""
    once = not function or isinstance(holder, ast.ClassDef)
    once |= any("cache" in ast.dump(decorator) for decorator in getattr(holder, "decorator_list", ()))
    return None if once or (first is None and not isinstance(holder, ast.FunctionDef)) else node.lineno


def places(holder: ast.AST, function: str = "", first: int | None = None) -> Iterator[Place]:
    """Where the code can change."""
    for field, index, node in children(holder):
        named = isinstance(node, (ast.FunctionDef, ast.ClassDef))
        inside = f"{function}.{node.name}".lstrip(".") if named else function  # type: ignore[attr-defined]
        start = first_line(node, holder, function, first) if isinstance(node, ast.stmt) else first
        new = successor(node, holder) if isinstance(node, ast.expr) else None
        if new and isinstance(node, ast.expr):
            yield Place(holder, field, index, node, new, inside, start)
        yield from places(node, inside, start)


def mutants_of(code: Path, file: str) -> Iterator[Mutant]:
    """All small changes of one file."""
    for number, place in enumerate(places(ast.parse((code / file).read_text(encoding="utf-8")))):
        change = f"{ast.unparse(place.node)} -> {ast.unparse(place.successor)}"
        yield Mutant(file, number, place.function, change, place.first, place.node.lineno, place.node.end_lineno or 0)


def mutated(text: str, number: int) -> str:
    """The text of a file with one change."""
    tree = ast.parse(text)
    place = list(places(tree))[number]
    place.put(place.successor)
    return ast.unparse(tree)


class Seen:
    """Which unit tests run which lines: a plugin of pytest."""

    def __init__(self, code: Path) -> None:
        import coverage

        self.coverage = coverage.Coverage(data_file=None, config_file=False, include=[f"{code}/*"])
        self.coverage.set_option("run:core", "ctrace")  # others see a line only the first time it runs

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.coverage.switch_context(nodeid.split("[")[0])


def see(collection: Path) -> dict[str, dict[int, set[str]]]:
    """Run the unit tests once; the answer is for each file and line the tests that run it."""
    import pytest

    seen = Seen(collection / CODE)
    enter(collection)
    seen.coverage.start()
    apart = [f"--ignore={UNITS}/{kind}" for kind in CONTROLLER]
    if pytest.main(["-q", *apart, UNITS], plugins=[seen]):
        sys.exit("Unit tests fail without any change.")
    seen.coverage.stop()
    data = seen.coverage.get_data()
    return {
        os.path.relpath(file, collection / CODE): {
            line: set(tests) for line, tests in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
    }


def unit_tests(mutant: Mutant, seen: dict[int, set[str]]) -> list[str]:
    """The tests that run the changed lines, those of its own file and room first."""
    room = f"unit/{CODE}/{mutant.room}"
    lines = range(mutant.first, mutant.last + 1) if mutant.first else seen
    found = set().union(*(seen.get(line, ()) for line in lines))
    whole = [room] if mutant.room in UNSEEN else []
    if not mutant.first or "" in found:  # it runs at import
        found, whole = set().union(*seen.values()) - {""}, [room, DOCUMENTED]
    own = f"/{mutant.room}/test_{Path(mutant.file).stem}"
    return [*whole, *sorted(found, key=lambda test: (own not in test, f"/{mutant.room}/" not in test, test))]


def enter(collection: Path) -> None:
    """Tests that run in this process from now on are those of this collection."""
    os.chdir(collection / "tests")
    top = str(collection.parents[2])
    sys.path.insert(0, top)
    os.environ["PYTHONPATH"] = top


class Patience:
    """A plugin of pytest: ends the process when one test takes too long, and the run when all of them do."""

    def __init__(self, one: float, together: float) -> None:
        self.one, self.end = one, time.monotonic() + together
        self.nowhere = open(os.devnull, "w")  # noqa: SIM115  # faulthandler writes to it when it ends the process
        faulthandler.dump_traceback_later(together, exit=True, file=self.nowhere)

    def pytest_runtest_logstart(self) -> None:
        if time.monotonic() > self.end:
            importlib.import_module("pytest").exit("None of the nearest tests failed.", returncode=0)
        faulthandler.dump_traceback_later(self.one, exit=True, file=self.nowhere)


def left_over() -> list[int]:
    """This worker's children: those of tests that ended become its own, whatever session they are in."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            dummy, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid():
                found.append(int(stat.parent.name))
    return found


def passes(collection: Path, tests: list[str], one: float, together: float) -> bool:
    """Whether the tests pass, in a child of which nothing is left: a program that loops would keep a processor."""
    child = os.fork()
    if not child:
        me = os.getpid()
        failed = True
        try:
            os.setsid()
            enter(collection)
            for number in range(3):
                os.dup2(os.open(os.devnull, os.O_RDWR), number)
            failed = bool(importlib.import_module("pytest").main(["-q", "-x", *tests], [Patience(one, together)]))
        finally:
            os._exit(1 if failed or os.getpid() != me else PASSED)
    end = time.monotonic() + together + 2 * one  # for what stops even the child's own clock
    ended = status = 0
    while not ended and time.monotonic() < end:
        time.sleep(0.05)
        ended, status = os.waitpid(child, os.WNOHANG)
    while pids := left_over():
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return bool(ended) and os.waitstatus_to_exitcode(status) == PASSED


def examine(task: tuple[Mutant, list[str], list[str]]) -> tuple[Mutant, str]:
    """What notices a change: unit tests, fault tests, or nothing ("")."""
    mutant, units, faults = task
    collection = Path(os.environ["MUTANTS_COPY"])
    file = collection / CODE / mutant.file
    original = file.read_text(encoding="utf-8")
    file.write_text(mutated(original, mutant.number), encoding="utf-8")
    try:
        for name, tests, *seconds in zip(
            ("unit tests", "fault tests"), (units, faults), ONE_TEST, ALL_TESTS, strict=True
        ):
            if tests and not passes(collection, tests, *seconds):
                return mutant, name
        return mutant, ""
    finally:
        file.write_text(original, encoding="utf-8")


def copy(collection: Path, top: str) -> Path:
    target = Path(tempfile.mkdtemp(dir=top)) / "ansible_collections/cryptoki/hsm"
    shutil.copytree(collection, target, ignore=shutil.ignore_patterns(".git", "build", "__pycache__"))
    return target


def begin(collection: Path, top: str) -> None:
    """A worker has a copy of its own, has imported what is not ours, and gets the children that its children leave."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.environ["MUTANTS_COPY"] = str(copy(collection, top))
    for name in NOT_OURS:
        importlib.import_module(name)


def sample(code: Path, rooms: list[str], seed: int, number: int) -> list[Mutant]:
    """As many changes as are wanted; none that is known to change nothing."""
    files = sorted(file.relative_to(code).as_posix() for file in code.glob("*/*.py"))
    everything = [mutant for file in files for mutant in mutants_of(code, file)]
    listed = yaml.safe_load(EQUIVALENT.read_text(encoding="utf-8")) or []
    nothing = {(entry["file"], entry["function"], entry["change"]) for entry in listed}
    for name in sorted(nothing - {(mutant.file, mutant.function, mutant.change) for mutant in everything}):
        print(f"{EQUIVALENT.name} lists what is not there (any more): {': '.join(name)}")
    chosen = [
        mutant
        for mutant in everything
        if mutant.room in (rooms or mutant.room) and (mutant.file, mutant.function, mutant.change) not in nothing
    ]
    return random.Random(seed).sample(chosen, min(number, len(chosen)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, default=60)
    parser.add_argument("--rooms", nargs="+", default=[], help="only changes in these rooms")
    parser.add_argument("--faults", action="store_true", help="also run fault tests, which need SoftHSM")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    given = parser.parse_args()
    collection = given.collection.resolve()
    os.environ.update(PYTHONDONTWRITEBYTECODE="1", HYPOTHESIS_PROFILE="mutants")
    sys.dont_write_bytecode = True

    mutants = sample(collection / CODE, given.rooms, given.seed, given.number)
    with tempfile.TemporaryDirectory(prefix="mutants-") as top:
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(1, fork) as pool:
            seen = pool.submit(see, copy(collection, top)).result()
        tasks = [
            (mutant, unit_tests(mutant, seen.get(mutant.file, {})), FAULTS.get(mutant.room, []) * given.faults)
            for mutant in mutants
        ]
        counts: dict[str, Counter] = defaultdict(Counter)
        # Unlike a `Pool`, it does not wait forever for a worker that a changed program killed.
        with ProcessPoolExecutor(given.workers, fork, begin, (collection, top)) as pool:
            for mutant, noticed in pool.map(examine, tasks):
                counts[mutant.room][noticed] += 1
                if not noticed:
                    print(f"not noticed: {mutant.file}:{mutant.line} {mutant.function}: {mutant.change}", flush=True)
    for room, count in sorted(counts.items()):
        by = ", ".join(f"{count[name]} by {name}" for name in ("unit tests", "fault tests") if count[name])
        print(f"{room}: noticed {count.total() - count['']} of {count.total()}" + (f" ({by})" if by else ""))


if __name__ == "__main__":
    main()
