# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages that `make docs` makes: what they link is there, and they look right on a desk and on a phone."""

from __future__ import annotations

import os
import typing as t
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from ansible_collections.cryptoki.hsm.tests.support.browser import DESKTOP, PHONE, Screen, open_browser, open_view

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(os.environ.get("DOCS_SITE") or ROOT / "build/docs/html")

pytestmark = pytest.mark.skipif(not SITE.is_dir(), reason="make docs has not made the pages")


class Links(HTMLParser):
    """What a page links, and what of it can be linked."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.names: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value and ":" not in value.partition("/")[0] and not value.startswith("//"):
                self.targets.append(value)
            elif name in ("id", "name") and value:
                self.names.add(value)


@pytest.fixture(scope="module")
def pages() -> dict[Path, Links]:
    return {file: Links(file) for file in sorted(SITE.rglob("*.html"))}


def test_each_plugin_role_and_guide_has_its_page(pages: dict[Path, Links]) -> None:
    names = {file.stem for file in pages}
    plugins = {
        f"{file.stem}_{kind}"
        for folder, kind in (("modules", "module"), ("callback", "callback"), ("lookup", "lookup"))
        for file in (ROOT / "plugins" / folder).glob("*.py")
    }
    roles = {f"{folder.name}_role" for folder in (ROOT / "roles").iterdir() if (folder / "meta").is_dir()}
    guides = {file.stem for file in (ROOT / "docs/docsite/rst").glob("*.rst")}
    wanted = plugins | roles | guides | {"index"}
    assert not wanted - names, f"no page of {', '.join(sorted(wanted - names))}"
    (start,) = (links for file, links in pages.items() if file == SITE / "index.html")
    linked = {Path(target.partition("#")[0]).stem for target in start.targets}
    missed = wanted - linked - {"index"}
    assert not missed, f"the start page does not link {', '.join(sorted(missed))}"


def test_no_internal_link_is_dead(pages: dict[Path, Links]) -> None:
    dead = []
    for file, links in pages.items():
        for target in set(links.targets):
            path, _hash, name = target.partition("#")
            there = (file.parent / unquote(path.partition("?")[0])).resolve() if path else file
            known = pages[there].names if there in pages else {unquote(name)}
            if not there.is_file() or (name and unquote(name) not in known):
                dead.append(f"{file.relative_to(SITE)} links {target}")
    assert not dead, "\n".join(sorted(dead))


@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=lambda screen: t.cast(Screen, screen).name)
def test_how_the_pages_look(pages: dict[Path, Links], screen: Screen) -> None:
    with open_browser() as browser, open_view(browser, screen) as view:
        wrong = [f"{file.relative_to(SITE)}: {told}" for file in pages for told in view.complaints(file)]
        assert not wrong, "\n".join(wrong)
        view.complaints(SITE / "index.html")
        # In one screen: what it is, for whom, and where to begin.
        for said in ("An Ansible collection that", "It is for people who", "Where to begin"):
            box = view.page.get_by_text(said).first.bounding_box()
            assert box and (screen is PHONE or box["y"] + box["height"] < screen.height), f"'{said}' is out of sight"
