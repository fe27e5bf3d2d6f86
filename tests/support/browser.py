# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a reader sees of a page: Debian's Chromium without a window, driven by playwright.

It opens files of this host. A page is complained of that logs an error, asks the network or for a file that is not
there, or is wider than the screen.
"""

from __future__ import annotations

import json
import os
import shutil
import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest

if t.TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request


class Screen(t.NamedTuple):
    """What a page is shown on."""

    name: str
    width: int
    height: int


DESKTOP = Screen("desktop", 1280, 800)
PHONE = Screen("phone", 390, 844)

# What reaches out on the right: texts and pictures, also where something above them cuts them off, but not where one
# can scroll to them.
TOO_WIDE = """() => {
    const width = document.documentElement.clientWidth, needed = document.documentElement.scrollWidth;
    const scrolls = (element) =>
        element && (["auto", "scroll"].includes(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
    const wide = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    while (walker.nextNode()) {
        const node = walker.currentNode, isText = node.nodeType === Node.TEXT_NODE, range = document.createRange();
        const element = isText ? node.parentElement : node;
        if (isText ? !node.data.trim() : !["IMG", "SVG", "TABLE", "PRE"].includes(node.tagName)) continue;
        range.selectNodeContents(node);
        const right = Math.round((isText ? range : node).getBoundingClientRect().right);
        if (right > width && element.checkVisibility() && !scrolls(element))
            wide.push(element.tagName.toLowerCase() + " to " + right + " of " + width + ": "
                + element.textContent.trim().slice(0, 60));
    }
    return wide.length || needed <= width ? wide : ["the page, " + needed + " of " + width];
}"""


def chromium() -> str | None:
    """The browser: `CHROMIUM`, else as the testbed found it, else on the search path."""
    testbed = Path(__file__).parents[2] / "build/testbed.json"
    tools = json.loads(testbed.read_text(encoding="utf-8"))["tools"] if testbed.is_file() else {}
    return os.environ.get("CHROMIUM") or tools.get("chromium") or shutil.which("chromium")


@contextmanager
def open_browser() -> t.Iterator[Browser]:
    """A browser for any number of pages. The test is skipped, and says why, where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed for this Python")
    path = chromium()
    if not path:
        pytest.skip("there is no Chromium here (Debian: chromium)")
    with api.sync_playwright() as playwright:
        # Without its sandbox, since root runs it here, and with pages of our own only.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


class View:
    """A page on a screen, and what is wrong with it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        page.on("console", lambda told: self.said.append(f"console: {told.text}") if told.type == "error" else None)
        page.on("pageerror", lambda error: self.said.append(f"script: {error}"))
        page.on("requestfailed", self._missed)

    def _missed(self, asked: Request) -> None:
        if asked.failure != "net::ERR_ABORTED":  # as what the page before still waited for
            self.said.append(f"not found: {asked.url}")

    def complaints(self, file: Path) -> list[str]:
        """Opens a file; the answer is what is wrong with it, nothing for a good page."""
        self.said.clear()
        self.page.goto(file.as_uri(), wait_until="load")
        return [*self.said, *(f"too wide: {element}" for element in self.page.evaluate(TOO_WIDE))]


@contextmanager
def open_view(browser: Browser, screen: Screen) -> t.Iterator[View]:
    """Shows pages on a screen. Nothing is fetched from the network: what asks for it is told as not found."""
    context = browser.new_context(
        viewport={"width": screen.width, "height": screen.height}, is_mobile=screen is PHONE, has_touch=screen is PHONE
    )
    context.route(lambda url: not url.startswith(("file:", "data:")), lambda route: route.abort())
    yield View(context.new_page())
    context.close()
