# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The code blocks of README.md, of the roles' README.md and of the guides, in their order."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Block(t.NamedTuple):
    """A code block, by the file that has it."""

    file: str
    language: str
    text: str

    @property
    def name(self) -> str:
        """The file and the first line, which is how a list names a block."""
        return f"{self.file}: {self.text.strip().splitlines()[0].strip()}"


def blocks() -> list[Block]:
    """Every code block of every document for users."""
    documents = [ROOT / "README.md", *sorted((ROOT / "roles").glob("*/README.md"))]
    found = [block for file in documents for block in of_markdown(file)]
    return found + [block for file in sorted((ROOT / "docs/docsite/rst").glob("*.rst")) for block in of_rst(file)]


def of_markdown(file: Path) -> t.Iterator[Block]:
    """The fenced blocks of a file."""
    parser = pytest.importorskip("markdown_it").MarkdownIt()
    for token in parser.parse(file.read_text(encoding="utf-8")):
        if token.type in ("fence", "code_block"):
            yield Block(str(file.relative_to(ROOT)), token.info.strip(), token.content)


def of_rst(file: Path) -> t.Iterator[Block]:
    """The code blocks of a guide. What only Sphinx knows is none, and is passed over."""
    pytest.importorskip("docutils")
    from docutils import nodes
    from docutils.core import publish_doctree

    settings = {"report_level": 5, "halt_level": 6, "syntax_highlight": "none", "file_insertion_enabled": False}
    tree = publish_doctree(file.read_text(encoding="utf-8"), settings_overrides=settings)
    for node in tree.findall(nodes.literal_block):
        classes = [name for name in node["classes"] if name != "code"]
        if "code" in node["classes"]:  # any other one shows what docutils did not understand
            yield Block(file.stem, classes[0] if classes else "", node.astext())
