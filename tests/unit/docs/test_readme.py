# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""README.md is shown where no other file is: it has what reviewers ask for, and its links are whole addresses."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ASKED = {
    *("Requirements", "Installation", "Use cases", "Testing", "Support", "Release notes and versions", "Licence"),
    *("Communication", "Contributing", "Code of conduct"),
}


def test_it_has_the_sections_that_both_checklists_ask_for() -> None:
    missing = ASKED - set(re.findall(r"^## (.+)$", README, re.MULTILINE))
    assert not missing, f"README.md lacks {', '.join(sorted(missing))}"


def test_each_link_is_a_whole_address_and_leads_to_a_file_that_is_there() -> None:
    repository = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["repository"]
    links = re.findall(r"\]\(([^)]+)\)", README)
    relative = [link for link in links if not link.startswith("https://")]
    assert links and not relative, f"README.md has relative links: {', '.join(relative)}"
    ours = [link.removeprefix(f"{repository}/blob/main/") for link in links if link.startswith(f"{repository}/blob/")]
    gone = [path for path in ours if not (ROOT / path.partition("#")[0]).is_file()]
    assert len(ours) > 5 and not gone, f"README.md links to {', '.join(gone)}, which is not there"
