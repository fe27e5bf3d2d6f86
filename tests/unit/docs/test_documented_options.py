# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules take is documented, option by option and choice by choice; the message names the file that lacks a name.

The sanity tests find that, too, in minutes and without naming the fragment.
"""

from __future__ import annotations

import importlib
import re
import typing as t
from pathlib import Path

import ansible
import pytest
import yaml

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import OptionGroup
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.key_groups import KEYPAIRS

ROOT = Path(__file__).resolve().parents[3]
PLUGINS = "ansible_collections.cryptoki.hsm.plugins"
MODULES = sorted(file.stem for file in (ROOT / "plugins/modules").glob("*.py"))
Options = t.Mapping[str, t.Mapping[str, t.Any]]


class Documented(t.NamedTuple):
    """An option in the documentation, and the file in which it stands."""

    file: str
    row: t.Mapping[str, t.Any]


class Taken(Exception):
    """Ends a module before it begins, with the options that it takes."""


def taken_by(module: str, patch: pytest.MonkeyPatch) -> OptionGroup:
    """The options of a module, from its own start."""

    def stop(group: OptionGroup) -> t.NoReturn:
        raise Taken(group)

    patch.setattr(OptionGroup, "create_module", stop)
    with pytest.raises(Taken) as caught:
        importlib.import_module(f"{PLUGINS}.modules.{module}").main()
    return t.cast(OptionGroup, caught.value.args[0])


def texts_of(module: str) -> t.Iterator[tuple[str, t.Mapping[str, t.Any]]]:
    """The parsed documentation of a module and of its fragments, each with its file."""
    own = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{module}").DOCUMENTATION)
    yield f"plugins/modules/{module}.py", own
    for name in own["extends_documentation_fragment"]:
        if name == "ansible.builtin.files":
            # Read, not imported: that would make this process a controller, which shows warnings on stderr.
            text = (Path(ansible.__file__).parent / "plugins/doc_fragments/files.py").read_text(encoding="utf-8")
            quoted = re.split("('{3}|\"{3})", text.partition("DOCUMENTATION = ")[2])  # a quote, the text, a quote
            yield name, yaml.safe_load(quoted[2])
            continue
        fragment, dummy, part = name.removeprefix("cryptoki.hsm.").partition(".")
        holder = importlib.import_module(f"{PLUGINS}.doc_fragments.{fragment}").ModuleDocFragment
        yield f"plugins/doc_fragments/{fragment}.py", yaml.safe_load(getattr(holder, (part or "documentation").upper()))


def documented_options(file: str, options: Options, path: str = "") -> t.Iterator[tuple[str, Documented]]:
    """Each option by its path, as private_attributes.sign."""
    for name, row in options.items():
        yield path + name, Documented(file, row)
        yield from documented_options(file, row.get("suboptions", {}), f"{path}{name}.")


def taken_options(options: Options, path: str = "") -> t.Iterator[tuple[str, t.Mapping[str, t.Any]]]:
    for name, row in options.items():
        yield path + name, row
        yield from taken_options(row.get("options", {}), f"{path}{name}.")


def compared(path: str, taken: t.Mapping[str, t.Any], written: Documented) -> t.Iterator[str]:
    """What the documentation of one option lacks, or has too much."""
    for what in ("choices", "aliases"):
        names, told = (set(map(str, row.get(what, []))) for row in (taken, written.row))
        yield from (f"{written.file} lacks {name} in the {what} of {path}" for name in names - told)
        yield from (f"{written.file} has {name} in the {what} of {path}, which is none" for name in told - names)
    for what, usual in (("default", None), ("required", False)):
        value, said = taken.get(what, usual), written.row.get(what, usual)
        if value != said:
            yield f"{written.file} says {what}: {said} of {path}, and it is {value}"


@pytest.mark.parametrize("module", MODULES)
def test_what_a_module_takes_is_documented(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[str, Documented] = {}
    for file, text in reversed(list(texts_of(module))):  # what the module says itself wins
        written.update(documented_options(file, text.get("options", {})))
    taken = dict(taken_options(taken_by(module, monkeypatch).spec))
    own = Documented(f"plugins/modules/{module}.py", {})
    above = {path: written.get(path.rpartition(".")[0], own) for path in taken}
    wrong = {f"{above[path].file} lacks the option {path}" for path in taken.keys() - written}
    wrong |= {f"{written[path].file} has the option {path}, which is not taken" for path in written.keys() - taken}
    wrong.update(*(compared(path, taken[path], written[path]) for path in taken.keys() & written))
    assert not wrong, "; ".join(sorted(wrong))
    assert len(taken) > 10


def test_the_role_takes_what_an_entry_takes() -> None:
    file = "roles/keypairs/meta/argument_specs.yml"
    specs = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    entry = KEYPAIRS.spec["keypairs"]["options"]
    # A pair of a session would be gone when the role goes on; the file is the role's own.
    names, known = set(specs["keypairs_pairs"]["options"]) - {"public_key_file"}, set(entry) - {"session"}
    assert not known - names, f"{file} lacks {', '.join(sorted(known - names))}"
    assert not names - known, f"{file} has {', '.join(sorted(names - known))}, which hsm_keypairs does not take"
    for name in names:
        told = specs["keypairs_pairs"]["options"][name].get("choices", [])
        assert told == entry[name].get("choices", []), f"{file} has other choices of {name}"
