#!/usr/bin/env python
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The start page of the documentation, in place of the one that antsibull-docs made.

    start_page.py FOLDER    writes index.rst in the folder that antsibull-docs filled

It is scripts/docsite/start.rst, then the guides in the groups of docs/docsite/extra-docs.yml and a list of what else
antsibull-docs wrote: modules, roles and other plugins, each with a line.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parent.parent
KINDS = {"module": "Modules", "role": "Roles", "callback": "Callbacks", "lookup": "Lookups"}


class Page(NamedTuple):
    """A page, by its path without the suffix, its short name, and what it says in a line."""

    path: str
    name: str
    line: str


Groups = dict[str, list[Page]]


def text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def guides() -> Groups:
    """The guides, in their groups."""
    sections = yaml.safe_load(text_of(ROOT / "docs/docsite/extra-docs.yml"))["sections"]
    return {
        section["title"]: [
            Page(f"docsite/{guide['ref']}", *guide["title"].split(": ", 1)) for guide in section["toctree"]
        ]
        for section in sections
    }


def plugins(folder: Path) -> Groups:
    """The pages of modules, roles and other plugins, by their kind."""
    found: Groups = {}
    for kind, heading in KINDS.items():
        for file in sorted(folder.glob(f"*_{kind}.rst")):
            # cryptoki.hsm.hsm_token module -- Make a token in an HSM or in SoftHSM
            title = re.search(rf"^cryptoki\.hsm\.(\w+) {kind} -- (.+)$", text_of(file), re.MULTILINE)
            if not title:
                sys.exit(f"start_page: {file} has no title")
            found.setdefault(heading, []).append(Page(file.stem, title[1], title[2]))
    return found


def kept(folder: Path) -> str:
    """What of antsibull-docs's own page stays: who to ask. The pages of all plugins link it."""
    part = re.search(
        r"^\.\. _communication_for_.*?(?=^\.\. toctree::)", text_of(folder / "index.rst"), re.MULTILINE | re.DOTALL
    )
    return part[0] if part else sys.exit("start_page: antsibull-docs wrote nothing on communication")


def listed(groups: Groups, underline: str) -> Iterator[str]:
    """The groups with a line for each page."""
    for heading, pages in groups.items():
        yield from ("", heading, underline * len(heading), "")
        yield from (f"- :doc:`{page.name} <{page.path}>`: {page.line}" for page in pages)


def sidebar(groups: Groups) -> Iterator[str]:
    """The same by short names; nothing of it is seen on the page itself."""
    for heading, pages in groups.items():
        yield from ("", ".. toctree::", "    :hidden:", f"    :caption: {heading}", "")
        yield from (f"    {page.name} <{page.path}>" for page in pages)


def main() -> int:
    folder = Path(sys.argv[1])
    wrote = plugins(folder)
    variables = folder / "environment_variables.rst"
    more: Groups = {"More": [Page(variables.stem, "Environment variables", "")]} if variables.is_file() else {}
    lines = [
        text_of(ROOT / "scripts/docsite/start.rst"),
        *("Guides", "------"),
        *listed(guides(), "^"),
        *listed(wrote, "-"),
        "",
        kept(folder),
        *sidebar({**guides(), **wrote, **more}),
    ]
    (folder / "index.rst").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
