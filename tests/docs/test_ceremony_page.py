# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of a ceremony in a browser: on a desk, on a phone and on paper, with every number that is to be compared."""

from __future__ import annotations

import hashlib
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.page import page
from ansible_collections.cryptoki.hsm.tests.support.browser import DESKTOP, PHONE, Screen, View, open_browser, open_view

PAPER = Screen("paper", 680, 980)  # the part of A4 between the margins
LABELS = ("root-ca-2026", "issuing-ca-2026", "report-2026 " + "with a label that is very long " * 5)
URI = "pkcs11:token=root;manufacturer=SoftHSM%20project;serial=9ff9f6b52fed686e;object=x;id=" + "%E7%84%56%02" * 8


def number(of: str) -> str:
    return hashlib.sha256(of.encode()).digest().hex(":")


def records() -> t.Iterator[dict[str, t.Any]]:
    """Of a run with names that are long."""
    moment = "2026-11-27T02:26:34.816+00:00"
    yield {"record": "start", "at": moment, "title": "Root CA", "playbook": "/srv/" + "x" * 150}
    yield {"record": "sources", "of": "playbook", "files": [{"path": "playbook/" + "y" * 90, "sha256": "f" * 64}]}
    for label in LABELS:
        half = {"sign": True, "local": True, "extractable": False}
        pair = {"label": label, "fingerprint": number(label), "uri": URI, "key_type": "rsa", "private_key": half}
        certificate = {"kind": "certificate", "subject": f"CN={label}", "file": f"/{label}"}
        yield {
            "record": "task",
            "name": f"Have {label}",
            "module": "cryptoki.hsm.hsm_rsa_keypair",
            "host": "localhost",
            "status": "changed",
            "outcome": "generated",
            "options": {"module_path": "/" + "z" * 120},
            "key_pairs": [{**pair, "public_key_pem": "PEM"}],
            "documents": [{**certificate, "sha256": number(f"of {label}")}],
        }
    yield {"record": "end", "at": moment, "status": "complete", "hosts": {}}


def shown(view: View) -> str:
    """The digits of a page as they stand there, without what is between them."""
    text = view.page.evaluate("document.body.innerText")
    return "".join(text.split())


def test_the_page_on_every_screen_and_on_paper(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page([*records()], number("the records")), encoding="utf-8")
    names = ["the records", *LABELS, *(f"of {label}" for label in LABELS)]
    numbers = [number(name).replace(":", "") for name in names]
    with open_browser() as browser:
        for screen in (DESKTOP, PHONE, PAPER):
            with open_view(browser, screen) as view:
                view.page.emulate_media(media="print" if screen is PAPER else "screen")
                assert view.complaints(file) == [], screen
                text = shown(view)
                assert [one for one in numbers if one not in text] == [], screen
                if screen is PAPER:
                    assert view.page.pdf(prefer_css_page_size=True).startswith(b"%PDF-")
