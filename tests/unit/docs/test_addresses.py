# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No file has another address of the project than galaxy.yml, and none of somebody whom the project does not know."""

from __future__ import annotations

import types

import pytest

OLD = """\
authors: [The contributors <maintainers@example.org>]
repository: https://example.org/cryptoki-hsm
issues: https://example.org/cryptoki-hsm/issues
"""
NEW = """\
authors: [The contributors <maintainers@keys.example.net> (@somebody)]
repository: https://code.example.net/keys/hsm/
issues: https://bugs.example.net/hsm
"""


@pytest.fixture
def script(load_script: types.FunctionType) -> types.ModuleType:
    return load_script("addresses")


def test_every_file_has_those_of_galaxy_yml(script: types.ModuleType) -> None:
    own = script.project((script.ROOT / script.SOURCE).read_text(encoding="utf-8"))
    texts = dict(script.files())
    assert {"galaxy.yml", "README.md", "SECURITY.md", ".github/CODEOWNERS"} <= texts.keys()
    others = [name for name, text in texts.items() if name != script.SOURCE and script.rewritten(text, own) != text]
    assert not others, f"scripts/addresses.py was not run: {', '.join(others)}"
    strangers = {name: found for name, text in texts.items() if (found := script.unknown(text, own))}
    assert not strangers, f"neither the project's nor known to scripts/addresses.py: {strangers}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "[how](https://example.org/cryptoki-hsm/blob/main/A.md).",
            "[how](https://code.example.net/keys/hsm/blob/main/A.md).",
        ),
        ("https://elsewhere.example/a/b/tree/main/docs", "https://code.example.net/keys/hsm/tree/main/docs"),
        ("url: https://example.org/cryptoki-hsm/issues", "url: https://bugs.example.net/hsm"),
        ("https://example.org/cryptoki-hsm/issues/new", "https://bugs.example.net/hsm/new"),
        (
            "<https://example.org/cryptoki-hsm/security/advisories/new>",
            "<https://code.example.net/keys/hsm/security/advisories/new>",
        ),
        ("* maintainers@example.org", "* maintainers@keys.example.net"),
        ("The cryptoki.hsm authors (!UNKNOWN)", "The cryptoki.hsm authors (@somebody)"),
        ("https://github.com/pyauth/python-pkcs11/issues/1", "https://github.com/pyauth/python-pkcs11/issues/1"),
        ("https://ca.example.org/sign", "https://ca.example.org/sign"),
    ],
)
def test_what_becomes_of_an_address_when_the_project_moves(script: types.ModuleType, before: str, after: str) -> None:
    own = script.project(NEW)
    assert script.rewritten(before, own) == after
    assert script.rewritten(after, own) == after
    assert not script.unknown(after, own)


def test_without_an_account_nobody_is_named(script: types.ModuleType) -> None:
    assert script.rewritten("The authors (@stranger)", script.project(OLD)) == "The authors (!UNKNOWN)"


@pytest.mark.parametrize(
    "text",
    ["https://stranger.invalid/hsm", "contributors (github.com/stranger)", "see http://ann@stranger.invalid/x, please"],
)
def test_a_stranger_is_named(script: types.ModuleType, text: str) -> None:
    (found,) = script.unknown(text, script.project(OLD))
    assert "stranger" in found
