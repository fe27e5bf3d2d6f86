# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tables hold stands in the documents that list it; the message names the document and what it lacks."""

from __future__ import annotations

import importlib
import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import (
    ECC,
    KEYPAIR,
    LOGIN,
    RSA,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.description import describe
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, Sharing, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VENDORS
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    ATTRIBUTES,
    CHANGEABLE,
    HALVES,
    PRIVATE,
    PUBLIC,
    SETTABLE,
    USAGE_BITS,
    Changeable,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import CURVES, curve_by_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.providers import PROVIDERS

ROOT = Path(__file__).resolve().parents[3]
GUIDES = "docs/docsite/rst"
MODULES = sorted(file.stem for file in (ROOT / "plugins/modules").glob("*.py"))


def text_of(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def between(file: str, start: str, end: str) -> str:
    """The part of a document between two texts, of which the first must be there."""
    dummy, found, rest = text_of(file).partition(start)
    assert found, f"{file} has no '{start}' any more"
    return rest.partition(end)[0]


def first_cells(file: str, heading: str) -> list[str]:
    """What stands as code in the first cells of the table that begins with this heading."""
    rows = [line.split("|")[1] for line in between(file, f"\n| {heading} |", "\n\n").splitlines()[2:]]
    return [match[1] for match in (re.search(r"`([\w.-]+)`", row) for row in rows) if match]


def compare(file: str, what: str, written: t.Iterable[str], known: t.Iterable[str]) -> None:
    """Both must be the same; what a document says of them is no concern."""
    missing, surplus = sorted(set(known) - set(written)), sorted(set(written) - set(known))
    assert not missing, f"{file} lacks {what} {', '.join(missing)}"
    assert not surplus, f"{file} has {what} {', '.join(surplus)}, which is not there"


def test_providers() -> None:
    choices = LOGIN.spec["provider"]["choices"]
    compare("plugins/module_utils/_options/groups.py", "the provider", choices, PROVIDERS)
    compare("README.md", "the provider", first_cells("README.md", "provider"), PROVIDERS)
    for name in PROVIDERS:
        assert (ROOT / f"plugins/module_utils/_{name}/provider.py").is_file(), f"{name} has no room of its own"


def test_guides() -> None:
    file = "docs/docsite/extra-docs.yml"
    there = [guide.stem for guide in (ROOT / GUIDES).glob("*.rst")]
    sections = yaml.safe_load(text_of(file))["sections"]
    compare(file, "the guide", [guide["ref"] for section in sections for guide in section["toctree"]], there)
    for guide in (guide for section in sections for guide in section["toctree"]):
        assert re.fullmatch(r"[^:]{3,30}: \S.{20,}", guide["title"]), f"{file}: a name and a line for {guide['ref']}"
    named = set(re.findall(r"`(guide_\w+)`", text_of("README.md")))
    compare("README.md", "the guide", named, named & set(there))


def test_what_there_is() -> None:
    modules = [f"cryptoki.hsm.{name}" for name in MODULES]
    compare("README.md", "the module", first_cells("README.md", "module"), modules)
    roles = [f"cryptoki.hsm.{folder.parent.parent.name}" for folder in (ROOT / "roles").glob("*/meta/main.yml")]
    compare("README.md", "the role", first_cells("README.md", "role"), roles)
    others = [
        f"cryptoki.hsm.{file.stem}"
        for kind in ("callback", "lookup")
        for file in (ROOT / "plugins" / kind).glob("*.py")
    ]
    compare("README.md", "the plugin", first_cells("README.md", "plugin"), others)
    playbooks = [f"cryptoki.hsm.{file.stem}" for file in (ROOT / "playbooks").glob("*.yml")]
    compare("README.md", "the playbook", first_cells("README.md", "playbook"), playbooks)
    groups = yaml.safe_load(text_of("meta/runtime.yml"))["action_groups"]["hsm"]
    compare("meta/runtime.yml", "the module", groups, MODULES)
    targets = {folder.name for folder in (ROOT / "tests/integration/targets").iterdir()}
    compare("tests/integration/targets", "the target", targets & {*MODULES}, MODULES)


def test_vendors() -> None:
    """Each row that is no default has a section of the guide, and is spoken of in README.md."""
    guide = f"{GUIDES}/guide_vendors.rst"
    titles = " ".join(re.findall(r"^(.+)\n-{3,}$", text_of(guide), re.MULTILINE)).lower()
    rows = set(VENDORS) - {"generic"}
    compare(guide, "a section for", {name for name in rows if name in titles}, rows)
    compare("README.md", "a word on", {name for name in rows if name in text_of("README.md").lower()}, rows)


@pytest.mark.parametrize(
    ("file", "start", "known"),
    [
        ("guide_vendors.rst", "\n- Curves: ", VENDORS["cloudhsm"].curves),
        (
            "guide_azure_cloud_hsm.rst",
            "\n- Curves are those with a number: ",
            {curve.name for curve in CURVES if curve.number is not None},
        ),
    ],
)
def test_curves_of_one_hsm(file: str, start: str, known: t.Collection[str]) -> None:
    written = between(f"{GUIDES}/{file}", start, ".\n").split(", ")
    compare(f"{GUIDES}/{file}", "the curve", {curve_by_name(name).name for name in written}, known)


def test_numbers_of_curves() -> None:
    known = {str(curve.number) for curve in CURVES if curve.number is not None}
    options = yaml.safe_load(
        importlib.import_module("ansible_collections.cryptoki.hsm.plugins.modules.hsm_ecc_keypair").DOCUMENTATION
    )["options"]
    text = " ".join(options["curve"]["description"])
    compare("plugins/modules/hsm_ecc_keypair.py", "the curve", re.findall(r"V\((\d+)\)", text), known)
    row = between(f"{GUIDES}/guide_key_mgmt_util.rst", "\n  * - ``-i``\n", ", and names and OIDs")
    compare("guide_key_mgmt_util.rst", "the curve", re.findall(r"\b\d+\b", row), known)


def test_each_curve_is_tried() -> None:
    file = "tests/integration/targets/hsm_ecc_keypair/vars/main.yml"
    rows = yaml.safe_load(text_of(file))["ecc_curves"]
    compare(file, "the curve", [row["name"] for row in rows], [curve.name for curve in CURVES])


def test_flags_of_the_commands() -> None:
    """Each flag is an option, or an alias of one, but -h."""
    file = f"{GUIDES}/guide_key_mgmt_util.rst"
    options = {**KEYPAIR.spec, **RSA.spec, **ECC.spec}
    taken = {name: option for option, row in options.items() for name in (option, *row.get("aliases", []))}
    table = between(file, "  * - Flag\n", "\n\n")
    rows: list[tuple[str, str]] = re.findall(r"^  \* - ``-(\w+)``\n    -(.*)$", table, re.MULTILINE)
    compare(file, "the flag", {flag for flag, dummy in rows} - {"h"}, {flag for flag, dummy in rows} & {*taken})
    known = {f"{option} as {name}" for name, option in taken.items() if name != option}
    written = {
        f"{name} as {alias}" for dummy, cell in rows for name, alias in re.findall(r"``(\w+)`` \(``(\w+)``", cell)
    }
    compare(file, "the option", written, known)
    for flag, cell in rows:
        assert flag == "h" or f"``{taken[flag]}``" in cell, f"{file} lacks {taken[flag]} for -{flag}"


def test_what_a_use_sends() -> None:
    """In the guide and in the option's own words."""
    known = {
        word: [f"CKA_{bits[half].upper()}" for half in (PRIVATE, PUBLIC) if half in bits]
        for word, bits in USAGE_BITS.items()
    }
    guide = f"{GUIDES}/guide_key_pairs.rst"
    rows = between(guide, "  * - Use\n", "\n\nSo this one").split("  * - ")[1:]
    told = {re.findall(r"``(\w+)``", row)[0]: re.findall(r"``(CKA_\w+)``", row) for row in rows}
    assert told == known, f"{guide} tells uses otherwise"
    option = "plugins/doc_fragments/_keypair.py"
    lines = re.findall(r"- V\((\w+)\) sets (.*)", between(option, "\n  usage:\n", "\n    type:"))
    assert {word: re.findall(r"CKA_\w+", line) for word, line in lines} == known, f"{option} tells uses otherwise"


def test_each_module_links_its_guide_and_its_siblings() -> None:
    for name in MODULES:
        module = importlib.import_module(f"ansible_collections.cryptoki.hsm.plugins.modules.{name}")
        links = yaml.safe_load(module.DOCUMENTATION)["seealso"]
        guides = {link["ref"].rpartition(".")[2] for link in links if "ref" in link}
        modules = {
            link["module"].rpartition(".")[2] for link in links if link.get("module", "").startswith("cryptoki.hsm.")
        }
        assert guides and all((ROOT / GUIDES / f"{guide}.rst").is_file() for guide in guides), f"{name} links no guide"
        assert modules - {name} and not modules - {*MODULES}, f"{name} links no other module"
        # A guide that a module links speaks of it, or of what all modules have.
        own = guides - {"guide_login", "guide_key_mgmt_util"}
        assert any(f"cryptoki.hsm.{name}" in text_of(f"{GUIDES}/{guide}.rst") for guide in own), f"{name} has no guide"


def test_each_role_has_an_example_and_links_its_guide() -> None:
    for file in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        spec, name = yaml.safe_load(file.read_text(encoding="utf-8"))["argument_specs"]["main"], file.parent.parent.name
        assert f"cryptoki.hsm.{name}" in spec.get("examples", ""), f"the role {name} has no example"
        guides = [link["ref"].rpartition(".")[2] for link in spec.get("seealso", []) if "ref" in link]
        assert guides, f"the role {name} links no guide"
        assert all((ROOT / GUIDES / f"{guide}.rst").is_file() for guide in guides), f"the role {name} links {guides}"


def test_attributes_that_can_be_changed() -> None:
    """The guide says of each attribute what becomes of it on a pair that is there."""
    file = f"{GUIDES}/guide_key_pairs.rst"
    bits = {name for half in HALVES for name in SETTABLE[half]} - CHANGEABLE
    told = bits & set(re.findall(r"``(\w+)``", between(file, "What is compared\n", "Usage and attributes\n")))
    compare(file, "the attribute", told, {name for name in bits if ATTRIBUTES[name].change is not Changeable.NEVER})


@pytest.mark.parametrize("folder", [GUIDES, "plugins/modules", "plugins/doc_fragments", "roles"])
def test_names_of_the_standard(folder: str) -> None:
    for file in (ROOT / folder).rglob("*.*"):
        names = re.findall(r"CK([MA])_(\w+)", "" if file.suffix == ".pyc" else file.read_text(encoding="utf-8"))
        wrong = {f"CKM_{name}" for kind, name in names if kind == "M"} - set(MECHANISMS)
        wrong |= {f"CKA_{name}" for kind, name in names if kind == "A" and name.lower() not in ATTRIBUTES}
        assert not wrong, f"{file.relative_to(ROOT)} has {', '.join(sorted(wrong))}, which the tables have not"


def returned(module: str, name: str) -> set[str]:
    text = importlib.import_module(f"ansible_collections.cryptoki.hsm.plugins.modules.{module}").RETURN
    return set(yaml.safe_load(text)[name]["contains"])


def test_what_is_marked() -> None:
    text = importlib.import_module("ansible_collections.cryptoki.hsm.plugins.modules.hsm_key_info").RETURN
    told = " ".join(yaml.safe_load(text)["key_pairs"]["contains"]["problems"]["description"])
    file = f"{GUIDES}/guide_keys.rst"
    words = re.findall(r"^``(\w+)``$", between(file, "\nWhat is marked\n", "\nChanging a key\n"), re.MULTILINE)
    compare(file, "the problem", words, re.findall(r"V\((\w+)\)", told))


# What the tasks add of a pair that they made, of what they did, and of an entry of a list.
PROOF = {"verified", "unverified_reason"}
DONE = {"outcome", "changes"}
ENTRY = {"type", "changed", "failed", "msg", "ckr", "differences"} | DONE


def told_of(*key_types: str) -> set[str]:
    """What is told of pairs of these types on an HSM that has users."""
    sharing = Sharing("crypto_user")
    objects = [[(TokenObject(1, half, {"key_type": name}, sharing=sharing),) for half in HALVES] for name in key_types]
    return {key for publics, privates in objects for key in describe(KeyPair(publics, privates), {})}


@pytest.mark.parametrize(
    ("module", "name", "known"),
    [
        ("hsm_rsa_keypair", "key_pair", told_of("rsa") | PROOF),
        ("hsm_ecc_keypair", "key_pair", told_of("ec") | PROOF),
        ("hsm_keypairs", "key_pairs", told_of("rsa", "ec") | PROOF | ENTRY),
        ("hsm_key", "key_pairs", told_of("rsa", "ec") | DONE),
        ("hsm_key_info", "key_pairs", told_of("rsa", "ec") | {"certificates", "problems"}),
    ],
)
def test_what_is_returned_of_a_pair(module: str, name: str, known: set[str]) -> None:
    compare(f"plugins/modules/{module}.py", f"in {name}", returned(module, name), known)
